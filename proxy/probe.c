/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/probe.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proxy/address.h"
#include "proxy/probe_client.h"
#include "proxy/probe_page.h"

#define ADDRESSES_MAX 16

static void print_name(struct probe_place *place)
{
	const struct sockaddr_storage *address = &place->address.address;
	const void *binary =
	    address->ss_family == AF_INET6
		? (const void *)&((const struct sockaddr_in6 *)address)
		      ->sin6_addr
		: (const void *)&((const struct sockaddr_in *)address)
		      ->sin_addr;
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(address->ss_family, binary, text, sizeof(text));
	snprintf(place->name, sizeof(place->name), "%s[%s]:%u",
	    place->options->host, text, place->options->port);
}

/* RFC 5321, 4.1.4: our name. It goes out in a command. */
static void set_helo(struct probe_place *place)
{
	const char *helo = place->options->helo;

	if (helo != NULL)
		snprintf(place->helo, sizeof(place->helo), "%s", helo);
	else if (gethostname(place->helo, sizeof(place->helo) - 1) != 0)
		snprintf(place->helo, sizeof(place->helo), "localhost");
	for (char *byte = place->helo; *byte != '\0'; byte++)
		if (*byte <= ' ' || *byte > '~')
			*byte = '?';
}

/* The first address that is connected to is the one that is probed. */
static void visit_any(struct probe_result *result, struct probe_place *place,
    const struct service_address *addresses, size_t count,
    const struct tls_client *client)
{
	for (size_t i = 0; i < count; i++) {
		place->address = addresses[i];
		print_name(place);
		probe_visit_run(place, client, &result->visit);
		if (result->visit.outcome != PROBE_NOT_CONNECTED)
			return;
		if (i + 1 < count)
			fprintf(stderr, "postern/probe: %s: %s\n", place->name,
			    result->visit.why);
	}
}

static void look_further(
    struct probe_result *result, const struct probe_place *place)
{
	if (result->visit.outcome != PROBE_TLS)
		return;
	result->strength = probe_strength_of(&result->visit.facts);
	result->has_resumptions = true;
	probe_resumption_run(place, false, &result->resumptions[0]);
	probe_resumption_run(place, true, &result->resumptions[1]);
}

static bool print_result(const struct probe_result *result)
{
	if (!result->place->options->json) {
		probe_page_text(stdout, result);
		return fflush(stdout) == 0;
	}
	return probe_page_json(stdout, result) && fflush(stdout) == 0;
}

/* Returns how many; 0 with the reason in result. */
static size_t find_addresses(struct probe_result *result,
    struct probe_place *place, struct service_address *out)
{
	const struct probe_options *options = place->options;
	const unsigned both = ADDRESS_IPV4 | ADDRESS_IPV6;
	unsigned families = options->families != 0 ? options->families : both;
	const char *why = "";
	size_t count = address_resolve(
	    options->host, options->port, families, out, ADDRESSES_MAX, &why);

	if (count > 0)
		return count;
	/* It has some, but not such. */
	if (families != both && address_resolve(options->host, options->port,
				    both, out, ADDRESSES_MAX, &why) > 0)
		why = "it has no address of that family";
	result->visit.outcome = PROBE_NOT_CONNECTED;
	snprintf(result->visit.why, sizeof(result->visit.why), "%s", why);
	snprintf(place->name, sizeof(place->name), "%s:%u", options->host,
	    options->port);
	return 0;
}

static int probe(struct probe_result *result, struct probe_place *place,
    const struct tls_client *client)
{
	static struct service_address addresses[ADDRESSES_MAX];
	const struct probe_visit *visit = &result->visit;
	size_t count = find_addresses(result, place, addresses);

	if (count > 0)
		visit_any(result, place, addresses, count, client);
	if (count > 0)
		look_further(result, place);
	/* A server may refuse the usual offer and take another one. */
	if (place->options->all &&
	    (visit->outcome == PROBE_TLS ||
		visit->outcome == PROBE_HANDSHAKE_FAILED)) {
		result->has_survey = true;
		probe_survey_run(place, &result->survey);
	}
	return print_result(result) ? (int)probe_result_status(result)
				    : PROBE_STATUS_BROKEN;
}

int probe_run(const struct probe_options *options)
{
	/* Large. */
	static struct probe_place place;
	static struct probe_result result;
	struct probe_offer offer = probe_offer_usual(options);
	struct tls_client *client = probe_client_create(options, &offer);
	int status;

	if (client == NULL)
		return PROBE_STATUS_BROKEN;
	place.options = options;
	set_helo(&place);
	result.place = &place;
	result.now_s = time(NULL);
	status = probe(&result, &place, client);
	tls_client_destroy(&client);
	return status;
}
