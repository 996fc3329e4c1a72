/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/flow_handover.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proxy/flow_internal.h"
#include "proxy/flow_upstream.h"
#include "proxy/peer.h"
#include "smtp/proxy_header.h"

const char flow_handover_remedy[] =
    "it would take every client for Postern. Name Postern's address in its "
    "smtpd_authorized_xclient_hosts (that is Postfix's), or set "
    "proxy_backend_handover = proxy2 or proxy1 if it takes the PROXY protocol, "
    "or none if it is to see our address";

/* Texts of an address, with the port; "" where there is none. */
struct place {
	char address[PEER_ADDRESS_SIZE];
	uint16_t port;
};

static bool is_mapped(const struct sockaddr_in6 *address)
{
	return address->sin6_family == AF_INET6 &&
	       IN6_IS_ADDR_V4MAPPED(&address->sin6_addr);
}

static bool is_ipv4(const struct sockaddr_in6 *address)
{
	return address->sin6_family == AF_INET || is_mapped(address);
}

static const uint8_t *ipv4_of(const struct sockaddr_in6 *address)
{
	const struct sockaddr_in *ipv4 = (const void *)address;

	if (is_mapped(address))
		return address->sin6_addr.s6_addr + 12;
	return (const uint8_t *)&ipv4->sin_addr;
}

static void read_place(const struct sockaddr_in6 *address, struct place *out)
{
	*out = (struct place){.port = ntohs(address->sin6_port)};
	if (!peer_is_inet(address))
		return;
	if (is_ipv4(address))
		inet_ntop(AF_INET, ipv4_of(address), out->address,
		    sizeof(out->address));
	else
		inet_ntop(AF_INET6, &address->sin6_addr, out->address,
		    sizeof(out->address));
}

const char *flow_handover_fault(const struct flow *flow)
{
	switch (flow->service->handover.way) {
	case HANDOVER_NONE:
	case HANDOVER_XCLIENT:
		return NULL;
	case HANDOVER_PROXY1:
	case HANDOVER_PROXY2:
		return peer_is_inet(&flow->peer)
			   ? NULL
			   : "the client came by a Unix socket, and the PROXY "
			     "protocol cannot say that: set "
			     "proxy_backend_handover = xclient or none";
	case HANDOVER_MISSING:
		return "nothing tells the backend who the client is: set "
		       "proxy_backend_handover = auto, proxy1 or proxy2, or "
		       "none (beside xforward, too) if it may take all clients "
		       "for Postern";
	}
	return NULL;
}

bool flow_handover_has_header(const struct flow *flow)
{
	enum handover_way way = flow->service->handover.way;

	return (way == HANDOVER_PROXY1 || way == HANDOVER_PROXY2) &&
	       !flow_backend_is_sink(flow);
}

/* In the family of both: an IPv4 address goes into IPv6 if it must. */
static void fill_address(
    const struct sockaddr_in6 *address, bool ipv4, uint8_t out[16])
{
	if (!peer_is_inet(address))
		return; /* not known: all zero */
	if (ipv4) {
		memcpy(out, ipv4_of(address), 4);
	} else if (is_ipv4(address)) {
		memset(out + 10, 0xff, 2);
		memcpy(out + 12, ipv4_of(address), 4);
	} else {
		memcpy(out, address->sin6_addr.s6_addr, 16);
	}
}

static void fill_addresses(struct smtp_proxy_header *header,
    const struct sockaddr_in6 *source, const struct sockaddr_in6 *destination)
{
	bool ipv4 = is_ipv4(source) &&
		    (is_ipv4(destination) || !peer_is_inet(destination));

	header->family = ipv4 ? SMTP_PROXY_IPV4 : SMTP_PROXY_IPV6;
	fill_address(source, ipv4, header->source);
	fill_address(destination, ipv4, header->destination);
	header->source_port = ntohs(source->sin6_port);
	header->destination_port = ntohs(destination->sin6_port);
}

/* A health check is of no client: LOCAL. Version 1 has UNKNOWN for it, which
 * Postfix refuses: there it is said whose it is. */
static void fill_probe(
    const struct flow *flow, struct smtp_proxy_header *header)
{
	struct sockaddr_in6 backend;

	memcpy(&backend, &flow_backend(flow)->address, sizeof(backend));
	header->local = header->version == 2 || !peer_is_inet(&flow->local) ||
			!peer_is_inet(&backend);
	if (!header->local)
		fill_addresses(header, &flow->local, &backend);
}

void flow_handover_write_header(struct flow *flow, struct flow_environment *env)
{
	enum handover_way way = flow->service->handover.way;
	uint8_t bytes[FLOW_HANDOVER_HEADER_SIZE];
	struct smtp_proxy_header header = {
	    .version = way == HANDOVER_PROXY1 ? 1 : 2,
	};
	size_t len;

	if (flow->is_probe)
		fill_probe(flow, &header);
	else
		fill_addresses(&header, &flow->peer, &flow->local);
	len = smtp_proxy_header_write(&header, bytes, sizeof(bytes));
	assert(len > 0);
	leg_write(&flow->backend, &env->buffers, bytes, len);
	flow->handed_over = !flow->is_probe;
}

static const char *known(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static void read_claims(
    const struct flow_claims *claims, struct smtp_identity *identity)
{
	if (claims == NULL)
		return;
	identity->name = known(claims->name);
	identity->reverse_name = known(claims->reverse_name);
	identity->name_failed = claims->name_failed;
	identity->login = known(claims->login);
}

void flow_handover_identify(struct flow *flow, struct smtp_opening_step *step)
{
	struct place client, server;
	char session[32];
	struct smtp_identity identity = {
	    .helo_verb = flow->smtp.helo_verb != SMTP_VERB_UNKNOWN
			     ? flow->smtp.helo_verb
			     : flow->smtp.helo_to_come,
	    .helo = flow->smtp.helo,
	    .session = session,
	    .tls = flow->smtp.tls,
	};

	read_claims(flow->claims, &identity);
	read_place(&flow->peer, &client);
	read_place(&flow->local, &server);
	if (client.address[0] != '\0') {
		identity.address = client.address;
		identity.port = client.port;
	}
	if (server.address[0] != '\0') {
		identity.server_address = server.address;
		identity.server_port = server.port;
	}
	snprintf(session, sizeof(session), "%x-%x", (unsigned)getpid(),
	    flow->serial);
	smtp_opening_identify(&flow->opening, &identity, step);
}
