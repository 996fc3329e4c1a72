/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/table_keys.h"

#include <stdlib.h>
#include <string.h>

#include "conf/lines.h"
#include "conf/table.h"

static char lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

static void fold(char *text)
{
	for (; *text != '\0'; text++)
		*text = lower(*text);
}

static bool parse_row(struct arena *arena, enum table_keys_kind kind,
    const struct table_row *row, struct table_entry *entry_out)
{
	const char *text = row->text;
	size_t key_len = strcspn(text, kind == TABLE_KEYS_EQUALS ? "=" : " \t");
	const char *value = text + key_len;
	if (kind == TABLE_KEYS_EQUALS && *value == '=')
		value++;
	while (lines_is_blank(*value))
		value++;
	while (key_len > 0 && lines_is_blank(text[key_len - 1]))
		key_len--;
	if (key_len == 0 || key_len > TABLE_KEY_LEN_MAX || *value == '\0')
		return false;
	char *key = arena_copy(arena, text, key_len);
	fold(key);
	*entry_out = (struct table_entry){
	    .key = key, .value = value, .place = row->place};
	return true;
}

/* Those with one key in the order of the file: later rows lie at higher
 * addresses, as long as they are not sorted. */
static int compare(const void *left, const void *right)
{
	const struct table_entry *const *a = left;
	const struct table_entry *const *b = right;
	int order = strcmp((*a)->key, (*b)->key);
	if (order != 0)
		return order;
	return *a < *b ? -1 : *a > *b;
}

static void sort(
    struct arena *arena, struct table_keys *keys, struct report *report)
{
	struct table_entry **order =
	    arena_alloc(arena, (keys->count + 1) * sizeof(*order));
	struct table_entry *sorted =
	    arena_alloc(arena, (keys->count + 1) * sizeof(*sorted));
	size_t count = 0;
	for (size_t i = 0; i < keys->count; i++)
		order[i] = &keys->entries[i];
	qsort(order, keys->count, sizeof(*order), compare);
	for (size_t i = 0; i < keys->count; i++) {
		if (count == 0 ||
		    strcmp(sorted[count - 1].key, order[i]->key) != 0)
			sorted[count++] = *order[i];
		else
			report_add(report, REPORT_WARNING, order[i]->place,
			    "duplicate entry: \"%.200s\": is ignored, the "
			    "first one counts",
			    order[i]->key);
	}
	keys->entries = sorted;
	keys->count = count;
}

bool table_keys_load(struct arena *arena, struct table_keys *keys,
    enum table_keys_kind kind, const struct table_rows *rows,
    struct report *report)
{
	bool fine = true;
	keys->count = 0;
	keys->entries =
	    arena_alloc(arena, (rows->count + 1) * sizeof(*keys->entries));
	for (size_t i = 0; i < rows->count; i++) {
		const struct table_row *row = &rows->rows[i];
		if (parse_row(arena, kind, row, &keys->entries[keys->count])) {
			keys->count++;
			continue;
		}
		report_add(report, REPORT_ERROR, row->place,
		    "\"%.200s\" is no entry of a table: must be %s", row->text,
		    kind == TABLE_KEYS_EQUALS ? "key = value"
					      : "key, whitespace, value");
		fine = false;
	}
	sort(arena, keys, report);
	return fine;
}

static int compare_key(const void *key, const void *entry)
{
	return strcmp(key, ((const struct table_entry *)entry)->key);
}

const char *table_keys_find(const struct table_keys *keys, const char *key)
{
	char folded[TABLE_KEY_LEN_MAX + 1];
	size_t len = strlen(key);
	if (len > TABLE_KEY_LEN_MAX)
		return NULL;
	memcpy(folded, key, len + 1);
	fold(folded);
	const struct table_entry *entry = bsearch(folded, keys->entries,
	    keys->count, sizeof(*keys->entries), compare_key);
	return entry == NULL ? NULL : entry->value;
}
