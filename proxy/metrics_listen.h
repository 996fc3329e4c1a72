/* SPDX-License-Identifier: Apache-2.0 */
/* proxy_metrics_listen: the listening sockets for HTTP. The master keeps them
 * open over reloads, and hands them to whatever control process there is: who
 * calls while there is none waits in their queues. */
#ifndef POSTERN_PROXY_METRICS_LISTEN_H
#define POSTERN_PROXY_METRICS_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/service.h"

/* Of two configurations at most. All zeros: none. */
struct metrics_listen {
	struct {
		struct service_address address;
		int fd;
	} of[2 * SERVICE_ADDRESSES_MAX];
	size_t count;
};

/* Fills services->metrics. Tells what is wrong with the list. */
void metrics_listen_read(struct services *services, struct report *report);

/* Nobody but this machine's own users reaches it. */
bool metrics_listen_is_local(const struct service_address *address);

/* Opens what these services need and is not open yet, and writes the socket of
 * each of services->metrics to fds_out. False when report has an error; then
 * metrics_listen_keep takes back what was opened. */
bool metrics_listen_bind(struct metrics_listen *listen,
    const struct services *services, int *fds_out, struct report *report);

/* Closes what these services do not need; NULL: all. */
void metrics_listen_keep(
    struct metrics_listen *listen, const struct services *services);

#endif
