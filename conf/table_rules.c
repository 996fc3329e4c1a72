/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/table_rules.h"

#include <string.h>
#include <strings.h>

#include "conf/lines.h"

#define WORD_END " \t"

static const char *skip_blanks(const char *text)
{
	while (lines_is_blank(*text))
		text++;
	return text;
}

/* Is it the first word of the text? */
static bool starts_with_word(const char *text, const char *word)
{
	size_t len = strcspn(text, WORD_END);
	return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

/* Reads the pattern or net at the head of the text and moves it on; NULL, or
 * what is wrong. */
static const char *take_condition(struct arena *arena,
    enum table_rules_kind kind, const char **text, struct table_rule *rule)
{
	const char *problem = NULL;
	rule->is_negated = **text == '!';
	if (rule->is_negated)
		*text = skip_blanks(*text + 1);
	if (kind == TABLE_RULES_CIDR) {
		size_t len = strcspn(*text, WORD_END);
		problem = net_parse(arena, *text, len, &rule->net);
		*text += len;
		return problem;
	}
	rule->pattern = pattern_compile(arena,
	    kind == TABLE_RULES_PCRE ? PATTERN_PCRE : PATTERN_POSIX, *text,
	    text, &problem);
	return problem;
}

static const char *take_result(struct arena *arena, enum table_rules_kind kind,
    const char *text, struct table_rule *rule)
{
	text = skip_blanks(text);
	rule->result.place = rule->place;
	if (*text == '\0')
		return "there is no result behind it";
	if (kind == TABLE_RULES_CIDR) {
		rule->result.text = text;
		return NULL;
	}
	/* What does not match has no groups. */
	unsigned group_count =
	    rule->is_negated ? 0 : pattern_group_count(rule->pattern);
	return table_result_parse(arena, text, group_count, &rule->result);
}

/* NULL, or what is wrong. */
static const char *parse_rule(struct arena *arena, enum table_rules_kind kind,
    const char *text, struct table_rule *rule)
{
	if (starts_with_word(text, "endif")) {
		rule->what = RULE_ENDIF;
		return *skip_blanks(text + strlen("endif")) == '\0'
			   ? NULL
			   : "something stands behind endif";
	}
	bool is_if = starts_with_word(text, "if");
	rule->what = is_if ? RULE_IF : RULE_RESULT;
	if (is_if)
		text = skip_blanks(text + strlen("if"));
	const char *problem = take_condition(arena, kind, &text, rule);
	if (problem != NULL)
		return problem;
	if (!is_if)
		return take_result(arena, kind, text, rule);
	return *skip_blanks(text) == '\0' ? NULL
					  : "something stands behind the "
					    "condition of an if";
}

/* Finds each if its endif. Innermost ifs that are open make a chain through
 * their `endif`, which ends with the index of the if itself. */
static bool join_ifs(struct table_rules *rules, struct report *report)
{
	bool fine = true;
	size_t open = rules->count; /* of the innermost; count: none */
	for (size_t i = 0; i < rules->count; i++) {
		struct table_rule *rule = &rules->rules[i];
		if (rule->what == RULE_IF) {
			rule->endif = open;
			open = i;
		} else if (rule->what == RULE_ENDIF && open == rules->count) {
			report_add(report, REPORT_ERROR, rule->place,
			    "endif without an if before it");
			fine = false;
		} else if (rule->what == RULE_ENDIF) {
			size_t outer = rules->rules[open].endif;
			rules->rules[open].endif = i;
			open = outer;
		}
	}
	if (open < rules->count) {
		report_add(report, REPORT_ERROR, rules->rules[open].place,
		    "if without an endif behind it");
		fine = false;
	}
	return fine;
}

bool table_rules_load(struct arena *arena, struct table_rules *rules,
    const struct table_rows *rows, struct report *report)
{
	bool fine = true;
	rules->rules =
	    arena_alloc(arena, (rows->count + 1) * sizeof(*rules->rules));
	rules->count = rows->count;
	for (size_t i = 0; i < rows->count; i++) {
		const struct table_row *row = &rows->rows[i];
		struct table_rule *rule = &rules->rules[i];
		rule->place = row->place;
		const char *problem =
		    parse_rule(arena, rules->kind, row->text, rule);
		if (problem == NULL)
			continue;
		report_add(report, REPORT_ERROR, row->place, "\"%.200s\": %s",
		    row->text, problem);
		fine = false;
	}
	return fine && join_ifs(rules, report);
}

void table_rules_finish(struct table_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		pattern_finish(rules->rules[i].pattern);
}

/* What is looked up, in the forms that conditions want. */
struct subject {
	const char *text;
	bool is_address;
	struct net_address address;
};

static enum pattern_answer holds(const struct table_rule *rule,
    const struct subject *subject, struct pattern_groups *groups_out)
{
	enum pattern_answer answer;
	if (rule->pattern != NULL)
		answer =
		    pattern_match(rule->pattern, subject->text, groups_out);
	else
		answer = subject->is_address &&
				 net_contains(&rule->net, &subject->address)
			     ? PATTERN_MATCHES
			     : PATTERN_DIFFERS;
	if (answer == PATTERN_FAILED || !rule->is_negated)
		return answer;
	return answer == PATTERN_MATCHES ? PATTERN_DIFFERS : PATTERN_MATCHES;
}

enum table_rules_answer table_rules_find(const struct table_rules *rules,
    const char *key, const struct table_result **result_out,
    struct pattern_groups *groups_out)
{
	struct subject subject = {.text = key};
	subject.is_address =
	    net_address_parse(key, strlen(key), &subject.address);
	/* A cidr table says nothing of what is no address, also with a '!'. */
	if (rules->kind == TABLE_RULES_CIDR && !subject.is_address)
		return RULES_ABSENT;
	for (size_t i = 0; i < rules->count; i++) {
		const struct table_rule *rule = &rules->rules[i];
		if (rule->what == RULE_ENDIF)
			continue;
		enum pattern_answer answer = holds(rule, &subject, groups_out);
		if (answer == PATTERN_FAILED)
			return RULES_FAILED;
		if (rule->what == RULE_IF && answer == PATTERN_DIFFERS)
			i = rule->endif;
		if (rule->what == RULE_IF || answer == PATTERN_DIFFERS)
			continue;
		*result_out = &rule->result;
		return RULES_FOUND;
	}
	return RULES_ABSENT;
}
