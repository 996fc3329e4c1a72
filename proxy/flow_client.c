/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of a flow: the gate, and the client's half of the relay. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/flow_debug.h"
#include "proxy/flow_handover.h"
#include "proxy/flow_internal.h"
#include "proxy/flow_metrics.h"
#include "proxy/flow_trace.h"
#include "proxy/flow_upstream.h"
#include "proxy/session_log.h"
#include "smtp/gate.h"
#include "smtp/line.h"

/* A command may be as long as an AUTH response, and must fit whole. */
#define COMMAND_ROOM_MIN 16384

bool flow_can_reply(struct flow *flow, struct flow_environment *env)
{
	if (leg_open(&flow->client, &env->buffers) == LEG_NO_BUFFER) {
		flow->needs_buffer = true;
		metric_add(env->block, METRIC_buffers_exhausted, 1);
		return false;
	}
	return leg_room(&flow->client) >= SMTP_EHLO_REPLY_SIZE_MAX;
}

void flow_reply(struct flow *flow, struct flow_environment *env,
    const void *text, size_t len)
{
	flow->replied = true;
	flow_debug_reply(flow, text, len);
	if (leg_write(&flow->client, &env->buffers, text, len) == LEG_BROKEN)
		flow_end(flow, env, CLOSE_TLS_BROKEN);
}

void flow_reply_format(
    struct flow *flow, struct flow_environment *env, const char *format, ...)
{
	char line[512];
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	assert(len > 0);
	assert((size_t)len < sizeof(line));
	flow_reply(flow, env, line, (size_t)len);
}

/* Bytes behind STARTTLS came in the clear, from anyone on the path. Were they
 * kept, they would be read as if TLS had protected them. RFC 3207, 4.2;
 * CVE-2011-0411. */
static void start_tls(
    struct flow *flow, struct flow_environment *env, size_t input_left)
{
	flow_count(flow, env, METRIC_starttls_used, 1);
	flow_count(flow, env, METRIC_starttls_discarded_bytes, input_left);
	flow_enter(flow, FLOW_STARTING_TLS);
}

/* STARTTLS where a plaintext session has already used a backend. Both sides
 * must forget what they learnt, so this is a new session on the old socket: the
 * only way back. */
void flow_restart_tls(
    struct flow *flow, struct flow_environment *env, size_t input_left)
{
	flow_drop_backend(flow, env);
	flow->backends_tried = 0;
	flow->had_relay = false;
	flow->octets_answered = 0;
	leg_drop_held(&flow->client); /* it is part of the input */
	flow->state = FLOW_GATE;
	start_tls(flow, env, input_left);
}

static void note_improper(struct flow *flow, struct flow_environment *env,
    bool improper, const uint8_t *tail, size_t tail_len)
{
	if (improper)
		session_log_improper(flow, env, tail, tail_len);
}

/* One command for the gate. Returns the bytes used; *more_out: go on. */
static size_t gate_step(struct flow *flow, struct flow_environment *env,
    const uint8_t *input, size_t input_len, bool *more_out)
{
	size_t index = (size_t)(flow->service - env->services->services);
	const struct offer *offer =
	    offers_get(&env->offers, env->services, index, env->state);
	struct smtp_gate_step step;

	smtp_gate_step(&flow->smtp, &flow->service->policy, &offer->ehlo, input,
	    input_len, &step);
	flow_debug_command(flow, input, step.used);
	note_improper(flow, env, step.improper_pipelining, input + step.used,
	    input_len - step.used);
	*more_out = false;
	if (step.reply_len > 0)
		flow_reply(flow, env, step.reply, step.reply_len);
	switch (step.event) {
	case SMTP_GATE_NEED_MORE:
		break;
	case SMTP_GATE_REPLY:
		flow_restart_limit(flow);
		*more_out = true;
		break;
	case SMTP_GATE_START_TLS:
		start_tls(flow, env, input_len - step.used);
		return input_len;
	case SMTP_GATE_BACKEND:
		/* What follows is kept until the backend can take it. */
		flow->client_waits = true;
		flow_open_backend(flow, env);
		break;
	case SMTP_GATE_XCLIENT:
		flow_restart_limit(flow);
		flow_upstream_xclient(flow, env, &step.xclient);
		*more_out = true;
		break;
	case SMTP_GATE_CLOSE:
		if (step.offence != NULL)
			session_log_not_smtp(
			    flow, env, step.offence, step.offence_len);
		flow_end(flow, env, close_reason_of_smtp(step.end));
		break;
	}
	return step.used;
}

static void note_command(
    struct flow *flow, const struct smtp_line *line, struct smtp_command *out)
{
	smtp_command_parse(line->text, line->len, out);
	flow_debug_command(flow, (const uint8_t *)line->text, line->len);
	flow->smtp.last = out->verb;
	flow->smtp.spoke = true;
	smtp_counts_came(&flow->smtp.counts, out->verb);
}

/* smtpd_tls_req_ccert: the first command behind the handshake is the last. */
static size_t refuse_certificate(struct flow *flow,
    struct flow_environment *env, const uint8_t *input, size_t input_len)
{
	const struct smtp_policy *policy = &flow->service->policy;
	struct smtp_command command;
	struct smtp_line line;

	if (smtp_line_find(input, input_len, policy->line_size_max, &line) ==
	    SMTP_LINE_NEED_MORE)
		return 0;
	note_command(flow, &line, &command);
	flow_refuse_certificate(flow, env);
	return line.used;
}

/* There is no backend for this session: each command is told so. BDAT ends it,
 * since octets follow that must not be read as commands. */
static size_t refuse_step(struct flow *flow, struct flow_environment *env,
    const uint8_t *input, size_t input_len, bool *more_out)
{
	const struct smtp_policy *policy = &flow->service->policy;
	struct smtp_command command;
	struct smtp_line line;
	enum smtp_line_result found =
	    smtp_line_find(input, input_len, policy->auth_line_size_max, &line);

	*more_out = false;
	if (found == SMTP_LINE_NEED_MORE)
		return 0;
	note_command(flow, &line, &command);
	if (found == SMTP_LINE_FOUND && command.verb == SMTP_VERB_QUIT) {
		smtp_counts_obeyed(&flow->smtp.counts, command.verb);
		flow_reply_format(flow, env, "221 2.0.0 Bye\r\n");
		flow_end(flow, env, CLOSE_CLIENT_QUIT);
		return line.used;
	}
	if (found != SMTP_LINE_FOUND || command.verb == SMTP_VERB_BDAT ||
	    ++flow->smtp.errors >= policy->hard_error_limit) {
		flow_reply_format(flow, env,
		    "421 4.3.0 %s Error: mail server unavailable\r\n",
		    policy->hostname);
		flow_end(flow, env, CLOSE_BACKEND_UNAVAILABLE);
		return line.used;
	}
	flow_reply_format(flow, env,
	    "451 4.3.0 Error: mail server unavailable, try again later\r\n");
	flow_restart_limit(flow);
	*more_out = true;
	return line.used;
}

/* Bytes of a body, or of a line that is too long, are progress only in so far
 * as there are many of them. */
static void earn_time(struct flow *flow, size_t octets)
{
	int64_t rate = flow->service->settings->smtpd_min_data_rate;

	flow->limit.earned_ms += (uint32_t)((int64_t)octets * 1000 / rate);
}

static bool backend_can_take(struct flow *flow, struct flow_environment *env)
{
	if (leg_open(&flow->backend, &env->buffers) == LEG_NO_BUFFER) {
		flow->needs_buffer = true;
		metric_add(env->block, METRIC_buffers_exhausted, 1);
		return false;
	}
	return leg_room(&flow->backend) >= COMMAND_ROOM_MIN;
}

static size_t relay_step(struct flow *flow, struct flow_environment *env,
    const uint8_t *input, size_t input_len, bool *more_out)
{
	size_t room = leg_room(&flow->backend);
	bool gone = flow->backend_state != FLOW_BACKEND_CONNECTED;
	bool in_body = smtp_relay_in_body(&flow->relay);
	bool cut = !gone && input_len > room;
	size_t shown_len = cut ? room : input_len;
	struct smtp_relay_step step;

	*more_out = false;
	if (!gone && !backend_can_take(flow, env)) {
		flow->client_waits = true;
		return 0;
	}
	flow_debug_before_relay(flow);
	smtp_relay_client_step(&flow->relay, &flow->smtp,
	    &flow->service->policy, input, shown_len, &step);
	flow_debug_relayed(flow, input, step.used);
	note_improper(flow, env, step.improper_pipelining, input + step.used,
	    input_len - step.used);
	if (step.offence != NULL)
		session_log_not_smtp(flow, env, step.offence, step.offence_len);
	if (step.forward_len > 0 && !gone)
		leg_write(&flow->backend, &env->buffers, step.forward,
		    step.forward_len);
	if (step.reply_len > 0)
		flow_reply(flow, env, step.reply, step.reply_len);
	if (step.event == SMTP_RELAY_TRACE)
		flow_trace_insert(flow, env);
	if (step.event == SMTP_RELAY_XFORWARD)
		flow_handover_xforward(flow, env);
	switch (step.event) {
	case SMTP_RELAY_PROGRESS:
	case SMTP_RELAY_TRACE:
	case SMTP_RELAY_XFORWARD:
	case SMTP_RELAY_MESSAGE:
		if (flow->smtp.skipping_line ||
		    (in_body && smtp_relay_in_body(&flow->relay)))
			earn_time(flow, step.used);
		else
			flow_restart_limit(flow);
		*more_out = true;
		break;
	case SMTP_RELAY_NEED_MORE:
		flow->client_waits = cut;
		break;
	case SMTP_RELAY_WAIT:
		/* Without input at hand more may come: that it came too early
		 * is to be seen. */
		flow->client_waits = input_len > 0;
		break;
	case SMTP_RELAY_REFUSED: /* of the backend's half, as DROP_BACKEND */
	case SMTP_RELAY_DROP_BACKEND:
		flow_drop_backend(flow, env);
		*more_out = true;
		break;
	case SMTP_RELAY_START_TLS:
		flow_restart_tls(flow, env, input_len - step.used);
		return input_len;
	case SMTP_RELAY_CLOSE:
		flow_end(flow, env, close_reason_of_smtp(step.end));
		break;
	}
	return step.used;
}

size_t flow_client_input(struct flow *flow, struct flow_environment *env,
    const uint8_t *input, size_t input_len)
{
	size_t used = 0;
	bool more = true;

	/* Asked once more than there are bytes: an answer may be due, or the
	 * limit of errors be reached. */
	while (more) {
		const uint8_t *rest = input + used;
		size_t rest_len = input_len - used;

		switch (flow->state) {
		case FLOW_GATE:
		case FLOW_TLS_GATE:
		case FLOW_RELAY:
		case FLOW_REFUSING:
			break;
		case FLOW_BACKEND_OPENING:
			flow->client_waits = true;
			return used;
		case FLOW_UPSTREAM:
		case FLOW_STARTING_TLS:
		case FLOW_HANDSHAKE:
		case FLOW_DRAIN:
		case FLOW_LINGER:
		case FLOW_CLOSED:
			return input_len;
		}
		/* All that comes of a command may tell the client's name. */
		if (flow->name_pending || !flow_can_reply(flow, env)) {
			flow->client_waits = true;
			return used;
		}
		if (flow->certificate_fault != NULL) {
			used += refuse_certificate(flow, env, rest, rest_len);
			return used;
		}
		if (flow->state == FLOW_RELAY)
			used += relay_step(flow, env, rest, rest_len, &more);
		else if (flow->state == FLOW_REFUSING)
			used += refuse_step(flow, env, rest, rest_len, &more);
		else
			used += gate_step(flow, env, rest, rest_len, &more);
	}
	return used;
}

void flow_take(struct flow *flow, struct flow_environment *env,
    const uint8_t *data, size_t len)
{
	struct leg *leg = &flow->client;
	struct leg_plain plain = {
	    .bytes = env->client_scratch,
	    .size = FLOW_SCRATCH_SIZE,
	    .len = leg->held_len,
	};
	size_t used;

	/* Kept input is the head of a line here, or nothing: no receive is
	 * armed while more is kept. */
	if (leg->held_len > 0)
		memcpy(plain.bytes, leg->held, leg->held_len);
	if (leg->tls != NULL) {
		leg_decrypt(leg, &env->buffers, data, len, &plain);
	} else if (leg->held_len > 0) {
		memcpy(plain.bytes + plain.len, data, len);
		plain.len += len;
	} else {
		plain =
		    (struct leg_plain){.bytes = (uint8_t *)data, .len = len};
	}
	flow->client_waits = false;
	used = flow_client_input(flow, env, plain.bytes, plain.len);
	if (flow->state < FLOW_DRAIN &&
	    !leg_hold(leg, plain.bytes + used, plain.len - used, false))
		flow_end(flow, env, CLOSE_NO_MEMORY);
}

static void linger(struct flow *flow, size_t len)
{
	if (len == 0)
		flow_enter(flow, FLOW_CLOSED);
}

void flow_client_received(struct flow *flow, struct flow_environment *env,
    const uint8_t *data, size_t len)
{
	assert(len <= FLOW_RECEIVE_SIZE);
	flow->octets_in += len;
	flow_count(flow, env, METRIC_client_received_bytes, len);
	if (flow->state == FLOW_LINGER) {
		linger(flow, len);
		return;
	}
	if (len == 0)
		flow->client.eof = true;
	if (flow->state == FLOW_UPSTREAM) {
		if (len > 0)
			flow_upstream_received(flow, env, data, len);
	} else if (flow->state == FLOW_HANDSHAKE) {
		/* Only copied here: the arithmetic has its own turn. */
		if (len > 0 && !leg_hold(&flow->client, data, len, true))
			flow_end(flow, env, CLOSE_NO_MEMORY);
	} else if (len > 0 && flow->state < FLOW_DRAIN) {
		flow_take(flow, env, data, len);
	}
	flow_settle(flow, env);
}
