/* SPDX-License-Identifier: Apache-2.0 */
/* A child of the master as the master sees it: a worker or control, which may
 * be running or waiting to be started again. */
#ifndef POSTERN_PROXY_PROCESS_H
#define POSTERN_PROXY_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proxy/privileges.h"
#include "proxy/worker.h"

struct process {
	pid_t pid; /* 0: not running */
	bool is_control;
	uint32_t index; /* of a worker in its generation */
	struct state_block *block;
	int command_fd; /* our end */
	struct worker_listener listeners[STATE_LISTENERS_MAX];
	size_t listener_count;
	char name[256]; /* "postern/smtpd" */
	int64_t started_ms;
	int64_t start_at_ms;   /* not running: when it may be started again */
	unsigned quick_deaths; /* in a row */
};

/* What all processes of a generation are started with. */
struct process_options {
	uint32_t generation;
	const struct services *services;
	struct state *state;
	struct log *log;
	const struct privileges *privileges;
	/* For control: where it answers HTTP. */
	const int *http_fds;
	size_t http_fd_count;
};

/* Forks it. False with a line in the log: no block, no descriptor, no process.
 * The child never returns from here. */
bool process_start(struct process *process,
    const struct process_options *options, int64_t now_ms);

/* Tells a running one what to do; `leaving` as in struct worker_command. */
void process_order(
    const struct process *process, enum worker_order order, uint64_t leaving);

/* SIGKILL, if it is running. */
void process_kill(const struct process *process);

/* After waitpid: logs how it died unless that was asked for, clears what it
 * had, and works out when it may be started again: at once, but later and later
 * if it dies within a second each time. */
void process_died(struct process *process, int wait_status, bool expected,
    struct log *log, int64_t now_ms);

#endif
