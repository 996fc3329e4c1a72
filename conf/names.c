/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/names.h"

#include <string.h>

#include "conf/expand.h"
#include "conf/parameter.h"

/* More slips than that are another program's file: no guesses any more. */
#define GUESSES_MAX 20

struct work {
	struct names *names;
	struct report *report;
	struct scope warned; /* names that were spoken of */
	unsigned guesses;
};

/* False: it was there already. */
static bool remember(
    struct arena *arena, struct scope *scope, const char *name, size_t len)
{
	if (scope_find_here(scope, name, len) != NULL)
		return false;
	struct scope_entry *entry = arena_alloc(arena, sizeof(*entry));
	entry->name = arena_copy(arena, name, len);
	entry->name_len = len;
	scope_set(scope, entry);
	return true;
}

static void remember_references(struct names *names, const char *text)
{
	const char *name;
	size_t len;
	while (expand_next_reference(&text, &name, &len))
		remember(&names->arena, &names->used, name, len);
}

/* The names of restriction classes are set in main.cf and used as words. */
static void remember_words(struct names *names, const char *text)
{
	const char *name;
	size_t len;
	while (settings_list_next(&text, &name, &len))
		remember(&names->arena, &names->used, name, len);
}

static void warn_unknown(struct work *work, const struct scope_entry *entry)
{
	const char *nearest = NULL;
	if (work->guesses++ < GUESSES_MAX)
		nearest = parameter_nearest(entry->name);
	report_add(work->report, REPORT_WARNING, entry->place,
	    "%.100s = %.200s: unknown parameter, ignored%s%s%s", entry->name,
	    entry->value, nearest == NULL ? "" : "; did you mean ",
	    nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
}

static void check_entry(struct work *work, const struct scope_entry *entry)
{
	enum name_kind kind = names_kind(work->names, entry->name);
	if (kind == NAME_OURS || kind == NAME_MACRO)
		return;
	if (!remember(&work->names->arena, &work->warned, entry->name,
		entry->name_len))
		return;
	if (kind == NAME_UNKNOWN) {
		warn_unknown(work, entry);
		return;
	}
	report_add(work->report, REPORT_WARNING, entry->place,
	    "%s = %.200s: has no meaning in Postern, ignored", entry->name,
	    entry->value);
}

static void check_all(struct work *work, const struct scope *scope)
{
	const struct scope_entry *entry = scope->first;
	for (; entry != NULL; entry = entry->next)
		check_entry(work, entry);
}

void names_init(struct names *names, const struct source *source)
{
	names->arena = (struct arena){0};
	scope_init(&names->used, NULL);
	const struct scope_entry *entry = source->main.first;
	for (; entry != NULL; entry = entry->next) {
		remember_references(names, entry->value);
		if (strcmp(entry->name, "smtpd_restriction_classes") == 0)
			remember_words(names, entry->value);
	}
	const struct service *service = source->services;
	for (; service != NULL; service = service->next) {
		const struct argument *argument = service->arguments;
		for (; argument != NULL; argument = argument->next)
			remember_references(names, argument->text);
	}
}

void names_finish(struct names *names)
{
	scope_finish(&names->used);
	arena_finish(&names->arena);
}

enum name_kind names_kind(const struct names *names, const char *name)
{
	if (parameter_find(name) != NULL || strcmp(name, "stress") == 0)
		return NAME_OURS;
	if (parameter_is_foreign(name))
		return NAME_FOREIGN;
	if (scope_find_here(&names->used, name, strlen(name)) != NULL)
		return NAME_MACRO;
	return NAME_UNKNOWN;
}

void names_check(
    struct names *names, const struct source *source, struct report *report)
{
	struct work work = {.names = names, .report = report};
	scope_init(&work.warned, NULL);
	check_all(&work, &source->main);
	const struct service *service = source->services;
	for (; service != NULL; service = service->next) {
		if (master_cf_is_listener(service))
			check_all(&work, &service->overrides);
	}
	scope_finish(&work.warned);
}
