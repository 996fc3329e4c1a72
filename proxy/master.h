/* SPDX-License-Identifier: Apache-2.0 */
/* The master: opens the sockets, starts and replaces the children, takes a
 * changed configuration into use, and ends. It serves no session itself. */
#ifndef POSTERN_PROXY_MASTER_H
#define POSTERN_PROXY_MASTER_H

#include <stdbool.h>

struct master_options {
	const char *directory; /* absolute path of the configuration */
	bool verbose;
	/* Not in the foreground: of a process that waits at the other end for a
	 * byte that says that the workers run; else -1. Until then messages go
	 * to standard error too. */
	int ready_fd;
};

/* SIGTERM and SIGINT stop it, again at once; SIGHUP reloads. Returns the exit
 * status of the program. */
int master_run(const struct master_options *options);

#endif
