/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/configuration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/listener.h"
#include "conf/names.h"
#include "conf/settings_build.h"
#include "conf/source.h"

/* The whole is freed with its source, in whose arena it lies. */
struct configuration_of_source {
	struct configuration configuration; /* first: cast back to free it */
	struct source *source;
};

/* The services of other programs, in one notice. */
static void tell_skipped(const struct source *source, struct report *report)
{
	char *names = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&names, &size);
	if (out == NULL)
		return;
	const struct service *service = source->services;
	for (; service != NULL; service = service->next) {
		if (!service->is_smtpd)
			fprintf(out, "%s%s/%s", ftell(out) == 0 ? "" : ", ",
			    service->fields[SERVICE_NAME],
			    service->fields[SERVICE_TYPE]);
	}
	if (fclose(out) == 0 && size > 0)
		report_add(report, REPORT_NOTICE, source->master_file,
		    "services with another command than smtpd are not "
		    "Postern's, and are skipped: %s",
		    names);
	free(names);
}

static void tell_unserved(const struct service *service, struct report *report)
{
	static const char *const reasons[] = {
	    [SERVICE_INET] = "",
	    [SERVICE_UNIX] = "",
	    [SERVICE_UNIX_DATAGRAM] = "SMTP needs a stream",
	    [SERVICE_FIFO] = "SMTP needs an answer",
	    [SERVICE_PASS] = "only postscreen connects to it",
	};
	report_add(report, REPORT_NOTICE, service->place,
	    "%s/%s smtpd is skipped: %s", service->fields[SERVICE_NAME],
	    service->fields[SERVICE_TYPE], reasons[service->type]);
}

static void check_backend(const struct source *source,
    const struct settings *settings, struct report *report)
{
	const char *cursor = settings->proxy_backend, *element;
	size_t len;
	if (settings_list_next(&cursor, &element, &len) || len == SIZE_MAX)
		return;
	const char *place = settings_place(settings, "proxy_backend");
	if (strcmp(place, "default") == 0)
		place = source->main_file;
	report_add(report, REPORT_ERROR, place,
	    "proxy_backend = : must name the mail server behind Postern, such "
	    "as inet:127.0.0.1:10025 (or builtin:sink to throw mail away)");
}

static void check_directory(const struct source *source,
    const struct settings *settings, struct report *report)
{
	if (strcmp(settings->config_directory, source->directory) == 0)
		return;
	report_add(report, REPORT_WARNING,
	    settings_place(settings, "config_directory"),
	    "config_directory = %.200s: changes only $config_directory: the "
	    "files are those of %s",
	    settings->config_directory, source->directory);
}

/* Sharing a port, the kernel would give each client to the one or the other
 * listener as it likes, whatever their policies. */
static void check_equals(
    const struct configuration *configuration, struct report *report)
{
	const struct listener *listeners = configuration->listeners;
	for (size_t i = 1; i < configuration->listener_count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (!listener_equals(&listeners[i], &listeners[j]))
				continue;
			report_add(report, REPORT_ERROR, listeners[i].place,
			    "service \"%.200s\" listens where \"%.200s\" of %s "
			    "does: must be another port, address or path",
			    listeners[i].service, listeners[j].service,
			    listeners[j].place);
			break;
		}
	}
}

static void check_names(const struct source *source, struct report *report)
{
	struct names names;
	names_init(&names, source);
	names_check(&names, source, report);
	names_finish(&names);
}

static size_t count_listeners(
    const struct source *source, struct report *report)
{
	size_t count = 0;
	const struct service *service = source->services;
	for (; service != NULL; service = service->next) {
		if (master_cf_is_listener(service))
			count++;
		else if (service->is_smtpd)
			tell_unserved(service, report);
	}
	return count;
}

static void make_listeners(struct source *source,
    struct configuration *configuration, struct report *report)
{
	size_t count = count_listeners(source, report);
	if (count == 0) {
		report_add(report, REPORT_ERROR, source->master_file,
		    "nothing to listen on: must have a line such as "
		    "\"smtp inet n - n - - smtpd\"");
		return;
	}
	struct listener *listeners =
	    arena_alloc(&source->arena, count * sizeof(*listeners));
	configuration->listeners = listeners;
	const struct service *service = source->services;
	for (; service != NULL; service = service->next) {
		if (!master_cf_is_listener(service))
			continue;
		struct listener *listener =
		    &listeners[configuration->listener_count];
		listener->settings =
		    settings_build(&source->arena, &service->overrides, report);
		check_backend(source, listener->settings, report);
		if (listener_make(&source->arena, service,
			configuration->settings, listener, report))
			configuration->listener_count++;
	}
	check_equals(configuration, report);
}

/* Takes the source over. */
static struct configuration *make(
    struct source *source, struct report *report, size_t errors_before)
{
	struct configuration_of_source *made =
	    arena_alloc(&source->arena, sizeof(*made));
	struct configuration *configuration = &made->configuration;
	made->source = source;
	configuration->directory = source->directory;
	if (source->is_complete) {
		configuration->settings =
		    settings_build(&source->arena, &source->main, report);
		check_directory(source, configuration->settings, report);
		make_listeners(source, configuration, report);
		check_names(source, report);
		tell_skipped(source, report);
	}
	if (report->error_count > errors_before)
		configuration_destroy(&configuration);
	return configuration;
}

struct configuration *configuration_load(
    const char *directory, struct report *report)
{
	size_t errors_before = report->error_count;
	return make(source_read(directory, report), report, errors_before);
}

struct configuration *configuration_parse(
    const struct configuration_text *text, struct report *report)
{
	size_t errors_before = report->error_count;
	return make(source_parse(text, report), report, errors_before);
}

void configuration_destroy(struct configuration **configuration)
{
	if (*configuration == NULL)
		return;
	struct source *source =
	    ((struct configuration_of_source *)*configuration)->source;
	source_destroy(&source);
	*configuration = NULL;
}
