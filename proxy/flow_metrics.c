/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/flow_metrics.h"

#include <assert.h>
#include <string.h>

#include "proxy/flow_internal.h"
#include "proxy/usdt.h"
#include "tls/sni.h"

size_t flow_listener_label(const struct flow *flow)
{
	return (size_t)flow->service->state_index;
}

size_t flow_backend_label(const struct flow *flow)
{
	return flow_backend_is_sink(flow)
		   ? METRIC_BACKENDS_MAX
		   : (size_t)flow_backend(flow)->state_index;
}

void flow_count(const struct flow *flow, const struct flow_environment *env,
    enum metric metric, uint64_t amount)
{
	metric_add_for(env->block, metric, flow_listener_label(flow), amount);
}

void flow_count_backend(const struct flow *flow,
    const struct flow_environment *env, enum metric metric, uint64_t amount)
{
	metric_add_for(env->block, metric, flow_backend_label(flow), amount);
}

void flow_count_backend_failed(const struct flow *flow,
    const struct flow_environment *env, enum backend_phase phase)
{
	metric_add_for_both(env->block, METRIC_backend_failures,
	    flow_backend_label(flow), phase, 1);
}

void flow_count_backend_ready(
    const struct flow *flow, const struct flow_environment *env)
{
	size_t trust = METRIC_TRUST_NONE;
	struct tls_facts facts;

	if (flow->backend.tls != NULL) {
		tls_facts_read(flow->backend.tls, &facts);
		trust = METRIC_TRUST_FIRST + facts.trust;
	}
	metric_add_for_both(env->block, METRIC_backend_ready,
	    flow_backend_label(flow), trust, 1);
}

static enum metric_exchange exchange_of(const struct tls_facts *facts)
{
	const char *reason = facts->forward_secrecy_reason;

	if (facts->resumed)
		return METRIC_EXCHANGE_RESUMED;
	if (facts->post_quantum)
		return METRIC_EXCHANGE_HYBRID;
	if (strcmp(reason, "ecdhe") == 0)
		return METRIC_EXCHANGE_ECDHE;
	if (strcmp(reason, "dhe") == 0)
		return METRIC_EXCHANGE_DHE;
	return strcmp(reason, "rsa_key_exchange") == 0 ? METRIC_EXCHANGE_RSA
						       : METRIC_EXCHANGE_PSK;
}

static enum metric_sni sni_of(const struct flow *flow)
{
	switch (tls_sni_outcome(flow->client.tls)) {
	case TLS_SNI_NONE:
		return METRIC_SNI_NONE;
	case TLS_SNI_MATCHED:
		return METRIC_SNI_MATCHED;
	case TLS_SNI_NOT_MATCHED:
		return METRIC_SNI_UNMATCHED;
	case TLS_SNI_INVALID:
	case TLS_SNI_FAILED:
		return METRIC_SNI_INVALID;
	}
	return METRIC_SNI_INVALID;
}

/* Into what is zero. */
static void copy_word(char *out, size_t out_size, const char *word)
{
	memcpy(out, word, strnlen(word, out_size - 1));
}

static void fill_key(const struct flow *flow, const struct tls_facts *facts,
    struct state_row_key *key)
{
	memset(key, 0, sizeof(*key));
	key->listener = (int16_t)flow_listener_label(flow);
	key->resumed = facts->resumed;
	key->forward_secret = facts->forward_secret;
	key->post_quantum = facts->post_quantum;
	copy_word(key->protocol, sizeof(key->protocol), facts->protocol);
	copy_word(key->cipher, sizeof(key->cipher), facts->cipher);
	tls_facts_group_word(facts, key->group, sizeof(key->group));
	tls_facts_signature_word(facts, key->signature, sizeof(key->signature));
	copy_word(key->forward_secrecy_reason,
	    sizeof(key->forward_secrecy_reason), facts->forward_secrecy_reason);
}

static void count_tickets(
    const struct flow *flow, const struct flow_environment *env)
{
	struct tls_ticket_events tickets =
	    tls_session_tickets(flow->client.tls);

	flow_count(flow, env, METRIC_tickets_issued, tickets.issued);
	flow_count(flow, env, METRIC_tickets_accepted, tickets.accepted);
	flow_count(flow, env, METRIC_tickets_too_old,
	    tickets.came && !tickets.accepted);
}

void flow_count_handshake(struct flow *flow, const struct flow_environment *env,
    const struct tls_facts *facts)
{
	enum metric_exchange exchange = exchange_of(facts);
	struct state_row_key key;

	fill_key(flow, facts, &key);
	flow->seen.row = (int16_t)metric_count_row(env->block, &key);
	flow_count(flow, env, METRIC_handshakes_resumed, facts->resumed);
	metric_observe(env->block, METRIC_handshake_duration_seconds, exchange,
	    (uint64_t)(env->now_us - flow->seen.tls_begun_us));
	metric_observe(env->block, METRIC_handshake_cpu_seconds, exchange,
	    (uint64_t)flow->seen.tls_cpu_us);
	metric_add_for_both(env->block, METRIC_sni_choices,
	    flow_listener_label(flow), sni_of(flow), 1);
	count_tickets(flow, env);
}

void flow_count_backend_handshake(const struct flow *flow,
    const struct flow_environment *env, const struct tls_facts *facts)
{
	flow_count_backend(flow, env, METRIC_backend_handshakes_done, 1);
	if (facts->resumed)
		flow_count_backend(
		    flow, env, METRIC_backend_handshakes_resumed, 1);
}

void flow_count_handshake_failed(const struct flow *flow,
    const struct flow_environment *env, enum handshake_failure failure)
{
	metric_add_for_both(env->block, METRIC_handshakes_failed,
	    flow_listener_label(flow), failure, 1);
}

void flow_count_tls_events(
    struct flow *flow, const struct flow_environment *env)
{
	struct smtp_tls_events *events = &flow->smtp.tls_events;

	if (events->offered + events->repeated + events->refused +
		events->ehlo_missing ==
	    0)
		return;
	flow_count(flow, env, METRIC_starttls_offered, events->offered);
	flow_count(flow, env, METRIC_starttls_repeated, events->repeated);
	flow_count(
	    flow, env, METRIC_starttls_plaintext_refused, events->refused);
	flow_count(
	    flow, env, METRIC_starttls_ehlo_missing, events->ehlo_missing);
	*events = (struct smtp_tls_events){0};
}

void flow_backend_asked(struct flow *flow, const struct flow_environment *env)
{
	flow->seen.asked_us = env->now_us;
	flow->seen.is_asked = true;
}

void flow_backend_answered(
    struct flow *flow, const struct flow_environment *env, enum metric metric)
{
	if (!flow->seen.is_asked)
		return;
	flow->seen.is_asked = false;
	metric_observe(env->block, metric, flow_backend_label(flow),
	    (uint64_t)(env->now_us - flow->seen.asked_us));
}

void flow_count_end(const struct flow *flow, const struct flow_environment *env)
{
	size_t listener = flow_listener_label(flow);

	metric_add_for_both(
	    env->block, METRIC_sessions_ended, listener, flow->reason, 1);
	metric_observe(env->block, METRIC_session_duration_seconds, listener,
	    (uint64_t)(env->now_ms - flow->begun_ms) * 1000);
	metric_observe(env->block, METRIC_session_received_bytes, listener,
	    flow->octets_in);
	metric_observe(
	    env->block, METRIC_session_sent_bytes, listener, flow->octets_out);
	usdt_session_end(flow->serial, close_reason_name(flow->reason),
	    flow->octets_in, flow->octets_out);
}

const char *flow_state_word(enum flow_state state)
{
	switch (state) {
	case FLOW_UPSTREAM:
		return "upstream";
	case FLOW_GATE:
		return "gate";
	case FLOW_STARTING_TLS:
		return "starting_tls";
	case FLOW_HANDSHAKE:
		return "handshake";
	case FLOW_TLS_GATE:
		return "tls_gate";
	case FLOW_BACKEND_OPENING:
		return "backend_opening";
	case FLOW_RELAY:
		return "relay";
	case FLOW_REFUSING:
		return "refusing";
	case FLOW_DRAIN:
		return "drain";
	case FLOW_LINGER:
		return "linger";
	case FLOW_CLOSED:
		return "closed";
	}
	assert(false);
	return "";
}

/* The state in which it was published is kept plus one: 0 is never. */
bool flow_is_to_publish(const struct flow *flow)
{
	return flow->seen.published_state != flow->state + 1 ||
	       flow->seen.published_messages != flow->messages;
}

void flow_publish(
    struct flow *flow, const struct flow_environment *env, uint32_t index)
{
	bool has_backend = flow->backend_state != FLOW_BACKEND_NONE &&
			   !flow_backend_is_sink(flow);
	struct state_session session = {
	    .serial = flow->state == FLOW_CLOSED ? 0 : flow->serial,
	    .begun_s = env->now_s - (env->now_ms - flow->begun_ms) / 1000,
	    .octets_in = flow->octets_in,
	    .octets_out = flow->octets_out,
	    .commands = smtp_counts_total(&flow->smtp.counts),
	    .messages = flow->messages,
	    .peer = flow->peer,
	    .listener = (int16_t)flow->service->state_index,
	    .backend =
		(int16_t)(has_backend ? flow_backend(flow)->state_index : -1),
	    .row = flow->smtp.tls ? flow->seen.row : (int16_t)-1,
	    .flow_state = (uint8_t)flow->state,
	    .in_transaction =
		flow->state == FLOW_RELAY && flow->relay.in_transaction,
	};

	state_session_publish(env->block, index, &session);
	flow->seen.published_state = (uint8_t)(flow->state + 1);
	flow->seen.published_messages = flow->messages;
}
