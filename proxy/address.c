/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

/* services(5) is not part of every container. RFC 5321, RFC 6409, RFC 8314. */
static const struct {
	const char *name;
	uint16_t port;
} mail_ports[] = {
    {"smtp", 25},
    {"submission", 587},
    {"submissions", 465},
    {"smtps", 465},
};

static void write_text(struct service_address *address)
{
	const struct sockaddr_in6 *v6 =
	    (const struct sockaddr_in6 *)&address->address;
	const struct sockaddr_in *v4 =
	    (const struct sockaddr_in *)&address->address;
	char host[INET6_ADDRSTRLEN] = "";

	if (address->address.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		snprintf(address->text, sizeof(address->text), "[%s]:%u", host,
		    ntohs(v6->sin6_port));
		return;
	}
	inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
	snprintf(address->text, sizeof(address->text), "%s:%u", host,
	    ntohs(v4->sin_port));
}

static void set_port(struct service_address *address, uint16_t port)
{
	if (address->address.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&address->address)->sin6_port =
		    htons(port);
	else
		((struct sockaddr_in *)&address->address)->sin_port =
		    htons(port);
}

static bool is_listed(const struct service_address *list, size_t count,
    const struct service_address *address)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].text, address->text) == 0)
			return true;
	return false;
}

/* Whether info is of the families wanted; then it is written out. */
static bool take(const struct addrinfo *info, uint16_t port, unsigned families,
    struct service_address *address_out)
{
	unsigned family = info->ai_family == AF_INET	? ADDRESS_IPV4
			  : info->ai_family == AF_INET6 ? ADDRESS_IPV6
							: 0;

	if ((family & families) == 0 ||
	    info->ai_addrlen > sizeof(address_out->address))
		return false;
	memset(address_out, 0, sizeof(*address_out));
	memcpy(&address_out->address, info->ai_addr, info->ai_addrlen);
	address_out->address_len = info->ai_addrlen;
	set_port(address_out, port);
	write_text(address_out);
	return true;
}

unsigned address_families(const char *inet_protocols)
{
	const char *cursor = inet_protocols;
	unsigned families = 0;
	const char *word;
	size_t len;

	while (settings_list_next(&cursor, &word, &len)) {
		if (len == 3 && strncasecmp(word, "all", len) == 0)
			families |= ADDRESS_IPV4 | ADDRESS_IPV6;
		else if (len == 4 && strncasecmp(word, "ipv4", len) == 0)
			families |= ADDRESS_IPV4;
		else if (len == 4 && strncasecmp(word, "ipv6", len) == 0)
			families |= ADDRESS_IPV6;
		else
			return 0;
	}
	return families;
}

uint16_t address_port(const char *text)
{
	const struct servent *entry;
	unsigned long number;
	char *end;

	if (text[0] >= '0' && text[0] <= '9') {
		errno = 0;
		number = strtoul(text, &end, 10);
		return *end == '\0' && errno == 0 && number <= UINT16_MAX
			   ? (uint16_t)number
			   : 0;
	}
	entry = getservbyname(text, "tcp");
	if (entry != NULL)
		return ntohs((uint16_t)entry->s_port);
	for (size_t i = 0; i < sizeof(mail_ports) / sizeof(mail_ports[0]); i++)
		if (strcmp(text, mail_ports[i].name) == 0)
			return mail_ports[i].port;
	return 0;
}

size_t address_resolve(const char *host, uint16_t port, unsigned families,
    struct service_address *out, size_t out_count, const char **why_out)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	size_t count = 0;
	int status;

	status = getaddrinfo(host, NULL, &hints, &found);
	if (status != 0) {
		*why_out = status == EAI_SYSTEM ? strerror(errno)
						: gai_strerror(status);
		return 0;
	}
	for (const struct addrinfo *info = found; info != NULL;
	     info = info->ai_next) {
		if (count < out_count &&
		    take(info, port, families, &out[count]) &&
		    !is_listed(out, count, &out[count]))
			count++;
	}
	freeaddrinfo(found);
	if (count == 0)
		*why_out = "it has no address of the families that "
			   "inet_protocols allows";
	return count;
}

static bool line_names(char *line, const char *host)
{
	char *rest = line;
	const char *word;

	line[strcspn(line, "#")] = '\0';
	if (strtok_r(rest, " \t\r\n", &rest) == NULL)
		return false;
	while ((word = strtok_r(rest, " \t\r\n", &rest)) != NULL)
		if (strcasecmp(word, host) == 0)
			return true;
	return false;
}

bool address_is_in_hosts(const char *host)
{
	FILE *file;
	char *line = NULL;
	size_t line_size = 0;
	bool found = strcasecmp(host, "localhost") == 0;

	file = found ? NULL : fopen("/etc/hosts", "re");
	if (file == NULL)
		return found;
	while (!found && getline(&line, &line_size, file) > 0)
		found = line_names(line, host);
	free(line);
	fclose(file);
	return found;
}

bool address_is_numeric(const char *host)
{
	struct in6_addr binary;

	return inet_pton(AF_INET, host, &binary) == 1 ||
	       inet_pton(AF_INET6, host, &binary) == 1;
}

void address_any(
    unsigned family, uint16_t port, struct service_address *address_out)
{
	assert(family == ADDRESS_IPV4 || family == ADDRESS_IPV6);
	/* Both wildcards are all zero. */
	memset(address_out, 0, sizeof(*address_out));
	if (family == ADDRESS_IPV6) {
		address_out->address.ss_family = AF_INET6;
		address_out->address_len = sizeof(struct sockaddr_in6);
	} else {
		address_out->address.ss_family = AF_INET;
		address_out->address_len = sizeof(struct sockaddr_in);
	}
	set_port(address_out, port);
	write_text(address_out);
}

bool address_unix(const char *directory, const char *path,
    struct service_address *address_out)
{
	struct sockaddr_un *name = (struct sockaddr_un *)&address_out->address;
	int len;

	memset(address_out, 0, sizeof(*address_out));
	name->sun_family = AF_UNIX;
	address_out->address_len = sizeof(*name);
	if (path[0] == '/')
		len = snprintf(
		    name->sun_path, sizeof(name->sun_path), "%s", path);
	else
		len = snprintf(name->sun_path, sizeof(name->sun_path), "%s/%s",
		    directory, path);
	snprintf(address_out->text, sizeof(address_out->text), "unix:%s",
	    name->sun_path);
	return len > 0 && len < (int)sizeof(name->sun_path);
}
