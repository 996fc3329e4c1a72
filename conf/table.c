/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/table.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/lines.h"
#include "conf/settings.h"
#include "conf/table_keys.h"
#include "conf/table_rules.h"

enum part_kind { PART_KEYS, PART_RULES, PART_STATIC };

/* One type:name of the list. */
struct part {
	enum part_kind kind;
	struct table_keys keys;
	struct table_rules rules;
	const char *value; /* STATIC */
	struct part *next;
};

struct table {
	struct arena arena;
	struct part *parts;
	const char **results;
	size_t result_count;
	const struct table_result *unknown; /* first of those with a $1 */
};

struct opening {
	struct table *table;
	struct table_row row; /* the type:name */
	struct report *report;
};

/* Opens what stands behind the colon; false, told, when that is wrong. */
typedef bool open_part(
    struct opening *opening, const char *source, struct part *part);

static bool open_keys(struct opening *opening, const char *source,
    struct part *part, enum table_keys_kind kind)
{
	struct arena *arena = &opening->table->arena;
	struct table_rows rows;
	part->kind = PART_KEYS;
	return table_rows_read(
		   arena, source, &opening->row, opening->report, &rows) &&
	       table_keys_load(
		   arena, &part->keys, kind, &rows, opening->report);
}

static bool open_rules(struct opening *opening, const char *source,
    struct part *part, enum table_rules_kind kind)
{
	struct arena *arena = &opening->table->arena;
	struct table_rows rows;
	part->kind = PART_RULES;
	part->rules.kind = kind;
	return table_rows_read(
		   arena, source, &opening->row, opening->report, &rows) &&
	       table_rules_load(arena, &part->rules, &rows, opening->report);
}

static void complain(const struct opening *opening, const char *problem)
{
	report_add(opening->report, REPORT_ERROR, opening->row.place,
	    "table \"%.200s\": %s", opening->row.text, problem);
}

static bool open_inline(
    struct opening *opening, const char *source, struct part *part)
{
	if (source[0] == '{')
		return open_keys(opening, source, part, TABLE_KEYS_EQUALS);
	complain(opening, "must be such as inline:{ key=value, { key = value "
			  "with blanks } }");
	return false;
}

static bool open_texthash(
    struct opening *opening, const char *source, struct part *part)
{
	if (source[0] == '/')
		return open_keys(opening, source, part, TABLE_KEYS_BLANK);
	complain(opening, "must be texthash: and an absolute path");
	return false;
}

static bool open_pcre(
    struct opening *opening, const char *source, struct part *part)
{
	return open_rules(opening, source, part, TABLE_RULES_PCRE);
}

static bool open_regexp(
    struct opening *opening, const char *source, struct part *part)
{
	return open_rules(opening, source, part, TABLE_RULES_REGEXP);
}

static bool open_cidr(
    struct opening *opening, const char *source, struct part *part)
{
	return open_rules(opening, source, part, TABLE_RULES_CIDR);
}

static bool open_static(
    struct opening *opening, const char *source, struct part *part)
{
	const char *end = source + strlen(source);
	if (source[0] == '{' && end[-1] == '}') {
		source++;
		end--;
		while (source < end && lines_is_blank(*source))
			source++;
		while (source < end && lines_is_blank(end[-1]))
			end--;
	}
	part->kind = PART_STATIC;
	part->value =
	    arena_copy(&opening->table->arena, source, (size_t)(end - source));
	if (source < end)
		return true;
	complain(opening, "there is no value");
	return false;
}

/* Their files are made by postmap from a text file, which is what we read. */
static bool refuse_indexed(
    struct opening *opening, const char *source, struct part *part)
{
	(void)part;
	report_add(opening->report, REPORT_ERROR, opening->row.place,
	    "table \"%.200s\": indexed files are not read here: must be "
	    "\"texthash:%.200s\", which reads the text file itself",
	    opening->row.text, source);
	return false;
}

static const struct {
	const char *type;
	open_part *open;
} types[] = {
    {"inline", open_inline},
    {"texthash", open_texthash},
    {"pcre", open_pcre},
    {"regexp", open_regexp},
    {"cidr", open_cidr},
    {"static", open_static},
    {"hash", refuse_indexed},
    {"btree", refuse_indexed},
    {"lmdb", refuse_indexed},
    {"cdb", refuse_indexed},
    {"dbm", refuse_indexed},
    {"sdbm", refuse_indexed},
};

/* NULL: no such type. */
static open_part *find_type(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strlen(types[i].type) == len &&
		    memcmp(types[i].type, name, len) == 0)
			return types[i].open;
	}
	return NULL;
}

static bool open_element(struct opening *opening, struct part *part)
{
	const char *text = opening->row.text;
	size_t type_len = strcspn(text, ":");
	if (text[type_len] != ':') {
		complain(opening, "must be type:name, such as "
				  "texthash:/etc/postern/table");
		return false;
	}
	open_part *open = find_type(text, type_len);
	if (open != NULL)
		return open(opening, text + type_len + 1, part);
	complain(opening, "no such type: must be inline, texthash, pcre, "
			  "regexp, cidr or static");
	return false;
}

static bool open_list(struct opening *opening, const char *text)
{
	struct arena *arena = &opening->table->arena;
	struct part **end = &opening->table->parts;
	const char *element;
	size_t len;
	bool fine = true;
	while (settings_list_next(&text, &element, &len)) {
		struct part *part = arena_alloc(arena, sizeof(*part));
		opening->row.text = arena_copy(arena, element, len);
		*end = part;
		end = &part->next;
		if (!open_element(opening, part))
			fine = false;
	}
	if (len != SIZE_MAX)
		return fine;
	report_add(opening->report, REPORT_ERROR, opening->row.place,
	    "a brace is not closed: must be a list of type:name");
	return false;
}

static size_t count_results(const struct table *table)
{
	size_t count = 0;
	for (const struct part *part = table->parts; part != NULL;
	     part = part->next)
		count += part->keys.count + part->rules.count + 1;
	return count;
}

static void collect_rules(struct table *table, const struct table_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct table_rule *rule = &rules->rules[i];
		if (rule->what != RULE_RESULT)
			continue;
		if (rule->result.pieces == NULL)
			table->results[table->result_count++] =
			    rule->result.text;
		else if (table->unknown == NULL)
			table->unknown = &rule->result;
	}
}

static void collect_results(struct table *table)
{
	table->results = arena_alloc(&table->arena,
	    (count_results(table) + 1) * sizeof(*table->results));
	for (const struct part *part = table->parts; part != NULL;
	     part = part->next) {
		for (size_t i = 0; i < part->keys.count; i++)
			table->results[table->result_count++] =
			    part->keys.entries[i].value;
		collect_rules(table, &part->rules);
		if (part->kind == PART_STATIC)
			table->results[table->result_count++] = part->value;
	}
}

struct table *table_open(
    const char *text, const char *place, struct report *report)
{
	struct table *table = calloc(1, sizeof(*table));
	if (table == NULL) {
		fputs("postern: no memory for a table\n", stderr);
		abort();
	}
	struct opening opening = {
	    .table = table,
	    .row.place = arena_copy(&table->arena, place, strlen(place)),
	    .report = report,
	};
	if (open_list(&opening, text))
		collect_results(table);
	else
		table_close(&table);
	return table;
}

void table_close(struct table **table)
{
	if (*table == NULL)
		return;
	for (struct part *part = (*table)->parts; part != NULL;
	     part = part->next)
		table_rules_finish(&part->rules);
	arena_finish(&(*table)->arena);
	free(*table);
	*table = NULL;
}

static enum table_answer find_rule(const struct part *part, const char *key,
    const char **result_out, char *buffer, size_t buffer_size)
{
	const struct table_result *found;
	struct pattern_groups groups;
	switch (table_rules_find(&part->rules, key, &found, &groups)) {
	case RULES_ABSENT:
		return TABLE_ABSENT;
	case RULES_FAILED:
		return TABLE_FAILED;
	case RULES_FOUND:
		break;
	}
	*result_out = found->text;
	if (found->pieces == NULL)
		return TABLE_FOUND;
	*result_out = buffer;
	return table_result_expand(found, key, &groups, buffer, buffer_size)
		   ? TABLE_FOUND
		   : TABLE_FAILED;
}

static enum table_answer find_in(const struct part *part, const char *key,
    const char **result_out, char *buffer, size_t buffer_size)
{
	switch (part->kind) {
	case PART_KEYS:
		*result_out = table_keys_find(&part->keys, key);
		return *result_out == NULL ? TABLE_ABSENT : TABLE_FOUND;
	case PART_RULES:
		return find_rule(part, key, result_out, buffer, buffer_size);
	case PART_STATIC:
		*result_out = part->value;
		return TABLE_FOUND;
	}
	return TABLE_FAILED;
}

enum table_answer table_find(const struct table *table, const char *key,
    const char **result_out, char *buffer, size_t buffer_size)
{
	enum table_answer answer = TABLE_ABSENT;
	*result_out = NULL;
	if (strlen(key) > TABLE_KEY_LEN_MAX)
		return TABLE_ABSENT;
	for (const struct part *part = table->parts;
	     part != NULL && answer == TABLE_ABSENT; part = part->next)
		answer = find_in(part, key, result_out, buffer, buffer_size);
	if (answer != TABLE_FOUND)
		*result_out = NULL;
	return answer;
}

bool table_results(const struct table *table, struct report *report,
    const char *const **results_out, size_t *count_out)
{
	*results_out = table->results;
	*count_out = table->result_count;
	if (table->unknown == NULL)
		return true;
	report_add(report, REPORT_ERROR, table->unknown->place,
	    "the result \"%.200s\" depends on the key: must be without $1 "
	    "here, since all results are looked at in advance",
	    table->unknown->text);
	return false;
}
