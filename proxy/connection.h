/* SPDX-License-Identifier: Apache-2.0 */
/* The slots of a worker: a flow, its two sockets, and what the kernel was asked
 * for on its behalf. A slot is free again when its session is closed and
 * nothing is armed; its generation then grows, so that a completion which comes
 * too late is seen for what it is. */
#ifndef POSTERN_PROXY_CONNECTION_H
#define POSTERN_PROXY_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/flow.h"
#include "proxy/op.h"

#define CONNECTION_NO_SLOT UINT32_MAX

/* Lists that a connection can be in while it waits for something of the
 * worker's. */
enum connection_queue {
	CONNECTION_FOR_HANDSHAKE, /* its turn to do arithmetic */
	CONNECTION_FOR_BUFFER,	  /* a buffer to come back */
	CONNECTION_FOR_PLACE,	  /* a backend that is not full */
	CONNECTION_FOR_RING,	  /* room in the submission queue, or a receive
				   * buffer */
	CONNECTION_QUEUE_COUNT
};

struct connection {
	struct flow flow;
	int client_fd, backend_fd; /* -1: none */
	uint32_t generation;
	uint32_t next_free;
	unsigned armed; /* of enum flow_want: what the kernel has */
	bool in_use;
	bool client_closing, backend_closing; /* shut down, to come back */
	bool is_probe;
	bool name_asked; /* of DNS, if the flow wants it */
	uint8_t queued;	 /* bit: in that queue */
	uint32_t
	    limit_serial; /* of the flow's limit that the deadline is for */
	uint32_t next_in_queue[CONNECTION_QUEUE_COUNT];
};

struct connection_list {
	uint32_t first, last; /* CONNECTION_NO_SLOT: empty */
	uint32_t count;
};

struct connections {
	struct connection *slots;
	uint32_t count; /* of slots */
	uint32_t in_use;
	uint32_t
	    ever_used; /* slots behind it were never touched: no memory yet */
	uint32_t first_free;
	struct connection_list queues[CONNECTION_QUEUE_COUNT];
};

/* False without memory. */
bool connections_init(struct connections *connections, uint32_t count);
void connections_finish(struct connections *connections);

/* A zeroed slot, or NULL when all are taken. */
struct connection *connection_take(struct connections *connections);

/* Frees a slot: nothing may be armed. */
void connection_release(
    struct connections *connections, struct connection *connection);

/* Whom a completion is for; NULL when it comes too late. */
struct connection *connection_find(
    struct connections *connections, struct op op);

uint32_t connection_slot(
    const struct connections *connections, const struct connection *connection);

/* Puts it at the end of a queue, unless it is in it. */
void connection_enqueue(struct connections *connections,
    enum connection_queue queue, struct connection *connection);

/* Takes the first one of a queue; NULL when it is empty. */
struct connection *connection_dequeue(
    struct connections *connections, enum connection_queue queue);

#endif
