/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/main_cf.h"

#include <string.h>

static size_t name_len(const char *text)
{
	return strcspn(text, " \t=");
}

static const char *skip_blanks(const char *text)
{
	while (lines_is_blank(*text))
		text++;
	return text;
}

static void parse_line(
    struct lines *lines, const struct logical_line *line, struct scope *scope)
{
	const char *place = lines_place(lines, line, 0);
	size_t len = name_len(line->text);
	const char *equals = skip_blanks(line->text + len);
	if (*equals != '=') {
		report_add(lines->report, REPORT_ERROR, place,
		    "missing '=' after attribute name: \"%.200s\": must be "
		    "name = value",
		    line->text);
		return;
	}
	if (len == 0) {
		report_add(lines->report, REPORT_ERROR, place,
		    "missing attribute name: \"%.200s\": must be name = value",
		    line->text);
		return;
	}
	struct scope_entry *entry = arena_alloc(lines->arena, sizeof(*entry));
	entry->name = arena_copy(lines->arena, line->text, len);
	entry->name_len = len;
	entry->value = skip_blanks(equals + 1);
	entry->place = place;
	if (scope_set(scope, entry))
		report_add(lines->report, REPORT_WARNING, place,
		    "overriding earlier entry: %s=%.200s", entry->name,
		    entry->value);
}

bool main_cf_parse(struct lines *lines, struct scope *scope)
{
	struct logical_line line;
	if (!lines_start(lines))
		return false;
	while (lines_next(lines, &line))
		parse_line(lines, &line, scope);
	return true;
}
