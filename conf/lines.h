/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts the text of main.cf or master.cf into logical lines: comments and blank
 * lines vanish wherever they stand, a line that begins with blanks continues
 * the one before it, CRLF counts as LF. Pure. */
#ifndef POSTERN_CONF_LINES_H
#define POSTERN_CONF_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/arena.h"
#include "conf/report.h"

/* A value of that length is a mistake, and would be logged and sent. */
#define LINES_LOGICAL_SIZE_MAX 65536

struct lines {
	/* Set by the caller, all of it borrowed: */
	const char *file; /* for messages */
	const char *text;
	size_t len;
	struct arena *arena;
	struct report *report;
	/* Set by lines_start: */
	size_t used;
	unsigned number; /* of the physical line at `used` */
};

/* One physical line in a logical one. */
struct lines_piece {
	size_t offset;
	unsigned number;
};

struct logical_line {
	const char *text; /* without blanks at both ends; in the arena */
	size_t len;
	const struct lines_piece *pieces;
	size_t piece_count;
};

/* Ready to read; false, told in the report, when the text has a byte that no
 * text file has (NUL, or another control character than tab and line end). */
bool lines_start(struct lines *lines);

/* The next logical line that is fit to use, or false at the end. What is wrong
 * with those before it is told in the report. */
bool lines_next(struct lines *lines, struct logical_line *line_out);

/* "FILE:LINE" of the byte at that offset of the line. In the arena. */
const char *lines_place(
    const struct lines *lines, const struct logical_line *line, size_t offset);

/* Blank, tab. */
bool lines_is_blank(char byte);

#endif
