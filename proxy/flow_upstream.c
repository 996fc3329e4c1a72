/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/flow_upstream.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/flow_internal.h"
#include "proxy/peer.h"
#include "proxy/session_log.h"
#include "smtp/proxy_header.h"

static bool is_given(
    const struct smtp_xclient *xclient, enum smtp_attribute attribute)
{
	return (xclient->given >> attribute & 1) != 0;
}

static void set_address(
    struct sockaddr_in6 *out, int family, const uint8_t *bytes, uint16_t port)
{
	struct sockaddr_in *ipv4 = (void *)out;

	*out = (struct sockaddr_in6){
	    .sin6_family = (sa_family_t)family,
	    .sin6_port = htons(port),
	};
	if (family == AF_INET)
		memcpy(&ipv4->sin_addr, bytes, 4);
	else
		memcpy(&out->sin6_addr, bytes, 16);
}

/* ::ffff:192.0.2.1 is 192.0.2.1 to every list, limit and log. */
static void unmap(struct sockaddr_in6 *address)
{
	uint8_t bytes[4];

	if (address->sin6_family != AF_INET6 ||
	    !IN6_IS_ADDR_V4MAPPED(&address->sin6_addr))
		return;
	memcpy(bytes, address->sin6_addr.s6_addr + 12, sizeof(bytes));
	set_address(address, AF_INET, bytes, ntohs(address->sin6_port));
}

static void believe_header(
    struct flow *flow, const struct smtp_proxy_header *header)
{
	int family = header->family == SMTP_PROXY_IPV4 ? AF_INET : AF_INET6;

	flow->smtp.is_local = header->local;
	if (header->local)
		return;
	flow->proxy = flow->peer;
	set_address(&flow->peer, family, header->source, header->source_port);
	set_address(&flow->local, family, header->destination,
	    header->destination_port);
	unmap(&flow->peer);
	unmap(&flow->local);
}

void flow_upstream_failed(struct flow *flow, struct flow_environment *env,
    enum close_reason reason, const char *why)
{
	session_log_warning(flow, env, why);
	if (!flow->service->wrappermode && flow_can_reply(flow, env))
		flow_reply_format(flow, env,
		    "421 4.3.0 %s Server local error\r\n",
		    flow->service->policy.hostname);
	flow_end(flow, env, reason);
}

/* The session begins; what stands behind the header is its first input. */
static void go_on(struct flow *flow, struct flow_environment *env,
    const uint8_t *rest, size_t rest_len)
{
	bool is_wire = flow->service->wrappermode;

	if (!leg_hold(&flow->client, rest, rest_len, is_wire)) {
		flow_end(flow, env, CLOSE_NO_MEMORY);
		return;
	}
	flow->client_waits = rest_len > 0 && !is_wire;
	flow_admit(flow, env);
}

void flow_upstream_received(struct flow *flow, struct flow_environment *env,
    const uint8_t *data, size_t len)
{
	struct leg *leg = &flow->client;
	struct smtp_proxy_header header;
	size_t used = 0;

	if (leg->held_len > 0) {
		memcpy(env->client_scratch, leg->held, leg->held_len);
		memcpy(env->client_scratch + leg->held_len, data, len);
		data = env->client_scratch;
		len += leg->held_len;
	}
	switch (smtp_proxy_header_parse(data, len, &header, &used)) {
	case SMTP_PROXY_FOUND:
		believe_header(flow, &header);
		go_on(flow, env, data + used, len - used);
		break;
	case SMTP_PROXY_NEED_MORE:
		if (!leg_hold(leg, data, len, false))
			flow_end(flow, env, CLOSE_NO_MEMORY);
		break;
	case SMTP_PROXY_MALFORMED:
		flow_upstream_failed(flow, env, CLOSE_PROXY_HEADER,
		    "what it sent is no PROXY header");
		break;
	case SMTP_PROXY_TOO_LONG:
		flow_upstream_failed(flow, env, CLOSE_PROXY_HEADER,
		    "its PROXY header is too long");
		break;
	case SMTP_PROXY_UNSUPPORTED:
		flow_upstream_failed(flow, env, CLOSE_PROXY_HEADER,
		    "its PROXY header tells of no TCP connection");
		break;
	}
}

_Static_assert(DNS_NAME_SIZE == SMTP_XCLIENT_VALUE_SIZE,
    "a name of DNS is a name of XCLIENT");

const char *flow_client_name(const struct flow *flow)
{
	if (flow->claims != NULL && flow->claims->name[0] != '\0')
		return flow->claims->name;
	return peer_name(&flow->peer);
}

/* NULL without memory. */
static struct flow_claims *claims_of(struct flow *flow)
{
	if (flow->claims == NULL)
		flow->claims = calloc(1, sizeof(*flow->claims));
	return flow->claims;
}

static bool has_failed(enum client_name_status status)
{
	return status == CLIENT_NAME_FAILED ||
	       status == CLIENT_NAME_UNCONFIRMED_YET;
}

void flow_upstream_name(struct flow *flow, const struct client_name *name)
{
	struct flow_claims *claims;

	if (name->status == CLIENT_NAME_UNKNOWN)
		return;
	claims = claims_of(flow);
	if (claims == NULL)
		return;
	claims->name_failed = has_failed(name->status);
	memcpy(claims->reverse_name, name->text, sizeof(claims->reverse_name));
	if (name->status == CLIENT_NAME_CONFIRMED)
		memcpy(claims->name, name->text, sizeof(claims->name));
}

static void forget_name(struct flow_claims *claims)
{
	claims->name[0] = '\0';
	claims->reverse_name[0] = '\0';
	claims->name_failed = false;
}

static void believe_names(
    struct flow_claims *claims, const struct smtp_xclient *xclient)
{
	if (is_given(xclient, SMTP_ATTRIBUTE_NAME)) {
		memcpy(claims->name, xclient->name, sizeof(claims->name));
		memcpy(claims->reverse_name, xclient->name,
		    sizeof(claims->reverse_name));
		claims->name_failed = xclient->name_failed;
	}
	if (is_given(xclient, SMTP_ATTRIBUTE_REVERSE_NAME))
		memcpy(claims->reverse_name, xclient->reverse_name,
		    sizeof(claims->reverse_name));
	if (is_given(xclient, SMTP_ATTRIBUTE_LOGIN))
		memcpy(claims->login, xclient->login, sizeof(claims->login));
}

/* An address that is not known is 0.0.0.0, which is nobody's. */
static void believe_address(struct sockaddr_in6 *out,
    const struct smtp_xclient_address *address, uint16_t port)
{
	int family = address->family == 0 ? AF_INET : address->family;

	set_address(out, family, address->bytes, port);
	unmap(out);
}

static void believe_addresses(
    struct flow *flow, const struct smtp_xclient *xclient)
{
	if (is_given(xclient, SMTP_ATTRIBUTE_ADDR))
		believe_address(&flow->peer, &xclient->address,
		    ntohs(flow->peer.sin6_port));
	if (is_given(xclient, SMTP_ATTRIBUTE_PORT))
		flow->peer.sin6_port = htons(xclient->port);
	if (is_given(xclient, SMTP_ATTRIBUTE_DESTADDR))
		believe_address(&flow->local, &xclient->server_address,
		    ntohs(flow->local.sin6_port));
	if (is_given(xclient, SMTP_ATTRIBUTE_DESTPORT))
		flow->local.sin6_port = htons(xclient->server_port);
}

void flow_upstream_xclient(struct flow *flow, struct flow_environment *env,
    const struct smtp_xclient *xclient)
{
	struct flow_claims *claims = claims_of(flow);

	if (claims == NULL) {
		flow_end(flow, env, CLOSE_NO_MEMORY);
		return;
	}
	if (flow->proxy.sin6_family == 0)
		flow->proxy = flow->peer;
	/* A name is that of its address. */
	if (is_given(xclient, SMTP_ATTRIBUTE_ADDR))
		forget_name(claims);
	/* As in Postfix: who has logged in is said with each XCLIENT, or it
	 * would be told of the next client. */
	claims->login[0] = '\0';
	believe_names(claims, xclient);
	believe_addresses(flow, xclient);
	flow_learn_client(flow);
}
