/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the shared state that each process writes while it works: cells
 * of metrics, rows of handshakes, sessions to be looked at. */
#include <assert.h>
#include <string.h>

#include "proxy/state.h"

/* A publication takes less than a microsecond. */
#define READ_TRIES_MAX 1000

_Static_assert(sizeof(struct state_row_key) == 16 + 40 + 24 + 32 + 32,
    "rows are compared as bytes: no padding");

void metric_observe(
    struct state_block *block, enum metric metric, size_t first, uint64_t value)
{
	_Atomic uint64_t *cells = metric_cell(block, metric, first, 0);
	size_t count;
	const uint64_t *bounds =
	    metric_bounds(metric_families[metric].buckets, &count);
	size_t bucket = 0;

	while (bucket < count && value > bounds[bucket])
		bucket++;
	metric_raise(&cells[bucket], 1);
	metric_raise(&cells[METRIC_HISTOGRAM_SUM], value);
}

/* The first row is for what finds no place. */
static uint32_t find_row(
    struct state_block *block, const struct state_row_key *key)
{
	uint32_t count =
	    atomic_load_explicit(&block->row_count, memory_order_relaxed);
	struct state_row *row;

	if (count == 0)
		count = 1;
	for (uint32_t i = 1; i < count; i++)
		if (memcmp(&block->rows[i].key, key, sizeof(*key)) == 0)
			return i;
	if (count == STATE_ROWS_MAX)
		return 0;
	/* Who died here before has left no more than its own key. */
	row = &block->rows[count];
	row->key = *key;
	atomic_store_explicit(
	    &block->row_count, count + 1, memory_order_release);
	return count;
}

int metric_count_row(struct state_block *block, const struct state_row_key *key)
{
	uint32_t index = find_row(block, key);

	metric_raise(&block->rows[index].count, 1);
	return (int)index;
}

static void copy_session(
    struct state_session *to, const struct state_session *from)
{
	to->serial = from->serial;
	to->begun_s = from->begun_s;
	to->octets_in = from->octets_in;
	to->octets_out = from->octets_out;
	to->commands = from->commands;
	to->messages = from->messages;
	to->peer = from->peer;
	to->listener = from->listener;
	to->backend = from->backend;
	to->row = from->row;
	to->flow_state = from->flow_state;
	to->in_transaction = from->in_transaction;
}

void state_session_publish(struct state_block *block, uint32_t index,
    const struct state_session *session)
{
	struct state_session *entry = &block->sessions[index];
	uint32_t sequence;

	if (index >= STATE_SESSIONS_MAX)
		return;
	sequence = atomic_load_explicit(&entry->sequence, memory_order_relaxed);
	assert(sequence % 2 == 0);
	atomic_store_explicit(
	    &entry->sequence, sequence + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	copy_session(entry, session);
	atomic_store_explicit(
	    &entry->sequence, sequence + 2, memory_order_release);
	if (index >=
	    atomic_load_explicit(&block->session_count, memory_order_relaxed))
		atomic_store_explicit(
		    &block->session_count, index + 1, memory_order_release);
}

bool state_session_read(
    const struct state_session *session, struct state_session *copy_out)
{
	for (unsigned tries = 0; tries < READ_TRIES_MAX; tries++) {
		uint32_t before = atomic_load_explicit(
		    &session->sequence, memory_order_acquire);

		if (before % 2 != 0)
			continue;
		copy_session(copy_out, session);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(
			&session->sequence, memory_order_relaxed) == before)
			return copy_out->serial != 0;
	}
	return false;
}

uint64_t state_cell_total(const struct state *state, size_t cell)
{
	uint32_t count = atomic_load(&state->block_count);
	uint64_t total = 0;

	assert(cell < METRIC_CELL_COUNT);
	for (uint32_t i = 0; i < count && i < STATE_BLOCKS_MAX; i++)
		total += atomic_load_explicit(
		    &state->blocks[i].cells[cell], memory_order_relaxed);
	return total;
}

static uint64_t rows_total(const struct state *state)
{
	uint32_t count = atomic_load(&state->block_count);
	uint64_t total = 0;

	for (uint32_t i = 0; i < count && i < STATE_BLOCKS_MAX; i++)
		for (size_t j = 0; j < STATE_ROWS_MAX; j++)
			total += atomic_load_explicit(
			    &state->blocks[i].rows[j].count,
			    memory_order_relaxed);
	return total;
}

uint64_t state_metric_total(const struct state *state, enum metric metric)
{
	const struct metric_family *family = &metric_families[metric];
	size_t values = (size_t)family->values[0] * family->values[1];
	uint64_t total = 0;

	switch (family->storage) {
	case METRIC_CELLS:
		break;
	case METRIC_ROWS:
		return rows_total(state);
	case METRIC_COMPUTED:
		return 0;
	}
	for (size_t i = 0; i < values; i++)
		for (size_t j = 0; j < family->cells; j++)
			if (j != METRIC_HISTOGRAM_SUM)
				total += state_cell_total(state,
				    family->first_cell + i * family->cells + j);
	return total;
}
