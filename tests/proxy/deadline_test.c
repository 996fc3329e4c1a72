/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/deadline.h"

#include <stdbool.h>

#include <criterion/criterion.h>

#define SLOT_COUNT 13

static struct deadlines deadlines;

static void init(void)
{
	cr_assert(deadlines_init(&deadlines, SLOT_COUNT));
}

static void fini(void)
{
	deadlines_finish(&deadlines);
}

TestSuite(deadline, .init = init, .fini = fini);

Test(deadline, without_any_there_is_nothing_to_wait_for)
{
	cr_assert_eq(deadlines_next(&deadlines), DEADLINE_NONE);
	cr_assert_eq(
	    deadlines_take(&deadlines, DEADLINE_NONE - 1), DEADLINE_NO_SLOT);
	cr_assert_eq(deadlines_get(&deadlines, 0), DEADLINE_NONE);
}

Test(deadline, it_comes_when_its_time_is_up_and_only_once)
{
	deadlines_set(&deadlines, 4, 1000);
	cr_assert_eq(deadlines_next(&deadlines), 1000);
	cr_assert_eq(deadlines_take(&deadlines, 999), DEADLINE_NO_SLOT);
	cr_assert_eq(deadlines_get(&deadlines, 4), 1000);
	cr_assert_eq(deadlines_take(&deadlines, 1000), 4);
	cr_assert_eq(deadlines_get(&deadlines, 4), DEADLINE_NONE);
	cr_assert_eq(deadlines_take(&deadlines, 1000), DEADLINE_NO_SLOT);
	cr_assert_eq(deadlines_next(&deadlines), DEADLINE_NONE);
}

Test(deadline, the_earliest_comes_first)
{
	static const int64_t at_ms[] = {70, 30, 50, 10, 60, 20, 40};

	for (uint32_t slot = 0; slot < 7; slot++)
		deadlines_set(&deadlines, slot, at_ms[slot]);
	for (int64_t now_ms = 10; now_ms <= 70; now_ms += 10)
		cr_assert_eq(at_ms[deadlines_take(&deadlines, 70)], now_ms);
	cr_assert_eq(deadlines_take(&deadlines, 70), DEADLINE_NO_SLOT);
}

Test(deadline, all_of_one_time_come)
{
	bool came[SLOT_COUNT] = {false};

	for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
		deadlines_set(&deadlines, slot, 500);
	cr_assert_eq(deadlines_take(&deadlines, 499), DEADLINE_NO_SLOT);
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		uint32_t slot = deadlines_take(&deadlines, 500);

		cr_assert_lt(slot, SLOT_COUNT);
		cr_assert_not(came[slot]);
		came[slot] = true;
	}
	cr_assert_eq(deadlines_take(&deadlines, 500), DEADLINE_NO_SLOT);
}

/* The heap is not touched when one moves further away, with each command. */
Test(deadline, moving_one_away_is_found_out_when_the_old_time_comes)
{
	deadlines_set(&deadlines, 2, 100);
	deadlines_set(&deadlines, 2, 900);
	deadlines_set(&deadlines, 2, 800);
	cr_assert_eq(deadlines_get(&deadlines, 2), 800);
	cr_assert_eq(deadlines_next(&deadlines), 100);
	cr_assert_eq(deadlines_take(&deadlines, 100), DEADLINE_NO_SLOT);
	cr_assert_eq(deadlines_next(&deadlines), 800);
	cr_assert_eq(deadlines_take(&deadlines, 800), 2);
}

Test(deadline, moving_one_nearer_counts_at_once)
{
	deadlines_set(&deadlines, 2, 900);
	deadlines_set(&deadlines, 5, 500);
	deadlines_set(&deadlines, 2, 100);
	cr_assert_eq(deadlines_next(&deadlines), 100);
	cr_assert_eq(deadlines_take(&deadlines, 499), 2);
	cr_assert_eq(deadlines_take(&deadlines, 499), DEADLINE_NO_SLOT);
	cr_assert_eq(deadlines_take(&deadlines, 500), 5);
}

Test(deadline, one_taken_away_does_not_come)
{
	deadlines_set(&deadlines, 2, 100);
	deadlines_set(&deadlines, 3, 200);
	deadlines_set(&deadlines, 2, DEADLINE_NONE);
	cr_assert_eq(deadlines_take(&deadlines, 150), DEADLINE_NO_SLOT);
	cr_assert_eq(deadlines_next(&deadlines), 200);
}

Test(deadline, one_taken_away_can_be_set_again)
{
	deadlines_set(&deadlines, 2, 100);
	deadlines_set(&deadlines, 2, DEADLINE_NONE);
	deadlines_set(&deadlines, 2, 50);
	cr_assert_eq(deadlines_take(&deadlines, 50), 2);
	deadlines_set(&deadlines, 2, 100);
	deadlines_set(&deadlines, 2, DEADLINE_NONE);
	deadlines_set(&deadlines, 2, 300);
	cr_assert_eq(deadlines_take(&deadlines, 299), DEADLINE_NO_SLOT);
	cr_assert_eq(deadlines_take(&deadlines, 300), 2);
}

static uint32_t random_below(uint32_t *seed, uint32_t limit)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % limit;
}

/* The model: an array that is looked through. */
static uint32_t earliest(const int64_t due_ms[SLOT_COUNT])
{
	uint32_t found = 0;

	for (uint32_t slot = 1; slot < SLOT_COUNT; slot++)
		if (due_ms[slot] < due_ms[found])
			found = slot;
	return found;
}

static void take_as_the_model_does(int64_t due_ms[SLOT_COUNT], int64_t now_ms)
{
	for (;;) {
		uint32_t slot = deadlines_take(&deadlines, now_ms);
		int64_t expected_ms = due_ms[earliest(due_ms)];

		if (expected_ms > now_ms) {
			cr_assert_eq(slot, DEADLINE_NO_SLOT);
			cr_assert_leq(deadlines_next(&deadlines), expected_ms);
			return;
		}
		cr_assert_lt(slot, SLOT_COUNT);
		cr_assert_leq(due_ms[slot], now_ms);
		due_ms[slot] = DEADLINE_NONE;
	}
}

Test(deadline, any_sequence_agrees_with_a_model)
{
	int64_t due_ms[SLOT_COUNT];
	int64_t now_ms = 0;
	uint32_t seed = 20240229;

	for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
		due_ms[slot] = DEADLINE_NONE;
	for (int step = 0; step < 200000; step++) {
		uint32_t slot = random_below(&seed, SLOT_COUNT);
		uint32_t deed = random_below(&seed, 10);

		if (deed < 6)
			due_ms[slot] = now_ms + random_below(&seed, 40);
		else if (deed < 7)
			due_ms[slot] = DEADLINE_NONE;
		else
			now_ms += random_below(&seed, 8);
		if (deed < 7)
			deadlines_set(&deadlines, slot, due_ms[slot]);
		else
			take_as_the_model_does(due_ms, now_ms);
		cr_assert_eq(deadlines_get(&deadlines, slot), due_ms[slot]);
	}
}
