/* SPDX-License-Identifier: Apache-2.0 */
/* The master: opens the sockets, starts and replaces the children, takes a
 * changed configuration into use, and ends. It serves no session itself. */
#ifndef POSTERN_PROXY_MASTER_H
#define POSTERN_PROXY_MASTER_H

#include <stdbool.h>
#include <stdio.h>

struct master_options {
	const char *directory; /* absolute path of the configuration */
	bool verbose;
	/* Of a process that waits at the other end for a byte that says that
	 * the workers run; -1 in the foreground. */
	int ready_fd;
	FILE *terminal; /* takes what the start has to say */
};

/* SIGTERM and SIGINT stop it, again at once; SIGHUP reloads. Returns the exit
 * status of the program. ready_fd, and the terminal unless it is standard
 * error, are closed when the workers run. */
int master_run(const struct master_options *options);

#endif
