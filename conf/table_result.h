/* SPDX-License-Identifier: Apache-2.0 */
/* The result in a row of a table, which may refer to a pattern's groups: $1,
 * ${1}, $(1); $$ is one $. For conf/table alone. */
#ifndef POSTERN_CONF_TABLE_RESULT_H
#define POSTERN_CONF_TABLE_RESULT_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/arena.h"
#include "conf/pattern.h"

struct table_piece {
	const char *text; /* NULL: what the group matched */
	size_t len;
	unsigned group;
};

struct table_result {
	const char *text;		  /* without references, that is it */
	const struct table_piece *pieces; /* NULL: there are no references */
	size_t piece_count;
	const char *place;
};

/* All in the arena. NULL, or what is wrong. */
const char *table_result_parse(struct arena *arena, const char *text,
    unsigned group_count, struct table_result *result_out);

/* False: it does not fit. */
bool table_result_expand(const struct table_result *result, const char *subject,
    const struct pattern_groups *groups, char *buffer, size_t buffer_size);

#endif
