/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/worker.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "proxy/flow_pool.h"
#include "proxy/sandbox.h"
#include "proxy/session_log.h"
#include "proxy/worker_internal.h"

#define COMPLETIONS_AT_ONCE 64
/* Slots beyond the limit on sessions, for those that get a 421. */
#define REFUSAL_SLOTS 64
/* How long a listener that is no more wanted is still emptied. */
#define LEAVE_MS 2000
/* How often those that wait for a place at a backend look whether another
 * worker gave one back. */
#define PLACES_RETRY_MS 100
/* How often a full log is tried again. */
#define LOG_RETRY_MS 200
/* How long handshakes wait for the answer of a backend that was just asked. */
#define ANSWER_WAIT_US 250

int64_t worker_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void await_command(struct worker *worker)
{
	ring_receive_into(&worker->ring, worker->options->command_fd,
	    &worker->command, sizeof(worker->command),
	    (struct op){.kind = OP_COMMAND});
}

/* Each session ends where that does no harm. */
static void stop(struct worker *worker)
{
	if (worker->stopping)
		return;
	worker->stopping = true;
	worker->env.stopping = true;
	worker->stop_at_ms =
	    worker->env.now_ms + worker->settings->proxy_drain_timeout_s * 1000;
	worker_accept_stop(worker, 0);
	for (uint32_t i = 0; i < worker->connections.ever_used; i++) {
		struct connection *connection = &worker->connections.slots[i];

		if (!connection->in_use)
			continue;
		flow_stop(&connection->flow, &worker->env);
		worker_advance(worker, connection);
	}
}

static void retire(struct worker *worker)
{
	worker->retiring = true;
	worker->leave_at_ms = worker->env.now_ms + LEAVE_MS;
	worker_accept_stop(worker, worker->command.leaving);
}

static void obey_command(struct worker *worker, int32_t result)
{
	/* Anything else than a whole command: the master is gone. */
	if (result != (int32_t)sizeof(worker->command)) {
		stop(worker);
		return;
	}
	if (worker->command.order == WORKER_RETIRE)
		retire(worker);
	else
		stop(worker);
	await_command(worker);
}

static void completed(
    struct worker *worker, const struct ring_completion *completion)
{
	struct op op = op_unpack(completion->tag);

	switch (op.kind) {
	case OP_ACCEPT:
		worker_accept_completed(worker, op, completion);
		return;
	case OP_COMMAND:
		obey_command(worker, completion->result);
		return;
	case OP_CLIENT_RECV:
	case OP_CLIENT_SEND:
	case OP_BACKEND_CONNECT:
	case OP_BACKEND_RECV:
	case OP_BACKEND_SEND:
		worker_session_completed(worker, op, completion);
		return;
	case OP_CANCEL: /* what it cancelled completes by itself */
	case OP_CLOSE:
		return;
	case OP_HTTP:
		worker_http_completed(worker, op);
		return;
	case OP_NAME:
		worker_names_completed(worker, op, completion->result);
		return;
	case OP_DANE:
		worker_dane_completed(worker);
		return;
	}
	assert(false); /* no other tag was ever submitted */
}

static void drain_completions(struct worker *worker)
{
	struct ring_completion completions[COMPLETIONS_AT_ONCE];
	unsigned taken, sum = 0;

	do {
		taken = ring_completions(
		    &worker->ring, completions, COMPLETIONS_AT_ONCE);
		for (unsigned i = 0; i < taken; i++)
			completed(worker, &completions[i]);
		sum += taken;
	} while (taken == COMPLETIONS_AT_ONCE);
	metric_observe(worker->env.block, METRIC_ring_wait_completions,
	    worker_role(worker), sum);
}

/* Submits, too. */
static void await(struct worker *worker, int64_t timeout_us)
{
	worker->relays_speak = false;
	if (ring_wait(&worker->ring, timeout_us))
		metric_add_for(worker->env.block, METRIC_ring_overflows,
		    worker_role(worker), 1);
}

static void run_deadlines(struct worker *worker)
{
	for (;;) {
		uint32_t slot =
		    deadlines_take(&worker->deadlines, worker->env.now_ms);
		struct connection *connection;

		if (slot == DEADLINE_NO_SLOT)
			return;
		connection = &worker->connections.slots[slot];
		if (!connection->in_use)
			continue;
		flow_timed_out(&connection->flow, &worker->env);
		worker_advance(worker, connection);
	}
}

/* What is relayed does not wait for handshakes, of which one may take
 * milliseconds: it leaves before them, and what a backend answers at once is
 * relayed before them, too. */
static void let_relays_pass(struct worker *worker)
{
	int64_t now_us, until_us;

	if (!worker->relays_speak ||
	    worker->connections.queues[CONNECTION_FOR_HANDSHAKE].count == 0)
		return;
	now_us = worker_now_us();
	until_us = now_us + ANSWER_WAIT_US;
	do {
		await(worker, worker->answer_is_due ? until_us - now_us : 0);
		drain_completions(worker);
		now_us = worker_now_us();
	} while (now_us < until_us &&
		 (worker->relays_speak || worker->answer_is_due));
	worker->answer_is_due = false;
}

/* At most for proxy_handshake_turn_time, or one: established sessions come
 * first. */
static void run_handshakes(struct worker *worker)
{
	int64_t until_us =
	    worker_now_us() +
	    worker->settings->proxy_handshake_turn_time_ms * 1000;
	struct connection *connection;

	do {
		connection = connection_dequeue(
		    &worker->connections, CONNECTION_FOR_HANDSHAKE);
		if (connection == NULL)
			return;
		flow_handshake_turn(&connection->flow, &worker->env);
		worker_advance(worker, connection);
	} while (worker_now_us() < until_us);
}

static void run_queue(struct worker *worker, enum connection_queue queue)
{
	uint32_t count = worker->connections.queues[queue].count;

	/* Who comes back to the queue meanwhile waits for the next turn. */
	while (count-- > 0) {
		struct connection *connection =
		    connection_dequeue(&worker->connections, queue);

		if (queue != CONNECTION_FOR_RING &&
		    connection->flow.state != FLOW_CLOSED)
			flow_go_on(&connection->flow, &worker->env);
		worker_advance(worker, connection);
	}
}

/* Who needs two buffers cannot go on with the one that is free: then there must
 * be more of them before it is worth another turn. */
static void run_buffer_queue(struct worker *worker)
{
	const struct connection_list *queue =
	    &worker->connections.queues[CONNECTION_FOR_BUFFER];
	uint32_t waiting = queue->count;
	uint32_t free_before = worker->env.buffers.free_count;
	uint32_t free_now;

	if (free_before == 0)
		return;
	run_queue(worker, CONNECTION_FOR_BUFFER);
	free_now = worker->env.buffers.free_count;
	worker->buffers_of_no_use =
	    queue->count < waiting || free_now > free_before ? 0 : free_now;
}

/* In the order in which they came. */
static void run_place_queue(struct worker *worker)
{
	bool is_due = worker->env.now_ms >= worker->places_next_ms;

	if (worker->connections.queues[CONNECTION_FOR_PLACE].count == 0 ||
	    (!worker->env.place_is_free && !is_due))
		return;
	worker->env.place_is_free = false;
	worker->places_next_ms = worker->env.now_ms + PLACES_RETRY_MS;
	run_queue(worker, CONNECTION_FOR_PLACE);
}

static void earlier(int64_t *at_ms, int64_t other_ms)
{
	if (other_ms < *at_ms)
		*at_ms = other_ms;
}

/* How long to sleep, at the most; below 0: for ever. */
static int64_t wait_us(const struct worker *worker, bool log_is_full)
{
	const struct connection_list *queues = worker->connections.queues;
	int64_t now_ms = worker->env.now_ms;
	int64_t at_ms = deadlines_next(&worker->deadlines);

	if (queues[CONNECTION_FOR_HANDSHAKE].count > 0 ||
	    queues[CONNECTION_FOR_RING].count > 0)
		return 0;
	if (queues[CONNECTION_FOR_BUFFER].count > 0 &&
	    worker->env.buffers.free_count > worker->buffers_of_no_use)
		return 0;
	if (queues[CONNECTION_FOR_PLACE].count > 0)
		earlier(&at_ms, worker->env.place_is_free
				    ? now_ms
				    : worker->places_next_ms);
	earlier(&at_ms, worker_probe_next_ms(worker));
	earlier(&at_ms, worker_http_next_ms(worker));
	earlier(&at_ms, worker_names_next_ms(worker));
	earlier(&at_ms, worker_hosts_next_ms(worker));
	earlier(&at_ms, worker_dane_next_ms(worker));
	earlier(&at_ms, worker->leave_at_ms);
	earlier(&at_ms, worker->stop_at_ms);
	if (worker->accept_paused)
		earlier(&at_ms, worker->accept_again_ms);
	if (log_is_full)
		earlier(&at_ms, now_ms + LOG_RETRY_MS);
	if (at_ms == DEADLINE_NONE)
		return -1;
	return at_ms > now_ms ? (at_ms - now_ms) * 1000 : 0;
}

static bool is_over(const struct worker *worker)
{
	if (!worker->stopping && !worker->retiring)
		return false;
	if (worker->env.now_ms >= worker->stop_at_ms)
		return true;
	return worker->connections.in_use == 0 && worker_accept_is_over(worker);
}

static void turn(struct worker *worker)
{
	drain_completions(worker);
	run_deadlines(worker);
	run_buffer_queue(worker);
	run_queue(worker, CONNECTION_FOR_RING);
	run_place_queue(worker);
	let_relays_pass(worker);
	run_handshakes(worker);
	worker_dane_run(worker);
	worker_probe_start_due(worker);
	worker_http_run(worker);
	worker_names_run(worker);
	worker_hosts_run(worker);
	worker_accept_leave(worker);
	worker_accept_arm(worker);
	metric_set_for(worker->env.block, METRIC_buffers_in_use,
	    worker_role(worker), buffer_pool_in_use(&worker->env.buffers));
	metric_set_for(worker->env.block, METRIC_buffers_free,
	    worker_role(worker), worker->env.buffers.free_count);
	worker_usage_count(worker);
}

static void write_log(struct worker *worker, bool *is_full_out)
{
	*is_full_out = !log_flush(worker->env.log);
	metric_add(worker->env.block, METRIC_log_lines_lost,
	    log_take_lost(worker->env.log));
}

static void read_clocks(struct worker *worker)
{
	worker->env.now_us = worker_now_us();
	worker->env.now_ms = worker->env.now_us / 1000;
	worker->env.now_s = (int64_t)time(NULL);
}

static void loop(struct worker *worker)
{
	bool log_is_full;

	await_command(worker);
	for (;;) {
		read_clocks(worker);
		turn(worker);
		write_log(worker, &log_is_full);
		if (is_over(worker))
			return;
		await(worker, wait_us(worker, log_is_full));
	}
}

/* What is still open ends here: the time to drain is over. */
static void cut_off(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->connections.ever_used; i++) {
		struct connection *connection = &worker->connections.slots[i];

		if (!connection->in_use)
			continue;
		flow_cut_off(&connection->flow, &worker->env);
		close(connection->client_fd);
		close(connection->backend_fd);
	}
	log_flush(worker->env.log);
}

static int64_t cpu_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool init_environment(struct worker *worker)
{
	const struct worker_options *options = worker->options;

	worker->env = (struct flow_environment){
	    .services = options->services,
	    .state = options->state,
	    .block = options->block,
	    .log = options->log,
	    .client_scratch = malloc(FLOW_SCRATCH_SIZE),
	    .backend_scratch = malloc(FLOW_SCRATCH_SIZE),
	    .edh_accounts = calloc(
		options->services->count + 1, sizeof(struct edh_account)),
	    .cpu_now_us = cpu_now_us,
	};
	read_clocks(worker);
	worker->leave_at_ms = DEADLINE_NONE;
	worker->stop_at_ms = DEADLINE_NONE;
	return worker->env.edh_accounts != NULL &&
	       worker->env.client_scratch != NULL &&
	       worker->env.backend_scratch != NULL &&
	       offers_init(&worker->env.offers, options->services) &&
	       flow_pools_init(&worker->env.pools, options->services) &&
	       buffer_pool_init(&worker->env.buffers,
		   (uint32_t)worker->settings->proxy_buffer_count);
}

static bool init_sessions(struct worker *worker)
{
	uint32_t slots;

	worker_accept_init(worker);
	slots = worker->session_limit + REFUSAL_SLOTS;
	return connections_init(&worker->connections, slots) &&
	       deadlines_init(&worker->deadlines, slots);
}

static bool init_ring(struct worker *worker)
{
	struct ring_options options = {
	    .completion_queue_size =
		(unsigned)worker->settings->proxy_completion_queue_size,
	    .baseline =
		worker->settings->proxy_ring_features == SETTINGS_RING_BASELINE,
	    .watches = worker->options->is_control,
	};
	char why[512];

	if (ring_init(&worker->ring, &options, why, sizeof(why)))
		return true;
	log_line(worker->options->log, LOG_LEVEL_FATAL, NULL, "%s", why);
	return false;
}

/* With the ring made, nothing more is to be set up. */
static void confine(const struct worker *worker)
{
	const struct services *services = worker->options->services;
	const char *readable[STATE_LISTENERS_MAX];
	struct sandbox_options options = {
	    .readable = readable,
	    .is_control = worker->options->is_control,
	};
	char why[256];

	if (!worker->settings->proxy_sandbox || !sandbox_is_built())
		return;
	for (size_t i = 0; i < services->count && i < STATE_LISTENERS_MAX; i++)
		readable[options.readable_count++] =
		    services->services[i].settings->smtpd_tls_CApath;
	if (!sandbox_enter(&options, why, sizeof(why)))
		log_line(
		    worker->options->log, LOG_LEVEL_WARNING, NULL, "%s", why);
}

static void finish(struct worker *worker)
{
	ring_finish(&worker->ring); /* first: the kernel lets go of all */
	worker_names_finish(worker);
	free(worker->hosts);
	worker_dane_finish(worker);
	cut_off(worker);
	connections_finish(&worker->connections);
	deadlines_finish(&worker->deadlines);
	buffer_pool_finish(&worker->env.buffers);
	offers_finish(&worker->env.offers);
	flow_pools_finish(&worker->env.pools);
	free(worker->env.edh_accounts);
	free(worker->env.client_scratch);
	free(worker->env.backend_scratch);
}

int worker_run(const struct worker_options *options)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	bool ready;

	if (worker == NULL)
		return EXIT_FAILURE;
	worker->options = options;
	worker->settings = options->services->configuration->settings;
	worker->ring.uring.ring_fd = -1;
	worker->usage.memory_fd = -1;
	ready = init_environment(worker) && init_sessions(worker) &&
		init_ring(worker);
	if (ready) {
		if (!options->is_control)
			session_log_begin(options->services, options->log);
		worker_usage_init(worker);
		worker_probe_init(worker);
		worker_http_init(worker);
		worker_names_init(worker);
		worker_hosts_init(worker);
		worker_dane_init(worker);
		confine(worker);
		loop(worker);
	}
	worker_http_finish(worker);
	worker_usage_finish(worker);
	finish(worker);
	log_flush(options->log);
	free(worker);
	return ready ? EXIT_SUCCESS : EXIT_FAILURE;
}
