/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/top_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t load(const _Atomic uint64_t *cell)
{
	return atomic_load_explicit(cell, memory_order_relaxed);
}

static uint32_t block_count(const struct state *state)
{
	uint32_t count = atomic_load(&state->block_count);

	return count < STATE_BLOCKS_MAX ? count : STATE_BLOCKS_MAX;
}

/* One value of the first label, over all of the second; over all processes. */
static uint64_t total_of(
    const struct state *state, enum metric metric, size_t first)
{
	const struct metric_family *family = &metric_families[metric];
	uint64_t total = 0;

	for (size_t i = 0; i < family->values[1]; i++)
		total += state_cell_total(
		    state, family->first_cell + first * family->values[1] + i);
	return total;
}

static void add_histogram(const struct state *state, enum metric metric,
    size_t first, struct top_histogram *histogram)
{
	const struct metric_family *family = &metric_families[metric];
	size_t cell = family->first_cell + first * family->cells;

	for (size_t i = 0; i <= METRIC_BOUNDS_MAX; i++)
		histogram->counts[i] += state_cell_total(state, cell + i);
}

static void read_counters(const struct state *state, struct top_totals *totals)
{
	static const enum metric metrics[] = {
	    [TOP_ACCEPTED] = METRIC_sessions_accepted,
	    [TOP_REFUSED] = METRIC_sessions_refused,
	    [TOP_MESSAGES] = METRIC_messages_accepted,
	    [TOP_OCTETS_IN] = METRIC_client_received_bytes,
	    [TOP_OCTETS_OUT] = METRIC_client_sent_bytes,
	    [TOP_HANDSHAKES] = METRIC_handshakes_done,
	    [TOP_HANDSHAKES_FAILED] = METRIC_handshakes_failed,
	    [TOP_RESUMED] = METRIC_handshakes_resumed,
	    [TOP_EDH_CPU_US] = METRIC_edh_cpu_seconds,
	    [TOP_CPU_US] = METRIC_process_cpu_seconds,
	};

	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		if (i != TOP_FORWARD_SECRET && i != TOP_POST_QUANTUM)
			totals->counters[i] =
			    state_metric_total(state, metrics[i]);
	for (size_t i = 0; i < METRIC_EXCHANGE_COUNT; i++)
		add_histogram(state, METRIC_handshake_duration_seconds, i,
		    &totals->handshakes);
}

static void add_to_group(
    struct top_totals *totals, const char *name, uint64_t handshakes)
{
	size_t i = 0;

	while (i < totals->group_count &&
	       strcmp(totals->groups[i].name, name) != 0)
		i++;
	if (i == TOP_GROUPS_MAX)
		i = TOP_GROUPS_MAX - 1;
	if (i == totals->group_count) {
		totals->group_count++;
		snprintf(totals->groups[i].name, sizeof(totals->groups[i].name),
		    "%s", name);
	}
	totals->groups[i].handshakes += handshakes;
}

/* The first row is for what found no place, and has no key. */
static void read_rows(const struct state *state, struct top_totals *totals)
{
	for (uint32_t i = 0; i < block_count(state); i++) {
		const struct state_block *block = &state->blocks[i];
		uint32_t count = atomic_load_explicit(
		    &block->row_count, memory_order_acquire);

		for (uint32_t j = 1; j < count && j < STATE_ROWS_MAX; j++) {
			const struct state_row *row = &block->rows[j];
			uint64_t handshakes = load(&row->count);

			add_to_group(totals, row->key.group, handshakes);
			if (row->key.forward_secret)
				totals->counters[TOP_FORWARD_SECRET] +=
				    handshakes;
			if (row->key.post_quantum)
				totals->counters[TOP_POST_QUANTUM] +=
				    handshakes;
		}
		if (load(&block->rows[0].count) > 0)
			add_to_group(
			    totals, "others", load(&block->rows[0].count));
	}
}

static void read_backends(const struct state *state, struct top_totals *totals)
{
	for (size_t i = 0; i < STATE_BACKENDS_MAX; i++) {
		struct top_backend *backend =
		    &totals->backends[totals->backend_count];
		struct state_backend seen;

		if (state->backends[i].name[0] == '\0')
			continue;
		state_backend_read(&state->backends[i], &seen);
		if (seen.name[0] == '\0' || state_backend_is_spare(&seen))
			continue;
		totals->backend_count++;
		snprintf(backend->name, sizeof(backend->name), "%s", seen.name);
		backend->is_known = seen.probes > 0;
		backend->is_up = seen.up;
		backend->sessions = total_of(state, METRIC_backend_sessions, i);
		backend->connects = total_of(state, METRIC_backend_connects, i);
		backend->failures = total_of(state, METRIC_backend_failures, i);
		add_histogram(state, METRIC_backend_reply_duration_seconds, i,
		    &backend->replies);
	}
}

/* The row's key is written before its index can be seen in a session. */
static void read_row(
    const struct state_block *block, int16_t row, struct top_session *session)
{
	session->in_tls = row >= 0;
	if (row <= 0 || row >= STATE_ROWS_MAX)
		return;
	session->forward_secret = block->rows[row].key.forward_secret;
	snprintf(session->group, sizeof(session->group), "%.23s",
	    block->rows[row].key.group);
}

static void read_address(
    const struct sockaddr_in6 *peer, struct top_session *session)
{
	const struct sockaddr_in *ipv4 = (const void *)peer;

	session->is_unix = false;
	if (peer->sin6_family == AF_INET6) {
		session->address = peer->sin6_addr;
	} else if (peer->sin6_family == AF_INET) {
		session->address.s6_addr[10] = 0xff;
		session->address.s6_addr[11] = 0xff;
		memcpy(
		    &session->address.s6_addr[12], &ipv4->sin_addr.s_addr, 4);
	} else {
		session->is_unix = true;
	}
}

static bool add_session(struct top_sample *sample, const struct state *state,
    const struct state_block *block, const struct state_session *seen)
{
	struct top_session *session;

	if (sample->session_count == sample->session_size) {
		size_t size = sample->session_size * 2 + 256;
		void *larger =
		    realloc(sample->sessions, size * sizeof(*session));

		if (larger == NULL)
			return false;
		sample->sessions = larger;
		sample->session_size = size;
	}
	session = &sample->sessions[sample->session_count++];
	*session = (struct top_session){
	    .begun_s = seen->begun_s,
	    .octets = seen->octets_in + seen->octets_out,
	    .commands = seen->commands,
	    .messages = seen->messages,
	    .flow_state = seen->flow_state,
	    .listener = "",
	    .backend = "",
	};
	read_address(&seen->peer, session);
	read_row(block, seen->row, session);
	if (seen->listener >= 0 && seen->listener < METRIC_LISTENERS_MAX)
		session->listener = state->listeners[seen->listener];
	if (seen->backend >= 0 && seen->backend < STATE_BACKENDS_MAX)
		session->backend = state->backends[seen->backend].name;
	return true;
}

static bool read_sessions(struct top_sample *sample, const struct state *state)
{
	for (uint32_t i = 0; i < block_count(state); i++) {
		const struct state_block *block = &state->blocks[i];
		uint32_t count = atomic_load_explicit(
		    &block->session_count, memory_order_acquire);
		struct state_session seen;

		if (atomic_load(&block->role) != STATE_WORKER ||
		    atomic_load(&block->pid) == 0)
			continue;
		sample->workers++;
		for (uint32_t j = 0; j < count && j < STATE_SESSIONS_MAX; j++)
			if (state_session_read(&block->sessions[j], &seen) &&
			    !add_session(sample, state, block, &seen))
				return false;
	}
	return true;
}

bool top_sample_read(struct top_sample *sample, const struct state *state)
{
	struct timespec now;

	memset(&sample->totals, 0, sizeof(sample->totals));
	sample->session_count = 0;
	sample->workers = 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	sample->totals.at_us =
	    (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	sample->now_s = (int64_t)time(NULL);
	sample->started_s = state->started_s;
	sample->master = atomic_load(&state->master_pid);
	sample->generation = atomic_load(&state->generation);
	sample->worker_restarts = atomic_load(&state->worker_restarts);
	sample->sessions_open = state_metric_total(state, METRIC_sessions_open);
	read_counters(state, &sample->totals);
	read_rows(state, &sample->totals);
	read_backends(state, &sample->totals);
	return read_sessions(sample, state);
}

void top_sample_finish(struct top_sample *sample)
{
	free(sample->sessions);
	*sample = (struct top_sample){0};
}
