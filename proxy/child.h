/* SPDX-License-Identifier: Apache-2.0 */
/* What a forked process does before it is a worker or control: it lets go of
 * all that is the master's. */
#ifndef POSTERN_PROXY_CHILD_H
#define POSTERN_PROXY_CHILD_H

#include <stdnoreturn.h>

#include "proxy/privileges.h"
#include "proxy/worker.h"

struct child_options {
	struct worker_options worker; /* state not yet confined */
	const struct privileges *privileges;
	const char *log_name; /* "postern/smtpd" */
};

/* Signals of a process that was forked from the master: none is blocked, those
 * that a terminal or a closed pipe sends are ignored. */
void child_reset_signals(void);

/* Never returns; the process ends with the status of worker_run. */
noreturn void child_run(const struct child_options *options);

#endif
