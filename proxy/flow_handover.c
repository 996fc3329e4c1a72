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
#include "proxy/session_log.h"
#include "smtp/proxy_header.h"
#include "smtp/proxy_tlvs.h"
#include "tls/facts.h"
#include "tls/hello.h"
#include "tls/own.h"
#include "tls/peer.h"

const char flow_handover_remedy[] =
    "it would take every client for Postern. Name Postern's address in its "
    "smtpd_authorized_xclient_hosts (that is Postfix's), or set "
    "proxy_backend_handover, or handover= of this backend, to proxy2 or proxy1 "
    "if it takes the PROXY protocol, or to none if it is to see our address";

const char flow_handover_remedy_of_ipv6[] =
    "the client came by IPv6, of which a backend without IPv6 cannot be told: "
    "if it is Postfix, set its inet_protocols = all";

/* Of version 2, before the TLVs. */
#define HEAD_LEN_IPV4 28
#define HEAD_LEN_IPV6 52

#define SESSION_SIZE 32
#define FAULT_SIZE   512

#define TLS_ATTRIBUTES                                    \
	(UINT32_C(1) << SMTP_ATTRIBUTE_CLIENT_TRANSPORT | \
	    UINT32_C(1) << SMTP_ATTRIBUTE_DESTNAME |      \
	    UINT32_C(1) << SMTP_ATTRIBUTE_FORWARD)

/* Dovecot takes a client from no more than five proxies in a row, of which we
 * are one. */
#define PROXIES_BEHIND_US 4

/* So that they fit, in base64, into one value. */
#define FACTS_SIZE 160

/* As in the record. */
static void session_of(const struct flow *flow, char out[SESSION_SIZE])
{
	snprintf(out, SESSION_SIZE, "%x-%x", (unsigned)getpid(), flow->serial);
}

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

bool flow_handover_is_ipv6(const struct flow *flow)
{
	return (peer_is_inet(&flow->peer) && !is_ipv4(&flow->peer)) ||
	       (peer_is_inet(&flow->local) && !is_ipv4(&flow->local));
}

const char *flow_handover_fault(
    const struct flow *flow, const struct backend *backend)
{
	switch (backend->handover.way) {
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

void flow_handover_log_faults(
    const struct flow *flow, const struct flow_environment *env)
{
	const struct service *service = flow->service;
	char text[FAULT_SIZE];

	for (size_t i = 0; i < service->backend_count; i++) {
		const struct backend *backend = &service->backends[i];
		const char *fault = flow_handover_fault(flow, backend);

		if (fault == NULL || backend->slot != 0)
			continue;
		snprintf(text, sizeof(text), "not given to %s: %s",
		    backend->name, fault);
		session_log_warning(flow, env, text);
	}
}

bool flow_handover_has_header(const struct flow *flow)
{
	enum handover_way way = flow_backend(flow)->handover.way;

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

/* The texts that a PROXY header is made of. */
struct sources {
	struct tls_facts tls;
	struct tls_peer peer;
	struct tls_own own;
	char session[SESSION_SIZE];
	char signature[64];
};

static void read_sources(const struct flow *flow, struct sources *from,
    struct smtp_proxy_facts *facts)
{
	const char *name;

	session_of(flow, from->session);
	facts->texts[SMTP_PROXY_TLV_UNIQUE_ID] = from->session;
	facts->tls = flow->smtp.tls;
	if (!facts->tls)
		return;
	tls_facts_read(flow->client.tls, &from->tls);
	tls_peer_read(flow->client.tls, &from->peer);
	tls_own_read(flow->client.tls, &from->own);
	name = tls_session_asked_name(flow->client.tls);
	snprintf(from->signature, sizeof(from->signature), "%s%s%s",
	    from->tls.server_signature.name,
	    from->tls.server_signature.digest[0] == '\0' ? "" : "-",
	    from->tls.server_signature.digest);
	facts->has_certificate = from->peer.is_present;
	facts->resumed = from->tls.resumed;
	facts->verified =
	    from->tls.trust == TLS_TRUSTED || from->tls.trust == TLS_VERIFIED;
	facts->texts[SMTP_PROXY_TLV_SSL] = from->tls.protocol;
	facts->texts[SMTP_PROXY_TLV_CERT_CN] = from->peer.subject_cn;
	facts->texts[SMTP_PROXY_TLV_AUTHORITY] = name;
	facts->texts[SMTP_PROXY_TLV_SSL_CIPHER] = from->tls.cipher;
	facts->texts[SMTP_PROXY_TLV_SSL_GROUP] =
	    from->tls.key_exchange.curve[0] != '\0'
		? from->tls.key_exchange.curve
		: from->tls.key_exchange.name;
	facts->texts[SMTP_PROXY_TLV_SSL_SIGSCHEME] = from->signature;
	facts->texts[SMTP_PROXY_TLV_CERT_KEY] = from->own.key;
	facts->texts[SMTP_PROXY_TLV_CERT_SIG] = from->own.signature;
	facts->texts[SMTP_PROXY_TLV_ALPN] = from->own.alpn;
}

static void tell_dropped(const struct flow *flow,
    const struct flow_environment *env, uint32_t dropped)
{
	char text[256] = "the PROXY header to its backend has no room "
			 "(proxy_backend_proxy_header_limit) for";

	for (unsigned i = 0; i < SMTP_PROXY_TLV_COUNT; i++) {
		size_t len = strlen(text);

		if ((dropped >> i & 1) != 0)
			snprintf(text + len, sizeof(text) - len, " %s",
			    smtp_proxy_tlv_word((enum smtp_proxy_tlv)i));
	}
	session_log_warning(flow, env, text);
}

/* Returns the length of the TLVs in `out`, which holds a header of the limit's
 * size. */
static size_t write_tlvs(struct flow *flow, struct flow_environment *env,
    size_t head_len, uint8_t *out)
{
	const struct handover *handover = &flow_backend(flow)->handover;
	struct smtp_proxy_facts facts = {0};
	struct sources sources;
	uint32_t dropped;
	size_t len;

	if (handover->tlvs == 0 || flow->is_probe ||
	    handover->way != HANDOVER_PROXY2)
		return 0;
	read_sources(flow, &sources, &facts);
	len = smtp_proxy_tlvs_write(handover->tlvs, &facts, out,
	    handover->header_limit - head_len, &dropped);
	if (dropped != 0)
		tell_dropped(flow, env, dropped);
	return len;
}

void flow_handover_write_header(struct flow *flow, struct flow_environment *env)
{
	enum handover_way way = flow_backend(flow)->handover.way;
	uint8_t bytes[HANDOVER_HEADER_LIMIT_MAX];
	uint8_t tlvs[HANDOVER_HEADER_LIMIT_MAX];
	struct smtp_proxy_header header = {
	    .version = way == HANDOVER_PROXY1 ? 1 : 2,
	};
	size_t len;

	if (flow->is_probe)
		fill_probe(flow, &header);
	else
		fill_addresses(&header, &flow->peer, &flow->local);
	header.tlvs = tlvs;
	header.tlvs_len = write_tlvs(flow, env,
	    header.family == SMTP_PROXY_IPV4 ? HEAD_LEN_IPV4 : HEAD_LEN_IPV6,
	    tlvs);
	len = smtp_proxy_header_write(&header, bytes, sizeof(bytes));
	assert(len > 0);
	leg_write(&flow->backend, &env->buffers, bytes, len);
	flow->handed_over = !flow->is_probe;
}

static const char *known(const char *text)
{
	return text != NULL && text[0] != '\0' ? text : NULL;
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

/* The texts that an identity borrows. */
struct identity_texts {
	struct place client, server;
	char session[SESSION_SIZE];
	char facts[FACTS_SIZE];
};

/* The asked name goes last: there may be no room for it. */
static void write_facts(const struct flow *flow, char out[FACTS_SIZE])
{
	struct tls_facts facts;
	const char *name;
	char group[32];
	size_t len;

	if (!flow->smtp.tls) {
		snprintf(out, FACTS_SIZE, "tls=none");
		return;
	}
	tls_facts_read(flow->client.tls, &facts);
	tls_facts_group_word(&facts, group, sizeof(group));
	len = (size_t)snprintf(out, FACTS_SIZE,
	    "tls=%s\ttls_cipher=%s\ttls_group=%s\ttls_forward_secrecy=%s",
	    facts.protocol, facts.cipher, group,
	    facts.forward_secret ? "yes" : "no");
	assert(len < FACTS_SIZE);
	name = known(tls_session_asked_name(flow->client.tls));
	if (name != NULL && smtp_identity_is_host_name(name) &&
	    strlen(name) + sizeof("\ttls_sni=") <= FACTS_SIZE - len)
		snprintf(out + len, FACTS_SIZE - len, "\ttls_sni=%s", name);
}

static struct smtp_identity identity_of(
    const struct flow *flow, struct identity_texts *texts)
{
	struct smtp_identity identity = {
	    .helo_verb = flow->smtp.helo_verb != SMTP_VERB_UNKNOWN
			     ? flow->smtp.helo_verb
			     : flow->smtp.helo_to_come,
	    .helo = flow->smtp.helo,
	    .session = texts->session,
	    .tls = flow->smtp.tls,
	    .ttl = PROXIES_BEHIND_US,
	    .timeout_s = (uint32_t)flow->service->settings
			     ->proxy_backend_reply_timeout_s,
	    .facts = texts->facts,
	};

	write_facts(flow, texts->facts);
	read_claims(flow->claims, &identity);
	read_place(&flow->peer, &texts->client);
	read_place(&flow->local, &texts->server);
	if (texts->client.address[0] != '\0') {
		identity.address = texts->client.address;
		identity.port = texts->client.port;
	}
	if (texts->server.address[0] != '\0') {
		identity.server_address = texts->server.address;
		identity.server_port = texts->server.port;
	}
	session_of(flow, texts->session);
	if (flow->smtp.tls)
		identity.sni = known(tls_session_asked_name(flow->client.tls));
	return identity;
}

void flow_handover_identify(struct flow *flow, struct smtp_opening_step *step)
{
	struct identity_texts texts;
	struct smtp_identity identity = identity_of(flow, &texts);

	if (!flow->service->settings->proxy_backend_xclient_tls)
		flow->opening.attributes &= ~TLS_ATTRIBUTES;
	smtp_opening_identify(&flow->opening, &identity, step);
}

void flow_handover_xforward(struct flow *flow, struct flow_environment *env)
{
	struct identity_texts texts;
	struct smtp_identity identity = identity_of(flow, &texts);
	uint32_t pending = flow->relay.xforward;
	char line[SMTP_IDENTITY_LINE_SIZE];
	unsigned lines = 0;
	size_t len;

	while (lines < SMTP_RELAY_XFORWARD_MAX &&
	       (len = smtp_xforward_write(
		    &pending, &identity, line, sizeof(line))) > 0) {
		leg_write(&flow->backend, &env->buffers, line, len);
		lines++;
	}
	smtp_relay_xforward(&flow->relay, lines);
}
