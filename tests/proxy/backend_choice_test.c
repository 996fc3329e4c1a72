/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/backend_choice.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#define ROUND_ROBIN    SETTINGS_BALANCE_ROUND_ROBIN
#define LEAST_SESSIONS SETTINGS_BALANCE_LEAST_SESSIONS

static struct backend_candidate candidates[SERVICE_BACKENDS_MAX];
static struct backend_rota rota;

static void init(void)
{
	memset(&rota, 0, sizeof(rota));
	for (size_t i = 0; i < SERVICE_BACKENDS_MAX; i++)
		candidates[i] = (struct backend_candidate){
		    .usable = true, .up = true, .weight = 100};
}

TestSuite(backend_choice, .init = init);

/* Chooses `turns` times; each choice is a letter. */
static const char *choices(
    size_t count, enum settings_balance balance, size_t turns)
{
	static char text[1024];

	for (size_t i = 0; i < turns; i++) {
		int index = backend_choose(candidates, count, balance, &rota);

		text[i] = index >= 0			 ? (char)('a' + index)
			  : index == BACKEND_CHOICE_FULL ? '!'
							 : '-';
		if (index >= 0)
			candidates[index].sessions++;
	}
	text[turns] = '\0';
	return text;
}

Test(backend_choice, each_in_turn)
{
	cr_assert_str_eq(choices(3, ROUND_ROBIN, 7), "abcabca");
}

/* Spread over the round, not three times the same in a row. */
Test(backend_choice, in_turn_by_weight)
{
	candidates[0].weight = 500;
	cr_assert_str_eq(choices(3, ROUND_ROBIN, 14), "aabacaaaabacaa");
}

Test(backend_choice, every_round_gives_each_its_weight)
{
	static const uint32_t weights[] = {7, 1, 3, 100};
	size_t counts[4] = {0};

	for (size_t i = 0; i < 4; i++)
		candidates[i].weight = weights[i] * 100;
	for (int round = 1; round <= 5; round++) {
		for (int i = 0; i < 7 + 1 + 3 + 100; i++)
			counts[backend_choose(
			    candidates, 4, ROUND_ROBIN, &rota)]++;
		for (size_t i = 0; i < 4; i++)
			cr_assert_eq(counts[i], (size_t)round * weights[i]);
	}
}

Test(backend_choice, one_that_comes_back_has_saved_up_no_turns)
{
	cr_assert_str_eq(choices(2, ROUND_ROBIN, 2), "ab");
	candidates[1].usable = false;
	cr_assert_str_eq(choices(2, ROUND_ROBIN, 5), "aaaaa");
	candidates[1].usable = true;
	cr_assert_str_eq(choices(2, ROUND_ROBIN, 4), "abab");
}

Test(backend_choice, the_fewest_sessions_and_in_turn_where_they_are_equal)
{
	candidates[0].sessions = 3;
	candidates[1].sessions = 1;
	candidates[2].sessions = 2;
	cr_assert_str_eq(choices(3, LEAST_SESSIONS, 3), "bbc");
	candidates[0].sessions = 0;
	candidates[1].sessions = 0;
	candidates[2].sessions = 0;
	memset(&rota, 0, sizeof(rota));
	cr_assert_str_eq(choices(3, LEAST_SESSIONS, 3), "abc");
	choices(3, LEAST_SESSIONS, 297);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(candidates[i].sessions, 100);
}

Test(backend_choice, the_fewest_sessions_for_the_weight)
{
	candidates[0].weight = 300;
	choices(2, LEAST_SESSIONS, 400);
	cr_assert_eq(candidates[0].sessions, 300);
	cr_assert_eq(candidates[1].sessions, 100);
}

Test(backend_choice, reserve_only_while_no_primary_is_left)
{
	candidates[0].reserve = true;
	cr_assert_str_eq(choices(3, ROUND_ROBIN, 4), "bcbc");
	candidates[1].up = false;
	cr_assert_str_eq(choices(3, LEAST_SESSIONS, 2), "cc");
	candidates[2].usable = false;
	cr_assert_str_eq(choices(3, ROUND_ROBIN, 2), "aa");
	candidates[1].up = true;
	cr_assert_str_eq(choices(3, ROUND_ROBIN, 2), "bb", "given up again");
}

/* The last health check may be old: better than to refuse. */
Test(backend_choice, those_that_are_down_come_last)
{
	candidates[0].up = false;
	candidates[1].up = false;
	candidates[1].reserve = true;
	candidates[2].reserve = true;
	cr_assert_str_eq(choices(3, ROUND_ROBIN, 1), "c");
	candidates[2].usable = false;
	cr_assert_str_eq(choices(3, ROUND_ROBIN, 1), "a");
	candidates[0].usable = false;
	cr_assert_str_eq(choices(3, ROUND_ROBIN, 1), "b");
	candidates[1].usable = false;
	cr_assert_str_eq(choices(3, ROUND_ROBIN, 1), "-");
	cr_assert_str_eq(choices(0, ROUND_ROBIN, 1), "-");
}

/* It is waited for: a reserve is for when the others are down. */
Test(backend_choice, one_that_is_full_is_passed_over_for_its_like_alone)
{
	candidates[2].reserve = true;
	candidates[0].full = true;
	cr_assert_str_eq(choices(3, ROUND_ROBIN, 2), "bb");
	candidates[1].full = true;
	cr_assert_str_eq(choices(3, ROUND_ROBIN, 2), "!!");
	cr_assert_str_eq(choices(3, LEAST_SESSIONS, 1), "!");
	candidates[0].usable = false;
	candidates[1].up = false;
	cr_assert_str_eq(choices(3, ROUND_ROBIN, 1), "c");
}

Test(backend_choice, the_share_grows_from_a_tenth_to_the_whole)
{
	static const struct {
		int64_t risen_ms, now_ms;
		uint32_t share;
	} rows[] = {
	    {0, 5, 100}, /* it never was away */
	    {1000, 1000, 10},
	    {1000, 3000, 10},
	    {1000, 3400, 12},
	    {1000, 11000, 50},
	    {1000, 20999, 99},
	    {1000, 21000, 100},
	    {1000, 99000, 100},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(
		    backend_share(rows[i].risen_ms, rows[i].now_ms, 20000),
		    rows[i].share, "row %zu", i);
	cr_assert_eq(backend_share(1000, 1000, 0), 100, "switched off");
}

Test(backend_choice, too_many_are_a_bug, .signal = SIGABRT)
{
	backend_choose(
	    candidates, SERVICE_BACKENDS_MAX + 1, ROUND_ROBIN, &rota);
}
