/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/backend_breaker.h"

#include <criterion/criterion.h>

static const struct breaker_rules rules = {.failures = 3, .time_ms = 1000};
static struct breaker breaker;

static void init(void)
{
	breaker = (struct breaker){0};
}

TestSuite(backend_breaker, .init = init);

static bool fails(int64_t now_ms)
{
	return breaker_failed(&breaker, false, &rules, now_ms);
}

static void open_it(int64_t now_ms)
{
	cr_assert_not(fails(now_ms));
	cr_assert_not(fails(now_ms));
	cr_assert(fails(now_ms));
}

Test(backend_breaker, failures_in_a_row_open_it)
{
	cr_assert_not(fails(1));
	cr_assert_not(fails(2));
	cr_assert_not(breaker_succeeded(&breaker, false, 3));
	cr_assert_not(fails(4));
	cr_assert_not(fails(5));
	cr_assert(breaker_admits(&breaker, 5, 0));
	cr_assert(fails(6));
	cr_assert_eq(breaker.failures, 3);
	cr_assert_not(breaker_admits(&breaker, 1005, 0));
	cr_assert(breaker_admits(&breaker, 1006, 0));
}

/* Of before the opening: they were on their way. */
Test(backend_breaker, once_open_other_sessions_change_nothing)
{
	open_it(10);
	cr_assert_not(fails(20));
	cr_assert_not(breaker_succeeded(&breaker, false, 20));
	cr_assert_eq(breaker.open_for_ms, 1000);
	cr_assert_not(breaker_admits(&breaker, 1009, 0));
	cr_assert(breaker_admits(&breaker, 1010, 0));
	cr_assert(breaker_enter(&breaker));
	cr_assert_not(fails(1020));
	cr_assert_not(breaker_succeeded(&breaker, false, 1020));
	cr_assert_eq(breaker.state, BREAKER_TRIAL);
}

Test(backend_breaker, one_session_is_let_through_and_closes_it)
{
	cr_assert_not(breaker_enter(&breaker), "closed, there is no trial");
	open_it(10);
	cr_assert(breaker_enter(&breaker));
	cr_assert_not(breaker_admits(&breaker, 9999, 0), "one alone");
	cr_assert(breaker_succeeded(&breaker, true, 2000));
	cr_assert(breaker_admits(&breaker, 2000, 0));
	cr_assert_eq(breaker.closed_ms, 2000);
	open_it(3000);
	cr_assert_eq(breaker.open_for_ms, 1000, "it begins anew");
}

Test(backend_breaker, each_trial_that_fails_doubles_the_time)
{
	int64_t now_ms = 10, expected_ms = 1000;

	open_it(now_ms);
	for (int i = 0; i < 9; i++) {
		cr_assert_eq(breaker.open_for_ms, expected_ms);
		now_ms += expected_ms;
		cr_assert_not(breaker_admits(&breaker, now_ms - 1, 0));
		cr_assert(breaker_admits(&breaker, now_ms, 0));
		cr_assert(breaker_enter(&breaker));
		cr_assert(breaker_failed(&breaker, true, &rules, now_ms));
		expected_ms *= 2;
		if (expected_ms > 1000 * BREAKER_GROWTH_MAX)
			expected_ms = 1000 * BREAKER_GROWTH_MAX;
	}
	cr_assert_eq(breaker.open_for_ms, 60000);
}

Test(backend_breaker, a_trial_that_tells_nothing_leaves_room_for_the_next)
{
	open_it(10);
	cr_assert(breaker_enter(&breaker));
	breaker_abandoned(&breaker, true);
	cr_assert(breaker_admits(&breaker, 1010, 0));
	cr_assert(breaker_enter(&breaker));
	breaker_abandoned(&breaker, false);
	cr_assert_eq(breaker.state, BREAKER_TRIAL, "it was another's");
}

Test(backend_breaker, a_health_check_that_finds_it_up_again_ends_the_wait)
{
	open_it(500);
	cr_assert_not(breaker_admits(&breaker, 700, 500));
	cr_assert_not(breaker_admits(&breaker, 700, 499), "that was before");
	cr_assert(breaker_admits(&breaker, 700, 501));
}

Test(backend_breaker, without_a_number_it_never_opens)
{
	const struct breaker_rules never = {.failures = 0, .time_ms = 1000};

	for (int i = 0; i < 1000; i++)
		cr_assert_not(breaker_failed(&breaker, false, &never, i));
	cr_assert(breaker_admits(&breaker, 1000, 0));
}
