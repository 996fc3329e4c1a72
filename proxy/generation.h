/* SPDX-License-Identifier: Apache-2.0 */
/* One configuration and the processes that run on it. The newest has a control
 * process; older ones are workers that serve their sessions to the end. */
#ifndef POSTERN_PROXY_GENERATION_H
#define POSTERN_PROXY_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/process.h"
#include "proxy/sockets.h"

struct generation {
	uint32_t number;
	struct services *services; /* owned */
	struct log *log;	   /* owned */
	struct privileges privileges;
	struct state *state;
	struct process control;
	int http_fds[SERVICE_ADDRESSES_MAX]; /* of services->metrics */
	struct process *workers;
	size_t worker_count;
	bool is_ending; /* was told to retire or to stop */
	struct generation *older;
};

/* The number of workers that the settings ask for. */
size_t generation_count_workers(const struct services *services);

/* Takes services and log over; starts nothing. NULL when report has an error,
 * with both still the caller's. */
struct generation *generation_create(uint32_t number, struct services *services,
    struct log *log, struct state *state, struct report *report);

/* When no process of it is left. Sets it to NULL. */
void generation_destroy(struct generation **generation);

bool generation_start_control(struct generation *generation, int64_t now_ms);

/* Each with its sockets. False when one could not be started. */
bool generation_start_workers(struct generation *generation,
    const struct sockets *sockets, int64_t now_ms);

/* Starts again what died, when its time has come; control only if with_control.
 * Returns how many were started. */
size_t generation_restart(
    struct generation *generation, bool with_control, int64_t now_ms);

/* Whether each backend was probed once, in whatever way that ended. */
bool generation_is_probed(const struct generation *generation);

/* Whether each worker accepts on all its sockets. */
bool generation_is_accepting(const struct generation *generation);

/* Whether one of its workers accepts on that socket. */
bool generation_accepts_on(const struct generation *generation, int fd);

/* Whether none of its processes waits to be started again. */
bool generation_is_whole(const struct generation *generation);

bool generation_has_process(const struct generation *generation);

/* A process of it; NULL when pid is none. */
struct process *generation_find(struct generation *generation, pid_t pid);

/* To all its processes; with WORKER_RETIRE each is told which of its sockets
 * are no longer wanted. */
void generation_order(struct generation *generation, enum worker_order order,
    const struct sockets *sockets);

void generation_kill(const struct generation *generation);

/* Whether that entry of state->backends is of one of its services. */
bool generation_uses_backend(const struct generation *generation, int index);

/* Likewise of state->listeners. */
bool generation_uses_listener(const struct generation *generation, int index);

#endif
