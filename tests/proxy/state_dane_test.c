/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/state_dane.h"

#include <pthread.h>
#include <string.h>

#include <criterion/criterion.h>

static struct state_dane dane;

static struct state_dane_answer answer_of(uint8_t byte)
{
	struct state_dane_answer answer = {
	    .status = STATE_DANE_PRESENT,
	    .count = 2,
	    .records = {{.usage = 3, .selector = 1, .matching = 1, .len = 32},
		{.usage = 2, .at = 32, .len = STATE_DANE_BYTES_MAX - 32}},
	    .base_domain = "mx.test",
	};

	memset(answer.bytes, byte, sizeof(answer.bytes));
	return answer;
}

Test(state_dane, what_is_published_is_read)
{
	struct state_dane_answer answer = answer_of(7), copy;

	state_dane_read(&dane, &copy);
	cr_assert_eq(copy.status, STATE_DANE_UNKNOWN);
	state_dane_publish(&dane, &answer);
	state_dane_read(&dane, &copy);
	cr_assert_arr_eq(&copy, &answer, sizeof(copy));
	state_dane_forget(&dane);
	state_dane_read(&dane, &copy);
	cr_assert_eq(copy.status, STATE_DANE_UNKNOWN);
	cr_assert_eq(copy.count, 0);
	cr_assert_eq(dane.sequence, 4);
}

/* A writer that died in the middle; then its successor. */
Test(state_dane, what_is_half_written_is_not_read)
{
	struct state_dane_answer answer = answer_of(7), copy;

	state_dane_publish(&dane, &answer);
	dane.sequence++;
	state_dane_read(&dane, &copy);
	cr_assert_eq(copy.status, STATE_DANE_UNKNOWN);
	state_dane_forget(&dane);
	cr_assert_eq(dane.sequence % 2, 0);
	state_dane_publish(&dane, &answer);
	state_dane_read(&dane, &copy);
	cr_assert_eq(copy.status, STATE_DANE_PRESENT);
}

/* Whoever has taken over the writer must not make readers look beyond. */
Test(state_dane, what_is_out_of_bounds_is_not_read)
{
	struct state_dane_answer copy;

	for (int i = 0; i < 3; i++) {
		dane.answer = answer_of(7);
		if (i == 0)
			dane.answer.count = STATE_DANE_RECORDS_MAX + 1;
		else if (i == 1)
			dane.answer.records[1].len++;
		else
			memset(dane.answer.base_domain, 'a',
			    sizeof(dane.answer.base_domain));
		state_dane_read(&dane, &copy);
		cr_assert_eq(copy.status, STATE_DANE_UNKNOWN, "%d", i);
		cr_assert_eq(copy.count, 0);
	}
}

static void *write_on(void *unused)
{
	(void)unused;
	for (int i = 0; i < 2000; i++) {
		struct state_dane_answer answer = answer_of((uint8_t)i);

		state_dane_publish(&dane, &answer);
	}
	return NULL;
}

Test(state_dane, no_answer_is_torn)
{
	struct state_dane_answer copy;
	pthread_t writer;

	write_on(NULL);
	cr_assert_eq(pthread_create(&writer, NULL, write_on, NULL), 0);
	for (int i = 0; i < 2000; i++) {
		state_dane_read(&dane, &copy);
		cr_assert_eq(
		    memcmp(copy.bytes, copy.bytes + 1, sizeof(copy.bytes) - 1),
		    0);
	}
	pthread_join(writer, NULL);
}
