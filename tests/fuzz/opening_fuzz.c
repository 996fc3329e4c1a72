/* SPDX-License-Identifier: Apache-2.0 */
/* The start of a dialogue with a hostile backend: it ends, says only whole
 * lines, and hears the same whether bytes come together or one by one. */
#include <stdlib.h>
#include <string.h>

#include "smtp/opening.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len);

#define TURNS_MAX 16

static const struct smtp_identity identity = {
    .address = "192.0.2.1",
    .helo_verb = SMTP_VERB_EHLO,
    .helo = "client.example",
};

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static struct smtp_opening begin(uint8_t choice)
{
	struct smtp_opening opening;
	struct smtp_opening_plan plan = {
	    .hostname = "gate.example",
	    .helo_verb = (choice & 1) != 0   ? SMTP_VERB_EHLO
			 : (choice & 2) != 0 ? SMTP_VERB_HELO
					     : SMTP_VERB_UNKNOWN,
	    .helo = "client.example",
	    .tls = (enum smtp_opening_tls)(choice >> 2 & 3) %
		   (SMTP_OPENING_TLS_ENCRYPT + 1),
	    .xclient = (choice & 16) != 0,
	    .probe = (choice & 32) != 0,
	};
	smtp_opening_init(&opening, &plan);
	return opening;
}

static void check_said(const struct smtp_opening_step *step)
{
	if (step->event != SMTP_OPENING_SAY)
		return;
	expect(step->say_len >= 2 && step->say_len <= sizeof(step->say));
	expect(memchr(step->say, '\n', step->say_len) ==
	       step->say + step->say_len - 1);
	expect(step->say[step->say_len - 2] == '\r');
}

/* What the caller has to do; false: the dialogue is over. */
static bool obey(struct smtp_opening *opening, struct smtp_opening_step *step)
{
	check_said(step);
	switch (step->event) {
	case SMTP_OPENING_START_TLS:
		smtp_opening_secured(opening, step);
		return obey(opening, step);
	case SMTP_OPENING_IDENTIFY:
		smtp_opening_identify(opening, &identity, step);
		return obey(opening, step);
	case SMTP_OPENING_NEED_MORE:
	case SMTP_OPENING_SAY:
		return true;
	case SMTP_OPENING_READY:
	case SMTP_OPENING_NO_TLS:
	case SMTP_OPENING_NO_XCLIENT:
	case SMTP_OPENING_REFUSED:
	case SMTP_OPENING_MALFORMED:
		break;
	}
	return false;
}

/* Each piece of the input, up to an empty line, is what the backend says in one
 * turn. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len)
{
	static struct smtp_opening_step step;
	if (input_len == 0)
		return 0;
	struct smtp_opening opening = begin(input[0]);
	input++;
	input_len--;
	for (unsigned turn = 0; turn < TURNS_MAX && input_len > 0; turn++) {
		const uint8_t *end = memmem(input, input_len, "\n\n", 2);
		size_t len =
		    end != NULL ? (size_t)(end - input) + 1 : input_len;
		uint8_t *copy = malloc(len);
		expect(copy != NULL);
		memcpy(copy, input, len);
		smtp_opening_step(&opening, copy, len, &step);
		expect(step.used <= len);
		if (step.event == SMTP_OPENING_NEED_MORE)
			expect(step.used == 0);
		bool more = obey(&opening, &step);
		free(copy);
		if (!more)
			break;
		len += end != NULL;
		input += len;
		input_len -= len;
	}
	return 0;
}
