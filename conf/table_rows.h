/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a table: the logical lines of a file, or what stands in braces in
 * the parameter itself. For conf/table alone. */
#ifndef POSTERN_CONF_TABLE_ROWS_H
#define POSTERN_CONF_TABLE_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/arena.h"
#include "conf/report.h"

struct table_row {
	const char *text; /* without blanks at both ends */
	const char *place;
};

struct table_rows {
	struct table_row *rows; /* in the arena, as all of it */
	size_t count;
};

/* `source` is "/path" or "{…}", of a table called `name` at `place`. False,
 * told in report, when it is neither, or cannot be read. */
bool table_rows_read(struct arena *arena, const char *source,
    const struct table_row *table, struct report *report,
    struct table_rows *rows_out);

#endif
