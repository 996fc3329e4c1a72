/* SPDX-License-Identifier: Apache-2.0 */
/* What is said to a backend before the client's own commands go on, and the
 * whole of a health check. */
#include <stdio.h>
#include <string.h>

#include "proxy/flow_backend_tls.h"
#include "proxy/flow_handover.h"
#include "proxy/flow_internal.h"
#include "proxy/flow_metrics.h"
#include "proxy/flow_pool.h"
#include "proxy/session_log.h"
#include "proxy/session_log_backend.h"
#include "proxy/usdt.h"

#define WHY_SIZE 640

void flow_opening_begin(struct flow *flow, struct flow_environment *env)
{
	const struct service *service = flow->service;
	struct smtp_opening_plan plan = {
	    .hostname = service->policy.hostname,
	    .helo_verb = SMTP_VERB_UNKNOWN,
	    .helo = "",
	    .xclient = flow_backend(flow)->handover.way == HANDOVER_XCLIENT,
	    .probe = flow->is_probe,
	};

	if (!flow->is_probe) {
		plan.helo_verb = flow->smtp.helo_verb;
		plan.helo = flow->smtp.helo;
	}
	flow_backend_tls_reset(flow, env);
	plan.tls = flow_backend_tls_plan(flow);
	smtp_opening_init(&flow->opening, &plan);
	flow->header_due = flow_handover_has_header(flow);
	flow->handed_over = false;
}

/* Nothing goes before it, and it leaves in one send. */
bool flow_opening_write_header(struct flow *flow, struct flow_environment *env)
{
	if (!flow->header_due || flow->backend_state != FLOW_BACKEND_CONNECTED)
		return true;
	if (leg_open(&flow->backend, &env->buffers) == LEG_NO_BUFFER) {
		flow->needs_buffer = true;
		return false;
	}
	flow->header_due = false;
	flow_handover_write_header(flow, env);
	return true;
}

/* A limit that was named to the client, 0 being none, must not be smaller now,
 * whatever health checks have found since. */
static bool keeps_size(const struct flow *flow, const struct smtp_ehlo *ehlo)
{
	uint64_t offered = flow->smtp.offered_size;
	uint64_t size = smtp_ehlo_size(ehlo);

	if ((flow->smtp.offered >> SMTP_KEYWORD_SIZE & 1) == 0)
		return true;
	if (!smtp_ehlo_has(ehlo, SMTP_KEYWORD_SIZE))
		return false;
	return size == 0 || (offered != 0 && size >= offered);
}

/* What the gate offered in clear, this backend must keep. */
static bool keeps_offer(struct flow *flow, struct flow_environment *env,
    const struct smtp_ehlo *ehlo)
{
	const struct smtp_policy *policy = &flow->service->policy;
	size_t index = (size_t)(flow->service - env->services->services);
	struct smtp_ehlo offered =
	    offers_get(&env->offers, env->services, index, env->state)->ehlo;
	struct smtp_ehlo_view view = {
	    .hostname = policy->hostname,
	    .hide_auth = policy->auth_only && !flow->smtp.tls,
	    .discarded = policy->discarded_keywords | flow->smtp.discarded,
	};
	enum smtp_keyword missing;
	char why[128];

	offered.keywords &=
	    flow->smtp.offered & ~(UINT32_C(1) << SMTP_KEYWORD_SIZE);
	missing = keeps_size(flow, ehlo)
		      ? smtp_ehlo_missing(ehlo, &offered, &view)
		      : SMTP_KEYWORD_SIZE;
	if (missing == SMTP_KEYWORD_COUNT)
		return true;
	snprintf(why, sizeof(why),
	    "does not offer %s, which the client was offered",
	    smtp_keyword_name(missing));
	flow_try_next_backend(flow, env, BACKEND_PHASE_OFFER, why);
	return false;
}

static bool takes_xclient(const struct smtp_ehlo *ehlo)
{
	return (ehlo->xclient >> SMTP_ATTRIBUTE_ADDR & 1) != 0;
}

/* That sessions will be refused is told before there are any, and once. */
static void look_for_xclient(const struct flow *flow,
    const struct flow_environment *env, const struct smtp_ehlo *ehlo)
{
	struct state_backend seen;
	char what[WHY_SIZE];

	if (flow_backend(flow)->handover.way != HANDOVER_XCLIENT ||
	    takes_xclient(ehlo))
		return;
	state_backend_read(
	    &env->state->backends[flow_backend(flow)->state_index], &seen);
	if (seen.ever_reached && !takes_xclient(&seen.ehlo))
		return;
	snprintf(what, sizeof(what), "does not offer XCLIENT with ADDR; %s",
	    flow_handover_remedy);
	session_log_backend(flow, env, what);
}

static void ready(struct flow *flow, struct flow_environment *env,
    const struct smtp_ehlo *ehlo)
{
	const struct smtp_relay_backend backend = {
	    .ehlo = ehlo,
	    .says_xforward = flow_backend(flow)->handover.xforward,
	    .is_verified = flow_backend_is_verified(flow),
	};

	if (flow->is_probe) {
		flow_end(flow, env, CLOSE_PROBE_DONE);
		return;
	}
	flow_pool_opened(flow, env);
	if (flow->opening.identified)
		flow->handed_over = true;
	smtp_relay_init(&flow->relay, &backend);
	flow->had_relay = true;
	flow_count_backend_ready(flow, env);
	flow_enter(flow, FLOW_RELAY);
	usdt_relay_begin(flow->serial, flow_backend(flow)->name);
}

static enum backend_phase phase_of(enum smtp_opening_event event)
{
	switch (event) {
	case SMTP_OPENING_START_TLS:
	case SMTP_OPENING_NO_TLS:
		return BACKEND_PHASE_TLS;
	case SMTP_OPENING_NO_XCLIENT:
		return BACKEND_PHASE_IDENTITY;
	case SMTP_OPENING_MALFORMED:
		return BACKEND_PHASE_MALFORMED;
	case SMTP_OPENING_NEED_MORE:
	case SMTP_OPENING_IDENTIFY:
	case SMTP_OPENING_SAY:
	case SMTP_OPENING_READY:
	case SMTP_OPENING_REFUSED:
		break;
	}
	return BACKEND_PHASE_REFUSED;
}

/* "refused the session: 554 go away"; without a reply, or behind it, `more`. */
static void fail(struct flow *flow, struct flow_environment *env,
    const struct smtp_opening_step *step, const char *what, const char *more)
{
	enum backend_phase phase = phase_of(step->event);
	char why[WHY_SIZE];
	size_t len = step->reply_text_len < 100 ? step->reply_text_len : 100;

	if (step->reply_code == 0)
		snprintf(why, sizeof(why), "%s%s", what, more);
	else
		snprintf(why, sizeof(why), "%s: %d %.*s%s", what,
		    step->reply_code, (int)len, step->reply_text, more);
	flow_try_next_backend(flow, env, phase, why);
}

static void fail_without_identity(struct flow *flow,
    struct flow_environment *env, const struct smtp_opening_step *step)
{
	char more[512];

	snprintf(more, sizeof(more), "; %s",
	    step->reply_code == 501 && flow_handover_is_ipv6(flow)
		? flow_handover_remedy_of_ipv6
		: flow_handover_remedy);
	fail(flow, env, step,
	    step->reply_code == 0 ? "does not offer XCLIENT with ADDR"
				  : "refused XCLIENT",
	    more);
}

/* What the backend said was read; now it is for us. Returns whether it may have
 * more to say. */
static bool obey(struct flow *flow, struct flow_environment *env,
    struct smtp_opening_step *step)
{
	const struct smtp_ehlo *ehlo = NULL;

	switch (step->event) {
	case SMTP_OPENING_NEED_MORE:
		break;
	case SMTP_OPENING_IDENTIFY:
		flow_handover_identify(flow, step);
		return obey(flow, env, step);
	case SMTP_OPENING_SAY:
		leg_write(
		    &flow->backend, &env->buffers, step->say, step->say_len);
		flow_restart_limit(flow);
		return true;
	case SMTP_OPENING_READY:
		if (step->ehlo_read && !step->ehlo_is_ours)
			ehlo = &step->ehlo;
		ready(flow, env, ehlo);
		return true;
	case SMTP_OPENING_START_TLS:
		flow_backend_tls_begin(flow, env);
		break;
	case SMTP_OPENING_NO_TLS:
		flow_backend_tls_denied(flow, env, step);
		break;
	case SMTP_OPENING_NO_XCLIENT:
		fail_without_identity(flow, env, step);
		break;
	case SMTP_OPENING_REFUSED:
		fail(flow, env, step, "refused the session", "");
		break;
	case SMTP_OPENING_MALFORMED:
		flow_try_next_backend(flow, env, BACKEND_PHASE_MALFORMED,
		    "sent what is no SMTP reply");
		break;
	}
	return false;
}

size_t flow_opening_input(struct flow *flow, struct flow_environment *env,
    const uint8_t *input, size_t input_len, bool *more_out)
{
	struct smtp_opening_step step;
	size_t used;

	*more_out = false;
	if (!flow_opening_write_header(flow, env) ||
	    leg_open(&flow->backend, &env->buffers) == LEG_NO_BUFFER) {
		flow->needs_buffer = true;
		flow->backend_waits = true;
		return 0;
	}
	smtp_opening_step(&flow->opening, input, input_len, &step);
	used = step.used;
	if (step.ehlo_read && step.ehlo.starttls)
		session_log_starttls_offer(flow, env);
	if (flow->is_probe && step.ehlo_read &&
	    flow->opening.state == SMTP_OPENING_EXPECT_QUIT_REPLY) {
		look_for_xclient(flow, env, &step.ehlo);
		flow_publish_probe(flow, env, &step.ehlo);
	}
	if (!flow->is_probe && step.ehlo_read && !step.ehlo_is_ours &&
	    !keeps_offer(flow, env, &step.ehlo))
		return used;
	*more_out = obey(flow, env, &step);
	return used;
}

void flow_opening_secured(struct flow *flow, struct flow_environment *env)
{
	struct smtp_opening_step step;

	smtp_opening_secured(&flow->opening, &step);
	obey(flow, env, &step);
}
