/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/connection.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/poison.h"

bool connections_init(struct connections *connections, uint32_t count)
{
	assert(count > 0 && count <= OP_SLOT_MAX);
	*connections = (struct connections){.count = count};
	connections->slots = calloc(count, sizeof(*connections->slots));
	if (connections->slots == NULL)
		return false;
	connections->first_free = CONNECTION_NO_SLOT;
	for (size_t queue = 0; queue < CONNECTION_QUEUE_COUNT; queue++)
		connections->queues[queue] = (struct connection_list){
		    .first = CONNECTION_NO_SLOT,
		    .last = CONNECTION_NO_SLOT,
		};
	return true;
}

void connections_finish(struct connections *connections)
{
	for (uint32_t slot = 0; slot < connections->ever_used; slot++)
		unpoison(&connections->slots[slot].flow, sizeof(struct flow));
	free(connections->slots);
	*connections = (struct connections){0};
}

struct connection *connection_take(struct connections *connections)
{
	struct connection *connection;
	uint32_t generation;

	if (connections->first_free != CONNECTION_NO_SLOT) {
		connection = &connections->slots[connections->first_free];
		connections->first_free = connection->next_free;
	} else if (connections->ever_used < connections->count) {
		connection = &connections->slots[connections->ever_used++];
	} else {
		return NULL;
	}
	connections->in_use++;
	generation = connection->generation;
	unpoison(&connection->flow, sizeof(connection->flow));
	memset(connection, 0, sizeof(*connection));
	connection->generation = generation;
	connection->in_use = true;
	connection->client_fd = -1;
	connection->backend_fd = -1;
	return connection;
}

void connection_release(
    struct connections *connections, struct connection *connection)
{
	assert(connection->in_use);
	assert(connection->armed == 0);
	assert(connection->queued == 0);
	connection->in_use = false;
	connection->generation++;
	connection->next_free = connections->first_free;
	connections->first_free = connection_slot(connections, connection);
	connections->in_use--;
	poison(&connection->flow, sizeof(connection->flow));
}

struct connection *connection_find(
    struct connections *connections, struct op op)
{
	struct connection *connection;

	assert(op.slot < connections->count);
	connection = &connections->slots[op.slot];
	if (!connection->in_use || connection->generation != op.generation)
		return NULL;
	return connection;
}

uint32_t connection_slot(
    const struct connections *connections, const struct connection *connection)
{
	ptrdiff_t slot = connection - connections->slots;

	assert(slot >= 0 && (size_t)slot < connections->count);
	return (uint32_t)slot;
}

void connection_enqueue(struct connections *connections,
    enum connection_queue queue, struct connection *connection)
{
	struct connection_list *list = &connections->queues[queue];
	uint32_t slot = connection_slot(connections, connection);

	if ((connection->queued >> queue & 1) != 0)
		return;
	connection->queued |= (uint8_t)(1u << queue);
	connection->next_in_queue[queue] = CONNECTION_NO_SLOT;
	if (list->last == CONNECTION_NO_SLOT)
		list->first = slot;
	else
		connections->slots[list->last].next_in_queue[queue] = slot;
	list->last = slot;
	list->count++;
}

struct connection *connection_dequeue(
    struct connections *connections, enum connection_queue queue)
{
	struct connection_list *list = &connections->queues[queue];
	struct connection *connection;

	if (list->first == CONNECTION_NO_SLOT)
		return NULL;
	connection = &connections->slots[list->first];
	list->first = connection->next_in_queue[queue];
	if (list->first == CONNECTION_NO_SLOT)
		list->last = CONNECTION_NO_SLOT;
	list->count--;
	connection->queued &= (uint8_t) ~(1u << queue);
	return connection;
}
