/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/flow.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/flow_backend_tls.h"
#include "proxy/flow_debug.h"
#include "proxy/flow_edh.h"
#include "proxy/flow_internal.h"
#include "proxy/flow_metrics.h"
#include "proxy/flow_pool.h"
#include "proxy/flow_upstream.h"
#include "proxy/session_log.h"
#include "smtp/gate.h"

_Static_assert(
    FLOW_SCRATCH_SIZE > 65536 + 2 + LEG_PLAIN_SIZE_MAX(FLOW_RECEIVE_SIZE),
    "the scratch holds the head of the longest line and what one receive "
    "can become");

void flow_enter(struct flow *flow, enum flow_state state)
{
	assert(state > flow->state); /* a flow never goes back */
	flow->state = state;
	flow_debug_entered(flow);
	/* The handshake's time runs from the STARTTLS on. */
	if (state != FLOW_HANDSHAKE || flow->limit.serial == 0)
		flow_restart_limit(flow);
}

/* Whether the client may still be sending, so that closing would reset our last
 * words away. */
static bool must_linger(const struct flow *flow)
{
	switch (flow->reason) {
	case CLOSE_CLIENT_ERRORS:
	case CLOSE_CLIENT_NOT_SMTP:
	case CLOSE_CLIENT_BARE_LF:
	case CLOSE_CLIENT_PIPELINED:
	case CLOSE_CLIENT_BAD_BDAT:
	case CLOSE_CLIENT_CERTIFICATE:
	case CLOSE_HANDSHAKE_FAILED:
	case CLOSE_BACKEND_CLOSING:
	case CLOSE_BACKEND_LOST:
	case CLOSE_BACKEND_MALFORMED:
	case CLOSE_BACKEND_UNEXPECTED:
	case CLOSE_BACKEND_UNAVAILABLE:
	case CLOSE_BACKENDS_BUSY:
	case CLOSE_NO_BACKEND:
	case CLOSE_SESSION_LIMIT:
	case CLOSE_PROXY_HEADER:
	case CLOSE_PROXY_FOREIGN:
	case CLOSE_STOPPED:
		return flow->replied || flow->client.broken;
	case CLOSE_NONE:
	case CLOSE_CLIENT_QUIT:
	case CLOSE_CLIENT_LOST:
	case CLOSE_TLS_BROKEN:
	case CLOSE_TIMED_OUT:
	case CLOSE_NO_MEMORY:
	case CLOSE_PROBE_DONE:
	case CLOSE_PROBE_FAILED:
	case CLOSE_REASON_COUNT:
		return false;
	}
	return false;
}

static void drained(struct flow *flow)
{
	if (leg_pending(&flow->client) > 0)
		return;
	if (must_linger(flow) && !flow->client.eof && !flow->shutdown_done)
		return; /* FLOW_WANT_CLIENT_SHUTDOWN */
	flow_enter(flow, FLOW_CLOSED);
}

void flow_end(
    struct flow *flow, struct flow_environment *env, enum close_reason reason)
{
	bool say_goodbye =
	    flow->smtp.tls && !flow->client.eof && reason != CLOSE_TLS_BROKEN;

	if (flow->state >= FLOW_DRAIN)
		return;
	flow_give_up_name(flow, env);
	flow->reason = reason;
	flow_drop_backend(flow, env);
	leg_drop_held(&flow->client);
	if (say_goodbye && leg_open(&flow->client, &env->buffers) == LEG_OK)
		leg_close_tls(&flow->client);
	leg_tidy(&flow->client, &env->buffers);
	flow_enter(flow, FLOW_DRAIN);
	drained(flow);
}

void flow_refuse_certificate(struct flow *flow, struct flow_environment *env)
{
	flow_reply_format(flow, env, "421 4.7.1 %s Error: %s\r\n",
	    flow->service->policy.hostname, flow->certificate_fault);
	flow_end(flow, env, CLOSE_CLIENT_CERTIFICATE);
}

static bool may_be_stopped(const struct flow *flow)
{
	switch (flow->state) {
	case FLOW_UPSTREAM:
	case FLOW_GATE:
	case FLOW_STARTING_TLS:
	case FLOW_HANDSHAKE:
	case FLOW_TLS_GATE:
	case FLOW_REFUSING:
		return true;
	case FLOW_RELAY:
		return smtp_relay_is_idle(&flow->relay) &&
		       !flow->relay.in_transaction &&
		       flow->client.held_len == 0;
	case FLOW_BACKEND_OPENING:
		return flow->is_probe || flow->waits_for_place;
	case FLOW_DRAIN:
	case FLOW_LINGER:
	case FLOW_CLOSED:
		return false;
	}
	return false;
}

void flow_stop(struct flow *flow, struct flow_environment *env)
{
	bool can_speak = flow->state != FLOW_UPSTREAM &&
			 flow->state != FLOW_STARTING_TLS &&
			 flow->state != FLOW_HANDSHAKE && !flow->is_probe;

	if (!may_be_stopped(flow))
		return;
	if (can_speak && flow_can_reply(flow, env))
		flow_reply_format(flow, env,
		    "421 4.3.2 %s Service shutting down\r\n",
		    flow->service->policy.hostname);
	flow_end(flow, env, CLOSE_STOPPED);
}

/* The client will send no more, and all that it sent was looked at. */
static void client_is_done(struct flow *flow, struct flow_environment *env)
{
	switch (flow->state) {
	case FLOW_UPSTREAM:
	case FLOW_GATE:
	case FLOW_STARTING_TLS:
	case FLOW_TLS_GATE:
	case FLOW_REFUSING:
		flow_end(flow, env, CLOSE_CLIENT_LOST);
		break;
	case FLOW_RELAY:
		/* Half-closed: it may still want what is outstanding. A body
		 * without its end is never finished by us. */
		if (smtp_relay_in_body(&flow->relay) ||
		    smtp_relay_is_idle(&flow->relay))
			flow_end(flow, env, CLOSE_CLIENT_LOST);
		break;
	case FLOW_HANDSHAKE: /* the turn finds it out */
	case FLOW_BACKEND_OPENING:
	case FLOW_DRAIN:
	case FLOW_LINGER:
	case FLOW_CLOSED:
		break;
	}
}

/* What is to be looked at again; also where nothing is kept, since an answer
 * may have waited for room. */
static const uint8_t *kept(const struct leg *leg)
{
	return leg->held != NULL ? leg->held : (const uint8_t *)"";
}

static bool pump_client(struct flow *flow, struct flow_environment *env)
{
	struct leg *leg = &flow->client;
	enum flow_state state = flow->state;
	size_t used;

	if (!flow->client_waits || flow->greeting_due || leg->held_is_wire ||
	    state == FLOW_BACKEND_OPENING)
		return false;
	flow->client_waits = false;
	used = flow_client_input(flow, env, kept(leg), leg->held_len);
	if (flow->state >= FLOW_DRAIN || leg->held_len == 0)
		return flow->state != state;
	if (!leg_hold(leg, leg->held + used, leg->held_len - used, false))
		flow_end(flow, env, CLOSE_NO_MEMORY);
	return used > 0 || flow->state != state;
}

static bool pump_backend(struct flow *flow, struct flow_environment *env)
{
	struct leg *leg = &flow->backend;
	uint32_t tried = flow->backends_tried;
	size_t used;

	if (!flow->backend_waits)
		return false;
	flow->backend_waits = false;
	used = flow_backend_input(flow, env, kept(leg), leg->held_len);
	if (flow->backend_state != FLOW_BACKEND_CONNECTED ||
	    flow->backends_tried != tried)
		return true;
	if (!leg_hold(leg, kept(leg) + used, leg->held_len - used, false))
		flow_end(flow, env, CLOSE_NO_MEMORY);
	return used > 0;
}

static bool backend_is_done(const struct flow *flow)
{
	return (flow->backend.eof || flow->backend.broken) &&
	       !flow->backend_waits && !flow->backend_tls.in_handshake &&
	       flow->backend_state == FLOW_BACKEND_CONNECTED;
}

void flow_settle(struct flow *flow, struct flow_environment *env)
{
	bool moved = true;

	flow->needs_buffer = false;
	flow_greet_if_due(flow, env);
	flow_opening_write_header(flow, env);
	while (moved && flow->state < FLOW_DRAIN) {
		moved = pump_client(flow, env) || flow_pump_sink(flow, env) ||
			pump_backend(flow, env);
		if (!moved && backend_is_done(flow)) {
			flow_backend_lost(flow, env, false);
			moved = true;
		}
	}
	if (flow->client.broken)
		flow_end(flow, env, CLOSE_TLS_BROKEN);
	if (flow->client.eof && !flow->client_waits && !flow->name_pending)
		client_is_done(flow, env);
	if (flow->limit.for_backend != flow_waits_for_backend(flow))
		flow_restart_limit(flow);
	if (env->stopping)
		flow_stop(flow, env);
	leg_tidy(&flow->client, &env->buffers);
	leg_tidy(&flow->backend, &env->buffers);
	flow_count_tls_events(flow, env);
	if (flow->state == FLOW_DRAIN)
		drained(flow);
}

void flow_begin_probe(struct flow *flow, struct flow_environment *env,
    const struct service *service, uint8_t backend_index)
{
	flow->service = service;
	flow->begun_ms = env->now_ms;
	flow->is_probe = true;
	flow->backends_tried = ~(1u << backend_index);
	flow_open_backend(flow, env);
}

void flow_client_sent(
    struct flow *flow, struct flow_environment *env, size_t len)
{
	flow->octets_out += len;
	flow_count(flow, env, METRIC_client_sent_bytes, len);
	leg_sent(&flow->client, &env->buffers, len);
	if (flow->state == FLOW_STARTING_TLS && leg_pending(&flow->client) == 0)
		flow_begin_handshake(flow, env);
	else if (flow->state == FLOW_RELAY && leg_pending(&flow->client) == 0)
		flow_restart_limit(flow);
	flow_settle(flow, env);
}

void flow_client_failed(struct flow *flow, struct flow_environment *env)
{
	flow->client.eof = true;
	flow->client.broken = true;
	if (flow->state == FLOW_HANDSHAKE)
		flow_handshake_lost(flow, env);
	flow_end(flow, env, CLOSE_CLIENT_LOST);
	if (flow->state != FLOW_CLOSED)
		flow_enter(flow, FLOW_CLOSED);
}

void flow_client_shut_down(struct flow *flow)
{
	flow->shutdown_done = true;
	if (flow->state == FLOW_DRAIN)
		flow_enter(flow, FLOW_LINGER);
}

void flow_backend_connected(struct flow *flow, struct flow_environment *env)
{
	/* It crossed with the close that was asked for. */
	if (flow->backend_state != FLOW_BACKEND_CONNECTING)
		return;
	flow_count_backend(flow, env, METRIC_backend_sessions, 1);
	flow_count_backend(flow, env, METRIC_backend_connects, 1);
	flow_backend_answered(
	    flow, env, METRIC_backend_connect_duration_seconds);
	flow->backend_state = FLOW_BACKEND_CONNECTED;
	flow_restart_limit(flow);
	flow_backend_tls_connected(flow, env);
	flow_opening_write_header(flow, env);
}

void flow_backend_received(struct flow *flow, struct flow_environment *env,
    const uint8_t *data, size_t len)
{
	if (flow->backend_state != FLOW_BACKEND_CONNECTED)
		return;
	flow_count_backend(flow, env, METRIC_backend_received_bytes, len);
	if (len == 0)
		flow->backend.eof = true;
	else
		flow_backend_answered(
		    flow, env, METRIC_backend_reply_duration_seconds);
	if (flow->backend_tls.in_handshake)
		flow_backend_tls_keep(flow, env, data, len);
	else if (len > 0)
		flow_take_from_backend(flow, env, data, len);
	flow_settle(flow, env);
}

void flow_backend_sent(
    struct flow *flow, struct flow_environment *env, size_t len)
{
	flow_count_backend(flow, env, METRIC_backend_sent_bytes, len);
	leg_sent(&flow->backend, &env->buffers, len);
	if (leg_pending(&flow->backend) == 0)
		flow_backend_asked(flow, env);
	/* Its answer is due from now on. A body that is taken as it comes gives
	 * the client no more time: a byte a minute would be enough. */
	if (flow->limit.for_backend && leg_pending(&flow->backend) == 0)
		flow_restart_limit(flow);
	flow_settle(flow, env);
}

void flow_backend_failed(
    struct flow *flow, struct flow_environment *env, int error)
{
	if (flow->backend_state == FLOW_BACKEND_DROPPED)
		return;
	if (flow->backend_state == FLOW_BACKEND_CONNECTING) {
		flow_backend_unreachable(flow, env, strerror(error));
	} else if (flow->state == FLOW_RELAY && flow->backend_waits) {
		/* The client gets first what was answered before. */
		flow->backend.eof = true;
	} else {
		flow_backend_lost(flow, env, false);
	}
	flow_settle(flow, env);
}

void flow_backend_send_failed(
    struct flow *flow, struct flow_environment *env, int error)
{
	size_t lost = leg_pending(&flow->backend);

	if (flow->state != FLOW_RELAY ||
	    flow->backend_state != FLOW_BACKEND_CONNECTED) {
		flow_backend_failed(flow, env, error);
		return;
	}
	/* The receive that follows brings its last words, and then the end. */
	if (lost > 0)
		leg_sent(&flow->backend, &env->buffers, lost);
	flow_settle(flow, env);
}

void flow_backend_closed(struct flow *flow, struct flow_environment *env)
{
	leg_finish(&flow->backend, &env->buffers);
	flow->backend_state = FLOW_BACKEND_NONE;
	if (!flow->backend_tls.is_retry)
		flow_pool_leave(flow, env);
	if (flow->state == FLOW_BACKEND_OPENING)
		flow_open_backend(flow, env);
	flow_settle(flow, env);
}

static void time_out_client(struct flow *flow, struct flow_environment *env)
{
	flow_count(flow, env, METRIC_timeouts, 1);
	if (flow_can_reply(flow, env))
		flow_reply_format(flow, env,
		    "421 4.4.2 %s Error: timeout exceeded\r\n",
		    flow->service->policy.hostname);
	flow_end(flow, env, CLOSE_TIMED_OUT);
}

void flow_timed_out(struct flow *flow, struct flow_environment *env)
{
	switch (flow->state) {
	case FLOW_UPSTREAM:
		flow_count(flow, env, METRIC_timeouts, 1);
		flow_upstream_failed(flow, env, CLOSE_TIMED_OUT,
		    "its PROXY header does not come");
		break;
	case FLOW_GATE:
	case FLOW_TLS_GATE:
	case FLOW_REFUSING:
		time_out_client(flow, env);
		break;
	case FLOW_STARTING_TLS:
		flow_count(flow, env, METRIC_timeouts, 1);
		flow_end(flow, env, CLOSE_TIMED_OUT);
		break;
	case FLOW_HANDSHAKE:
		if (flow_edh_wake(flow))
			break;
		flow_count(flow, env, METRIC_timeouts, 1);
		flow_handshake_timed_out(flow, env);
		break;
	case FLOW_BACKEND_OPENING:
		if (flow->waits_for_place)
			flow_pool_refuse(flow, env);
		else
			flow_backend_lost(flow, env, true);
		break;
	case FLOW_RELAY:
		if (flow_waits_for_backend(flow))
			flow_backend_lost(flow, env, true);
		else
			time_out_client(flow, env);
		break;
	case FLOW_DRAIN:
	case FLOW_LINGER:
		flow_enter(flow, FLOW_CLOSED);
		return;
	case FLOW_CLOSED:
		return;
	}
	flow_settle(flow, env);
}

void flow_go_on(struct flow *flow, struct flow_environment *env)
{
	if (flow->waits_for_place)
		flow_open_backend(flow, env);
	flow_settle(flow, env);
}

void flow_finish(struct flow *flow, struct flow_environment *env)
{
	assert(flow->state == FLOW_CLOSED);
	flow_pool_leave(flow, env);
	if (flow->is_probe) {
		flow_finish_probe(flow, env);
	} else {
		session_log_end(flow, env);
		flow_count_end(flow, env);
		flow_count(flow, env, METRIC_sessions_open, (uint64_t)-1);
	}
	leg_finish(&flow->client, &env->buffers);
	leg_finish(&flow->backend, &env->buffers);
	free(flow->claims);
	flow->claims = NULL;
}

void flow_cut_off(struct flow *flow, struct flow_environment *env)
{
	flow_end(flow, env, CLOSE_STOPPED);
	if (flow->state != FLOW_CLOSED)
		flow_enter(flow, FLOW_CLOSED);
	flow_finish(flow, env);
}
