/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/table_rows.h"

#include <stdint.h>
#include <string.h>

#include "conf/file.h"
#include "conf/lines.h"
#include "conf/settings.h"

static void add(struct arena *arena, struct table_rows *rows, const char *text,
    const char *place)
{
	/* Doubled whenever it is full: at a power of two. */
	if ((rows->count & (rows->count - 1)) == 0) {
		size_t size = rows->count == 0 ? 1 : rows->count * 2;
		struct table_row *more =
		    arena_alloc(arena, size * sizeof(*more));
		if (rows->count > 0)
			memcpy(more, rows->rows, rows->count * sizeof(*more));
		rows->rows = more;
	}
	rows->rows[rows->count++] =
	    (struct table_row){.text = text, .place = place};
}

static bool read_file_rows(struct arena *arena, const char *path,
    struct report *report, struct table_rows *rows_out)
{
	struct lines lines = {.file = path, .arena = arena, .report = report};
	struct logical_line line;
	size_t errors_before = report->error_count;
	lines.text = file_read(arena, path, report, &lines.len);
	if (lines.text == NULL || !lines_start(&lines))
		return false;
	while (lines_next(&lines, &line))
		add(arena, rows_out, line.text, lines_place(&lines, &line, 0));
	return report->error_count == errors_before;
}

static bool read_list(struct arena *arena, const char *source,
    const struct table_row *table, struct report *report,
    struct table_rows *rows_out)
{
	size_t len = strlen(source);
	const char *element;
	size_t element_len;
	if (source[len - 1] != '}') {
		report_add(report, REPORT_ERROR, table->place,
		    "table \"%.200s\": the braces do not end with it",
		    table->text);
		return false;
	}
	const char *cursor = arena_copy(arena, source + 1, len - 2);
	while (settings_list_next(&cursor, &element, &element_len))
		add(arena, rows_out, arena_copy(arena, element, element_len),
		    table->place);
	if (element_len != SIZE_MAX)
		return true;
	report_add(report, REPORT_ERROR, table->place,
	    "table \"%.200s\": a brace is not closed", table->text);
	return false;
}

bool table_rows_read(struct arena *arena, const char *source,
    const struct table_row *table, struct report *report,
    struct table_rows *rows_out)
{
	*rows_out = (struct table_rows){0};
	if (source[0] == '/')
		return read_file_rows(arena, source, report, rows_out);
	if (source[0] == '{')
		return read_list(arena, source, table, report, rows_out);
	report_add(report, REPORT_ERROR, table->place,
	    "table \"%.200s\": must be an absolute path, or rows in braces, "
	    "behind the colon",
	    table->text);
	return false;
}
