/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/lines.h"

#include <assert.h>
#include <string.h>

struct physical_line {
	const char *text; /* without the line end */
	size_t len;
	unsigned number;
};

/* A logical line under construction: measured in a first pass over its physical
 * lines, then filled in a second. */
struct extent {
	size_t size, piece_count;
	size_t end_used; /* lines->used behind it */
};

bool lines_is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static const char *number_place(const struct lines *lines, unsigned number)
{
	return arena_printf(lines->arena, "%s:%u", lines->file, number);
}

static bool physical_next(struct lines *lines, struct physical_line *line_out)
{
	if (lines->used == lines->len)
		return false;
	const char *start = lines->text + lines->used;
	size_t left = lines->len - lines->used;
	const char *end = memchr(start, '\n', left);
	size_t len = end == NULL ? left : (size_t)(end - start);
	lines->used += len + (end != NULL);
	line_out->number = lines->number++;
	if (len > 0 && start[len - 1] == '\r')
		len--;
	line_out->text = start;
	line_out->len = len;
	return true;
}

static bool is_ignored(const struct physical_line *line)
{
	size_t i = 0;
	while (i < line->len && lines_is_blank(line->text[i]))
		i++;
	return i == line->len || line->text[i] == '#';
}

/* Leaves `lines` where it was. */
static bool measure(const struct lines *lines, struct extent *extent_out)
{
	struct lines ahead = *lines;
	struct physical_line line;
	*extent_out = (struct extent){0};
	while (physical_next(&ahead, &line)) {
		if (is_ignored(&line))
			continue;
		if (extent_out->piece_count > 0 && !lines_is_blank(*line.text))
			break;
		extent_out->size += line.len;
		extent_out->piece_count++;
		extent_out->end_used = ahead.used;
	}
	return extent_out->piece_count > 0;
}

static void fill(struct lines *lines, const struct extent *extent,
    struct logical_line *line_out)
{
	char *text = arena_alloc(lines->arena, extent->size + 1);
	struct lines_piece *pieces =
	    arena_alloc(lines->arena, extent->piece_count * sizeof(*pieces));
	struct physical_line line;
	size_t len = 0, count = 0;
	while (count < extent->piece_count && physical_next(lines, &line)) {
		if (is_ignored(&line))
			continue;
		pieces[count].offset = len;
		pieces[count].number = line.number;
		memcpy(text + len, line.text, line.len);
		len += line.len;
		count++;
	}
	while (len > 0 && lines_is_blank(text[len - 1]))
		len--;
	text[len] = '\0';
	*line_out = (struct logical_line){
	    .text = text,
	    .len = len,
	    .pieces = pieces,
	    .piece_count = extent->piece_count,
	};
}

/* False when it cannot be used, which is then told. */
static bool is_usable(
    const struct lines *lines, const struct logical_line *line)
{
	if (!lines_is_blank(*line->text))
		return true;
	report_add(lines->report, REPORT_WARNING, lines_place(lines, line, 0),
	    "logical line must not start with whitespace: \"%.200s\" is "
	    "ignored",
	    line->text);
	return false;
}

static void skip_too_long(struct lines *lines, const struct extent *extent)
{
	struct physical_line line;
	unsigned number = 0;
	while (lines->used < extent->end_used && physical_next(lines, &line)) {
		if (number == 0 && !is_ignored(&line))
			number = line.number;
	}
	report_add(lines->report, REPORT_ERROR, number_place(lines, number),
	    "the line and its continuation lines have %zu bytes: must be at "
	    "most %d",
	    extent->size, LINES_LOGICAL_SIZE_MAX);
}

static bool is_text(char byte, char next, bool is_last)
{
	unsigned char value = (unsigned char)byte;
	if (byte == '\r')
		return is_last || next == '\n';
	return (value >= ' ' && value != 0x7f) || byte == '\t' || byte == '\n';
}

bool lines_start(struct lines *lines)
{
	lines->used = 0;
	lines->number = 1;
	unsigned number = 1;
	for (size_t i = 0; i < lines->len; i++) {
		bool is_last = i + 1 == lines->len;
		char byte = lines->text[i];
		if (byte == '\n')
			number++;
		if (is_text(byte, is_last ? '\0' : lines->text[i + 1], is_last))
			continue;
		report_add(lines->report, REPORT_ERROR,
		    number_place(lines, number),
		    "the byte 0x%02x is a control character: must be a text "
		    "file",
		    (unsigned)(unsigned char)byte);
		return false;
	}
	return true;
}

bool lines_next(struct lines *lines, struct logical_line *line_out)
{
	struct extent extent;
	while (measure(lines, &extent)) {
		if (extent.size > LINES_LOGICAL_SIZE_MAX) {
			skip_too_long(lines, &extent);
			continue;
		}
		fill(lines, &extent, line_out);
		if (is_usable(lines, line_out))
			return true;
	}
	return false;
}

const char *lines_place(
    const struct lines *lines, const struct logical_line *line, size_t offset)
{
	assert(line->piece_count > 0);
	unsigned number = line->pieces[0].number;
	for (size_t i = 0; i < line->piece_count; i++) {
		if (line->pieces[i].offset <= offset)
			number = line->pieces[i].number;
	}
	return number_place(lines, number);
}
