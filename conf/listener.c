/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SOCKET_LEN_MAX	    107 /* sun_path of unix(7), with its NUL 108 */
#define SERVICE_BUFFER_SIZE 4096

/* Those that mail needs are known even where netbase is not installed. */
static const struct {
	const char *name, *port;
} mail_ports[] = {
    {"smtp", "25"},
    {"smtps", "465"},
    {"submission", "587"},
    {"submissions", "465"},
};

struct work {
	struct arena *arena;
	struct report *report;
	const struct service *service;
};

/* Always false, which is what the caller returns. */
static bool refuse(const struct work *work, const char *allowed)
{
	report_add(work->report, REPORT_ERROR, work->service->place,
	    "invalid service field \"%.200s\": must be %s",
	    work->service->fields[SERVICE_NAME], allowed);
	return false;
}

/* NULL: neither a number from 1 to 65535 nor a name of services(5). */
static const char *port_number(struct arena *arena, const char *port)
{
	size_t digits = strspn(port, "0123456789");
	if (digits > 0 && port[digits] == '\0') {
		long number = digits > 5 ? 0 : strtol(port, NULL, 10);
		return number < 1 || number > UINT16_MAX
			   ? NULL
			   : arena_printf(arena, "%ld", number);
	}
	for (size_t i = 0; i < sizeof(mail_ports) / sizeof(*mail_ports); i++) {
		if (strcasecmp(mail_ports[i].name, port) == 0)
			return mail_ports[i].port;
	}
	struct servent entry, *found = NULL;
	char buffer[SERVICE_BUFFER_SIZE];
	if (getservbyname_r(
		port, "tcp", &entry, buffer, sizeof(buffer), &found) != 0 ||
	    found == NULL)
		return NULL;
	return arena_printf(arena, "%u", ntohs((uint16_t)entry.s_port));
}

static bool is_host(const char *host)
{
	return host[strcspn(host, "[]/:")] == '\0';
}

/* port, host:port, [v6]:port */
static bool set_address(const struct work *work, struct listener *listener)
{
	static const char allowed[] =
	    "port, host:port or [v6 address]:port, where the port is a number "
	    "from 1 to 65535 or a name of services(5)";
	const char *text = listener->service;
	const char *colon = strrchr(text, ':');
	listener->host = "";
	listener->port =
	    port_number(work->arena, colon == NULL ? text : colon + 1);
	if (listener->port == NULL)
		return refuse(work, allowed);
	if (colon == NULL || colon == text)
		return true;
	size_t len = (size_t)(colon - text);
	if (text[0] != '[') {
		listener->host = arena_copy(work->arena, text, len);
		return is_host(listener->host) || refuse(work, allowed);
	}
	if (len < 3 || text[len - 1] != ']')
		return refuse(work, allowed);
	listener->host = arena_copy(work->arena, text + 1, len - 2);
	struct in6_addr address;
	return inet_pton(AF_INET6, listener->host, &address) == 1 ||
	       is_host(listener->host) || refuse(work, allowed);
}

static bool set_path(const struct work *work, struct listener *listener)
{
	const char *name = listener->service;
	listener->path = name;
	if (name[0] != '/')
		listener->path = arena_printf(work->arena, "%s/%s",
		    listener->settings->queue_directory, name);
	return strlen(listener->path) <= SOCKET_LEN_MAX ||
	       refuse(work, "the path of a socket, of at most 107 bytes with "
			    "the queue directory in front");
}

static void warn_of_fields(const struct work *work)
{
	const struct service *service = work->service;
	const char *unprivileged = service->fields[SERVICE_UNPRIVILEGED];
	const char *wakeup = service->fields[SERVICE_WAKEUP];
	if (strcmp(unprivileged, "n") == 0)
		report_add(work->report, REPORT_WARNING, service->place,
		    "unpriv = n has no meaning in Postern: its workers never "
		    "have the rights of root");
	if (strcmp(wakeup, "-") != 0 && wakeup[0] != '0')
		report_add(work->report, REPORT_WARNING, service->place,
		    "wakeup = %s has no meaning in Postern, ignored", wakeup);
}

bool listener_make(struct arena *arena, const struct service *service,
    const struct settings *main_settings, struct listener *listener,
    struct report *report)
{
	const struct work work = {arena, report, service};
	listener->service = service->fields[SERVICE_NAME];
	listener->place = service->place;
	listener->is_unix = service->type == SERVICE_UNIX;
	listener->verbose = service->verbose;
	listener->maxproc = service->maxproc;
	if (service->maxproc < 0)
		listener->maxproc = main_settings->default_process_limit;
	warn_of_fields(&work);
	if (listener->is_unix)
		return set_path(&work, listener);
	if (strcmp(service->fields[SERVICE_PRIVATE], "n") != 0) {
		report_add(report, REPORT_ERROR, service->place,
		    "invalid private field \"%s\": must be n for type inet",
		    service->fields[SERVICE_PRIVATE]);
		return false;
	}
	return set_address(&work, listener);
}

bool listener_equals(const struct listener *left, const struct listener *right)
{
	if (left->is_unix != right->is_unix)
		return false;
	if (left->is_unix)
		return strcmp(left->path, right->path) == 0;
	return strcasecmp(left->host, right->host) == 0 &&
	       strcmp(left->port, right->port) == 0;
}
