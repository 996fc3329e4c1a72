/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/flow_pool.h"

#include <inttypes.h>
#include <stdlib.h>

#include "proxy/flow_handover.h"
#include "proxy/flow_internal.h"
#include "proxy/flow_metrics.h"

bool flow_pools_init(struct flow_pools *pools, const struct services *services)
{
	pools->of_service =
	    calloc(services->count + 1, sizeof(*pools->of_service));
	pools->breakers = calloc(STATE_BACKENDS_MAX, sizeof(*pools->breakers));
	return pools->of_service != NULL && pools->breakers != NULL;
}

void flow_pools_finish(struct flow_pools *pools)
{
	free(pools->of_service);
	free(pools->breakers);
	*pools = (struct flow_pools){0};
}

static struct flow_pool *pool_of(
    const struct flow *flow, const struct flow_environment *env)
{
	return &env->pools.of_service[flow->service - env->services->services];
}

static struct breaker *breaker_of(
    const struct flow *flow, const struct flow_environment *env)
{
	return &env->pools.breakers[flow_backend(flow)->state_index];
}

/* Of all workers: sessions that have a place there. */
static uint64_t places_taken(
    const struct flow_environment *env, const struct backend *backend)
{
	return state_cell_total(env->state,
	    METRIC_CELL_backend_places_taken + (size_t)backend->state_index);
}

static bool was_tried(const struct flow *flow, size_t index)
{
	return (flow->backends_tried >> index & 1) != 0;
}

static void fill_socket(const struct flow *flow,
    const struct flow_environment *env, const struct backend *backend,
    struct backend_candidate *candidate)
{
	const struct settings *settings = flow->service->settings;
	const struct breaker *breaker =
	    &env->pools.breakers[backend->state_index];
	struct state_backend seen;
	int64_t risen_ms;

	state_backend_read(&env->state->backends[backend->state_index], &seen);
	candidate->up = seen.up;
	if (!breaker_admits(breaker, env->now_ms, seen.risen_ms) ||
	    (backend->is_looked_up && seen.address.sin6_family == 0))
		candidate->usable = false;
	risen_ms = seen.risen_ms > breaker->closed_ms ? seen.risen_ms
						      : breaker->closed_ms;
	candidate->weight =
	    backend->weight * backend_share(risen_ms, env->now_ms,
				  settings->proxy_backend_slow_start_s * 1000);
	candidate->sessions = places_taken(env, backend);
	candidate->full =
	    backend->limit != 0 && candidate->sessions >= backend->limit;
}

static void fill(const struct flow *flow, const struct flow_environment *env,
    size_t index, struct backend_candidate *candidate)
{
	const struct backend *backend = &flow->service->backends[index];

	*candidate = (struct backend_candidate){
	    .usable = !was_tried(flow, index) &&
		      flow_handover_fault(flow, backend) == NULL,
	    .up = true,
	    .reserve = backend->reserve,
	    .weight = backend->weight * (uint32_t)BACKEND_SHARE_WHOLE,
	};
	if (candidate->usable && backend->kind == BACKEND_SOCKET)
		fill_socket(flow, env, backend, candidate);
}

/* Other workers take places at the same time. Ours is written down before all
 * are counted, so of two that take the last one at least one sees the other. */
static bool take_place(struct flow *flow, struct flow_environment *env)
{
	const struct backend *backend = flow_backend(flow);

	flow_count_backend(flow, env, METRIC_backend_places_taken, 1);
	flow->has_place = true;
	if (backend->limit == 0)
		return true;
	atomic_thread_fence(memory_order_seq_cst);
	if (places_taken(env, backend) <= backend->limit)
		return true;
	flow_count_backend(
	    flow, env, METRIC_backend_places_taken, (uint64_t)-1);
	flow->has_place = false;
	return false;
}

static int choose(struct flow *flow, struct flow_environment *env)
{
	struct backend_candidate candidates[SERVICE_BACKENDS_MAX];
	const struct service *service = flow->service;
	int index;

	for (size_t i = 0; i < service->backend_count; i++)
		fill(flow, env, i, &candidates[i]);
	for (;;) {
		index = backend_choose(candidates, service->backend_count,
		    (enum settings_balance)
			service->settings->proxy_backend_balance,
		    &pool_of(flow, env)->rota);
		if (index < 0)
			return index;
		flow->backend_index = (uint8_t)index;
		if (flow_backend_is_sink(flow) || take_place(flow, env))
			return index;
		candidates[index].full = true;
	}
}

static int probed(const struct flow *flow)
{
	for (size_t i = 0; i < flow->service->backend_count; i++)
		if (!was_tried(flow, i))
			return (int)i;
	return BACKEND_CHOICE_NONE;
}

int flow_pool_choose(struct flow *flow, struct flow_environment *env)
{
	int index;

	if (flow->is_probe)
		return probed(flow);
	/* Who came before is served before. */
	if (!flow->waits_for_place && pool_of(flow, env)->waiting > 0)
		return BACKEND_CHOICE_FULL;
	index = choose(flow, env);
	if (index != BACKEND_CHOICE_FULL)
		flow_pool_stop_waiting(flow, env);
	if (index >= 0 && !flow_backend_is_sink(flow))
		flow->is_trial = breaker_enter(breaker_of(flow, env));
	return index;
}

bool flow_pool_wait(struct flow *flow, struct flow_environment *env)
{
	const struct settings *settings = flow->service->settings;
	struct flow_pool *pool = pool_of(flow, env);

	if (flow->waits_for_place)
		return true;
	if (pool->waiting >= settings->proxy_backend_queue_limit)
		return false;
	pool->waiting++;
	flow->waits_for_place = true;
	flow_count(flow, env, METRIC_sessions_waiting, 1);
	flow_restart_limit(flow);
	return true;
}

void flow_pool_stop_waiting(struct flow *flow, struct flow_environment *env)
{
	if (!flow->waits_for_place)
		return;
	flow->waits_for_place = false;
	pool_of(flow, env)->waiting--;
	flow_count(flow, env, METRIC_sessions_waiting, (uint64_t)-1);
}

void flow_pool_refuse(struct flow *flow, struct flow_environment *env)
{
	metric_add_for(env->block, METRIC_sessions_refused, LIMIT_BACKENDS, 1);
	if (flow_can_reply(flow, env))
		flow_reply_format(flow, env,
		    "421 4.3.2 %s Error: all mail servers are busy, try again "
		    "later\r\n",
		    flow->service->policy.hostname);
	flow_end(flow, env, CLOSE_BACKENDS_BUSY);
}

void flow_pool_opened(struct flow *flow, struct flow_environment *env)
{
	if (flow->is_probe || flow_backend_is_sink(flow) ||
	    !breaker_succeeded(
		breaker_of(flow, env), flow->is_trial, env->now_ms))
		return;
	flow->is_trial = false;
	metric_set_for(env->block, METRIC_backend_breakers_open,
	    flow_backend_label(flow), 0);
	log_line(env->log, LOG_LEVEL_INFO, flow->service->log_name,
	    "backend %s: its circuit breaker closes: it answers again",
	    flow_backend(flow)->name);
}

/* What one client's address can bring about again and again must not close the
 * backend to all others: a refusal, or silence behind a PROXY header that named
 * the client. */
static bool is_of_backend(const struct flow *flow, enum backend_phase phase)
{
	switch (phase) {
	case BACKEND_PHASE_CONNECT:
	case BACKEND_PHASE_TLS:
		return true;
	case BACKEND_PHASE_OPENING:
		return !flow->handed_over;
	case BACKEND_PHASE_REFUSED:
	case BACKEND_PHASE_IDENTITY:
	case BACKEND_PHASE_MALFORMED:
	case BACKEND_PHASE_OFFER:
	case BACKEND_PHASE_SESSION:
	case BACKEND_PHASE_REPLY:
	case BACKEND_PHASE_COUNT:
		break;
	}
	return false;
}

void flow_pool_failed(
    struct flow *flow, struct flow_environment *env, enum backend_phase phase)
{
	const struct settings *settings = flow->service->settings;
	const struct breaker_rules rules = {
	    .failures = (uint32_t)settings->proxy_backend_breaker_failures,
	    .time_ms = settings->proxy_backend_breaker_time_s * 1000,
	};
	struct breaker *breaker;

	if (flow->is_probe || flow_backend_is_sink(flow))
		return;
	if (!is_of_backend(flow, phase)) {
		flow_pool_opened(flow, env); /* it answers, at least */
		return;
	}
	breaker = breaker_of(flow, env);
	if (!breaker_failed(breaker, flow->is_trial, &rules, env->now_ms)) {
		flow->is_trial = false;
		return;
	}
	flow->is_trial = false;
	flow_count_backend(flow, env, METRIC_backend_breaker_openings, 1);
	metric_set_for(env->block, METRIC_backend_breakers_open,
	    flow_backend_label(flow), 1);
	log_line(env->log, LOG_LEVEL_WARNING, flow->service->log_name,
	    "backend %s: its circuit breaker opens for %" PRId64
	    " s: %u sessions in a row could not be opened",
	    flow_backend(flow)->name, breaker->open_for_ms / 1000,
	    (unsigned)breaker->failures);
}

void flow_pool_abandoned(struct flow *flow, struct flow_environment *env)
{
	if (flow->is_trial)
		breaker_abandoned(breaker_of(flow, env), true);
	flow->is_trial = false;
}

void flow_pool_leave(struct flow *flow, struct flow_environment *env)
{
	flow_pool_abandoned(flow, env);
	if (!flow->has_place)
		return;
	flow->has_place = false;
	env->place_is_free = true;
	flow_count_backend(
	    flow, env, METRIC_backend_places_taken, (uint64_t)-1);
}
