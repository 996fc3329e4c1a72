/* SPDX-License-Identifier: Apache-2.0 */
/* One process with one ring: it turns completions into facts for its flows and
 * the flows' wants into submissions. Also the body of the control process,
 * which has no listeners and probes the backends. */
#ifndef POSTERN_PROXY_WORKER_H
#define POSTERN_PROXY_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/log.h"
#include "proxy/service.h"
#include "proxy/state.h"

/* A listening socket and the service it belongs to. */
struct worker_listener {
	int fd;
	uint8_t service; /* index into services->services */
};

struct worker_options {
	const struct services *services;
	struct state *state;	   /* mapped; already confined */
	struct state_block *block; /* our own */
	struct log *log;
	const struct worker_listener *listeners; /* none: control */
	size_t listener_count; /* at most STATE_LISTENERS_MAX */
	/* Control: listening sockets for HTTP. */
	const int *http_fds;
	size_t http_fd_count;
	int command_fd; /* from the master: struct worker_command; its end means
			 * that the master is gone: as WORKER_STOP */
	bool is_control;
};

enum worker_order {
	WORKER_RETIRE = 1, /* a newer generation took over: accept no more on
			    * the listeners that stay, go on for two seconds on
			    * those in `leaving` and close them, serve what is
			    * open to its end, exit */
	WORKER_STOP = 2, /* accept no more; end each session with 421 where that
			  * does no harm, at the latest after
			  * proxy_drain_timeout; exit */
};

struct worker_command {
	uint32_t order; /* enum worker_order */
	uint32_t padding;
	uint64_t leaving; /* bit i: options->listeners[i] is no more wanted */
};

/* Why a ring cannot be had here, as one line with the remedy: old kernel,
 * kernel.io_uring_disabled, a seccomp profile, RLIMIT_MEMLOCK. True when it
 * can. To be asked as the user that the workers run as. */
bool worker_ring_available(char *why_out, size_t why_size);

/* Runs until told to end. Returns the exit status of the process. */
int worker_run(const struct worker_options *options);

/* "2.3" */
const char *worker_liburing_version(void);

#endif
