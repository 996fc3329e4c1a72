/* SPDX-License-Identifier: Apache-2.0 */
/* Tries out, in a short-lived child, what a worker needs: that the
 * configuration loads, and that its user can have a ring. Whatever goes wrong
 * there, the process that asked goes on as it was. */
#ifndef POSTERN_PROXY_TRIAL_H
#define POSTERN_PROXY_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "conf/report.h"
#include "proxy/privileges.h"

/* More than a report holds (conf/report.c) of lines of usual length. */
#define TRIAL_TEXT_SIZE (1 << 20)

struct trial {
	pid_t pid; /* 0: none is under way */
	int fd;	   /* readable when there is something to hear */
	size_t text_len;
	char text[TRIAL_TEXT_SIZE];
};

/* Loads and checks all of `directory`. False with errno. */
bool trial_start(struct trial *trial, const char *directory);

/* Reads what the child has to say. True when it is through; then its findings
 * are in report, an error among them unless all is well. */
bool trial_listen(struct trial *trial, struct report *report);

/* Ends it early. */
void trial_kill(struct trial *trial);

/* Only whether the worker's user can have a ring; waits for the answer. */
void trial_ring(const struct privileges *privileges, struct report *report);

#endif
