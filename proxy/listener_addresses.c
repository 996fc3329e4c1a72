/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/listener_addresses.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/address.h"

struct reader {
	struct service *service;
	struct report *report;
	unsigned families; /* those of inet_protocols that the kernel has */
	uint16_t port;
	bool has_failed;
};

static bool kernel_has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return false;
	close(fd);
	return true;
}

static void keep(struct reader *reader, const struct service_address *address)
{
	struct service *service = reader->service;

	for (size_t i = 0; i < service->address_count; i++)
		if (strcmp(service->addresses[i].text, address->text) == 0)
			return;
	if (service->address_count == SERVICE_ADDRESSES_MAX) {
		reader->has_failed = true;
		report_add(reader->report, REPORT_ERROR,
		    service->listener->place,
		    "service \"%s\" has more than %d addresses to listen on; "
		    "write one line for each",
		    service->listener->service, SERVICE_ADDRESSES_MAX);
		return;
	}
	service->addresses[service->address_count++] = *address;
}

static void read_wildcards(struct reader *reader)
{
	struct service_address address;

	if ((reader->families & ADDRESS_IPV4) != 0) {
		address_any(ADDRESS_IPV4, reader->port, &address);
		keep(reader, &address);
	}
	if ((reader->families & ADDRESS_IPV6) != 0) {
		address_any(ADDRESS_IPV6, reader->port, &address);
		keep(reader, &address);
	}
}

static void read_host(
    struct reader *reader, const char *place, const char *host)
{
	struct service_address found[SERVICE_ADDRESSES_MAX];
	const char *why = "";
	size_t count = address_resolve(host, reader->port, reader->families,
	    found, SERVICE_ADDRESSES_MAX, &why);

	if (count == 0) {
		reader->has_failed = true;
		report_add(reader->report, REPORT_ERROR, place,
		    "\"%s\" is no address to listen on: %s; it must be one of "
		    "this machine's addresses, or a name of one",
		    host, why);
	}
	for (size_t i = 0; i < count; i++)
		keep(reader, &found[i]);
}

/* A line that names no host: inet_interfaces says where. */
static void read_interfaces(struct reader *reader)
{
	const struct settings *settings = reader->service->settings;
	const char *place = settings_place(settings, "inet_interfaces");
	const char *cursor = settings->inet_interfaces;
	const char *word;
	char host[256];
	size_t len;

	while (settings_list_next(&cursor, &word, &len)) {
		snprintf(host, sizeof(host), "%.*s", (int)len, word);
		if (strcasecmp(host, "all") == 0) {
			read_wildcards(reader);
		} else if (strcasecmp(host, "loopback-only") == 0) {
			if ((reader->families & ADDRESS_IPV4) != 0)
				read_host(reader, place, "127.0.0.1");
			if ((reader->families & ADDRESS_IPV6) != 0)
				read_host(reader, place, "::1");
		} else {
			read_host(reader, place, host);
		}
	}
}

static void read_inet(struct reader *reader)
{
	const struct listener *listener = reader->service->listener;
	const struct settings *settings = reader->service->settings;

	reader->families = address_families(settings->inet_protocols);
	reader->port = address_port(listener->port);
	if ((reader->families & ADDRESS_IPV6) != 0 && !kernel_has_ipv6()) {
		reader->families &= ~ADDRESS_IPV6;
		report_add(reader->report, REPORT_NOTICE,
		    settings_place(settings, "inet_protocols"),
		    "inet_protocols = %s: this machine has no IPv6, going on "
		    "without",
		    settings->inet_protocols);
	}
	if (listener->host[0] == '\0')
		read_interfaces(reader);
	else
		read_host(reader, listener->place, listener->host);
}

void listener_addresses_read(struct service *service, struct report *report)
{
	struct reader reader = {.service = service, .report = report};
	const struct listener *listener = service->listener;
	struct service_address address;

	if (!listener->is_unix) {
		read_inet(&reader);
	} else if (address_unix(service->settings->queue_directory,
		       listener->path, &address)) {
		keep(&reader, &address);
	}
	if (service->address_count == 0 && !reader.has_failed)
		report_add(report, REPORT_ERROR, listener->place,
		    "service \"%s\" has no address to listen on: "
		    "inet_interfaces and inet_protocols leave none",
		    listener->service);
}
