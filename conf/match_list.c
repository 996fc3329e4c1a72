/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/match_list.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "conf/arena.h"
#include "conf/file.h"
#include "conf/lines.h"
#include "conf/net.h"
#include "conf/settings.h"
#include "conf/table.h"

#define FILE_DEPTH_MAX                                        \
	8 /* a file that names itself must not go on for ever \
	   */

struct element {
	bool is_exception;
	struct net net;
	struct table *table; /* NULL: net */
	struct element *next;
};

struct match_list {
	struct arena arena;
	struct element *elements;
	struct element **end;
};

struct opening {
	struct match_list *list;
	struct report *report;
	const char *place;
	bool is_exception; /* everything in the file that is being read */
	unsigned depth;
};

static bool read_text(struct opening *opening, const char *text);

static bool read_lines(struct opening *opening, const char *path)
{
	struct arena *arena = &opening->list->arena;
	struct lines lines = {
	    .file = path, .arena = arena, .report = opening->report};
	struct opening inner = *opening;
	struct logical_line line;
	size_t errors_before = opening->report->error_count;
	lines.text = file_read(arena, path, opening->report, &lines.len);
	if (lines.text == NULL || !lines_start(&lines))
		return false;
	inner.depth++;
	while (lines_next(&lines, &line)) {
		inner.place = lines_place(&lines, &line, 0);
		if (!read_text(&inner, line.text))
			return false;
	}
	return opening->report->error_count == errors_before;
}

static bool read_file(struct opening *opening, const char *path)
{
	if (opening->depth < FILE_DEPTH_MAX)
		return read_lines(opening, path);
	report_add(opening->report, REPORT_ERROR, opening->place,
	    "\"%.200s\": files name each other more than %d deep", path,
	    FILE_DEPTH_MAX);
	return false;
}

/* What can only be a table: an address of IPv6 has colons, too, but stands in
 * brackets. */
static bool names_table(const char *text)
{
	return text[0] != '[' && strchr(text, ':') != NULL;
}

/* NULL, or what is wrong with it. */
static const char *parse_net(
    struct arena *arena, const char *text, struct net *net_out)
{
	return net_parse(arena, text, strlen(text), net_out);
}

static void add(struct opening *opening, const struct element *element)
{
	struct match_list *list = opening->list;
	struct element *copy = arena_alloc(&list->arena, sizeof(*copy));
	*copy = *element;
	*list->end = copy;
	list->end = &copy->next;
}

static bool read_table(
    struct opening *opening, const char *text, struct element *element)
{
	struct net net;
	if (parse_net(&opening->list->arena, text, &net) == NULL) {
		report_add(opening->report, REPORT_ERROR, opening->place,
		    "\"%.200s\" would be a table: an address of IPv6 must "
		    "stand in brackets",
		    text);
		return false;
	}
	element->table = table_open(text, opening->place, opening->report);
	return element->table != NULL;
}

static bool read_element(struct opening *opening, const char *text)
{
	struct element element = {.is_exception = opening->is_exception};
	while (*text == '!') {
		element.is_exception = !element.is_exception;
		text++;
	}
	if (*text == '/') {
		struct opening inner = *opening;
		inner.is_exception = element.is_exception;
		return read_file(&inner, text);
	}
	if (names_table(text)) {
		if (!read_table(opening, text, &element))
			return false;
		add(opening, &element);
		return true;
	}
	const char *problem =
	    parse_net(&opening->list->arena, text, &element.net);
	if (problem == NULL) {
		add(opening, &element);
		return true;
	}
	report_add(
	    opening->report, REPORT_ERROR, opening->place, "%s", problem);
	return false;
}

/* Reads on after an error, to tell all of them. */
static bool read_text(struct opening *opening, const char *text)
{
	const char *element;
	size_t len;
	bool fine = true;
	while (settings_list_next(&text, &element, &len)) {
		if (!read_element(opening,
			arena_copy(&opening->list->arena, element, len)))
			fine = false;
	}
	if (len != SIZE_MAX)
		return fine;
	report_add(opening->report, REPORT_ERROR, opening->place,
	    "a brace is not closed");
	return false;
}

struct match_list *match_list_open(
    const char *text, const char *place, struct report *report)
{
	struct match_list *list = calloc(1, sizeof(*list));
	if (list == NULL) {
		fputs("postern: no memory for a list\n", stderr);
		abort();
	}
	list->end = &list->elements;
	struct opening opening = {
	    .list = list, .report = report, .place = place};
	if (!read_text(&opening, text))
		match_list_close(&list);
	return list;
}

void match_list_close(struct match_list **list)
{
	if (*list == NULL)
		return;
	for (struct element *element = (*list)->elements; element != NULL;
	     element = element->next)
		table_close(&element->table);
	arena_finish(&(*list)->arena);
	free(*list);
	*list = NULL;
}

/* `text` is the address as tables have it for a key. */
static bool element_holds(const struct element *element,
    const struct net_address *address, const char *text)
{
	char buffer[TABLE_KEY_LEN_MAX];
	const char *result;
	if (element->table == NULL)
		return net_contains(&element->net, address);
	return table_find(element->table, text, &result, buffer,
		   sizeof(buffer)) == TABLE_FOUND;
}

bool match_list_holds(const struct match_list *list, const char *address)
{
	struct net_address parsed;
	char text[INET6_ADDRSTRLEN];
	if (!net_address_parse(address, strlen(address), &parsed))
		return false;
	inet_ntop(parsed.family, parsed.bytes, text, sizeof(text));
	for (const struct element *element = list->elements; element != NULL;
	     element = element->next) {
		if (element_holds(element, &parsed, text))
			return !element->is_exception;
	}
	return false;
}
