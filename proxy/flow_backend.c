/* SPDX-License-Identifier: Apache-2.0 */
/* The backend's side of a flow: choosing one, and the backend's half of the
 * relay. What is said between the two is in flow_opening.c. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "proxy/flow_backend_tls.h"
#include "proxy/flow_handover.h"
#include "proxy/flow_internal.h"
#include "proxy/flow_metrics.h"
#include "proxy/flow_pool.h"
#include "proxy/session_log.h"
#include "proxy/usdt.h"

#define SINK_CHUNK_SIZE 8192

static void no_backend(struct flow *flow, struct flow_environment *env)
{
	if (flow->is_probe) {
		flow_end(flow, env, CLOSE_PROBE_FAILED);
		return;
	}
	flow_handover_log_faults(flow, env);
	/* Go on with the kept input: each command in it is refused. */
	flow->client_waits = true;
	flow_enter(flow, FLOW_REFUSING);
}

/* What could not be used of the sink's answer waits as any backend's does. */
static void keep_answer(struct flow *flow, struct flow_environment *env,
    const uint8_t *answer, size_t len)
{
	if (flow->backend_state == FLOW_BACKEND_CONNECTED &&
	    !leg_hold(&flow->backend, answer, len, false))
		flow_end(flow, env, CLOSE_NO_MEMORY);
}

static void open_sink(struct flow *flow, struct flow_environment *env)
{
	char greeting[SMTP_SINK_REPLY_SIZE_MAX];
	size_t len = smtp_sink_init(&flow->sink, flow->service->policy.hostname,
	    greeting, sizeof(greeting));
	size_t used;

	flow_backend_connected(flow, env);
	used = flow_backend_input(flow, env, (const uint8_t *)greeting, len);
	keep_answer(flow, env, (const uint8_t *)greeting + used, len - used);
}

static void find_address(struct flow *flow, const struct flow_environment *env)
{
	struct state_backend seen;

	if (!flow_backend(flow)->is_looked_up)
		return;
	state_backend_read(
	    &env->state->backends[flow_backend(flow)->state_index], &seen);
	flow->backend_address = seen.address;
}

static void connect_to(
    struct flow *flow, struct flow_environment *env, size_t index)
{
	flow->backend_index = (uint8_t)index;
	find_address(flow, env);
	flow->backends_tried |= 1u << index;
	flow->backend_state = FLOW_BACKEND_CONNECTING;
	flow_opening_begin(flow, env);
	flow_restart_limit(flow);
	if (flow_backend_is_sink(flow))
		open_sink(flow, env);
	else
		flow_backend_asked(flow, env);
}

void flow_open_backend(struct flow *flow, struct flow_environment *env)
{
	int index;

	if (flow->state != FLOW_BACKEND_OPENING)
		flow_enter(flow, FLOW_BACKEND_OPENING);
	if (flow->backend_state == FLOW_BACKEND_DROPPED)
		return; /* again when the old connection is closed */
	index = flow->backend_tls.is_retry ? flow->backend_index
					   : flow_pool_choose(flow, env);
	flow->backend_tls.is_retry = false;
	if (index >= 0)
		connect_to(flow, env, (size_t)index);
	else if (index == BACKEND_CHOICE_NONE)
		no_backend(flow, env);
	else if (!flow_pool_wait(flow, env))
		flow_pool_refuse(flow, env);
}

void flow_drop_backend(struct flow *flow, struct flow_environment *env)
{
	bool was_connected = flow->backend_state == FLOW_BACKEND_CONNECTED;

	flow_pool_stop_waiting(flow, env);
	if (!flow->backend_tls.is_retry)
		flow_pool_abandoned(flow, env);
	if (flow->backend_state == FLOW_BACKEND_NONE ||
	    flow->backend_state == FLOW_BACKEND_DROPPED)
		return;
	if (was_connected)
		flow_count_backend(
		    flow, env, METRIC_backend_sessions, (uint64_t)-1);
	flow->backend_state = FLOW_BACKEND_DROPPED;
	flow->backend_waits = false;
	flow->backend_tls.in_handshake = false;
	if (flow_backend_is_sink(flow)) {
		leg_finish(&flow->backend, &env->buffers);
		flow->backend_state = FLOW_BACKEND_NONE;
	}
}

/* A health check that fails as the one before it did is no news. */
static bool is_news(const struct flow *flow, const struct flow_environment *env)
{
	struct state_backend seen;

	state_backend_read(
	    &env->state->backends[flow_backend(flow)->state_index], &seen);
	return seen.up || seen.probes == 0;
}

void flow_try_next_backend(struct flow *flow, struct flow_environment *env,
    enum backend_phase phase, const char *why)
{
	if (!flow->is_probe || is_news(flow, env))
		session_log_backend(flow, env, why);
	flow_count_backend_failed(flow, env, phase);
	flow_pool_failed(flow, env, phase);
	flow_drop_backend(flow, env);
	if (flow->is_probe)
		flow_end(flow, env, CLOSE_PROBE_FAILED);
	else if (flow->backend_state == FLOW_BACKEND_NONE)
		flow_open_backend(flow, env);
}

void flow_backend_unreachable(
    struct flow *flow, struct flow_environment *env, const char *why)
{
	char text[128];

	snprintf(text, sizeof(text), "cannot be reached: %s", why);
	flow_try_next_backend(flow, env, BACKEND_PHASE_CONNECT, text);
}

/* The client's greeting is all that this backend was asked: another one may
 * answer it. False: too late for that. */
static bool greet_another(struct flow *flow, struct flow_environment *env,
    enum backend_phase phase, const char *why)
{
	struct leg *leg = &flow->client;
	char *input = (char *)env->client_scratch;
	size_t len = smtp_relay_take_back(
	    &flow->relay, &flow->smtp, input, SMTP_RELAY_GREETING_SIZE_MAX);

	if (len == 0)
		return false;
	assert(len + leg->held_len <= FLOW_SCRATCH_SIZE);
	if (leg->held_len > 0)
		memcpy(input + len, leg->held, leg->held_len);
	if (!leg_hold(leg, env->client_scratch, len + leg->held_len, false)) {
		flow_end(flow, env, CLOSE_NO_MEMORY);
		return true;
	}
	flow->client_waits = true;
	flow->had_relay = false;
	flow->state = FLOW_BACKEND_OPENING;
	flow_restart_limit(flow);
	flow_try_next_backend(flow, env, phase, why);
	return true;
}

static void refused(struct flow *flow, struct flow_environment *env,
    const struct smtp_relay_step *step)
{
	char why[128];
	size_t len = step->reply_text_len < 100 ? step->reply_text_len : 100;

	snprintf(why, sizeof(why), "refused the session: %d %.*s",
	    step->reply_code, (int)len, step->reply_text);
	greet_another(flow, env, BACKEND_PHASE_REFUSED, why);
}

static void count_message(
    struct flow *flow, struct flow_environment *env, int reply_code)
{
	flow->octets_answered = flow->relay.message_octets;
	usdt_message(flow->serial, reply_code);
	if (reply_code < 200 || reply_code > 299) {
		flow_count(flow, env, METRIC_messages_refused, 1);
		return;
	}
	flow->messages++;
	flow_count(flow, env, METRIC_messages_accepted, 1);
}

static size_t relay_step(struct flow *flow, struct flow_environment *env,
    const uint8_t *input, size_t input_len, bool *more_out)
{
	size_t room = leg_room(&flow->client);
	bool cut = input_len > room;
	struct smtp_relay_step step;

	*more_out = false;
	if (!flow_can_reply(flow, env)) {
		flow->backend_waits = true;
		return 0;
	}
	smtp_relay_backend_step(&flow->relay, &flow->smtp,
	    &flow->service->policy, input, cut ? room : input_len, &step);
	if (step.forward_len > 0)
		flow_reply(flow, env, step.forward, step.forward_len);
	if (step.reply_len > 0 && flow->state == FLOW_RELAY)
		flow_reply(flow, env, step.reply, step.reply_len);
	if (step.event != SMTP_RELAY_NEED_MORE)
		flow_restart_limit(flow);
	if (step.reply_code != 0)
		count_message(flow, env, step.reply_code);
	switch (step.event) {
	case SMTP_RELAY_MESSAGE:
	case SMTP_RELAY_PROGRESS:
	case SMTP_RELAY_TRACE: /* of the client's half */
	case SMTP_RELAY_XFORWARD:
		*more_out = true;
		break;
	case SMTP_RELAY_NEED_MORE:
	case SMTP_RELAY_WAIT:
		flow->backend_waits = cut;
		break;
	case SMTP_RELAY_REFUSED:
		refused(flow, env, &step);
		return input_len;
	case SMTP_RELAY_DROP_BACKEND:
		flow_drop_backend(flow, env);
		return input_len;
	case SMTP_RELAY_START_TLS:
		flow_restart_tls(flow, env, flow->client.held_len);
		return input_len;
	case SMTP_RELAY_CLOSE:
		flow_end(flow, env, close_reason_of_smtp(step.end));
		break;
	}
	return step.used;
}

size_t flow_backend_input(struct flow *flow, struct flow_environment *env,
    const uint8_t *input, size_t input_len)
{
	size_t used = 0;
	bool more = true;

	/* As for the client: an answer of ours may be due behind the last byte.
	 */
	while (more && (used < input_len || flow->state == FLOW_RELAY)) {
		const uint8_t *rest = input + used;
		size_t rest_len = input_len - used;

		if (flow->backend_state != FLOW_BACKEND_CONNECTED)
			return input_len;
		if (flow->state == FLOW_BACKEND_OPENING)
			used += flow_opening_input(
			    flow, env, rest, rest_len, &more);
		else if (flow->state == FLOW_RELAY)
			used += relay_step(flow, env, rest, rest_len, &more);
		else
			return input_len;
	}
	return used;
}

/* Plaintext: what was kept, and behind it what came. */
static struct leg_plain read_backend(struct flow *flow,
    struct flow_environment *env, const uint8_t *data, size_t len)
{
	struct leg *leg = &flow->backend;
	struct leg_plain plain = {
	    .bytes = env->backend_scratch,
	    .size = FLOW_SCRATCH_SIZE,
	    .len = leg->held_len,
	};

	assert(leg->held_len + LEG_PLAIN_SIZE_MAX(len) < FLOW_SCRATCH_SIZE);
	if (leg->held_len > 0)
		memcpy(plain.bytes, leg->held, leg->held_len);
	if (leg->tls != NULL) {
		leg_decrypt(leg, &env->buffers, data, len, &plain);
	} else {
		memcpy(plain.bytes + plain.len, data, len);
		plain.len += len;
	}
	return plain;
}

void flow_take_from_backend(struct flow *flow, struct flow_environment *env,
    const uint8_t *data, size_t len)
{
	struct leg *leg = &flow->backend;
	uint32_t tried = flow->backends_tried;
	struct leg_plain plain = {.bytes = (uint8_t *)data, .len = len};
	size_t used;

	/* Where nothing is in the way it is looked at where it lies. */
	if (leg->tls != NULL || leg->held_len > 0)
		plain = read_backend(flow, env, data, len);
	if (plain.len == 0)
		return;
	used = flow_backend_input(flow, env, plain.bytes, plain.len);
	if (flow->backend_state == FLOW_BACKEND_CONNECTED &&
	    flow->backends_tried == tried && !flow->backend_tls.in_handshake &&
	    !leg_hold(leg, plain.bytes + used, plain.len - used, false))
		flow_end(flow, env, CLOSE_NO_MEMORY);
}

void flow_backend_lost(
    struct flow *flow, struct flow_environment *env, bool is_late)
{
	const enum close_reason reason = CLOSE_BACKEND_LOST;
	struct smtp_relay_step step;

	if (flow->is_probe &&
	    flow->opening.state == SMTP_OPENING_EXPECT_QUIT_REPLY) {
		flow_end(flow, env, CLOSE_PROBE_DONE);
		return;
	}
	if (flow->backend_tls.in_handshake) {
		flow_backend_tls_failed(flow, env,
		    is_late ? "Connection timed out" : "lost connection");
		return;
	}
	if (flow->state == FLOW_BACKEND_OPENING) {
		flow_try_next_backend(flow, env,
		    flow->backend_state == FLOW_BACKEND_CONNECTING
			? BACKEND_PHASE_CONNECT
			: BACKEND_PHASE_OPENING,
		    is_late ? "did not answer in time"
			    : "closed the connection before it was ready");
		return;
	}
	if (flow->state != FLOW_RELAY ||
	    greet_another(flow, env, BACKEND_PHASE_OPENING,
		is_late ? "did not answer in time"
			: "closed the connection before it was ready"))
		return;
	flow_count_backend_failed(
	    flow, env, is_late ? BACKEND_PHASE_REPLY : BACKEND_PHASE_SESSION);
	flow_drop_backend(flow, env);
	smtp_relay_backend_lost(
	    &flow->relay, &flow->smtp, &flow->service->policy, &step);
	if (step.reply_len > 0 && flow_can_reply(flow, env))
		flow_reply(flow, env, step.reply, step.reply_len);
	else if (step.reply_len > 0)
		flow_end(flow, env, reason); /* it must not go unanswered */
	if (step.event == SMTP_RELAY_CLOSE)
		flow_end(flow, env, reason);
	/* Kept input, a body to be dropped perhaps, can go on. */
	flow->client_waits = flow->client.held_len > 0;
}

bool flow_pump_sink(struct flow *flow, struct flow_environment *env)
{
	struct leg *leg = &flow->backend;
	uint8_t answer[SINK_CHUNK_SIZE];
	uint64_t messages = flow->sink.messages, octets = flow->sink.octets;
	size_t answer_len = 0, used, taken;

	if (flow->backend_state != FLOW_BACKEND_CONNECTED ||
	    !flow_backend_is_sink(flow) || leg_pending(leg) == 0 ||
	    leg->held_len > 0)
		return false;
	used = smtp_sink_step(&flow->sink, flow->service->policy.hostname,
	    leg->out + leg->out_start, leg_pending(leg), (char *)answer,
	    sizeof(answer), &answer_len);
	metric_add(
	    env->block, METRIC_sink_messages, flow->sink.messages - messages);
	metric_add(env->block, METRIC_sink_bytes, flow->sink.octets - octets);
	if (used > 0)
		leg_sent(leg, &env->buffers, used);
	if (answer_len == 0)
		return used > 0;
	taken = flow_backend_input(flow, env, answer, answer_len);
	keep_answer(flow, env, answer + taken, answer_len - taken);
	return true;
}
