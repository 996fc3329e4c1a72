/* SPDX-License-Identifier: Apache-2.0 */
/* Which address of a name each of its backends gets. Name servers turn the
 * order of their answers round and round, so an address that is still there
 * stays where it is: its sessions, its breaker and its health go on. Pure. */
#ifndef POSTERN_PROXY_HOST_ADDRESSES_H
#define POSTERN_PROXY_HOST_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/client_name.h"

/* Answers with more than this are cut off. */
#define HOST_ADDRESSES_MAX 64

/* Without any, each once. */
struct host_addresses {
	size_t count;
	struct client_address list[HOST_ADDRESSES_MAX];
};

/* Adds one, unless it is there or there is no room. */
void host_addresses_add(
    struct host_addresses *addresses, const struct client_address *address);

/* From what `slots` backends have (len 0: nothing) and what was found, to what
 * they have now; in place. The first has one if any has. */
void host_addresses_assign(const struct host_addresses *found,
    struct client_address *of_slots, size_t slots);

#endif
