/* SPDX-License-Identifier: Apache-2.0 */
/* The listeners of a worker: one multishot accept each. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proxy/worker_internal.h"

/* After an accept failed for want of descriptors: at once it would fail again,
 * a hundred thousand times in 43 ms. */
#define ACCEPT_PAUSE_MS		 100
#define EXHAUSTION_TOLD_EVERY_MS 60000
/* How often the queue of a listener that was given up is looked at: it is empty
 * or in other hands by then. */
#define LOOKS_MAX 4096
/* Descriptors that are not for sessions: ring, log, listeners, state. */
#define DESCRIPTOR_RESERVE 64

static struct op accept_op(uint32_t index)
{
	return (struct op){.kind = OP_ACCEPT, .slot = index};
}

static void publish(struct worker *worker, uint32_t index, bool accepting)
{
	uint64_t bit = (uint64_t)1 << index;
	uint64_t bits = atomic_load_explicit(
	    &worker->options->block->accepting, memory_order_relaxed);

	bits = accepting ? bits | bit : bits & ~bit;
	atomic_store_explicit(
	    &worker->options->block->accepting, bits, memory_order_release);
}

/* A session needs two descriptors. Our own limit is to be reached before the
 * kernel's, so that the client gets an answer. */
static uint32_t session_limit(const struct worker *worker)
{
	int64_t wanted = worker->settings->proxy_client_connection_limit;
	struct rlimit limit;
	int64_t possible;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	    limit.rlim_cur == RLIM_INFINITY)
		return (uint32_t)wanted;
	possible = ((int64_t)limit.rlim_cur - DESCRIPTOR_RESERVE -
		       (int64_t)worker->options->listener_count) /
		   2;
	if (possible < 8)
		possible = 8;
	if (possible >= wanted)
		return (uint32_t)wanted;
	/* Once is enough for all workers. */
	if (worker->options->is_control ||
	    atomic_load_explicit(
		&worker->options->block->index, memory_order_relaxed) != 0)
		return (uint32_t)possible;
	log_line(worker->env.log, LOG_LEVEL_WARNING, NULL,
	    "proxy_client_connection_limit = %lld: with %llu descriptors (two "
	    "per session) it is %lld; raise the limit (ulimit -n; LimitNOFILE= "
	    "in systemd)",
	    (long long)wanted, (unsigned long long)limit.rlim_cur,
	    (long long)possible);
	return (uint32_t)possible;
}

void worker_accept_init(struct worker *worker)
{
	worker->session_limit = session_limit(worker);
	for (uint32_t i = 0; i < worker->options->listener_count; i++)
		worker->acceptors[i] = (struct acceptor){
		    .fd = worker->options->listeners[i].fd,
		    .service = worker->options->listeners[i].service,
		    .wanted = true,
		};
}

static void stop_one(struct worker *worker, uint32_t index)
{
	struct acceptor *acceptor = &worker->acceptors[index];

	acceptor->wanted = false;
	if (acceptor->armed)
		acceptor->cancelled =
		    ring_cancel(&worker->ring, accept_op(index));
	else
		publish(worker, index, false);
}

void worker_accept_arm(struct worker *worker)
{
	if (worker->accept_paused &&
	    worker->env.now_ms < worker->accept_again_ms)
		return;
	worker->accept_paused = false;
	for (uint32_t i = 0; i < worker->options->listener_count; i++) {
		struct acceptor *acceptor = &worker->acceptors[i];

		if (!acceptor->wanted && acceptor->armed &&
		    !acceptor->cancelled)
			stop_one(worker, i); /* there was no room for it */
		if (!acceptor->wanted || acceptor->armed)
			continue;
		acceptor->armed =
		    ring_accept(&worker->ring, acceptor->fd, accept_op(i));
		if (acceptor->armed)
			publish(worker, i, true);
	}
}

/* Sessions of this listener in all workers of our generation. */
static uint64_t sessions_of(
    const struct worker *worker, const struct service *service)
{
	const struct state *state = worker->env.state;
	const struct state_block *own = worker->options->block;
	uint32_t generation =
	    atomic_load_explicit(&own->generation, memory_order_relaxed);
	uint64_t sum = 0;

	size_t cell = METRIC_CELL_sessions_open + (size_t)service->state_index;
	uint32_t count = atomic_load(&state->block_count);

	for (uint32_t i = 0; i < count; i++) {
		const struct state_block *block = &state->blocks[i];

		if (atomic_load_explicit(&block->role, memory_order_relaxed) !=
		    STATE_WORKER)
			continue;
		if (atomic_load_explicit(
			&block->generation, memory_order_relaxed) == generation)
			sum += atomic_load_explicit(
			    &block->cells[cell], memory_order_relaxed);
	}
	return sum;
}

static enum limit limit_reached(
    const struct worker *worker, const struct service *service)
{
	int64_t maxproc = service->listener->maxproc;

	if (worker->connections.in_use >= worker->session_limit)
		return LIMIT_SESSIONS;
	return maxproc > 0 && sessions_of(worker, service) >= (uint64_t)maxproc
		   ? LIMIT_LISTENER
		   : LIMIT_NONE;
}

static void begin_session(struct worker *worker, uint32_t index, int fd)
{
	const struct service *service =
	    &worker->options->services
		 ->services[worker->acceptors[index].service];
	struct sockaddr_storage peer = {0};
	socklen_t peer_len = sizeof(peer);
	enum limit limit = limit_reached(worker, service);
	struct connection *connection;

	/* It may be gone already. */
	if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) != 0) {
		close(fd);
		return;
	}
	connection = connection_take(&worker->connections);
	if (connection == NULL) {
		metric_add_for(
		    worker->env.block, METRIC_sessions_refused, LIMIT_SLOTS, 1);
		close(fd);
		return;
	}
	connection->client_fd = fd;
	worker_read_local(fd, &connection->flow);
	metric_add_for(
	    worker->env.block, METRIC_descriptors_open, worker_role(worker), 1);
	flow_begin(&connection->flow, &worker->env, service,
	    (const struct sockaddr *)&peer, limit);
	worker_advance(worker, connection);
}

static void pause_accept(struct worker *worker, int error)
{
	int64_t now_ms = worker->env.now_ms;

	worker->accept_paused = true;
	worker->accept_again_ms = now_ms + ACCEPT_PAUSE_MS;
	metric_add_for(worker->env.block, METRIC_descriptors_exhausted,
	    worker_role(worker), 1);
	if (worker->exhaustion_told_ms != 0 &&
	    now_ms - worker->exhaustion_told_ms < EXHAUSTION_TOLD_EVERY_MS)
		return;
	worker->exhaustion_told_ms = now_ms;
	log_line(worker->env.log, LOG_LEVEL_WARNING, NULL,
	    "cannot accept connections: %s; they wait until others end",
	    strerror(error));
}

static bool is_exhaustion(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM ||
	       error == ENOBUFS;
}

/* Two generations wait on one socket for a moment, and the kernel wakes one of
 * them for each connection. One that it woke us for while our accept was being
 * cancelled would wait until the next one comes: nobody else was told. So we
 * look once more, and take what is there. */
static bool look_again(struct worker *worker, uint32_t index, int32_t result)
{
	struct acceptor *acceptor = &worker->acceptors[index];
	struct pollfd queue = {.fd = acceptor->fd, .events = POLLIN};

	if (is_exhaustion(-result) || acceptor->looks == LOOKS_MAX ||
	    poll(&queue, 1, 0) != 1)
		return false;
	acceptor->looks++;
	/* Another worker may be quicker: the accept must not wait then. */
	acceptor->armed =
	    ring_accept_one(&worker->ring, acceptor->fd, accept_op(index));
	if (acceptor->armed)
		acceptor->cancelled =
		    ring_cancel(&worker->ring, accept_op(index));
	return acceptor->armed;
}

void worker_accept_completed(struct worker *worker, struct op op,
    const struct ring_completion *completion)
{
	struct acceptor *acceptor = &worker->acceptors[op.slot];

	if ((completion->flags & IORING_CQE_F_MORE) == 0) {
		acceptor->armed = false;
		if (!acceptor->wanted &&
		    !look_again(worker, op.slot, completion->result))
			publish(worker, op.slot, false);
	}
	/* Also one that was accepted while the accept was being cancelled. */
	if (completion->result >= 0)
		begin_session(worker, op.slot, completion->result);
	else if (is_exhaustion(-completion->result))
		pause_accept(worker, -completion->result);
}

void worker_accept_stop(struct worker *worker, uint64_t leaving)
{
	for (uint32_t i = 0; i < worker->options->listener_count; i++) {
		if (!worker->acceptors[i].wanted)
			continue;
		if ((leaving >> i & 1) != 0)
			worker->acceptors[i].leaving = true;
		else
			stop_one(worker, i);
	}
}

void worker_accept_leave(struct worker *worker)
{
	if (worker->env.now_ms < worker->leave_at_ms)
		return;
	worker->leave_at_ms = DEADLINE_NONE;
	for (uint32_t i = 0; i < worker->options->listener_count; i++)
		if (worker->acceptors[i].leaving)
			stop_one(worker, i);
}

bool worker_accept_is_over(const struct worker *worker)
{
	for (uint32_t i = 0; i < worker->options->listener_count; i++)
		if (worker->acceptors[i].wanted || worker->acceptors[i].armed)
			return false;
	return true;
}
