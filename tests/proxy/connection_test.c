/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/connection.h"

#include <signal.h>

#include <criterion/criterion.h>

#include "caught.h"

static struct connections connections;

static void init(void)
{
	cr_assert(connections_init(&connections, 3));
}

static void fini(void)
{
	connections_finish(&connections);
}

TestSuite(connection, .init = init, .fini = fini);

/* As it stands in what the kernel is asked for. */
static uint64_t tag_of(const struct connection *connection)
{
	return op_pack((struct op){
	    .kind = OP_CLIENT_RECV,
	    .slot = connection_slot(&connections, connection),
	    .generation = connection->generation,
	});
}

static struct connection *find(uint64_t tag)
{
	return connection_find(&connections, op_unpack(tag));
}

Test(connection, a_tag_keeps_all_that_is_in_it)
{
	static const struct op ops[] = {
	    {OP_ACCEPT, 0, 0},
	    {OP_CLOSE, OP_SLOT_MAX, UINT32_MAX},
	    {OP_BACKEND_SEND, 0x123456, 0x89abcdef},
	};

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		struct op op = op_unpack(op_pack(ops[i]));

		cr_assert_eq(op.kind, ops[i].kind);
		cr_assert_eq(op.slot, ops[i].slot);
		cr_assert_eq(op.generation, ops[i].generation);
	}
}

Test(connection, a_slot_starts_empty)
{
	struct connection *connection = connection_take(&connections);

	cr_assert_eq(connections.in_use, 1);
	cr_assert(connection->in_use);
	cr_assert_eq(connection->client_fd, -1);
	cr_assert_eq(connection->backend_fd, -1);
	cr_assert_eq(connection->armed, 0);
	cr_assert_eq(connection->flow.state, FLOW_UPSTREAM);
}

Test(connection, nothing_of_the_last_user_is_left)
{
	struct connection *connection = connection_take(&connections);

	connection->client_fd = 7;
	connection->is_probe = true;
	connection->limit_serial = 9;
	connection->client_closing = true;
	connection->flow.messages = 11;
	connection_release(&connections, connection);
	cr_assert_eq(connections.in_use, 0);
	cr_assert_eq(connection_take(&connections), connection);
	cr_assert_eq(connection->client_fd, -1);
	cr_assert_not(connection->is_probe);
	cr_assert_eq(connection->limit_serial, 0);
	cr_assert_not(connection->client_closing);
	cr_assert_eq(connection->flow.messages, 0);
}

Test(connection, when_all_slots_are_taken_there_is_none)
{
	struct connection *second;

	cr_assert_not_null(connection_take(&connections));
	second = connection_take(&connections);
	cr_assert_not_null(connection_take(&connections));
	cr_assert_null(connection_take(&connections));
	connection_release(&connections, second);
	cr_assert_eq(connection_take(&connections), second);
	cr_assert_null(connection_take(&connections));
}

Test(connection, a_tag_finds_whom_it_was_made_for)
{
	struct connection *first = connection_take(&connections);
	struct connection *second = connection_take(&connections);

	cr_assert_eq(find(tag_of(first)), first);
	cr_assert_eq(find(tag_of(second)), second);
}

Test(connection, a_tag_finds_nobody_in_a_free_slot)
{
	struct connection *connection = connection_take(&connections);
	uint64_t tag = tag_of(connection);

	connection_release(&connections, connection);
	cr_assert_null(find(tag));
}

/* The guard against bytes of one session in another. */
Test(connection, a_tag_of_an_earlier_user_of_the_slot_finds_nobody)
{
	struct connection *connection = connection_take(&connections);
	uint64_t tag = tag_of(connection);

	connection_release(&connections, connection);
	cr_assert_eq(connection_take(&connections), connection);
	cr_assert_null(find(tag));
	cr_assert_eq(find(tag_of(connection)), connection);
}

Test(connection, a_generation_that_overflows_is_still_another_one)
{
	struct connection *connection = connection_take(&connections);
	uint64_t tag;

	connection->generation = UINT32_MAX;
	tag = tag_of(connection);
	connection_release(&connections, connection);
	cr_assert_eq(connection_take(&connections), connection);
	cr_assert_null(find(tag));
	cr_assert_eq(find(tag_of(connection)), connection);
}

Test(connection, what_the_kernel_has_keeps_its_slot, .signal = SIGABRT)
{
	struct connection *connection = connection_take(&connections);

	connection->armed = FLOW_WANT_CLIENT_RECV;
	connection_release(&connections, connection);
}

Test(connection, who_waits_in_a_queue_keeps_his_slot, .signal = SIGABRT)
{
	struct connection *connection = connection_take(&connections);

	connection_enqueue(&connections, CONNECTION_FOR_BUFFER, connection);
	connection_release(&connections, connection);
}

Test(connection, releasing_one_twice_is_a_bug, .signal = SIGABRT)
{
	struct connection *connection = connection_take(&connections);

	connection_release(&connections, connection);
	connection_release(&connections, connection);
}

Test(connection, who_came_first_leaves_the_queue_first)
{
	enum connection_queue queue = CONNECTION_FOR_HANDSHAKE;
	struct connection *first = connection_take(&connections);
	struct connection *second = connection_take(&connections);
	struct connection *third = connection_take(&connections);

	cr_assert_null(connection_dequeue(&connections, queue));
	connection_enqueue(&connections, queue, second);
	connection_enqueue(&connections, queue, first);
	connection_enqueue(&connections, queue, second); /* is in it */
	connection_enqueue(&connections, queue, third);
	cr_assert_eq(connections.queues[queue].count, 3);
	cr_assert_eq(connection_dequeue(&connections, queue), second);
	connection_enqueue(&connections, queue, second); /* again, behind */
	cr_assert_eq(connection_dequeue(&connections, queue), first);
	cr_assert_eq(connection_dequeue(&connections, queue), third);
	cr_assert_eq(connection_dequeue(&connections, queue), second);
	cr_assert_null(connection_dequeue(&connections, queue));
	cr_assert_eq(connections.queues[queue].count, 0);
	cr_assert_eq(second->queued, 0);
}

Test(connection, queues_know_nothing_of_each_other)
{
	struct connection *first = connection_take(&connections);
	struct connection *second = connection_take(&connections);

	connection_enqueue(&connections, CONNECTION_FOR_HANDSHAKE, first);
	connection_enqueue(&connections, CONNECTION_FOR_HANDSHAKE, second);
	connection_enqueue(&connections, CONNECTION_FOR_RING, second);
	connection_enqueue(&connections, CONNECTION_FOR_RING, first);
	cr_assert_null(connection_dequeue(&connections, CONNECTION_FOR_BUFFER));
	cr_assert_eq(
	    connection_dequeue(&connections, CONNECTION_FOR_RING), second);
	cr_assert_eq(
	    connection_dequeue(&connections, CONNECTION_FOR_HANDSHAKE), first);
	cr_assert_eq(
	    connection_dequeue(&connections, CONNECTION_FOR_HANDSHAKE), second);
	cr_assert_eq(
	    connection_dequeue(&connections, CONNECTION_FOR_RING), first);
}

Test(connection, who_touches_a_flow_that_was_released_is_caught)
{
	struct connection *connection = connection_take(&connections);
	const uint8_t *flow = (const uint8_t *)&connection->flow;

	skip_without_sanitizer();
	cr_assert_not(is_caught(flow), "it is in use");
	connection_release(&connections, connection);
	cr_assert(is_caught(flow));
	cr_assert(is_caught(flow + sizeof(struct flow) - 1));
	connection_take(&connections);
	cr_assert_not(is_caught(flow), "it is in use again");
}
