/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/flow_edh.h"

#include "proxy/edh_budget.h"
#include "proxy/flow_internal.h"
#include "proxy/flow_metrics.h"
#include "proxy/session_log.h"

static struct edh_clients *clients_of(const struct flow_environment *env)
{
	const struct shared *shared = env->services->shared;

	return shared == NULL ? NULL : shared->edh_clients;
}

static struct edh_account *account_of(
    const struct flow *flow, const struct flow_environment *env)
{
	return &env->edh_accounts[flow->service - env->services->services];
}

static struct edh_limits limits_of(const struct flow *flow)
{
	const struct settings *settings = flow->service->settings;

	return (struct edh_limits){
	    .share_percent = (unsigned)settings->proxy_edh_cpu_share,
	    .client_us =
		(uint32_t)settings->proxy_edh_client_cpu_time_ms * 1000,
	};
}

static enum edh_verdict judge(const struct flow *flow,
    const struct flow_environment *env, bool has_choice)
{
	const struct edh_clients *clients = clients_of(env);
	const struct flow_edh *edh = &flow->edh;
	struct edh_question question = {
	    .clients = clients,
	    .client = edh_clients_key(clients, &flow->peer),
	    .account = account_of(flow, env),
	    .limits = limits_of(flow),
	    .has_choice = has_choice,
	    .waited_ms = edh->is_delayed ? env->now_ms - edh->since_ms : 0,
	    .now_ms = env->now_ms,
	};

	return edh_budget_ask(&question);
}

static void note_delay(struct flow *flow, const struct flow_environment *env)
{
	if (flow->edh.is_delayed)
		return;
	flow->edh.is_delayed = true;
	flow->edh.since_ms = env->now_ms;
	flow_count(flow, env, METRIC_edh_delayed, 1);
}

static void note_refusal(struct flow *flow, struct flow_environment *env)
{
	struct edh_clients *clients = clients_of(env);

	edh_clients_refuse(
	    clients, edh_clients_key(clients, &flow->peer), env->now_ms);
	flow_count(flow, env, METRIC_edh_refused, 1);
	flow_give_up_name(flow, env);
	session_log_edh_refused(flow, env);
}

static enum tls_edh_verdict ask(void *argument, bool client_can_do_ecdhe)
{
	struct flow *flow = argument;
	struct flow_environment *env = flow->edh.env;

	switch (judge(flow, env, client_can_do_ecdhe)) {
	case EDH_ALLOWED:
		return TLS_EDH_ALLOW;
	case EDH_AVOIDED:
		flow_count(flow, env, METRIC_edh_avoided, 1);
		return TLS_EDH_WITHOUT;
	case EDH_DELAYED:
		note_delay(flow, env);
		return TLS_EDH_WAIT;
	case EDH_REFUSED:
		note_refusal(flow, env);
		return TLS_EDH_REFUSE;
	}
	return TLS_EDH_REFUSE;
}

void flow_edh_begin(struct flow *flow, struct flow_environment *env)
{
	struct tls_edh_gate gate = {.argument = flow, .ask = ask};

	flow->edh = (struct flow_edh){.env = env};
	if (clients_of(env) != NULL)
		tls_session_set_edh_gate(flow->client.tls, &gate);
}

void flow_edh_wait(struct flow *flow)
{
	flow->edh.turn = FLOW_EDH_WAITS;
	flow_restart_limit(flow);
}

bool flow_edh_wake(struct flow *flow)
{
	if (flow->edh.turn != FLOW_EDH_WAITS)
		return false;
	flow->edh.turn = FLOW_EDH_DUE;
	flow_restart_limit(flow);
	return true;
}

void flow_edh_charge(
    struct flow *flow, struct flow_environment *env, int64_t spent_us)
{
	struct edh_clients *clients = clients_of(env);
	struct edh_limits limits = limits_of(flow);

	if (clients == NULL || spent_us <= 0 ||
	    !tls_session_does_edh(flow->client.tls))
		return;
	edh_clients_charge(clients, edh_clients_key(clients, &flow->peer),
	    (uint32_t)spent_us, limits.client_us, env->now_ms);
	edh_account_charge(
	    account_of(flow, env), &limits, (uint32_t)spent_us, env->now_ms);
	flow_count(flow, env, METRIC_edh_cpu_seconds, (uint64_t)spent_us);
}

bool flow_edh_was_refused(
    const struct flow *flow, const struct flow_environment *env)
{
	const struct edh_clients *clients = clients_of(env);

	return clients != NULL &&
	       flow->service->policy.tls_level == SMTP_TLS_MAY &&
	       edh_clients_was_refused(
		   clients, edh_clients_key(clients, &flow->peer), env->now_ms);
}
