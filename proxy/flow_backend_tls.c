/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/flow_backend_tls.h"
#include "proxy/flow_backend_dane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/flow_internal.h"
#include "proxy/flow_metrics.h"
#include "proxy/session_log_backend.h"
#include "tls/client.h"

#define WHY_SIZE 384

static const struct backend_tls *policy_of(const struct flow *flow)
{
	return &flow_backend(flow)->tls;
}

static bool is_in_clear(const struct flow *flow)
{
	return (flow->backend_tls.given_up >> flow->backend_index & 1) != 0;
}

void flow_backend_tls_reset(struct flow *flow, struct flow_environment *env)
{
	const struct backend_tls *tls = policy_of(flow);

	flow->backend_tls.level = tls->level;
	flow->backend_tls.must_match = tls->must_match;
	flow->backend_tls.client = tls->client;
	flow->backend_tls.by_dane = false;
	flow->backend_tls.dane_fault = NULL;
	if (tls->dane.is_used)
		flow_backend_dane_decide(flow, env);
	flow->backend_tls.in_handshake = false;
	flow->backend_tls.is_due = false;
	flow->backend_tls.has_last_words = false;
	flow->backend_tls.protocol = NULL;
}

bool flow_backend_is_verified(const struct flow *flow)
{
	return flow->backend_tls.protocol != NULL &&
	       flow->backend_tls.must_match;
}

enum smtp_opening_tls flow_backend_tls_plan(const struct flow *flow)
{
	const struct backend_tls *tls = policy_of(flow);

	if (tls->wrappermode)
		return SMTP_OPENING_TLS_NONE;
	switch (flow->backend_tls.level) {
	case BACKEND_TLS_NONE:
		break;
	case BACKEND_TLS_MAY:
		return is_in_clear(flow) ? SMTP_OPENING_TLS_NONE
					 : SMTP_OPENING_TLS_MAY;
	case BACKEND_TLS_ENCRYPT:
		return SMTP_OPENING_TLS_ENCRYPT;
	}
	return SMTP_OPENING_TLS_NONE;
}

void flow_backend_tls_begin(struct flow *flow, struct flow_environment *env)
{
	leg_drop_held(&flow->backend);
	flow->backend.tls =
	    flow->backend_tls.by_dane
		? flow_backend_dane_session(flow, env)
		: tls_client_session_create(flow->backend_tls.client);
	if (flow->backend.tls == NULL) {
		flow_try_next_backend(flow, env, BACKEND_PHASE_TLS,
		    "4.7.5 TLS is required, but our TLS engine is unavailable");
		return;
	}
	flow->backend_tls.in_handshake = true;
	flow->backend_tls.is_due = true; /* we speak first */
	flow_restart_limit(flow);
	session_log_backend_tls_begins(flow, env);
}

void flow_backend_tls_connected(struct flow *flow, struct flow_environment *env)
{
	if (flow->backend_tls.dane_fault != NULL)
		flow_backend_dane_refuse(flow, env);
	else if (policy_of(flow)->wrappermode)
		flow_backend_tls_begin(flow, env);
}

/* At the level may a backend whose TLS does not work is better served in clear
 * than not at all (RFC 7435), on a new connection. */
static void try_in_clear(struct flow *flow, struct flow_environment *env)
{
	flow->backend_tls.given_up |= UINT32_C(1) << flow->backend_index;
	flow->backend_tls.is_retry = true;
	flow_drop_backend(flow, env);
}

void flow_backend_tls_failed(
    struct flow *flow, struct flow_environment *env, const char *why)
{
	flow_count_backend(flow, env, METRIC_backend_handshakes_failed, 1);
	session_log_backend_tls_failed(flow, env, why);
	/* It may be the old session that the backend stumbled over. */
	tls_client_forget_session(flow->backend_tls.client);
	flow->backend_tls.in_handshake = false;
	flow->backend_tls.has_last_words = flow->backend.broken;
	if (flow->backend_tls.level == BACKEND_TLS_MAY)
		try_in_clear(flow, env);
	else
		flow_try_next_backend(flow, env, BACKEND_PHASE_TLS,
		    "4.7.5 Cannot start TLS: handshake failure");
}

size_t flow_take_last_words(struct flow *flow, const uint8_t **words_out)
{
	const struct leg *leg = &flow->backend;

	if (!flow->backend_tls.has_last_words)
		return 0;
	flow->backend_tls.has_last_words = false;
	if (leg_pending(leg) == 0)
		return 0;
	*words_out = leg->out + leg->out_start;
	return leg_pending(leg);
}

void flow_backend_tls_denied(struct flow *flow, struct flow_environment *env,
    const struct smtp_opening_step *step)
{
	char text[SESSION_LOG_BACKEND_PEER_SIZE];
	const char *peer = session_log_backend_peer(flow, text);
	const char *end = strrchr(peer, ']');
	int peer_len = end == NULL ? (int)strlen(peer) : (int)(end + 1 - peer);
	char why[WHY_SIZE];

	if (step->reply_code == 0)
		snprintf(why, sizeof(why),
		    "4.7.4 TLS is required, but was not offered by host %.*s",
		    peer_len, peer);
	else
		snprintf(why, sizeof(why),
		    "TLS is required, but host %.*s refused to start TLS: %d "
		    "%.*s",
		    peer_len, peer, step->reply_code,
		    (int)(step->reply_text_len < 100 ? step->reply_text_len
						     : 100),
		    step->reply_text);
	flow_try_next_backend(flow, env, BACKEND_PHASE_TLS, why);
}

void flow_backend_tls_keep(struct flow *flow, struct flow_environment *env,
    const uint8_t *data, size_t len)
{
	struct leg *leg = &flow->backend;

	/* No receive is armed while something is kept. */
	if (len > 0 && !leg_hold(leg, data, len, true))
		flow_end(flow, env, CLOSE_NO_MEMORY);
	flow->backend_tls.is_due = true;
	flow_restart_limit(flow);
}

/* What the backend sent in the same receive as the end of its handshake:
 * tickets, or with smtp_tls_wrappermode its greeting. Nothing else, since it
 * was not spoken to. */
static bool take_rest(struct flow *flow, struct flow_environment *env,
    const uint8_t *rest, size_t rest_len)
{
	struct leg_plain plain = {
	    .bytes = env->backend_scratch, .size = FLOW_SCRATCH_SIZE};

	if (rest_len == 0)
		return true;
	if (leg_decrypt(&flow->backend, &env->buffers, rest, rest_len,
		&plain) != LEG_OK) {
		flow_try_next_backend(flow, env, BACKEND_PHASE_TLS,
		    "broke the TLS session at its start");
		return false;
	}
	if (plain.len > 0 && !policy_of(flow)->wrappermode) {
		flow_try_next_backend(flow, env, BACKEND_PHASE_TLS,
		    "spoke before it was spoken to");
		return false;
	}
	if (plain.len > 0 &&
	    !leg_hold(&flow->backend, plain.bytes, plain.len, false)) {
		flow_end(flow, env, CLOSE_NO_MEMORY);
		return false;
	}
	flow->backend_waits = plain.len > 0;
	return true;
}

static void handshake_done(struct flow *flow, struct flow_environment *env,
    const uint8_t *rest, size_t rest_len)
{
	struct tls_facts facts;

	flow->backend_tls.in_handshake = false;
	tls_facts_read(flow->backend.tls, &facts);
	flow->backend_tls.protocol = facts.protocol;
	flow_count_backend_handshake(flow, env, &facts);
	session_log_backend_tls(flow, env, &facts);
	if (!tls_client_is_satisfied(flow->backend.tls)) {
		/* As Postfix does; our Finished goes with it. With
		 * smtp_tls_wrappermode it is not our turn. */
		flow->backend_tls.has_last_words =
		    !policy_of(flow)->wrappermode &&
		    leg_write(&flow->backend, &env->buffers, "QUIT\r\n", 6) ==
			LEG_OK;
		flow_try_next_backend(flow, env, BACKEND_PHASE_TLS,
		    "4.7.5 Server certificate not verified");
		return;
	}
	flow_restart_limit(flow);
	if (take_rest(flow, env, rest, rest_len) &&
	    !policy_of(flow)->wrappermode)
		flow_opening_secured(flow, env);
}

void flow_backend_tls_turn(struct flow *flow, struct flow_environment *env)
{
	struct leg *leg = &flow->backend;
	uint8_t *wire = leg->held;
	size_t wire_len = leg->held_len, used = 0;

	if (!flow->backend_tls.in_handshake)
		return;
	if (!flow_opening_write_header(flow, env) ||
	    leg_open(leg, &env->buffers) == LEG_NO_BUFFER) {
		flow->needs_buffer = true;
		return;
	}
	leg->held = NULL; /* ours now */
	leg->held_len = 0;
	leg->held_is_wire = false;
	flow->backend_tls.is_due = false;
	switch (leg_handshake(leg, wire, wire_len, &used)) {
	case TLS_DONE:
		handshake_done(flow, env, wire + used, wire_len - used);
		break;
	case TLS_WANT_INPUT:
		break;
	case TLS_WANT_ROOM:
	case TLS_CLOSED:
	case TLS_FAILED:
	case TLS_WAIT: /* no gate is set */
		flow_backend_tls_failed(flow, env, NULL);
		break;
	}
	free(wire);
	flow_settle(flow, env);
}
