/* SPDX-License-Identifier: Apache-2.0 */
/* When each slot's time is up: a binary heap, changed lazily. Moving a deadline
 * further away, which happens with each command, only writes it down; the heap
 * learns of it when the old time comes. No clock: times are handed in. */
#ifndef POSTERN_PROXY_DEADLINE_H
#define POSTERN_PROXY_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEADLINE_NONE	 INT64_MAX
#define DEADLINE_NO_SLOT UINT32_MAX

struct deadline_entry {
	int64_t at_ms; /* not later than the slot's deadline */
	uint32_t slot;
};

struct deadlines {
	struct deadline_entry *heap;
	uint32_t heap_count;
	int64_t *due_ms; /* by slot: the deadline, or DEADLINE_NONE */
	uint32_t *place; /* by slot: its place in the heap, or NO_SLOT */
	uint32_t slot_count;
};

/* False without memory. */
bool deadlines_init(struct deadlines *deadlines, uint32_t slot_count);
void deadlines_finish(struct deadlines *deadlines);

/* Sets a slot's deadline; DEADLINE_NONE takes it away. */
void deadlines_set(struct deadlines *deadlines, uint32_t slot, int64_t at_ms);

static inline int64_t deadlines_get(
    const struct deadlines *deadlines, uint32_t slot)
{
	return deadlines->due_ms[slot];
}

/* A slot whose time is up at now_ms; its deadline is then NONE. NO_SLOT when
 * there is none. */
uint32_t deadlines_take(struct deadlines *deadlines, int64_t now_ms);

/* When to look again, at the latest; DEADLINE_NONE when nothing is due. */
int64_t deadlines_next(const struct deadlines *deadlines);

#endif
