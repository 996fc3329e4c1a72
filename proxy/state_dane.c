/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/state_dane.h"

#include <assert.h>
#include <sched.h>
#include <string.h>

/* As in proxy/state.c: a publication takes about a microsecond. */
#define READ_TRIES_AT_ONCE 1000
#define READ_TRIES_MAX	   20000

static void write_answer(struct state_dane *dane, uint32_t sequence,
    const struct state_dane_answer *answer)
{
	atomic_store_explicit(
	    &dane->sequence, sequence | 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	dane->answer = *answer;
	atomic_store_explicit(
	    &dane->sequence, (sequence | 1) + 1, memory_order_release);
}

void state_dane_publish(
    struct state_dane *dane, const struct state_dane_answer *answer)
{
	uint32_t sequence =
	    atomic_load_explicit(&dane->sequence, memory_order_relaxed);

	assert(sequence % 2 == 0);
	write_answer(dane, sequence, answer);
}

void state_dane_forget(struct state_dane *dane)
{
	const struct state_dane_answer nothing = {.status = STATE_DANE_UNKNOWN};

	write_answer(dane,
	    atomic_load_explicit(&dane->sequence, memory_order_relaxed),
	    &nothing);
}

static bool is_sound(const struct state_dane_answer *answer)
{
	if (answer->count > STATE_DANE_RECORDS_MAX)
		return false;
	for (uint32_t i = 0; i < answer->count; i++)
		if (answer->records[i].at + answer->records[i].len >
		    STATE_DANE_BYTES_MAX)
			return false;
	return memchr(answer->base_domain, '\0', STATE_DANE_NAME_SIZE) != NULL;
}

void state_dane_read(
    const struct state_dane *dane, struct state_dane_answer *copy_out)
{
	for (unsigned tries = 0; tries < READ_TRIES_MAX; tries++) {
		uint32_t before =
		    atomic_load_explicit(&dane->sequence, memory_order_acquire);

		if (tries >= READ_TRIES_AT_ONCE)
			sched_yield();
		if (before % 2 != 0)
			continue;
		*copy_out = dane->answer;
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(
			&dane->sequence, memory_order_relaxed) != before)
			continue;
		if (is_sound(copy_out))
			return;
		break;
	}
	memset(copy_out, 0, sizeof(*copy_out));
}
