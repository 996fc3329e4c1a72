/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/buffer.h"

#include <signal.h>
#include <string.h>

#include <criterion/criterion.h>

#include "caught.h"

static struct buffer_pool pool;

static void init(void)
{
	cr_assert(buffer_pool_init(&pool, 3));
}

static void fini(void)
{
	buffer_pool_finish(&pool);
}

TestSuite(buffer, .init = init, .fini = fini);

Test(buffer, the_last_one_given_is_taken_first)
{
	uint8_t *first = buffer_take(&pool);
	uint8_t *second = buffer_take(&pool);
	uint8_t *was_first = first, *was_second = second;

	cr_assert_neq(first, second);
	buffer_give(&pool, &second);
	buffer_give(&pool, &first);
	cr_assert_null(first);
	cr_assert_null(second);
	cr_assert_eq(buffer_take(&pool), was_first);
	cr_assert_eq(buffer_take(&pool), was_second);
}

Test(buffer, when_all_are_taken_there_is_none)
{
	uint8_t *taken[3];

	cr_assert_eq(buffer_pool_in_use(&pool), 0);
	for (uint32_t i = 0; i < 3; i++) {
		taken[i] = buffer_take(&pool);
		cr_assert_not_null(taken[i]);
		cr_assert_eq(buffer_pool_in_use(&pool), i + 1);
	}
	cr_assert_null(buffer_take(&pool));
	cr_assert_eq(buffer_pool_in_use(&pool), 3);
	buffer_give(&pool, &taken[1]);
	cr_assert_eq(buffer_pool_in_use(&pool), 2);
	cr_assert_not_null(buffer_take(&pool));
	cr_assert_null(buffer_take(&pool));
}

Test(buffer, each_has_its_whole_size_to_itself)
{
	uint8_t *taken[3];

	for (uint8_t i = 0; i < 3; i++) {
		taken[i] = buffer_take(&pool);
		memset(taken[i], 'a' + i, BUFFER_SIZE);
	}
	for (uint8_t i = 0; i < 3; i++) {
		cr_assert_eq(taken[i][0], 'a' + i);
		cr_assert_eq(taken[i][BUFFER_SIZE - 1], 'a' + i);
	}
}

Test(buffer, nothing_can_be_given)
{
	uint8_t *none = NULL;

	buffer_give(&pool, &none);
	cr_assert_eq(buffer_pool_in_use(&pool), 0);
}

Test(buffer, a_finished_pool_can_be_finished_again)
{
	buffer_pool_finish(&pool);
	buffer_pool_finish(&pool);
	cr_assert_null(buffer_take(&pool));
}

/* Two sessions would write to it. */
Test(buffer, giving_one_twice_is_a_bug, .signal = SIGABRT)
{
	uint8_t *buffer = buffer_take(&pool);
	uint8_t *other = buffer_take(&pool);
	uint8_t *copy = buffer;

	(void)other;
	buffer_give(&pool, &buffer);
	buffer_give(&pool, &copy);
}

Test(buffer, giving_what_is_inside_one_is_a_bug, .signal = SIGABRT)
{
	uint8_t *inside = buffer_take(&pool) + 1;

	buffer_give(&pool, &inside);
}

Test(buffer, who_touches_a_buffer_that_was_given_back_is_caught)
{
	uint8_t *buffer = buffer_take(&pool);
	const uint8_t *kept = buffer;

	skip_without_sanitizer();
	cr_assert_not(is_caught(kept), "it is ours");
	buffer_give(&pool, &buffer);
	cr_assert(is_caught(kept));
	cr_assert(is_caught(kept + BUFFER_SIZE - 1));
	cr_assert_eq(buffer_take(&pool), kept);
	cr_assert_not(is_caught(kept), "it is ours again");
}

Test(buffer, who_touches_a_buffer_that_was_never_taken_is_caught)
{
	const uint8_t *first = buffer_take(&pool);

	skip_without_sanitizer();
	cr_assert(is_caught(first + BUFFER_SIZE));
}
