/* SPDX-License-Identifier: Apache-2.0 */
/* The floor: what a session costs a server on a ring before it does anything.
 * Clients of its own connect on loopback and send as many octets as those of a
 * real session would; the server counts octets, answers with as many as a real
 * one would, and looks at none of them. */
#ifndef POSTERN_BENCH_RING_FLOOR_H
#define POSTERN_BENCH_RING_FLOOR_H

#include <stddef.h>

#define RING_FLOOR_STEPS_MAX 16

/* The server says its part when it has all of the client's. */
struct ring_floor_step {
	size_t client_len, server_len;
};

/* The server's processor time for one session, in us, over `session_count`
 * sessions of 8 clients; negative when there is no ring or no socket. */
double ring_floor_measure(
    const struct ring_floor_step *steps, size_t step_count, long session_count);

#endif
