/* SPDX-License-Identifier: Apache-2.0 */
/* When each backend's health is checked. The check itself is a flow. */
#include <string.h>

#include "proxy/worker_internal.h"

static bool is_known(const struct worker *worker, int state_index)
{
	for (size_t i = 0; i < worker->probe_count; i++) {
		const struct probe *probe = &worker->probes[i];

		if (probe->service->backends[probe->backend_index]
			.state_index == state_index)
			return true;
	}
	return false;
}

static void add(
    struct worker *worker, const struct service *service, size_t index)
{
	const struct backend *backend = &service->backends[index];

	if (backend->kind != BACKEND_SOCKET ||
	    is_known(worker, backend->state_index) ||
	    worker->probe_count == STATE_BACKENDS_MAX)
		return;
	worker->probes[worker->probe_count++] = (struct probe){
	    .service = service,
	    .backend_index = (uint8_t)index,
	    .next_ms = worker->env.now_ms,
	};
}

void worker_probe_init(struct worker *worker)
{
	const struct services *services = worker->options->services;

	if (!worker->options->is_control)
		return;
	for (size_t i = 0; i < services->count; i++)
		for (size_t j = 0; j < services->services[i].backend_count; j++)
			add(worker, &services->services[i], j);
}

/* There is nothing to check before it has an address. */
static bool is_nowhere(const struct worker *worker, const struct probe *probe)
{
	const struct backend *backend =
	    &probe->service->backends[probe->backend_index];
	struct state_backend seen;

	if (!backend->is_looked_up)
		return false;
	state_backend_read(
	    &worker->env.state->backends[backend->state_index], &seen);
	return seen.address.sin6_family == 0;
}

static void start(struct worker *worker, struct probe *probe)
{
	struct connection *connection;

	if (is_nowhere(worker, probe)) {
		probe->next_ms = DEADLINE_NONE;
		return;
	}
	connection = connection_take(&worker->connections);
	if (connection == NULL)
		return;
	probe->running = true;
	connection->is_probe = true;
	flow_begin_probe(&connection->flow, &worker->env, probe->service,
	    probe->backend_index);
	worker_advance(worker, connection);
}

static int state_index_of(const struct probe *probe)
{
	return probe->service->backends[probe->backend_index].state_index;
}

static bool waits(const struct worker *worker, const struct probe *probe)
{
	return probe->running ||
	       worker_dane_is_waiting(worker, state_index_of(probe));
}

/* Other records in DNS may be the end of a backend's health, or of its illness.
 */
static void look_at_dane(struct worker *worker, struct probe *probe)
{
	const struct state_dane *dane =
	    &worker->env.state->danes[state_index_of(probe)];
	uint32_t sequence = atomic_load(&dane->sequence);

	if (sequence == probe->dane_sequence)
		return;
	probe->dane_sequence = sequence;
	probe->next_ms = worker->env.now_ms;
}

void worker_probe_start_due(struct worker *worker)
{
	if (worker->stopping || worker->retiring)
		return;
	for (size_t i = 0; i < worker->probe_count; i++) {
		struct probe *probe = &worker->probes[i];

		if (waits(worker, probe))
			continue;
		look_at_dane(worker, probe);
		if (probe->next_ms <= worker->env.now_ms)
			start(worker, probe);
	}
}

/* Nothing was published of it then. */
static bool moved_meanwhile(
    const struct worker *worker, const struct flow *flow)
{
	const struct backend *backend = flow_backend(flow);
	struct state_backend seen;

	if (!backend->is_looked_up)
		return false;
	state_backend_read(
	    &worker->env.state->backends[backend->state_index], &seen);
	return memcmp(&seen.address, &flow->backend_address,
		   sizeof(seen.address)) != 0;
}

void worker_probe_done(struct worker *worker, const struct flow *flow)
{
	int64_t interval_ms =
	    worker->settings->proxy_backend_probe_interval_s * 1000;

	for (size_t i = 0; i < worker->probe_count; i++) {
		struct probe *probe = &worker->probes[i];

		if (probe->service != flow->service ||
		    probe->backend_index != flow->backend_index)
			continue;
		probe->running = false;
		probe->next_ms = worker->env.now_ms + interval_ms;
		if (moved_meanwhile(worker, flow))
			probe->next_ms = worker->env.now_ms;
	}
}

void worker_probe_wake(struct worker *worker, int state_index)
{
	for (size_t i = 0; i < worker->probe_count; i++) {
		struct probe *probe = &worker->probes[i];

		if (probe->service->backends[probe->backend_index]
			.state_index == state_index)
			probe->next_ms = worker->env.now_ms;
	}
}

int64_t worker_probe_next_ms(const struct worker *worker)
{
	int64_t next_ms = DEADLINE_NONE;

	for (size_t i = 0; i < worker->probe_count; i++)
		if (!waits(worker, &worker->probes[i]) &&
		    worker->probes[i].next_ms < next_ms)
			next_ms = worker->probes[i].next_ms;
	return next_ms;
}
