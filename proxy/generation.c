/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/generation.h"

#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

static struct process_options process_options(
    const struct generation *generation)
{
	return (struct process_options){
	    .generation = generation->number,
	    .services = generation->services,
	    .state = generation->state,
	    .log = generation->log,
	    .privileges = &generation->privileges,
	    .http_fds = generation->http_fds,
	    .http_fd_count = generation->services->metrics_count,
	};
}

static void name_processes(struct generation *generation)
{
	const char *name =
	    generation->services->configuration->settings->syslog_name;

	snprintf(generation->control.name, sizeof(generation->control.name),
	    "%s/control", name);
	for (size_t i = 0; i < generation->worker_count; i++)
		snprintf(generation->workers[i].name,
		    sizeof(generation->workers[i].name), "%s/smtpd", name);
}

static bool claim_listeners(
    const struct generation *generation, struct report *report)
{
	const struct services *services = generation->services;

	for (size_t i = 0; i < services->count; i++) {
		struct service *service = &services->services[i];

		service->state_index = state_listener_claim(
		    generation->state, service->listener->service);
		if (service->state_index != -1)
			continue;
		report_add(report, REPORT_ERROR, service->listener->place,
		    "all generations together must not have more than %d "
		    "listeners",
		    METRIC_LISTENERS_MAX);
		return false;
	}
	return true;
}

/* The state's entry for each backend; what control finds out stays known over a
 * reload that keeps the backend. */
static bool claim_backends(
    const struct generation *generation, struct report *report)
{
	const struct services *services = generation->services;

	for (size_t i = 0; i < services->count; i++) {
		struct service *service = &services->services[i];

		for (size_t j = 0; j < service->backend_count; j++) {
			struct backend *backend = &service->backends[j];

			if (backend->kind == BACKEND_SINK)
				continue;
			backend->state_index = state_backend_claim(
			    generation->state, backend->name);
			if (backend->state_index != -1)
				continue;
			report_add(report, REPORT_ERROR,
			    service->listener->place,
			    "proxy_backend: all generations together must not "
			    "have more than %d backends",
			    STATE_BACKENDS_MAX);
			return false;
		}
	}
	return true;
}

static void give_sockets(struct process *worker,
    const struct services *services, const struct sockets *sockets)
{
	worker->listener_count = 0;
	for (size_t i = 0; i < services->count; i++) {
		const struct service *service = &services->services[i];

		for (size_t j = 0; j < service->address_count; j++) {
			struct worker_listener listener = {
			    .fd = sockets_find(sockets,
				service->addresses[j].text, worker->index),
			    .service = (uint8_t)i,
			};

			assert(listener.fd != -1);
			assert(worker->listener_count < STATE_LISTENERS_MAX);
			worker->listeners[worker->listener_count++] = listener;
		}
	}
}

static uint64_t all_listeners(const struct process *process)
{
	return process->listener_count == 64
		   ? UINT64_MAX
		   : (UINT64_C(1) << process->listener_count) - 1;
}

static uint64_t unwanted_listeners(
    const struct process *process, const struct sockets *sockets)
{
	uint64_t leaving = 0;

	for (size_t i = 0; i < process->listener_count; i++)
		if (!sockets_is_wanted(sockets, process->listeners[i].fd))
			leaving |= UINT64_C(1) << i;
	return leaving;
}

static bool accepts_on(const struct process *process, int fd)
{
	uint64_t accepting;

	if (process->pid == 0)
		return false;
	accepting = atomic_load(&process->block->accepting);
	for (size_t i = 0; i < process->listener_count; i++)
		if (process->listeners[i].fd == fd && (accepting >> i & 1) != 0)
			return true;
	return false;
}

static bool restart(
    struct generation *generation, struct process *process, int64_t now_ms)
{
	struct process_options options = process_options(generation);

	if (process->pid != 0 || process->start_at_ms > now_ms)
		return false;
	return process_start(process, &options, now_ms);
}

size_t generation_count_workers(const struct services *services)
{
	int64_t asked =
	    services->configuration->settings->proxy_worker_processes;
	cpu_set_t cores;

	if (asked != 0)
		return (size_t)asked;
	if (sched_getaffinity(0, sizeof(cores), &cores) != 0)
		return 1;
	return (size_t)CPU_COUNT(&cores);
}

struct generation *generation_create(uint32_t number, struct services *services,
    struct log *log, struct state *state, struct report *report)
{
	struct generation *generation = calloc(1, sizeof(*generation));

	if (generation == NULL)
		goto no_memory;
	generation->number = number;
	generation->services = services;
	generation->log = log;
	generation->state = state;
	generation->control.is_control = true;
	generation->worker_count = generation_count_workers(services);
	generation->workers =
	    calloc(generation->worker_count, sizeof(*generation->workers));
	if (generation->workers == NULL)
		goto no_memory;
	for (size_t i = 0; i < generation->worker_count; i++)
		generation->workers[i].index = (uint32_t)i;
	name_processes(generation);
	if (privileges_find(&generation->privileges,
		services->configuration->settings, report) &&
	    claim_listeners(generation, report) &&
	    claim_backends(generation, report))
		return generation;
	goto free_generation;
no_memory:
	report_add(report, REPORT_ERROR, NULL, "out of memory");
free_generation:
	if (generation != NULL)
		free(generation->workers);
	free(generation);
	return NULL;
}

void generation_destroy(struct generation **generation)
{
	struct generation *gone = *generation;

	assert(!generation_has_process(gone));
	services_destroy(&gone->services);
	log_destroy(&gone->log);
	free(gone->workers);
	free(gone);
	*generation = NULL;
}

bool generation_start_control(struct generation *generation, int64_t now_ms)
{
	struct process_options options = process_options(generation);

	return process_start(&generation->control, &options, now_ms);
}

bool generation_start_workers(struct generation *generation,
    const struct sockets *sockets, int64_t now_ms)
{
	struct process_options options = process_options(generation);

	for (size_t i = 0; i < generation->worker_count; i++) {
		struct process *worker = &generation->workers[i];

		give_sockets(worker, generation->services, sockets);
		if (!process_start(worker, &options, now_ms))
			return false;
	}
	return true;
}

size_t generation_restart(
    struct generation *generation, bool with_control, int64_t now_ms)
{
	size_t count = 0;

	if (with_control && restart(generation, &generation->control, now_ms))
		count++;
	for (size_t i = 0; i < generation->worker_count; i++)
		if (restart(generation, &generation->workers[i], now_ms))
			count++;
	return count;
}

bool generation_is_probed(const struct generation *generation)
{
	const struct services *services = generation->services;
	struct state_backend seen;

	for (size_t i = 0; i < services->count; i++) {
		const struct service *service = &services->services[i];

		for (size_t j = 0; j < service->backend_count; j++) {
			int index = service->backends[j].state_index;

			if (service->backends[j].kind == BACKEND_SINK)
				continue;
			state_backend_read(
			    &generation->state->backends[index], &seen);
			if (seen.probes == 0 && !state_backend_is_spare(&seen))
				return false;
		}
	}
	return true;
}

bool generation_is_accepting(const struct generation *generation)
{
	for (size_t i = 0; i < generation->worker_count; i++) {
		const struct process *worker = &generation->workers[i];
		uint64_t all = all_listeners(worker);

		if (worker->pid == 0 ||
		    (atomic_load(&worker->block->accepting) & all) != all)
			return false;
	}
	return true;
}

bool generation_accepts_on(const struct generation *generation, int fd)
{
	for (size_t i = 0; i < generation->worker_count; i++)
		if (accepts_on(&generation->workers[i], fd))
			return true;
	return false;
}

bool generation_is_whole(const struct generation *generation)
{
	for (size_t i = 0; i < generation->worker_count; i++)
		if (generation->workers[i].pid == 0)
			return false;
	return generation->control.pid != 0;
}

bool generation_has_process(const struct generation *generation)
{
	for (size_t i = 0; i < generation->worker_count; i++)
		if (generation->workers[i].pid != 0)
			return true;
	return generation->control.pid != 0;
}

struct process *generation_find(struct generation *generation, pid_t pid)
{
	if (generation->control.pid == pid)
		return &generation->control;
	for (size_t i = 0; i < generation->worker_count; i++)
		if (generation->workers[i].pid == pid)
			return &generation->workers[i];
	return NULL;
}

void generation_order(struct generation *generation, enum worker_order order,
    const struct sockets *sockets)
{
	generation->is_ending = true;
	process_order(&generation->control, WORKER_STOP, 0);
	for (size_t i = 0; i < generation->worker_count; i++) {
		const struct process *worker = &generation->workers[i];

		process_order(worker, order,
		    order == WORKER_RETIRE ? unwanted_listeners(worker, sockets)
					   : 0);
	}
}

void generation_kill(const struct generation *generation)
{
	process_kill(&generation->control);
	for (size_t i = 0; i < generation->worker_count; i++)
		process_kill(&generation->workers[i]);
}

bool generation_uses_backend(const struct generation *generation, int index)
{
	const struct services *services = generation->services;

	for (size_t i = 0; i < services->count; i++) {
		const struct service *service = &services->services[i];

		for (size_t j = 0; j < service->backend_count; j++)
			if (service->backends[j].state_index == index)
				return true;
	}
	return false;
}

bool generation_uses_listener(const struct generation *generation, int index)
{
	const struct services *services = generation->services;

	for (size_t i = 0; i < services->count; i++)
		if (services->services[i].state_index == index)
			return true;
	return false;
}
