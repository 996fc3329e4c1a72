/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/metrics_listen.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "proxy/address.h"
#include "proxy/listen.h"

#define PARAMETER "proxy_metrics_listen"

static void report_word(const struct settings *settings, const char *word,
    const char *why, struct report *report)
{
	report_add(report, REPORT_ERROR, settings_place(settings, PARAMETER),
	    PARAMETER
	    ": \"%s\": %s; must be host:port, [v6 address]:port or unix:/path",
	    word, why);
}

/* "127.0.0.1:9125", "[::1]:9125", "unix:/run/postern/metrics". NULL, or what is
 * wrong with it. */
static const char *read_word(const struct settings *settings, char *word,
    struct service_address *address_out)
{
	char *host = word;
	char *port = strrchr(word, ':');
	const char *why = "no such address";
	size_t host_len;
	uint16_t number;

	if (strncmp(word, "unix:", 5) == 0)
		return address_unix(
			   settings->queue_directory, word + 5, address_out)
			   ? NULL
			   : "the path is too long";
	if (port == NULL || port == word)
		return "no port";
	*port++ = '\0';
	number = address_port(port);
	if (number == 0)
		return "no such port";
	host_len = strlen(host);
	if (host[0] == '[' && host[host_len - 1] == ']') {
		host[host_len - 1] = '\0';
		host++;
	} else if (strchr(host, ':') != NULL) {
		return "an IPv6 address must be in brackets";
	}
	return address_resolve(host, number, ADDRESS_IPV4 | ADDRESS_IPV6,
		   address_out, 1, &why) > 0
		   ? NULL
		   : why;
}

static bool is_listed(const struct services *services, const char *text)
{
	for (size_t i = 0; i < services->metrics_count; i++)
		if (strcmp(services->metrics[i].text, text) == 0)
			return true;
	return false;
}

void metrics_listen_read(struct services *services, struct report *report)
{
	const struct settings *settings = services->configuration->settings;
	const char *cursor = settings->proxy_metrics_listen;
	const char *word, *why;
	struct service_address address;
	char text[256], copy[256];
	size_t len;

	while (settings_list_next(&cursor, &word, &len)) {
		snprintf(text, sizeof(text), "%.*s", (int)len, word);
		strcpy(copy, text);
		memset(&address, 0, sizeof(address));
		why = read_word(settings, copy, &address);
		if (why == NULL && is_listed(services, address.text))
			continue;
		if (why == NULL &&
		    services->metrics_count == SERVICE_ADDRESSES_MAX)
			why = "there are more than eight";
		if (why != NULL)
			report_word(settings, text, why, report);
		else
			services->metrics[services->metrics_count++] = address;
	}
}

bool metrics_listen_is_local(const struct service_address *address)
{
	const struct sockaddr_in *inet =
	    (const struct sockaddr_in *)&address->address;
	const struct sockaddr_in6 *inet6 =
	    (const struct sockaddr_in6 *)&address->address;

	switch (address->address.ss_family) {
	case AF_INET:
		return ntohl(inet->sin_addr.s_addr) >> 24 == 127;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&inet6->sin6_addr);
	default:
		return true; /* a unix socket */
	}
}

static int find(const struct metrics_listen *listen, const char *text)
{
	for (size_t i = 0; i < listen->count; i++)
		if (strcmp(listen->of[i].address.text, text) == 0)
			return listen->of[i].fd;
	return -1;
}

/* -1 with errno. */
static int open_socket(const struct service_address *address)
{
	int fd;

	if (!listen_is_free(address))
		return -1;
	fd = listen_bind(address);
	if (fd == -1)
		return -1;
	/* Who accepts is told by epoll, and may find that nobody waits. */
	if (fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && listen_start(fd))
		return fd;
	close(fd);
	return -1;
}

bool metrics_listen_bind(struct metrics_listen *listen,
    const struct services *services, int *fds_out, struct report *report)
{
	for (size_t i = 0; i < services->metrics_count; i++) {
		const struct service_address *address = &services->metrics[i];
		int fd = find(listen, address->text);

		if (fd == -1) {
			assert(listen->count <
			       sizeof(listen->of) / sizeof(listen->of[0]));
			fd = open_socket(address);
			if (fd == -1) {
				report_add(report, REPORT_ERROR,
				    settings_place(
					services->configuration->settings,
					PARAMETER),
				    PARAMETER
				    ": cannot listen on %s: %s; choose another "
				    "address, or leave it empty to do without "
				    "metrics",
				    address->text, strerror(errno));
				return false;
			}
			listen->of[listen->count].address = *address;
			listen->of[listen->count++].fd = fd;
		}
		fds_out[i] = fd;
	}
	return true;
}

void metrics_listen_keep(
    struct metrics_listen *listen, const struct services *services)
{
	size_t kept = 0;

	for (size_t i = 0; i < listen->count; i++) {
		const struct service_address *address = &listen->of[i].address;

		if (services != NULL && is_listed(services, address->text)) {
			listen->of[kept++] = listen->of[i];
			continue;
		}
		if (address->address.ss_family == AF_UNIX)
			unlink(((const struct sockaddr_un *)&address->address)
				   ->sun_path);
		listen_close(listen->of[i].fd);
	}
	listen->count = kept;
}
