/* SPDX-License-Identifier: Apache-2.0 */
/* Completions into facts, with completions that a test makes up: no ring. */
#include <errno.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "harness.h"
#include "proxy/worker_internal.h"

static struct worker *worker;
static struct worker_options options;

static void init(void)
{
	harness_init();
	worker = calloc(1, sizeof(*worker));
	cr_assert_not_null(worker);
	options.block = env.block;
	worker->options = &options;
	worker->env = env;
	worker->ring.uring.ring_fd = -1;
	cr_assert(connections_init(&worker->connections, 4));
	cr_assert(deadlines_init(&worker->deadlines, 4));
}

static void fini(void)
{
	connections_finish(&worker->connections);
	deadlines_finish(&worker->deadlines);
	free(worker);
	harness_fini();
}

TestSuite(worker_session, .init = init, .fini = fini);

/* A session whose greeting was read, and that has a receive armed. */
static struct connection *idle_connection(void)
{
	struct connection *connection = connection_take(&worker->connections);
	struct sockaddr peer = {.sa_family = AF_UNIX};
	struct flow *idle = &connection->flow;

	flow_begin(
	    idle, &worker->env, &services[HARNESS_MAY], &peer, LIMIT_NONE);
	flow_client_sent(idle, &worker->env, leg_pending(&idle->client));
	connection->armed = FLOW_WANT_CLIENT_RECV;
	return connection;
}

static struct op op_of(const struct connection *connection, enum op_kind kind)
{
	return (struct op){
	    .kind = kind,
	    .slot = connection_slot(&worker->connections, connection),
	    .generation = connection->generation,
	};
}

static void complete(struct op op, int32_t result)
{
	struct ring_completion completion = {
	    .tag = op_pack(op), .result = result};

	worker_session_completed(worker, op, &completion);
}

Test(worker_session, a_receive_that_found_no_buffer_waits_for_the_next_turn)
{
	struct connection *connection = idle_connection();

	complete(op_of(connection, OP_CLIENT_RECV), -ENOBUFS);
	cr_assert(connection->in_use);
	cr_assert_eq(connection->flow.state, FLOW_GATE);
	cr_assert_eq(connection->armed, 0);
	cr_assert_eq(
	    connection_dequeue(&worker->connections, CONNECTION_FOR_RING),
	    connection);
	cr_assert_eq(counted(METRIC_buffers_exhausted), 1);
	flow_cut_off(&connection->flow, &worker->env);
}

/* Its slot and two descriptors were lost when the receive that it waited for
 * came back without a buffer. */
Test(worker_session, a_session_that_is_over_is_released_by_any_completion)
{
	static const int32_t results[] = {0, -ECANCELED, -ECONNRESET, -ENOBUFS};

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		struct connection *connection = idle_connection();

		flow_client_failed(&connection->flow, &worker->env);
		cr_assert_eq(connection->flow.state, FLOW_CLOSED);
		connection->client_closing = true;
		complete(op_of(connection, OP_CLIENT_RECV), results[i]);
		cr_assert_eq(worker->connections.in_use, 0, "%d", results[i]);
		cr_assert_eq(counted(METRIC_sessions_open), 0);
		cr_assert_eq(env.block->sessions[0].serial, 0);
	}
}

/* Only receives wait for buffers of ours: to a send it is an error like any. */
Test(worker_session, a_send_that_found_no_memory_in_the_kernel_failed)
{
	struct connection *connection = idle_connection();

	connection->armed = FLOW_WANT_CLIENT_SEND;
	complete(op_of(connection, OP_CLIENT_SEND), -ENOBUFS);
	cr_assert_eq(worker->connections.in_use, 0);
}

Test(worker_session, a_completion_that_is_too_late_touches_nobody)
{
	struct connection *connection = idle_connection();
	struct op old = op_of(connection, OP_CLIENT_RECV);

	flow_client_failed(&connection->flow, &worker->env);
	connection->client_closing = true;
	complete(old, 0);
	cr_assert_eq(idle_connection(), connection, "the slot is used again");
	complete(old, 0);
	cr_assert_eq(counted(METRIC_ring_late_completions), 1);
	cr_assert_eq(connection->armed, FLOW_WANT_CLIENT_RECV);
	cr_assert_eq(connection->flow.state, FLOW_GATE);
	cr_assert_not(connection->flow.client.eof);
	flow_cut_off(&connection->flow, &worker->env);
}
