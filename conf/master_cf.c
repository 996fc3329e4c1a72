/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/master_cf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MAX_DIGITS 9 /* fits an int, which is what Postfix has */

/* One logical line, on the way through it. */
struct reader {
	struct lines *lines;
	const struct logical_line *line;
	struct report *report; /* for what is wrong with the arguments */
	size_t at;
};

static const char *place_here(const struct reader *reader, size_t at)
{
	return lines_place(reader->lines, reader->line, at);
}

static size_t skip_blanks(struct reader *reader)
{
	const char *text = reader->line->text;
	while (lines_is_blank(text[reader->at]))
		reader->at++;
	return reader->at;
}

static const char *take_word(struct reader *reader)
{
	size_t start = skip_blanks(reader);
	const char *text = reader->line->text + start;
	size_t len = strcspn(text, " \t");
	reader->at += len;
	return arena_copy(reader->lines->arena, text, len);
}

/* The length of { … } with both braces; 0 when it is not closed. */
static size_t braced_len(const char *text)
{
	size_t level = 0;
	for (size_t i = 0; text[i] != '\0'; i++) {
		if (text[i] == '{')
			level++;
		if (text[i] == '}' && --level == 0)
			return i + 1;
	}
	return 0;
}

static const char *trimmed(struct reader *reader, const char *text, size_t len)
{
	for (; len > 0 && lines_is_blank(*text); text++)
		len--;
	while (len > 0 && lines_is_blank(text[len - 1]))
		len--;
	return arena_copy(reader->lines->arena, text, len);
}

/* The content of the group at the reader. */
static const char *take_group(struct reader *reader)
{
	const char *text = reader->line->text + reader->at;
	const char *place = place_here(reader, reader->at);
	size_t len = braced_len(text);
	if (len == 0) {
		len = strlen(text);
		reader->at += len;
		report_add(reader->report, REPORT_ERROR, place,
		    "missing '}' in \"%.200s\": must be { name = value }",
		    text);
		return trimmed(reader, text + 1, len - 1);
	}
	reader->at += len;
	const char *group = trimmed(reader, text + 1, len - 2);
	size_t tail_len = strcspn(text + len, " \t");
	reader->at += tail_len;
	if (tail_len > 0)
		report_add(reader->report, REPORT_ERROR, place,
		    "syntax error after '}' in \"%.*s\": must be "
		    "{ name = value }",
		    (int)(len + tail_len), text);
	return group;
}

static struct argument *take_argument(struct reader *reader)
{
	size_t at = skip_blanks(reader);
	char first = reader->line->text[at];
	if (first == '\0')
		return NULL;
	struct argument *argument =
	    arena_alloc(reader->lines->arena, sizeof(*argument));
	argument->place = place_here(reader, at);
	argument->is_braced = first == '{';
	argument->text = first == '{' ? take_group(reader) : take_word(reader);
	return argument;
}

static void take_arguments(struct reader *reader, struct service *service)
{
	struct argument **end = &service->arguments;
	while ((*end = take_argument(reader)) != NULL)
		end = &(*end)->next;
}

static bool bad_field(struct reader *reader, enum service_field field,
    const char *value, const char *allowed)
{
	static const char *const names[SERVICE_FIELD_COUNT] = {
	    [SERVICE_NAME] = "service",
	    [SERVICE_TYPE] = "type",
	    [SERVICE_PRIVATE] = "private",
	    [SERVICE_UNPRIVILEGED] = "unpriv",
	    [SERVICE_CHROOT] = "chroot",
	    [SERVICE_WAKEUP] = "wakeup",
	    [SERVICE_MAXPROC] = "maxproc",
	    [SERVICE_COMMAND] = "command",
	};
	report_add(reader->lines->report, REPORT_ERROR, place_here(reader, 0),
	    "invalid %s field \"%.200s\": must be %s", names[field], value,
	    allowed);
	return false;
}

static bool read_type(struct reader *reader, struct service *service)
{
	static const struct {
		const char *name;
		enum service_type type;
	} types[] = {
	    {"inet", SERVICE_INET},
	    {"unix", SERVICE_UNIX},
	    {"unix-dgram", SERVICE_UNIX_DATAGRAM},
	    {"fifo", SERVICE_FIFO},
	    {"pass", SERVICE_PASS},
	};
	const char *value = service->fields[SERVICE_TYPE];
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (strcmp(types[i].name, value) == 0) {
			service->type = types[i].type;
			return true;
		}
	}
	return bad_field(reader, SERVICE_TYPE, value,
	    "inet, unix, unix-dgram, fifo or pass");
}

static bool check_yes_no(struct reader *reader, const struct service *service,
    enum service_field field)
{
	const char *value = service->fields[field];
	if (strcmp(value, "y") == 0 || strcmp(value, "n") == 0 ||
	    strcmp(value, "-") == 0)
		return true;
	return bad_field(reader, field, value, "y, n or -");
}

static bool check_count(
    struct reader *reader, enum service_field field, const char *value)
{
	size_t len = strspn(value, "0123456789");
	bool is_wakeup = field == SERVICE_WAKEUP;
	const char *rest = value + len;
	if (is_wakeup && len > 0 && *rest == '?')
		rest++;
	if (len > 0 && len <= COUNT_MAX_DIGITS && *rest == '\0')
		return true;
	return bad_field(reader, field, value,
	    is_wakeup ? "seconds, 0 for never, with ? behind when only if in "
			"use, or -"
		      : "a number, 0 for no limit, or - for "
			"default_process_limit");
}

static bool read_maxproc(struct reader *reader, struct service *service)
{
	const char *value = service->fields[SERVICE_MAXPROC];
	service->maxproc = -1;
	if (strcmp(value, "-") == 0)
		return true;
	if (!check_count(reader, SERVICE_MAXPROC, value))
		return false;
	service->maxproc = strtoll(value, NULL, 10);
	return true;
}

static bool read_fields(struct reader *reader, struct service *service)
{
	int found = 0;
	for (; found < SERVICE_FIELD_COUNT; found++) {
		const char *word = take_word(reader);
		if (*word == '\0')
			break;
		service->fields[found] = word;
	}
	if (found < SERVICE_FIELD_COUNT) {
		report_add(reader->lines->report, REPORT_ERROR, service->place,
		    "bad field count: \"%.200s\" has %d: must be service type "
		    "private unpriv chroot wakeup maxproc command [argument…]",
		    reader->line->text, found);
		return false;
	}
	const char *wakeup = service->fields[SERVICE_WAKEUP];
	bool is_good = read_type(reader, service);
	is_good &= check_yes_no(reader, service, SERVICE_PRIVATE);
	is_good &= check_yes_no(reader, service, SERVICE_UNPRIVILEGED);
	is_good &= check_yes_no(reader, service, SERVICE_CHROOT);
	is_good &= strcmp(wakeup, "-") == 0 ||
		   check_count(reader, SERVICE_WAKEUP, wakeup);
	is_good &= read_maxproc(reader, service);
	service->is_smtpd =
	    strcmp(service->fields[SERVICE_COMMAND], "smtpd") == 0;
	return is_good;
}

/* name=value behind -o */
static void read_override(
    struct reader *reader, struct service *service, struct argument *argument)
{
	struct arena *arena = reader->lines->arena;
	const char *text = argument->text;
	size_t len = strcspn(text, " \t=");
	const char *value = text + len + strspn(text + len, " \t");
	if (len == 0 || *value != '=') {
		report_add(reader->report, REPORT_ERROR, argument->place,
		    "-o %.200s: must be -o name=value, or -o { name = value }",
		    text);
		return;
	}
	value++;
	value += strspn(value, " \t");
	struct scope_entry *entry = arena_alloc(arena, sizeof(*entry));
	entry->name = arena_copy(arena, text, len);
	entry->name_len = len;
	entry->value = value;
	entry->place = argument->place;
	argument->is_override = true;
	argument->text = arena_printf(arena, "%s=%s", entry->name, value);
	if (scope_set(&service->overrides, entry))
		report_add(reader->report, REPORT_WARNING, argument->place,
		    "overriding earlier entry: %s=%.200s", entry->name,
		    entry->value);
}

static bool is_verbose(const char *text)
{
	return text[0] == '-' && text[1] == 'v' &&
	       text[1 + strspn(text + 1, "v")] == '\0';
}

/* The word or group at `argument`; *argument moves on behind -o. */
static void read_option(
    struct reader *reader, struct service *service, struct argument **argument)
{
	const char *text = (*argument)->text;
	bool is_word = !(*argument)->is_braced;
	if (is_word && is_verbose(text)) {
		service->verbose += (unsigned)strlen(text) - 1;
		return;
	}
	if (is_word && strcmp(text, "-D") == 0)
		return;
	if (!is_word || strcmp(text, "-o") != 0) {
		report_add(reader->report, REPORT_ERROR, (*argument)->place,
		    "invalid argument \"%.200s\" of smtpd: must be "
		    "-o name=value, -o { name = value }, -v or -D",
		    text);
		return;
	}
	if ((*argument)->next == NULL) {
		report_add(reader->report, REPORT_ERROR, (*argument)->place,
		    "%s at the end of the line: must be -o name=value, or "
		    "-o { name = value }",
		    text);
		return;
	}
	*argument = (*argument)->next;
	read_override(reader, service, *argument);
}

static void read_arguments(struct reader *reader, struct service *service)
{
	struct report ignored;
	report_init(&ignored);
	reader->report = service->is_smtpd ? reader->lines->report : &ignored;
	take_arguments(reader, service);
	struct argument *argument = service->arguments;
	for (; argument != NULL; argument = argument->next)
		read_option(reader, service, &argument);
	report_finish(&ignored);
}

static struct service *parse_line(struct lines *lines,
    const struct logical_line *line, const struct scope *outer)
{
	struct reader reader = {.lines = lines, .line = line};
	struct service *service = arena_alloc(lines->arena, sizeof(*service));
	service->place = lines_place(lines, line, 0);
	if (!read_fields(&reader, service))
		return NULL;
	scope_init(&service->overrides, outer);
	read_arguments(&reader, service);
	return service;
}

bool master_cf_parse(struct lines *lines, const struct scope *outer,
    struct service **services_out)
{
	struct service **end = services_out;
	struct logical_line line;
	*services_out = NULL;
	if (!lines_start(lines))
		return false;
	while (lines_next(lines, &line)) {
		struct service *service = parse_line(lines, &line, outer);
		if (service == NULL)
			continue;
		*end = service;
		end = &service->next;
	}
	return true;
}

bool master_cf_is_listener(const struct service *service)
{
	return service->is_smtpd &&
	       (service->type == SERVICE_INET || service->type == SERVICE_UNIX);
}
