/* SPDX-License-Identifier: Apache-2.0 */
/* Wants into submissions, completions into facts. */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/flow_metrics.h"
#include "proxy/worker_internal.h"

#define CLIENT_OPS (FLOW_WANT_CLIENT_RECV | FLOW_WANT_CLIENT_SEND)
#define BACKEND_OPS                                           \
	(FLOW_WANT_BACKEND_CONNECT | FLOW_WANT_BACKEND_RECV | \
	    FLOW_WANT_BACKEND_SEND)

static struct op op_of(const struct worker *worker,
    const struct connection *connection, enum op_kind kind)
{
	return (struct op){
	    .kind = kind,
	    .slot = connection_slot(&worker->connections, connection),
	    .generation = connection->generation,
	};
}

static void close_descriptor(struct worker *worker, int *fd)
{
	if (*fd < 0)
		return;
	if (!ring_close(&worker->ring, *fd))
		close(*fd);
	*fd = -1;
	metric_add_for(worker->env.block, METRIC_descriptors_open,
	    worker_role(worker), (uint64_t)-1);
	worker->accept_paused = false;
}

static void release(struct worker *worker, struct connection *connection)
{
	uint32_t slot = connection_slot(&worker->connections, connection);

	if (connection->armed != 0 || connection->queued != 0)
		return;
	close_descriptor(worker, &connection->client_fd);
	close_descriptor(worker, &connection->backend_fd);
	deadlines_set(&worker->deadlines, slot, DEADLINE_NONE);
	flow_finish(&connection->flow, &worker->env);
	if (connection->is_probe)
		worker_probe_done(worker, &connection->flow);
	else
		flow_publish(&connection->flow, &worker->env, slot);
	connection_release(&worker->connections, connection);
}

/* Makes what is armed on a socket come back. A pending connect does not heed
 * shutdown. */
static bool recall_backend(
    struct worker *worker, const struct connection *connection)
{
	if ((connection->armed & FLOW_WANT_BACKEND_CONNECT) != 0)
		return ring_cancel(&worker->ring,
		    op_of(worker, connection, OP_BACKEND_CONNECT));
	shutdown(connection->backend_fd, SHUT_RDWR);
	return true;
}

/* Nobody waits for it: where it does not fit the socket at once it is lost, as
 * it is where bytes before it are still on their way. */
static void send_last_words(struct connection *connection)
{
	const uint8_t *words;
	size_t len = flow_take_last_words(&connection->flow, &words);

	if (len > 0 && (connection->armed & FLOW_WANT_BACKEND_SEND) == 0)
		send(connection->backend_fd, words, len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void close_backend(struct worker *worker, struct connection *connection)
{
	send_last_words(connection);
	if ((connection->armed & BACKEND_OPS) != 0) {
		if (!connection->backend_closing)
			connection->backend_closing =
			    recall_backend(worker, connection);
		if (!connection->backend_closing)
			connection_enqueue(&worker->connections,
			    CONNECTION_FOR_RING, connection);
		return;
	}
	connection->backend_closing = false;
	close_descriptor(worker, &connection->backend_fd);
	flow_backend_closed(&connection->flow, &worker->env);
}

static void end_connection(struct worker *worker, struct connection *connection)
{
	if ((connection->armed & CLIENT_OPS) != 0 &&
	    !connection->client_closing) {
		connection->client_closing = true;
		shutdown(connection->client_fd, SHUT_RDWR);
	}
	send_last_words(connection);
	if ((connection->armed & BACKEND_OPS) != 0 &&
	    !connection->backend_closing) {
		connection->backend_closing =
		    recall_backend(worker, connection);
		if (!connection->backend_closing)
			connection_enqueue(&worker->connections,
			    CONNECTION_FOR_RING, connection);
	}
	release(worker, connection);
}

static bool arm_connect(struct worker *worker, struct connection *connection)
{
	const struct flow *flow = &connection->flow;
	const struct backend *backend = flow_backend(flow);
	const struct sockaddr *address =
	    backend->is_looked_up
		? (const struct sockaddr *)&flow->backend_address
		: (const struct sockaddr *)&backend->address;
	socklen_t address_len = backend->is_looked_up
				    ? sizeof(flow->backend_address)
				    : backend->address_len;
	const int on = 1;
	int fd;

	if (connection->backend_fd < 0) {
		fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0) {
			flow_backend_failed(
			    &connection->flow, &worker->env, errno);
			return true;
		}
		if (address->sa_family != AF_UNIX)
			setsockopt(
			    fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		connection->backend_fd = fd;
		metric_add_for(worker->env.block, METRIC_descriptors_open,
		    worker_role(worker), 1);
	}
	if (!ring_connect(&worker->ring, connection->backend_fd, address,
		address_len, op_of(worker, connection, OP_BACKEND_CONNECT)))
		return false;
	connection->armed |= FLOW_WANT_BACKEND_CONNECT;
	return true;
}

static bool arm_receive(
    struct worker *worker, struct connection *connection, enum flow_want want)
{
	bool client = want == FLOW_WANT_CLIENT_RECV;

	if (!ring_receive(&worker->ring,
		client ? connection->client_fd : connection->backend_fd,
		op_of(worker, connection,
		    client ? OP_CLIENT_RECV : OP_BACKEND_RECV)))
		return false;
	connection->armed |= want;
	return true;
}

/* Handshakes let it pass. */
static void note_relay(struct worker *worker, bool to_client)
{
	worker->relays_speak = true;
	worker->answer_is_due = !to_client;
}

static bool arm_send(
    struct worker *worker, struct connection *connection, enum flow_want want)
{
	bool client = want == FLOW_WANT_CLIENT_SEND;
	const struct leg *leg =
	    client ? &connection->flow.client : &connection->flow.backend;

	if (!ring_send(&worker->ring,
		client ? connection->client_fd : connection->backend_fd,
		leg->out + leg->out_start, leg_pending(leg),
		op_of(worker, connection,
		    client ? OP_CLIENT_SEND : OP_BACKEND_SEND)))
		return false;
	connection->armed |= want;
	if (connection->flow.state == FLOW_RELAY)
		note_relay(worker, client);
	return true;
}

/* Submits what is wanted and not there. False: the ring has no room now. */
static bool arm(
    struct worker *worker, struct connection *connection, unsigned missing)
{
	bool room = true;

	if ((missing & FLOW_WANT_CLIENT_SEND) != 0)
		room &= arm_send(worker, connection, FLOW_WANT_CLIENT_SEND);
	if ((missing & FLOW_WANT_BACKEND_SEND) != 0)
		room &= arm_send(worker, connection, FLOW_WANT_BACKEND_SEND);
	if ((missing & FLOW_WANT_CLIENT_RECV) != 0)
		room &= arm_receive(worker, connection, FLOW_WANT_CLIENT_RECV);
	if ((missing & FLOW_WANT_BACKEND_RECV) != 0)
		room &= arm_receive(worker, connection, FLOW_WANT_BACKEND_RECV);
	if ((missing & FLOW_WANT_BACKEND_CONNECT) != 0)
		room &= arm_connect(worker, connection);
	return room;
}

static void update_deadline(
    struct worker *worker, struct connection *connection)
{
	struct flow_limit *limit = &connection->flow.limit;
	uint32_t slot = connection_slot(&worker->connections, connection);
	int64_t latest_ms = worker->env.now_ms + limit->duration_ms;
	int64_t due_ms;

	if (connection->limit_serial != limit->serial) {
		connection->limit_serial = limit->serial;
		limit->earned_ms = 0;
		deadlines_set(&worker->deadlines, slot, latest_ms);
		return;
	}
	if (limit->earned_ms == 0)
		return;
	due_ms = deadlines_get(&worker->deadlines, slot);
	if (due_ms != DEADLINE_NONE) {
		due_ms += limit->earned_ms;
		deadlines_set(&worker->deadlines, slot,
		    due_ms < latest_ms ? due_ms : latest_ms);
	}
	limit->earned_ms = 0;
}

/* Deeds that are done at once and change what is wanted. True: look again. */
static bool do_at_once(
    struct worker *worker, struct connection *connection, unsigned wants)
{
	struct flow *flow = &connection->flow;

	if ((wants & FLOW_WANT_CLIENT_SHUTDOWN) != 0) {
		shutdown(connection->client_fd, SHUT_WR);
		flow_client_shut_down(flow);
		return true;
	}
	if ((wants & FLOW_WANT_NAME) != 0 && !connection->name_asked) {
		connection->name_asked = true;
		if (worker_names_find(worker, connection))
			return true;
	}
	if ((wants & FLOW_WANT_BACKEND_CLOSE) != 0 &&
	    (!connection->backend_closing ||
		(connection->armed & BACKEND_OPS) == 0)) {
		close_backend(worker, connection);
		return flow->backend_state != FLOW_BACKEND_DROPPED;
	}
	return false;
}

/* A connect did, for want of descriptors, while it was being armed: nothing
 * will come back, so there must be another turn. */
static bool failed_at_once(const struct connection *connection)
{
	const struct flow *flow = &connection->flow;

	return flow->state == FLOW_CLOSED ||
	       (flow->backend_state == FLOW_BACKEND_DROPPED &&
		   (connection->armed & BACKEND_OPS) == 0);
}

void worker_advance(struct worker *worker, struct connection *connection)
{
	struct flow *flow = &connection->flow;
	unsigned wants = flow_wants(flow);

	while (do_at_once(worker, connection, wants))
		wants = flow_wants(flow);
	if (flow->state == FLOW_CLOSED) {
		end_connection(worker, connection);
		return;
	}
	if ((wants & FLOW_WANT_HANDSHAKE) != 0)
		connection_enqueue(
		    &worker->connections, CONNECTION_FOR_HANDSHAKE, connection);
	if ((wants & FLOW_WANT_BUFFER) != 0)
		connection_enqueue(
		    &worker->connections, CONNECTION_FOR_BUFFER, connection);
	if ((wants & FLOW_WANT_PLACE) != 0)
		connection_enqueue(
		    &worker->connections, CONNECTION_FOR_PLACE, connection);
	if (!arm(worker, connection, wants & ~connection->armed))
		connection_enqueue(
		    &worker->connections, CONNECTION_FOR_RING, connection);
	if (failed_at_once(connection))
		connection_enqueue(
		    &worker->connections, CONNECTION_FOR_RING, connection);
	update_deadline(worker, connection);
	if (!connection->is_probe && flow_is_to_publish(flow))
		flow_publish(flow, &worker->env,
		    connection_slot(&worker->connections, connection));
}

static unsigned want_of(enum op_kind kind)
{
	switch (kind) {
	case OP_CLIENT_RECV:
		return FLOW_WANT_CLIENT_RECV;
	case OP_CLIENT_SEND:
		return FLOW_WANT_CLIENT_SEND;
	case OP_BACKEND_CONNECT:
		return FLOW_WANT_BACKEND_CONNECT;
	case OP_BACKEND_RECV:
		return FLOW_WANT_BACKEND_RECV;
	case OP_BACKEND_SEND:
		return FLOW_WANT_BACKEND_SEND;
	case OP_ACCEPT:
	case OP_COMMAND:
	case OP_CANCEL:
	case OP_CLOSE:
	case OP_HTTP:
	case OP_NAME:
	case OP_DANE:
		break;
	}
	return 0;
}

static void client_received(struct worker *worker,
    struct connection *connection, const struct ring_completion *completion)
{
	struct flow *flow = &connection->flow;

	if (completion->result > 0)
		flow_client_received(flow, &worker->env,
		    ring_buffer(&worker->ring, completion),
		    (size_t)completion->result);
	else if (completion->result == 0)
		flow_client_received(flow, &worker->env, NULL, 0);
	else
		flow_client_failed(flow, &worker->env);
}

static void backend_received(struct worker *worker,
    struct connection *connection, const struct ring_completion *completion)
{
	struct flow *flow = &connection->flow;

	if (completion->result > 0)
		flow_backend_received(flow, &worker->env,
		    ring_buffer(&worker->ring, completion),
		    (size_t)completion->result);
	else if (completion->result == 0)
		flow_backend_received(flow, &worker->env, NULL, 0);
	else
		flow_backend_failed(flow, &worker->env, -completion->result);
}

void worker_read_local(int fd, struct flow *flow)
{
	struct sockaddr *local = (struct sockaddr *)&flow->local;
	socklen_t len = sizeof(flow->local);

	if (getsockname(fd, local, &len) != 0 || local->sa_family == AF_UNIX)
		flow->local = (struct sockaddr_in6){0};
}

static void backend_connected(struct worker *worker,
    struct connection *connection, const struct ring_completion *completion)
{
	struct flow *flow = &connection->flow;

	if (connection->backend_closing)
		return;
	if (flow->is_probe)
		worker_read_local(connection->backend_fd, flow);
	if (completion->result == 0)
		flow_backend_connected(flow, &worker->env);
	else
		flow_backend_failed(flow, &worker->env, -completion->result);
}

static void sent(struct worker *worker, struct connection *connection,
    enum op_kind kind, int32_t result)
{
	struct flow *flow = &connection->flow;

	if (kind == OP_CLIENT_SEND && result >= 0)
		flow_client_sent(flow, &worker->env, (size_t)result);
	else if (kind == OP_CLIENT_SEND)
		flow_client_failed(flow, &worker->env);
	else if (result >= 0)
		flow_backend_sent(flow, &worker->env, (size_t)result);
	else
		flow_backend_send_failed(flow, &worker->env, -result);
}

/* Others hold the receive buffers in this turn. */
static bool found_no_buffer(const struct connection *connection,
    enum op_kind kind, const struct ring_completion *completion)
{
	return completion->result == -ENOBUFS &&
	       (kind == OP_CLIENT_RECV || kind == OP_BACKEND_RECV) &&
	       connection->flow.state != FLOW_CLOSED;
}

static void report(struct worker *worker, struct connection *connection,
    enum op_kind kind, const struct ring_completion *completion)
{
	if (connection->flow.state == FLOW_CLOSED)
		return;
	if (kind == OP_CLIENT_RECV)
		client_received(worker, connection, completion);
	else if (kind == OP_BACKEND_RECV)
		backend_received(worker, connection, completion);
	else if (kind == OP_BACKEND_CONNECT)
		backend_connected(worker, connection, completion);
	else
		sent(worker, connection, kind, completion->result);
}

void worker_session_completed(struct worker *worker, struct op op,
    const struct ring_completion *completion)
{
	struct connection *connection =
	    connection_find(&worker->connections, op);

	if (connection == NULL) {
		metric_add_for(worker->env.block, METRIC_ring_late_completions,
		    worker_role(worker), 1);
		if ((completion->flags & IORING_CQE_F_BUFFER) != 0)
			ring_give_back(&worker->ring, completion);
		return;
	}
	connection->armed &= ~want_of(op.kind);
	if (found_no_buffer(connection, op.kind, completion)) {
		/* It is armed again in the next turn. */
		metric_add(worker->env.block, METRIC_buffers_exhausted, 1);
		connection_enqueue(
		    &worker->connections, CONNECTION_FOR_RING, connection);
		return;
	}
	report(worker, connection, op.kind, completion);
	if ((completion->flags & IORING_CQE_F_BUFFER) != 0)
		ring_give_back(&worker->ring, completion);
	worker_advance(worker, connection);
}
