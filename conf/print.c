/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/print.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "conf/configuration.h"
#include "conf/expand.h"
#include "conf/names.h"
#include "conf/parameter.h"
#include "conf/source.h"

#define DEFAULT_DIRECTORY "/etc/postern"

struct printer {
	FILE *out;
	struct source *source;
	struct names names;
	struct report *report;
	bool expand;
};

/* A request for lines of master.cf: service/type/name; NULL: any. */
struct pattern {
	const char *parts[3];
	size_t lens[3];
};

struct list {
	const struct scope_entry **entries;
	size_t count;
};

static const char *value_in(struct printer *printer, const struct scope *scope,
    const struct scope_entry *entry)
{
	if (!printer->expand)
		return entry->value;
	struct expand_result result =
	    expand_text(&printer->source->arena, scope, entry->value);
	if (result.text != NULL)
		return result.text;
	if (result.culprit != NULL)
		entry = result.culprit;
	report_add(printer->report, REPORT_ERROR, entry->place,
	    "%s = %.200s: %s", entry->name, entry->value, result.fault);
	return entry->value;
}

/* As postconf shows it: runs of blanks, which continuation lines leave behind,
 * are one blank. */
static void print_value(
    struct printer *printer, const char *name, const char *value)
{
	fprintf(printer->out, "%s =", name);
	for (const char *at = value; *at != '\0';) {
		at += strspn(at, " \t");
		size_t len = strcspn(at, " \t");
		if (len > 0)
			fprintf(printer->out, " %.*s", (int)len, at);
		at += len;
	}
	fputc('\n', printer->out);
}

static void print_entry(struct printer *printer, const struct scope *scope,
    const struct scope_entry *entry)
{
	print_value(printer, entry->name, value_in(printer, scope, entry));
}

static int compare_names(const void *left_, const void *right_)
{
	const struct scope_entry *const *left = left_, *const *right = right_;
	return strcmp((*left)->name, (*right)->name);
}

static struct list list_create(struct printer *printer, size_t count_max)
{
	struct list list = {0};
	list.entries = arena_alloc(&printer->source->arena,
	    (count_max + 1) * sizeof(const struct scope_entry *));
	return list;
}

static void list_sort(struct list *list)
{
	qsort(
	    list->entries, list->count, sizeof(*list->entries), compare_names);
}

static size_t scope_count(const struct scope *scope)
{
	size_t count = 0;
	const struct scope_entry *entry = scope->first;
	for (; entry != NULL; entry = entry->next)
		count++;
	return count;
}

static const struct scope_entry *find(
    const struct scope *scope, const char *name)
{
	return scope_find(scope, name, strlen(name));
}

/* What main.cf sets, without slips of the keyboard. */
static bool is_shown(
    const struct printer *printer, const struct scope_entry *entry)
{
	return names_kind(&printer->names, entry->name) != NAME_UNKNOWN;
}

static void add_set(struct printer *printer, struct list *list)
{
	const struct scope_entry *entry = printer->source->main.first;
	for (; entry != NULL; entry = entry->next) {
		if (is_shown(printer, entry))
			list->entries[list->count++] = entry;
	}
}

static void add_unset(struct printer *printer, struct list *list)
{
	const struct source *source = printer->source;
	const struct scope_entry *entry = source->defaults.first;
	for (; entry != NULL; entry = entry->next) {
		if (parameter_find(entry->name) != NULL &&
		    scope_find_here(
			&source->main, entry->name, entry->name_len) == NULL)
			list->entries[list->count++] = entry;
	}
}

static void print_list(struct printer *printer, const struct list *list)
{
	for (size_t i = 0; i < list->count; i++)
		print_entry(printer, &printer->source->main, list->entries[i]);
}

static void print_all(struct printer *printer)
{
	const struct source *source = printer->source;
	struct list list = list_create(printer,
	    scope_count(&source->main) + scope_count(&source->defaults));
	add_set(printer, &list);
	add_unset(printer, &list);
	list_sort(&list);
	print_list(printer, &list);
}

/* With -c, postconf names the directory among what is set. */
static void print_set(struct printer *printer)
{
	const struct source *source = printer->source;
	struct list list = list_create(printer, scope_count(&source->main) + 1);
	add_set(printer, &list);
	if (strcmp(source->directory, DEFAULT_DIRECTORY) != 0 &&
	    scope_find_here(&source->main, "config_directory", 16) == NULL)
		list.entries[list.count++] =
		    find(&source->defaults, "config_directory");
	list_sort(&list);
	print_list(printer, &list);
}

static void print_defaults(struct printer *printer)
{
	const struct scope *defaults = &printer->source->defaults;
	size_t count;
	const struct settings_parameter *parameters =
	    settings_parameters(&count);
	struct list list = list_create(printer, count);
	for (size_t i = 0; i < count; i++)
		list.entries[list.count++] = find(defaults, parameters[i].name);
	list_sort(&list);
	for (size_t i = 0; i < list.count; i++)
		print_entry(printer, defaults, list.entries[i]);
}

/* False: there is no such name. With -n, a name that is not set is no mistake,
 * and nothing to print. */
static bool print_name(
    struct printer *printer, enum print_what what, const char *name)
{
	const struct source *source = printer->source;
	const struct scope *scope =
	    what == PRINT_DEFAULTS ? &source->defaults : &source->main;
	const struct scope_entry *entry =
	    what == PRINT_SET
		? scope_find_here(&source->main, name, strlen(name))
		: find(scope, name);
	if (entry != NULL && is_shown(printer, entry)) {
		print_entry(printer, scope, entry);
		return true;
	}
	if (what == PRINT_SET && names_kind(&printer->names, name) == NAME_OURS)
		return true;
	report_add(printer->report, REPORT_WARNING, NULL,
	    "%.200s: unknown parameter", name);
	return false;
}

static struct pattern pattern_of(const char *text)
{
	struct pattern pattern = {0};
	for (size_t i = 0; i < 3 && text != NULL; i++) {
		const char *slash = i < 2 ? strchr(text, '/') : NULL;
		size_t len =
		    slash == NULL ? strlen(text) : (size_t)(slash - text);
		bool is_any = len == 1 && *text == '*';
		pattern.parts[i] = is_any ? NULL : text;
		pattern.lens[i] = len;
		text = slash == NULL ? NULL : slash + 1;
	}
	return pattern;
}

static bool part_matches(
    const struct pattern *pattern, size_t part, const char *text)
{
	return pattern->parts[part] == NULL ||
	       (strlen(text) == pattern->lens[part] &&
		   memcmp(text, pattern->parts[part], pattern->lens[part]) ==
		       0);
}

static bool pattern_matches(
    const struct pattern *pattern, const struct service *service)
{
	return part_matches(pattern, 0, service->fields[SERVICE_NAME]) &&
	       part_matches(pattern, 1, service->fields[SERVICE_TYPE]);
}

static void print_argument(struct printer *printer,
    const struct service *service, const struct argument *argument)
{
	struct scope_entry entry = {
	    .name = "-o", .value = argument->text, .place = argument->place};
	const char *text = argument->is_override
			       ? value_in(printer, &service->overrides, &entry)
			       : argument->text;
	bool has_blanks = strpbrk(text, " \t") != NULL;
	fprintf(printer->out, has_blanks ? " {%s}" : " %s", text);
}

static void print_service(
    struct printer *printer, const struct service *service)
{
	static const int widths[SERVICE_FIELD_COUNT] = {
	    11, 6, 8, 8, 8, 8, 8, 0};
	int at = 0, column = 0;
	for (int i = 0; i < SERVICE_FIELD_COUNT; i++) {
		at += fprintf(printer->out, "%s", service->fields[i]);
		column += widths[i];
		if (i == SERVICE_COMMAND)
			break;
		/* A long field pushes the next one by as much as it must. */
		int blanks = column > at ? column - at : 1;
		at += fprintf(printer->out, "%*s", blanks, "");
	}
	const struct argument *argument = service->arguments;
	for (; argument != NULL; argument = argument->next)
		print_argument(printer, service, argument);
	fputc('\n', printer->out);
}

static bool print_services(
    struct printer *printer, const struct pattern *pattern)
{
	bool is_found = false;
	const struct service *service = printer->source->services;
	for (; service != NULL; service = service->next) {
		if (pattern_matches(pattern, service)) {
			print_service(printer, service);
			is_found = true;
		}
	}
	return is_found;
}

static bool print_overrides_of(struct printer *printer,
    const struct service *service, const struct pattern *pattern)
{
	const struct scope *scope = &service->overrides;
	struct list list = list_create(printer, scope_count(scope));
	const struct scope_entry *entry = scope->first;
	for (; entry != NULL; entry = entry->next) {
		if (part_matches(pattern, 2, entry->name))
			list.entries[list.count++] = entry;
	}
	list_sort(&list);
	for (size_t i = 0; i < list.count; i++) {
		fprintf(printer->out, "%s/%s/", service->fields[SERVICE_NAME],
		    service->fields[SERVICE_TYPE]);
		print_entry(printer, scope, list.entries[i]);
	}
	return list.count > 0;
}

static bool print_overrides(
    struct printer *printer, const struct pattern *pattern)
{
	bool is_found = false;
	const struct service *service = printer->source->services;
	for (; service != NULL; service = service->next) {
		if (pattern_matches(pattern, service))
			is_found |=
			    print_overrides_of(printer, service, pattern);
	}
	return is_found;
}

static void print_everything(struct printer *printer, enum print_what what)
{
	const struct pattern any = {0};
	switch (what) {
	case PRINT_ALL:
		print_all(printer);
		return;
	case PRINT_SET:
		print_set(printer);
		return;
	case PRINT_DEFAULTS:
		print_defaults(printer);
		return;
	case PRINT_SERVICES:
		print_services(printer, &any);
		return;
	case PRINT_OVERRIDES:
		print_overrides(printer, &any);
		return;
	}
	assert(false);
}

static bool print_request(
    struct printer *printer, enum print_what what, const char *request)
{
	if (what != PRINT_SERVICES && what != PRINT_OVERRIDES)
		return print_name(printer, what, request);
	struct pattern pattern = pattern_of(request);
	bool is_found = what == PRINT_SERVICES
			    ? print_services(printer, &pattern)
			    : print_overrides(printer, &pattern);
	if (!is_found)
		report_add(printer->report, REPORT_WARNING, NULL,
		    "unmatched request: \"%.200s\"", request);
	return is_found;
}

bool print_configuration(FILE *out, const char *directory, enum print_what what,
    bool expand, const char *const *names, size_t name_count,
    struct report *report)
{
	size_t errors_before = report->error_count;
	bool is_found = true;
	struct printer printer = {
	    .out = out,
	    .source = source_read(directory, report),
	    .report = report,
	    .expand = expand,
	};
	names_init(&printer.names, printer.source);
	if (printer.source->is_complete) {
		names_check(&printer.names, printer.source, report);
		if (name_count == 0)
			print_everything(&printer, what);
		for (size_t i = 0; i < name_count; i++)
			is_found &= print_request(&printer, what, names[i]);
	}
	names_finish(&printer.names);
	source_destroy(&printer.source);
	return is_found && report->error_count == errors_before;
}
