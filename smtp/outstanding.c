/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/outstanding.h"

#include <assert.h>

/* One byte each: up to SMTP_DUE_ANSWER a due, from there on an answer. */
_Static_assert(SMTP_DUE_ANSWER + SMTP_ANSWER_COUNT <= UINT8_MAX, "one byte");
_Static_assert((int)SMTP_DUE_UNKNOWN == (int)SMTP_VERB_UNKNOWN, "same order");

static uint8_t first_byte(const struct smtp_outstanding *outstanding)
{
	assert(outstanding->count > 0);
	return outstanding->ring[outstanding->first];
}

static void push_byte(struct smtp_outstanding *outstanding, unsigned byte)
{
	assert(outstanding->count < SMTP_OUTSTANDING_MAX);
	unsigned at = (unsigned)outstanding->first + outstanding->count;
	outstanding->ring[at % SMTP_OUTSTANDING_MAX] = (uint8_t)byte;
	outstanding->count++;
}

bool smtp_outstanding_is_empty(const struct smtp_outstanding *outstanding)
{
	return outstanding->count == 0;
}

bool smtp_outstanding_is_full(const struct smtp_outstanding *outstanding)
{
	return outstanding->count == SMTP_OUTSTANDING_MAX;
}

void smtp_outstanding_push(
    struct smtp_outstanding *outstanding, enum smtp_due due)
{
	assert(due < SMTP_DUE_ANSWER);
	push_byte(outstanding, due);
}

void smtp_outstanding_push_answer(
    struct smtp_outstanding *outstanding, enum smtp_answer answer)
{
	assert(answer > SMTP_ANSWER_NONE);
	assert(answer < SMTP_ANSWER_COUNT);
	push_byte(outstanding, (unsigned)SMTP_DUE_ANSWER + (unsigned)answer);
}

enum smtp_due smtp_outstanding_first(const struct smtp_outstanding *outstanding)
{
	uint8_t byte = first_byte(outstanding);
	return byte < SMTP_DUE_ANSWER ? (enum smtp_due)byte : SMTP_DUE_ANSWER;
}

enum smtp_answer smtp_outstanding_first_answer(
    const struct smtp_outstanding *outstanding)
{
	uint8_t byte = first_byte(outstanding);
	assert(byte > SMTP_DUE_ANSWER);
	return (enum smtp_answer)(byte - SMTP_DUE_ANSWER);
}

void smtp_outstanding_drop_first(struct smtp_outstanding *outstanding)
{
	assert(outstanding->count > 0);
	unsigned next = (unsigned)outstanding->first + 1;
	outstanding->first = (uint8_t)(next % SMTP_OUTSTANDING_MAX);
	outstanding->count--;
}

void smtp_outstanding_drop_last(struct smtp_outstanding *outstanding)
{
	assert(outstanding->count > 0);
	outstanding->count--;
}
