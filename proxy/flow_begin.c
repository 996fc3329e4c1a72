/* SPDX-License-Identifier: Apache-2.0 */
/* How a session begins: who comes, whether it is served, and its greeting. */
#include <string.h>

#include "proxy/discard.h"
#include "proxy/flow_debug.h"
#include "proxy/flow_edh.h"
#include "proxy/flow_internal.h"
#include "proxy/flow_metrics.h"
#include "proxy/flow_upstream.h"
#include "proxy/peer.h"
#include "proxy/session_log.h"
#include "smtp/gate.h"

static void greet(struct flow *flow, struct flow_environment *env)
{
	size_t index = (size_t)(flow->service - env->services->services);
	const struct smtp_policy *policy = &flow->service->policy;
	char greeting[1024];
	size_t len;

	if (!offers_get(&env->offers, env->services, index, env->state)
		 ->reached) {
		flow_reply_format(flow, env,
		    "421 4.3.2 %s Service currently unavailable\r\n",
		    policy->hostname);
		flow_end(flow, env, CLOSE_NO_BACKEND);
		return;
	}
	len = smtp_gate_greeting(policy, greeting, sizeof(greeting));
	flow_reply(flow, env, greeting, len);
}

void flow_greet_if_due(struct flow *flow, struct flow_environment *env)
{
	if (!flow->greeting_due || flow->state >= FLOW_DRAIN ||
	    !flow_can_reply(flow, env))
		return;
	flow->greeting_due = false;
	if (flow->certificate_fault != NULL)
		flow_refuse_certificate(flow, env);
	else
		greet(flow, env);
}

/* What its address says of it. */
void flow_learn_client(struct flow *flow)
{
	const struct upstream *upstream = &flow->service->upstream;

	flow->smtp.discarded = discard_for(flow->service, &flow->peer);
	flow->smtp.may_xclient = upstream->xclient_hosts != NULL &&
				 upstream_may_xclient(upstream, &flow->peer);
}

/* It is known who comes. */
static void announce(struct flow *flow, struct flow_environment *env)
{
	session_log_connect(flow, env);
	flow_debug_begin(flow, env);
}

static void admit_named(struct flow *flow, struct flow_environment *env)
{
	flow->name_pending = false;
	session_log_connect(flow, env);
	if (flow->state == FLOW_HANDSHAKE)
		session_log_tls_begins(flow, env);
}

void flow_give_up_name(struct flow *flow, struct flow_environment *env)
{
	static const struct client_name none = {.status = CLIENT_NAME_FAILED};

	if (!flow->name_pending)
		return;
	flow_upstream_name(flow, &none);
	admit_named(flow, env);
}

void flow_named(struct flow *flow, struct flow_environment *env,
    const struct client_name *name)
{
	if (!flow->name_pending)
		return;
	flow_upstream_name(flow, name);
	admit_named(flow, env);
	flow_settle(flow, env);
}

/* The greeting and the first half of a handshake tell nobody the name, and need
 * not wait for it. */
void flow_admit(struct flow *flow, struct flow_environment *env)
{
	flow->name_pending = flow->service->settings->smtpd_peername_lookup &&
			     peer_is_inet(&flow->peer);
	if (flow->name_pending)
		flow_debug_begin(flow, env);
	else
		announce(flow, env);
	flow_learn_client(flow);
	flow->smtp.tls_refused = flow_edh_was_refused(flow, env);
	if (flow->service->wrappermode) {
		flow_begin_handshake(flow, env);
		flow_restart_limit(flow);
	} else {
		flow_enter(flow, FLOW_GATE);
		flow->greeting_due = true;
	}
}

/* A limit is reached. */
static void refuse(
    struct flow *flow, struct flow_environment *env, enum limit limit)
{
	announce(flow, env);
	metric_add_for(env->block, METRIC_sessions_refused, limit, 1);
	if (!flow->service->wrappermode && flow_can_reply(flow, env))
		flow_reply_format(
		    flow, env, "421 4.3.2 All server ports are busy\r\n");
	flow_end(flow, env, CLOSE_SESSION_LIMIT);
}

/* Anyone could send a header, and be whom he likes. */
static void refuse_foreigner(struct flow *flow, struct flow_environment *env)
{
	announce(flow, env);
	flow_upstream_failed(flow, env, CLOSE_PROXY_FOREIGN,
	    "this listener is for proxies that send a PROXY header, and it is "
	    "not in proxy_upstream_networks (proxy_upstream_optional = yes "
	    "serves it as an ordinary client)");
}

void flow_begin(struct flow *flow, struct flow_environment *env,
    const struct service *service, const struct sockaddr *peer,
    enum limit refused)
{
	flow->service = service;
	flow->begun_ms = env->now_ms;
	flow->serial = ++env->session_serial;
	smtp_client_init(&flow->smtp);
	if (peer->sa_family == AF_INET)
		memcpy(&flow->peer, peer, sizeof(struct sockaddr_in));
	else if (peer->sa_family == AF_INET6)
		memcpy(&flow->peer, peer, sizeof(struct sockaddr_in6));
	flow_count(flow, env, METRIC_sessions_accepted, 1);
	flow_count(flow, env, METRIC_sessions_open, 1);
	if (refused != LIMIT_NONE) {
		refuse(flow, env, refused);
		return;
	}
	switch (upstream_judge(&service->upstream, &flow->peer)) {
	case UPSTREAM_CLIENT:
		flow_admit(flow, env);
		break;
	case UPSTREAM_HEADER:
		flow_restart_limit(flow);
		break;
	case UPSTREAM_FOREIGN:
		refuse_foreigner(flow, env);
		break;
	}
	flow_settle(flow, env);
}
