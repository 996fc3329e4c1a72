/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of pcre:, regexp: and cidr: tables, which are asked in their order:
 *   /pattern/flags result     !/pattern/flags result
 *   if /pattern/flags … endif     if !/pattern/flags … endif
 * For conf/table alone. */
#ifndef POSTERN_CONF_TABLE_RULES_H
#define POSTERN_CONF_TABLE_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/arena.h"
#include "conf/net.h"
#include "conf/pattern.h"
#include "conf/report.h"
#include "conf/table_result.h"
#include "conf/table_rows.h"

enum table_rules_kind {
	TABLE_RULES_PCRE,
	TABLE_RULES_REGEXP,
	TABLE_RULES_CIDR
};

struct table_rule {
	enum { RULE_RESULT, RULE_IF, RULE_ENDIF } what;
	bool is_negated;
	struct pattern *pattern; /* NULL: net */
	struct net net;
	struct table_result result; /* RULE_RESULT */
	size_t endif;		    /* RULE_IF: the index of its partner */
	const char *place;
};

struct table_rules {
	enum table_rules_kind kind;
	struct table_rule *rules; /* in the arena */
	size_t count;
};

/* False, told in report, when a row is no rule. Finish it in any case. */
bool table_rules_load(struct arena *arena, struct table_rules *rules,
    const struct table_rows *rows, struct report *report);
void table_rules_finish(struct table_rules *rules);

enum table_rules_answer { RULES_FOUND, RULES_ABSENT, RULES_FAILED };

/* groups_out is of the pattern of the rule that was found. */
enum table_rules_answer table_rules_find(const struct table_rules *rules,
    const char *key, const struct table_result **result_out,
    struct pattern_groups *groups_out);

#endif
