/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/source.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf/expand.h"
#include "conf/file.h"
#include "conf/main_cf.h"
#include "conf/parameter.h"

#define HOST_NAME_SIZE 256 /* RFC 1035, 2.3.4, and a NUL */

static const char *system_host_name(struct arena *arena)
{
	char name[HOST_NAME_SIZE];
	if (gethostname(name, sizeof(name)) != 0)
		return "localhost";
	name[sizeof(name) - 1] = '\0';
	return arena_copy(arena, name, strlen(name));
}

static void set_default(
    struct source *source, const char *name, const char *value)
{
	struct scope_entry *entry = arena_alloc(&source->arena, sizeof(*entry));
	entry->name = name;
	entry->name_len = strlen(name);
	entry->value = value;
	entry->place = "default";
	scope_set(&source->defaults, entry);
}

static bool is_set(const struct source *source, const char *name)
{
	return scope_find_here(&source->main, name, strlen(name)) != NULL;
}

/* What depends on the machine and on main.cf. Without a dot, a host name gets
 * the domain behind it; without a domain, that is myhostname's. A value that
 * cannot be expanded is told by whoever uses it. */
static void set_host_names(struct source *source)
{
	const char *host = system_host_name(&source->arena);
	bool has_domain = is_set(source, "mydomain");
	if (strchr(host, '.') == NULL)
		host = arena_printf(&source->arena, "%s.%s", host,
		    has_domain ? "$mydomain" : "localdomain");
	set_default(source, "mydomain", "");
	set_default(source, "myhostname", host);
	if (has_domain)
		return;
	struct expand_result result =
	    expand_text(&source->arena, &source->main, "$myhostname");
	const char *name = result.text == NULL ? "" : result.text;
	const char *dot = strchr(name, '.');
	set_default(source, "mydomain", dot == NULL ? "localdomain" : dot + 1);
}

static void set_defaults(struct source *source)
{
	size_t count;
	const struct settings_parameter *parameters =
	    settings_parameters(&count);
	for (size_t i = 0; i < count; i++)
		set_default(source, parameters[i].name, parameters[i].default_);
	set_default(source, "config_directory", source->directory);
	/* Postfix's master sets it under load; here limits do not change. */
	set_default(source, "stress", "");
}

static struct source *create(const char *directory)
{
	struct source *source = calloc(1, sizeof(*source));
	if (source == NULL) {
		fputs("postern: no memory for the configuration\n", stderr);
		abort();
	}
	struct arena *arena = &source->arena;
	source->directory = arena_copy(arena, directory, strlen(directory));
	source->main_file = arena_printf(arena, "%s/main.cf", directory);
	source->master_file = arena_printf(arena, "%s/master.cf", directory);
	scope_init(&source->defaults, NULL);
	scope_init(&source->main, &source->defaults);
	set_defaults(source);
	return source;
}

static void parse(struct source *source, const struct configuration_text *text,
    struct report *report)
{
	struct lines lines = {
	    .file = source->main_file,
	    .text = text->main,
	    .len = text->main_len,
	    .arena = &source->arena,
	    .report = report,
	};
	source->is_complete =
	    text->main != NULL && main_cf_parse(&lines, &source->main);
	set_host_names(source);
	lines.file = source->master_file;
	lines.text = text->master;
	lines.len = text->master_len;
	if (text->master == NULL ||
	    !master_cf_parse(&lines, &source->main, &source->services))
		source->is_complete = false;
}

struct source *source_read(const char *directory, struct report *report)
{
	struct source *source = create(directory);
	struct configuration_text text = {.directory = directory};
	if (!file_check_directory(directory, report))
		return source;
	text.main = file_read(
	    &source->arena, source->main_file, report, &text.main_len);
	text.master = file_read(
	    &source->arena, source->master_file, report, &text.master_len);
	parse(source, &text, report);
	return source;
}

struct source *source_parse(
    const struct configuration_text *text, struct report *report)
{
	struct source *source = create(text->directory);
	parse(source, text, report);
	return source;
}

void source_destroy(struct source **source)
{
	if (*source == NULL)
		return;
	struct service *service = (*source)->services;
	for (; service != NULL; service = service->next)
		scope_finish(&service->overrides);
	scope_finish(&(*source)->main);
	scope_finish(&(*source)->defaults);
	arena_finish(&(*source)->arena);
	free(*source);
	*source = NULL;
}
