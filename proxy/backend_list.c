/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/backend_list.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/address.h"
#include "proxy/dns_name.h"

#define FORMS \
	"inet:host:port, inet:[v6 address]:port, unix:path or builtin:sink"
#define ATTRIBUTES                                             \
	"weight=1 to 100, limit=sessions, reserve=yes, "       \
	"addresses=1 to 8, handover=how, proxy_tlvs=which or " \
	"proxy_header_limit=bytes"

#define ELEMENT_SIZE   512
#define ATTRIBUTE_SIZE 256
#define NAME_LEN_MAX   (sizeof(((struct backend *)NULL)->name) - 1)

/* One element: where it stands and how its address was typed, for messages; and
 * what a group says beside the address. */
struct element {
	const char *place;
	const char *text;
	const char *host; /* of an inet: element; else "" */
	struct report *report;
	uint16_t weight;
	uint32_t limit;
	bool reserve;
	uint32_t slots; /* 0: as many as usual */
	struct handover handover;
	const struct handover *usual; /* the listener's */
	bool has_handover;	      /* … is not the listener's */
	bool usual_is_used;	      /* by any element */
};

static void complain(const struct element *element, const char *why)
{
	report_add(element->report, REPORT_ERROR, element->place,
	    "proxy_backend = %s: %s: must be " FORMS, element->text, why);
}

static struct backend *append(
    struct service *service, const struct element *element)
{
	if (service->backend_count == SERVICE_BACKENDS_MAX) {
		report_add(element->report, REPORT_ERROR, element->place,
		    "proxy_backend: must not have more than %d backends, each "
		    "address of a name counted; \"%s\" is one too many",
		    SERVICE_BACKENDS_MAX, element->text);
		return NULL;
	}
	return &service->backends[service->backend_count];
}

/* Takes the backend that append gave and that has been filled in. */
static void keep(struct service *service, const struct element *element)
{
	const struct backend *backend =
	    &service->backends[service->backend_count];

	for (size_t i = 0; i < service->backend_count; i++) {
		if (strcmp(service->backends[i].name, backend->name) != 0)
			continue;
		report_add(element->report, REPORT_WARNING, element->place,
		    "proxy_backend: \"%s\" is there twice; once is enough",
		    backend->name);
		return;
	}
	service->backend_count++;
}

static struct backend *keep_address(struct service *service,
    const struct element *element, const char *name,
    const struct service_address *address)
{
	struct backend *backend = append(service, element);

	if (backend == NULL)
		return NULL;
	*backend = (struct backend){.kind = BACKEND_SOCKET,
	    .address = address->address,
	    .address_len = address->address_len,
	    .state_index = -1,
	    .weight = element->weight,
	    .limit = element->limit,
	    .reserve = element->reserve,
	    .handover = element->handover};
	snprintf(backend->name, sizeof(backend->name), "%s", name);
	snprintf(backend->host, sizeof(backend->host), "%s", element->host);
	keep(service, element);
	return backend;
}

/* "host:port" or "[v6]:port" -> its parts, NUL-terminated in place. */
static bool split(char *text, char **host_out, char **port_out)
{
	char *colon = strrchr(text, ':');

	if (colon == NULL || colon == text || colon[1] == '\0')
		return false;
	*colon = '\0';
	*port_out = colon + 1;
	*host_out = text;
	if (text[0] == '[') {
		if (colon[-1] != ']' || colon - text < 3)
			return false;
		colon[-1] = '\0';
		*host_out = text + 1;
		return true;
	}
	/* A v6 address without brackets: which colon is the port's? */
	return strchr(text, ':') == NULL;
}

static void name_address(const struct element *element, const char *host,
    const struct service_address *address, char *out, size_t out_size)
{
	char text[sizeof(address->text)];
	const char *port = strrchr(address->text, ':');
	size_t len = (size_t)(port - address->text);

	if (address_is_numeric(host)) {
		snprintf(out, out_size, "%s", element->text);
		return;
	}
	/* The address in brackets, whichever family it is of. */
	if (address->text[0] == '[')
		snprintf(text, sizeof(text), "%.*s", (int)len, address->text);
	else
		snprintf(text, sizeof(text), "[%.*s]", (int)len, address->text);
	snprintf(out, out_size, "inet:%s%s%s", host, text, port);
}

/* A name of DNS: where it leads is found out later, and again and again. */
static void keep_name(
    struct service *service, const struct element *element, uint16_t port)
{
	uint32_t slots = element->slots == 0 ? SERVICE_SLOTS : element->slots;
	struct service_address address;
	struct backend *backend;
	char name[sizeof(service->backends[0].name)];

	address_any(ADDRESS_IPV4, port, &address);
	for (uint32_t i = 0; i < slots; i++) {
		snprintf(name, sizeof(name), "%s", element->text);
		if (i > 0)
			snprintf(name, sizeof(name), "%.*s#%u",
			    (int)sizeof(name) - 3, element->text, i + 1);
		backend = keep_address(service, element, name, &address);
		if (backend == NULL)
			return;
		backend->is_looked_up = true;
		backend->slot = (uint8_t)i;
	}
}

static void read_inet(struct service *service, struct element *element)
{
	struct service_address addresses[SERVICE_ADDRESSES_MAX];
	char copy[NAME_LEN_MAX + 1];
	char name[sizeof(service->backends[0].name)];
	const char *why = "";
	size_t count;
	uint16_t port;
	char *host;
	char *port_text;

	snprintf(copy, sizeof(copy), "%s", element->text + strlen("inet:"));
	if (!split(copy, &host, &port_text)) {
		complain(element, "host and port are not clear");
		return;
	}
	port = address_port(port_text);
	if (port == 0) {
		complain(element, "the port is neither a number from 1 to "
				  "65535 nor a name of services(5)");
		return;
	}
	element->host = host;
	if (!address_is_numeric(host) && !address_is_in_hosts(host)) {
		if (dns_name_is_host(host))
			keep_name(service, element, port);
		else
			complain(element, "the host is no name of DNS");
		element->host = ""; /* it lies in `copy` */
		return;
	}
	count = address_resolve(host, port,
	    address_families(service->settings->inet_protocols), addresses,
	    SERVICE_ADDRESSES_MAX, &why);
	if (count == 0)
		complain(element, why);
	for (size_t i = 0; i < count; i++) {
		name_address(element, host, &addresses[i], name, sizeof(name));
		keep_address(service, element, name, &addresses[i]);
	}
	element->host = ""; /* it lies in `copy` */
}

static void read_unix(struct service *service, const struct element *element)
{
	const char *path = element->text + strlen("unix:");
	struct service_address address;

	if (path[0] == '\0')
		complain(element, "the path is missing");
	else if (!address_unix(
		     service->settings->queue_directory, path, &address))
		complain(element, "the path is longer than 107 bytes");
	else
		keep_address(service, element, element->text, &address);
}

static void read_sink(struct service *service, const struct element *element)
{
	struct backend *backend = append(service, element);

	if (backend == NULL)
		return;
	*backend = (struct backend){.kind = BACKEND_SINK,
	    .state_index = -1,
	    .weight = element->weight,
	    .reserve = element->reserve,
	    .handover = element->handover};
	snprintf(backend->name, sizeof(backend->name), "%s", element->text);
	keep(service, element);
}

static void read_address(struct service *service, struct element *element)
{
	if (strlen(element->text) > NAME_LEN_MAX)
		complain(element, "it is too long");
	else if (strncmp(element->text, "inet:", strlen("inet:")) == 0)
		read_inet(service, element);
	else if (strncmp(element->text, "unix:", strlen("unix:")) == 0)
		read_unix(service, element);
	else if (strcmp(element->text, "builtin:sink") == 0)
		read_sink(service, element);
	else
		complain(element, "it is of no known kind");
}

static bool read_number(const char *text, unsigned long maximum, uint32_t *out)
{
	unsigned long number;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || number > maximum)
		return false;
	*out = (uint32_t)number;
	return true;
}

static bool read_yes_no(const char *text, bool *out)
{
	*out = strcmp(text, "yes") == 0;
	return *out || strcmp(text, "no") == 0;
}

/* "name=value" or "name={ a list }"; the value is put into `out`. */
static bool is_attribute(
    const char *text, const char *name, char *out, size_t out_size)
{
	size_t name_len = strlen(name);
	const char *cursor = text + name_len + 1;
	const char *value;
	size_t len = 0;

	if (strncmp(text, name, name_len) != 0 || text[name_len] != '=')
		return false;
	if (!settings_list_next(&cursor, &value, &len))
		value = "";
	snprintf(out, out_size, "%.*s", (int)len, value);
	return true;
}

/* What a parameter of the listener says of all its backends; its messages are
 * as good. Returns whether it is one. */
static bool read_handover(
    struct element *element, const char *text, bool *is_good_out)
{
	char value[ATTRIBUTE_SIZE];
	char name[ELEMENT_SIZE];
	struct handover_source source = {
	    .name = name,
	    .place = element->place,
	    .report = element->report,
	};
	struct handover *handover = &element->handover;

	snprintf(name, sizeof(name), "proxy_backend: %s: %.*s", element->text,
	    (int)strcspn(text, "="), text);
	if (is_attribute(text, "handover", value, sizeof(value))) {
		*is_good_out = handover_read_way(handover, value, &source);
		element->has_handover = true;
		if (*is_good_out)
			handover_check(handover, value, &source);
		return true;
	}
	if (is_attribute(text, "proxy_tlvs", value, sizeof(value))) {
		*is_good_out = handover_read_tlvs(handover, value, &source);
		return true;
	}
	if (is_attribute(text, "proxy_header_limit", value, sizeof(value))) {
		*is_good_out =
		    handover_read_header_limit(handover, value, &source);
		return true;
	}
	return false;
}

/* "weight=3" */
static bool read_attribute(struct element *element, const char *text)
{
	uint32_t number;

	if (strncmp(text, "weight=", 7) == 0) {
		if (!read_number(text + 7, BACKEND_WEIGHT_MAX, &number) ||
		    number == 0)
			return false;
		element->weight = (uint16_t)number;
		return true;
	}
	if (strncmp(text, "limit=", 6) == 0)
		return read_number(
		    text + 6, BACKEND_LIMIT_MAX, &element->limit);
	if (strncmp(text, "addresses=", 10) == 0)
		return read_number(
			   text + 10, SERVICE_ADDRESSES_MAX, &element->slots) &&
		       element->slots > 0;
	if (strncmp(text, "reserve=", 8) == 0)
		return read_yes_no(text + 8, &element->reserve);
	return false;
}

static bool read_attributes(struct element *element, const char *cursor)
{
	const char *word;
	char text[ATTRIBUTE_SIZE];
	bool is_good = true;
	size_t len;

	while (settings_list_next(&cursor, &word, &len)) {
		snprintf(text, sizeof(text), "%.*s", (int)len, word);
		if (len < sizeof(text) &&
		    read_handover(element, text, &is_good)) {
			if (!is_good)
				return false;
			continue;
		}
		if (len < sizeof(text) && read_attribute(element, text))
			continue;
		report_add(element->report, REPORT_ERROR, element->place,
		    "proxy_backend: %s: \"%.*s\" must be " ATTRIBUTES,
		    element->text, (int)len, word);
		return false;
	}
	return true;
}

/* An address, or a group of one and its attributes. */
static void read_element(
    struct service *service, struct element *element, const char *text)
{
	const char *cursor = text;
	const char *word;
	char address[ELEMENT_SIZE];
	size_t len;

	if (!settings_list_next(&cursor, &word, &len))
		return;
	snprintf(address, sizeof(address), "%.*s", (int)len, word);
	element->text = address;
	element->weight = 1;
	element->limit = 0;
	element->reserve = false;
	element->slots = 0;
	element->handover = *element->usual;
	element->has_handover = false;
	if (read_attributes(element, cursor))
		read_address(service, element);
	if (!element->has_handover)
		element->usual_is_used = true;
}

void backend_list_read(struct service *service, struct report *report)
{
	const struct settings *settings = service->settings;
	const char *cursor = settings->proxy_backend;
	struct handover usual;
	struct element element = {
	    .place = settings_place(settings, "proxy_backend"),
	    .report = report,
	    .usual = &usual};
	const struct handover_source source = {
	    .name = "proxy_backend_handover",
	    .place = settings_place(settings, "proxy_backend_handover"),
	    .report = report,
	};
	const char *word;
	char text[ELEMENT_SIZE];
	size_t len;

	handover_read(&usual, settings, report);
	while (settings_list_next(&cursor, &word, &len)) {
		snprintf(text, sizeof(text), "%.*s", (int)len, word);
		element.host = "";
		read_element(service, &element, text);
	}
	if (element.usual_is_used)
		handover_check(
		    &usual, settings->proxy_backend_handover, &source);
}
