/* SPDX-License-Identifier: Apache-2.0 */
/* The decisions of a flow, apart from its deeds: what it wants now, and how
 * long it may wait. */
#include "proxy/flow_internal.h"

/* A client gets this long to read our last words. */
#define DRAIN_LIMIT_MS 10000
/* … and this long to close after them; until then what it still sends is
 * dropped, since closing over unread bytes would reset them away. */
#define LINGER_LIMIT_MS 2000
/* How soon the budget of EDH is asked again. */
#define EDH_RETRY_MS 100
/* Room in the client's buffer with which a receive from the backend is armed.
 */
#define BACKEND_RECEIVE_ROOM (FLOW_RECEIVE_SIZE + SMTP_EHLO_REPLY_SIZE_MAX)

const struct backend *flow_backend(const struct flow *flow)
{
	return &flow->service->backends[flow->backend_index];
}

bool flow_waits_for_backend(const struct flow *flow)
{
	if (flow->state != FLOW_RELAY ||
	    flow->backend_state != FLOW_BACKEND_CONNECTED)
		return false;
	/* Who does not take what is there is the slow one: it may be for that
	 * alone that the backend is not heard. */
	if (leg_pending(&flow->client) > 0)
		return false;
	/* A body is for the client to send, as long as it may. */
	if (smtp_relay_in_body(&flow->relay))
		return flow->client_waits && leg_pending(&flow->backend) > 0;
	return leg_pending(&flow->backend) > 0 ||
	       smtp_relay_awaits_backend(&flow->relay);
}

static int64_t opening_limit_ms(const struct flow *flow)
{
	const struct settings *settings = flow->service->settings;
	int64_t limit_s = settings->smtp_connect_timeout_s;

	if (flow->backend_tls.in_handshake ||
	    flow->opening.state == SMTP_OPENING_EXPECT_STARTTLS_REPLY)
		limit_s = settings->smtp_starttls_timeout_s;
	else if (flow->backend_state == FLOW_BACKEND_CONNECTED)
		limit_s = settings->smtp_helo_timeout_s;

	if (flow->is_probe)
		limit_s = settings->proxy_backend_probe_timeout_s;
	else if (flow->waits_for_place)
		limit_s = settings->proxy_backend_queue_timeout_s;
	return limit_s * 1000;
}

static int64_t limit_ms(const struct flow *flow)
{
	const struct settings *settings = flow->service->settings;

	switch (flow->state) {
	case FLOW_UPSTREAM:
		return settings->smtpd_upstream_proxy_timeout_s * 1000;
	case FLOW_GATE:
	case FLOW_TLS_GATE:
	case FLOW_REFUSING:
		return settings->smtpd_timeout_s * 1000;
	case FLOW_STARTING_TLS:
	case FLOW_HANDSHAKE:
		if (flow->edh.turn == FLOW_EDH_WAITS)
			return EDH_RETRY_MS;
		return settings->smtpd_starttls_timeout_s * 1000;
	case FLOW_BACKEND_OPENING:
		return opening_limit_ms(flow);
	case FLOW_RELAY:
		return flow->limit.for_backend
			   ? settings->proxy_backend_reply_timeout_s * 1000
			   : settings->smtpd_timeout_s * 1000;
	case FLOW_DRAIN:
		return DRAIN_LIMIT_MS;
	case FLOW_LINGER:
		return LINGER_LIMIT_MS;
	case FLOW_CLOSED:
		return 0;
	}
	return 0;
}

void flow_restart_limit(struct flow *flow)
{
	/* A health check has one limit from its begin to its end. */
	if (flow->is_probe && flow->limit.serial != 0)
		return;
	flow->limit.serial++;
	flow->limit.earned_ms = 0;
	flow->limit.for_backend = flow_waits_for_backend(flow);
	flow->limit.duration_ms = limit_ms(flow);
}

static unsigned client_wants(const struct flow *flow)
{
	const struct leg *leg = &flow->client;
	bool may_receive =
	    !leg->eof && !flow->client_waits && !flow->greeting_due;
	unsigned wants = leg_pending(leg) > 0 ? FLOW_WANT_CLIENT_SEND : 0;

	switch (flow->state) {
	case FLOW_UPSTREAM:
	case FLOW_GATE:
	case FLOW_TLS_GATE:
	case FLOW_RELAY:
	case FLOW_REFUSING:
		return may_receive ? wants | FLOW_WANT_CLIENT_RECV : wants;
	case FLOW_HANDSHAKE:
		if (flow->edh.turn == FLOW_EDH_WAITS)
			return wants;
		if (leg->held_len > 0 || leg->eof ||
		    flow->edh.turn == FLOW_EDH_DUE)
			return flow->needs_buffer ||
				       flow_handshake_awaits_name(flow)
				   ? wants
				   : wants | FLOW_WANT_HANDSHAKE;
		return wants | FLOW_WANT_CLIENT_RECV;
	case FLOW_DRAIN:
		return wants == 0 ? FLOW_WANT_CLIENT_SHUTDOWN : wants;
	case FLOW_LINGER:
		return FLOW_WANT_CLIENT_RECV;
	case FLOW_STARTING_TLS: /* no receive before the 220 has left! */
	case FLOW_BACKEND_OPENING:
	case FLOW_CLOSED:
		return wants;
	}
	return wants;
}

static unsigned backend_wants(const struct flow *flow)
{
	unsigned wants = 0;

	switch (flow->backend_state) {
	case FLOW_BACKEND_NONE:
		return 0;
	case FLOW_BACKEND_CONNECTING:
		return FLOW_WANT_BACKEND_CONNECT;
	case FLOW_BACKEND_DROPPED:
		return FLOW_WANT_BACKEND_CLOSE;
	case FLOW_BACKEND_CONNECTED:
		break;
	}
	if (flow_backend_is_sink(flow))
		return 0;
	if (leg_pending(&flow->backend) > 0)
		wants |= FLOW_WANT_BACKEND_SEND;
	if (flow->backend_tls.in_handshake && flow->backend_tls.is_due)
		return flow->needs_buffer ? wants : wants | FLOW_WANT_HANDSHAKE;
	if (!flow->backend.eof && !flow->backend_waits &&
	    leg_room(&flow->client) >= BACKEND_RECEIVE_ROOM)
		wants |= FLOW_WANT_BACKEND_RECV;
	return wants;
}

unsigned flow_wants(const struct flow *flow)
{
	unsigned wants;

	if (flow->state == FLOW_CLOSED)
		return 0;
	wants = backend_wants(flow);
	if (!flow->is_probe)
		wants |= client_wants(flow);
	if (flow->needs_buffer)
		wants |= FLOW_WANT_BUFFER;
	if (flow->name_pending)
		wants |= FLOW_WANT_NAME;
	if (flow->waits_for_place)
		wants |= FLOW_WANT_PLACE;
	return wants;
}
