/* SPDX-License-Identifier: Apache-2.0 */
/* `postern status`: what the shared state says, for people and for scripts. */
#ifndef POSTERN_PROXY_STATUS_H
#define POSTERN_PROXY_STATUS_H

#include <stdio.h>
#include <sys/types.h>

#include "proxy/state.h"

/* One line for the master, for each process and for each backend, then
 * counters, "name value". */
void status_print(FILE *out, pid_t master, const struct state *state);

#endif
