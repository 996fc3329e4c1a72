/* SPDX-License-Identifier: Apache-2.0 */
/* A flow's handshake with its client. */
#include <stdlib.h>

#include "conf/loglevel.h"
#include "proxy/flow_backend_tls.h"
#include "proxy/flow_edh.h"
#include "proxy/flow_internal.h"
#include "proxy/flow_metrics.h"
#include "proxy/session_log.h"
#include "proxy/usdt.h"
#include "tls/facts.h"
#include "tls/peer.h"

void flow_begin_handshake(struct flow *flow, struct flow_environment *env)
{
	flow->client.tls = tls_session_create(flow->service->tls);
	if (flow->client.tls == NULL) {
		flow_end(flow, env, CLOSE_NO_MEMORY);
		return;
	}
	flow->handshake_begun_ms = env->now_ms;
	flow->handshake_ms = -1;
	flow->seen.tls_begun_us = env->now_us;
	flow_edh_begin(flow, env);
	if (!flow->name_pending)
		session_log_tls_begins(flow, env);
	flow_enter(flow, FLOW_HANDSHAKE);
}

bool flow_handshake_awaits_name(const struct flow *flow)
{
	bool may_end = flow->octets_out > 0 || flow->client.eof;
	bool tells_much =
	    (flow->service->tls_log & ~(unsigned)LOGLEVEL_SUMMARY) != 0 ||
	    flow->debug.log != NULL;

	return flow->name_pending && (may_end || tells_much);
}

/* smtpd_tls_req_ccert: what is wrong with the client's certificate, or NULL. */
static const char *certificate_fault(
    const struct flow *flow, const struct tls_facts *facts)
{
	struct tls_peer peer;

	if (!flow->service->settings->smtpd_tls_req_ccert ||
	    flow->service->policy.tls_level != SMTP_TLS_ENCRYPT)
		return NULL;
	switch (facts->trust) {
	case TLS_TRUSTED:
	case TLS_VERIFIED:
		return NULL;
	case TLS_ANONYMOUS:
	case TLS_UNTRUSTED:
		break;
	}
	tls_peer_read(flow->client.tls, &peer);
	return peer.is_present ? "Client certificate not trusted"
			       : "No client certificate presented";
}

static void handshake_done(struct flow *flow, struct flow_environment *env,
    const uint8_t *rest, size_t rest_len)
{
	struct tls_facts facts;

	flow->handshake_ms = env->now_ms - flow->handshake_begun_ms;
	tls_facts_read(flow->client.tls, &facts);
	flow_count_handshake(flow, env, &facts);
	session_log_tls(flow, env);
	usdt_handshake_done(flow->serial, facts.protocol, facts.cipher,
	    facts.forward_secret, facts.resumed);
	flow->certificate_fault = certificate_fault(flow, &facts);
	if (flow->certificate_fault != NULL)
		session_log_abort(flow, env, flow->certificate_fault);
	smtp_client_tls_up(&flow->smtp);
	flow_enter(flow, FLOW_TLS_GATE);
	flow->greeting_due = flow->service->wrappermode;
	flow_settle(flow, env); /* the greeting goes first */
	/* The first command may ride with Finished. */
	if (rest_len > 0 && flow->state < FLOW_DRAIN)
		flow_take(flow, env, rest, rest_len);
}

/* `why`, or NULL for what TLS says of it. */
static void failed(struct flow *flow, struct flow_environment *env,
    enum close_reason reason, const char *why)
{
	struct smtp_counts *counts = &flow->smtp.counts;

	flow_give_up_name(flow, env);
	flow->handshake_ms = env->now_ms - flow->handshake_begun_ms;
	session_log_tls_failed(flow, env, why);
	usdt_handshake_failed(
	    flow->serial, tls_fault_word(tls_session_fault(flow->client.tls)));
	/* Postfix counts the STARTTLS then as one that did not succeed. */
	if (counts->ok[SMTP_VERB_STARTTLS] > 0)
		counts->ok[SMTP_VERB_STARTTLS]--;
	flow_end(flow, env, reason);
}

void flow_handshake_lost(struct flow *flow, struct flow_environment *env)
{
	flow_count_handshake_failed(flow, env, HANDSHAKE_FAILURE_EOF);
	failed(flow, env, CLOSE_HANDSHAKE_FAILED, "lost connection");
}

void flow_handshake_timed_out(struct flow *flow, struct flow_environment *env)
{
	flow_count_handshake_failed(flow, env, HANDSHAKE_FAILURE_TIMED_OUT);
	failed(flow, env, CLOSE_TIMED_OUT, "Connection timed out");
}

static void failed_in_tls(struct flow *flow, struct flow_environment *env)
{
	const struct tls_session *tls = flow->client.tls;

	flow_count_handshake_failed(flow, env,
	    metric_handshake_failure(
		tls_session_fault(tls), tls_session_alert(tls)));
	failed(flow, env, CLOSE_HANDSHAKE_FAILED, NULL);
}

/* The budget of EDH had no room; what the client sent ahead is kept. */
static void wait_for_budget(struct flow *flow, struct flow_environment *env,
    const uint8_t *rest, size_t rest_len)
{
	if (!leg_hold(&flow->client, rest, rest_len, true))
		flow_end(flow, env, CLOSE_NO_MEMORY);
	else
		flow_edh_wait(flow);
}

static int64_t cpu_now_us(const struct flow_environment *env)
{
	return env->cpu_now_us == NULL ? 0 : env->cpu_now_us();
}

static enum tls_status try_handshake(struct flow *flow,
    struct flow_environment *env, const uint8_t *wire, size_t wire_len,
    size_t *used_out)
{
	int64_t begun_us = cpu_now_us(env);
	enum tls_status status =
	    leg_handshake(&flow->client, wire, wire_len, used_out);
	int64_t spent_us = cpu_now_us(env) - begun_us;

	flow->seen.tls_cpu_us += spent_us;
	flow_edh_charge(flow, env, spent_us);
	return status;
}

void flow_handshake_turn(struct flow *flow, struct flow_environment *env)
{
	struct leg *leg = &flow->client;
	uint8_t *wire = leg->held;
	size_t wire_len = leg->held_len, used = 0;

	if (flow->state == FLOW_BACKEND_OPENING)
		flow_backend_tls_turn(flow, env);
	if (flow->state != FLOW_HANDSHAKE)
		return;
	if (!flow_can_reply(flow, env))
		return;
	leg->held = NULL; /* ours now */
	leg->held_len = 0;
	leg->held_is_wire = false;
	flow->edh.turn = FLOW_EDH_NONE;
	switch (try_handshake(flow, env, wire, wire_len, &used)) {
	case TLS_DONE:
		handshake_done(flow, env, wire + used, wire_len - used);
		break;
	case TLS_WANT_INPUT:
		break;
	case TLS_WAIT:
		wait_for_budget(flow, env, wire + used, wire_len - used);
		break;
	case TLS_WANT_ROOM:
	case TLS_CLOSED:
	case TLS_FAILED:
		failed_in_tls(flow, env);
		break;
	}
	free(wire);
	flow_settle(flow, env);
}
