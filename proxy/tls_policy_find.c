/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/tls_policy_find.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "proxy/address.h"
#include "proxy/tls_policy.h"

#define NAME_SIZE 256
#define SCHEME	  "inet:"

/* The forms of a backend by which a table may know it; false: that was all. */
static bool print_key(const struct backend *backend, unsigned form, char *key)
{
	bool is_v6 = strchr(backend->host, ':') != NULL;
	unsigned port = service_backend_port(backend);

	if (backend->host[0] == '\0' && form > 0)
		return false;
	switch (form) {
	case 0:
		if (backend->host[0] == '\0')
			snprintf(key, NAME_SIZE, "%s", backend->name);
		else
			snprintf(key, NAME_SIZE,
			    is_v6 ? SCHEME "[%s]:%u" : SCHEME "%s:%u",
			    backend->host, port);
		return true;
	case 1:
		snprintf(key, NAME_SIZE, is_v6 ? "[%s]:%u" : "%s:%u",
		    backend->host, port);
		return true;
	case 2:
		snprintf(key, NAME_SIZE, "[%s]:%u", backend->host, port);
		return true;
	case 3:
		snprintf(key, NAME_SIZE, "[%s]", backend->host);
		return true;
	case 4:
		snprintf(key, NAME_SIZE, "%s", backend->host);
		return true;
	default:
		return false;
	}
}

static enum table_answer find_parent(const struct table *table,
    const char *host, const char **value_out, char *buffer)
{
	for (const char *dot = strchr(host, '.'); dot != NULL;
	     dot = strchr(dot + 1, '.')) {
		enum table_answer answer = table_find(
		    table, dot, value_out, buffer, TLS_POLICY_TEXT_SIZE);

		if (answer != TABLE_ABSENT)
			return answer;
	}
	return TABLE_ABSENT;
}

enum table_answer tls_policy_find(const struct table *table,
    const struct backend *backend, const char **value_out, char *buffer)
{
	char key[NAME_SIZE];

	for (unsigned form = 0; print_key(backend, form, key); form++) {
		enum table_answer answer = table_find(
		    table, key, value_out, buffer, TLS_POLICY_TEXT_SIZE);

		if (answer != TABLE_ABSENT)
			return answer;
	}
	if (address_is_numeric(backend->host))
		return TABLE_ABSENT;
	return find_parent(table, backend->host, value_out, buffer);
}

void backend_print_peer(
    const struct settings *settings, struct backend *backend)
{
	const struct sockaddr_storage *address = &backend->address;
	char text[INET6_ADDRSTRLEN] = "";
	char *out = backend->tls.peer;
	size_t size = sizeof(backend->tls.peer);

	switch (address->ss_family) {
	case AF_INET:
		inet_ntop(AF_INET,
		    &((const struct sockaddr_in *)address)->sin_addr, text,
		    sizeof(text));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6,
		    &((const struct sockaddr_in6 *)address)->sin6_addr, text,
		    sizeof(text));
		break;
	case AF_UNIX:
		snprintf(out, size, "%s[%s]", settings->myhostname,
		    ((const struct sockaddr_un *)address)->sun_path);
		return;
	default: /* builtin:sink */
		snprintf(out, size, "%s", backend->name);
		return;
	}
	snprintf(out, size, "%s[%s]:%u", backend->host, text,
	    service_backend_port(backend));
}
