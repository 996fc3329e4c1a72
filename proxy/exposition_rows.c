/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/exposition_rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LABELS 9

struct rows {
	struct merged {
		struct state_row_key key;
		uint64_t count;
	} * of;
	size_t count, size;
	uint64_t others;
};

static int compare(const void *left, const void *right)
{
	return memcmp(&((const struct merged *)left)->key,
	    &((const struct merged *)right)->key, sizeof(struct state_row_key));
}

static bool keep(struct rows *rows, const struct state_row *row)
{
	if (rows->count == rows->size) {
		size_t size = rows->size == 0 ? 64 : rows->size * 2;
		struct merged *more = realloc(rows->of, size * sizeof(*more));

		if (more == NULL)
			return false;
		rows->of = more;
		rows->size = size;
	}
	rows->of[rows->count++] = (struct merged){
	    row->key, atomic_load_explicit(&row->count, memory_order_relaxed)};
	return true;
}

/* Without memory the rest counts as others. */
static void collect(struct rows *rows, const struct state *state)
{
	uint32_t blocks = atomic_load(&state->block_count);

	for (uint32_t i = 0; i < blocks && i < STATE_BLOCKS_MAX; i++) {
		const struct state_block *block = &state->blocks[i];
		uint32_t count = atomic_load_explicit(
		    &block->row_count, memory_order_acquire);

		rows->others += atomic_load(&block->rows[0].count);
		for (uint32_t j = 1; j < count && j < STATE_ROWS_MAX; j++)
			if (!keep(rows, &block->rows[j]))
				rows->others +=
				    atomic_load(&block->rows[j].count);
	}
}

static void merge(struct rows *rows)
{
	size_t kept = 0;

	if (rows->count == 0)
		return;
	qsort(rows->of, rows->count, sizeof(*rows->of), compare);
	for (size_t i = 1; i < rows->count; i++) {
		if (compare(&rows->of[kept], &rows->of[i]) == 0)
			rows->of[kept].count += rows->of[i].count;
		else
			rows->of[++kept] = rows->of[i];
	}
	rows->count = kept + 1;
}

static const char *word(bool yes)
{
	return yes ? "yes" : "no";
}

static void print(const struct exposition *exposition,
    const char *const values[LABELS], uint64_t count)
{
	static const char *const names[LABELS] = {"listener", "protocol",
	    "cipher", "group", "signature", "resumed", "forward_secrecy",
	    "forward_secrecy_reason", "post_quantum"};

	exposition_begin_sample(exposition, names, values, LABELS);
	fprintf(exposition->out, "%" PRIu64 "\n", count);
}

void exposition_rows(const struct exposition *exposition)
{
	static const char *const other[LABELS] = {"other", "other", "other",
	    "other", "other", "other", "other", "other", "other"};
	const struct state *state = exposition->source->state;
	struct rows rows = {0};

	collect(&rows, state);
	merge(&rows);
	for (size_t i = 0; i < rows.count; i++) {
		const struct state_row_key *key = &rows.of[i].key;
		const char *listener = key->listener < METRIC_LISTENERS_MAX
					   ? state->listeners[key->listener]
					   : "former";
		const char *const values[LABELS] = {listener, key->protocol,
		    key->cipher, key->group, key->signature, word(key->resumed),
		    word(key->forward_secret), key->forward_secrecy_reason,
		    word(key->post_quantum)};

		print(exposition, values, rows.of[i].count);
	}
	if (rows.others > 0)
		print(exposition, other, rows.others);
	free(rows.of);
}
