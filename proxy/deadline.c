/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/deadline.h"

#include <assert.h>
#include <stdlib.h>

static void put(
    struct deadlines *deadlines, uint32_t place, struct deadline_entry entry)
{
	deadlines->heap[place] = entry;
	deadlines->place[entry.slot] = place;
}

static void sift_up(struct deadlines *deadlines, uint32_t place)
{
	struct deadline_entry entry = deadlines->heap[place];

	while (place > 0) {
		uint32_t parent = (place - 1) / 2;

		if (deadlines->heap[parent].at_ms <= entry.at_ms)
			break;
		put(deadlines, place, deadlines->heap[parent]);
		place = parent;
	}
	put(deadlines, place, entry);
}

static void sift_down(struct deadlines *deadlines, uint32_t place)
{
	struct deadline_entry entry = deadlines->heap[place];

	for (;;) {
		uint32_t child = 2 * place + 1;

		if (child >= deadlines->heap_count)
			break;
		if (child + 1 < deadlines->heap_count &&
		    deadlines->heap[child + 1].at_ms <
			deadlines->heap[child].at_ms)
			child++;
		if (entry.at_ms <= deadlines->heap[child].at_ms)
			break;
		put(deadlines, place, deadlines->heap[child]);
		place = child;
	}
	put(deadlines, place, entry);
}

static void remove_top(struct deadlines *deadlines)
{
	struct deadline_entry last = deadlines->heap[--deadlines->heap_count];

	deadlines->place[deadlines->heap[0].slot] = DEADLINE_NO_SLOT;
	if (deadlines->heap_count == 0)
		return;
	put(deadlines, 0, last);
	sift_down(deadlines, 0);
}

bool deadlines_init(struct deadlines *deadlines, uint32_t slot_count)
{
	*deadlines = (struct deadlines){
	    .heap = malloc(slot_count * sizeof(*deadlines->heap)),
	    .due_ms = malloc(slot_count * sizeof(*deadlines->due_ms)),
	    .place = malloc(slot_count * sizeof(*deadlines->place)),
	    .slot_count = slot_count,
	};
	if (deadlines->heap == NULL || deadlines->due_ms == NULL ||
	    deadlines->place == NULL) {
		deadlines_finish(deadlines);
		return false;
	}
	for (uint32_t slot = 0; slot < slot_count; slot++) {
		deadlines->due_ms[slot] = DEADLINE_NONE;
		deadlines->place[slot] = DEADLINE_NO_SLOT;
	}
	return true;
}

void deadlines_finish(struct deadlines *deadlines)
{
	free(deadlines->heap);
	free(deadlines->due_ms);
	free(deadlines->place);
	*deadlines = (struct deadlines){0};
}

void deadlines_set(struct deadlines *deadlines, uint32_t slot, int64_t at_ms)
{
	uint32_t place;

	assert(slot < deadlines->slot_count);
	deadlines->due_ms[slot] = at_ms;
	if (at_ms == DEADLINE_NONE)
		return;
	place = deadlines->place[slot];
	if (place == DEADLINE_NO_SLOT) {
		place = deadlines->heap_count++;
	} else if (at_ms >= deadlines->heap[place].at_ms) {
		return;
	}
	put(deadlines, place,
	    (struct deadline_entry){.at_ms = at_ms, .slot = slot});
	sift_up(deadlines, place);
}

uint32_t deadlines_take(struct deadlines *deadlines, int64_t now_ms)
{
	while (deadlines->heap_count > 0) {
		struct deadline_entry *top = &deadlines->heap[0];
		int64_t due_ms = deadlines->due_ms[top->slot];
		uint32_t slot = top->slot;

		if (top->at_ms > now_ms)
			return DEADLINE_NO_SLOT;
		if (due_ms == DEADLINE_NONE) {
			remove_top(deadlines);
		} else if (due_ms <= now_ms) {
			remove_top(deadlines);
			deadlines->due_ms[slot] = DEADLINE_NONE;
			return slot;
		} else {
			top->at_ms = due_ms;
			sift_down(deadlines, 0);
		}
	}
	return DEADLINE_NO_SLOT;
}

int64_t deadlines_next(const struct deadlines *deadlines)
{
	return deadlines->heap_count == 0 ? DEADLINE_NONE
					  : deadlines->heap[0].at_ms;
}
