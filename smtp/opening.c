/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/opening.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "smtp/reply.h"

static void enter(struct smtp_opening *opening, enum smtp_opening_state state)
{
	assert(state >= opening->state); /* a dialogue never goes back */
	opening->state = state;
}

static void say_helo(
    struct smtp_opening *opening, struct smtp_opening_step *step)
{
	int len = snprintf(step->say, sizeof(step->say), "%s %s\r\n",
	    smtp_verb_name(opening->helo_verb), opening->helo);
	assert(len > 0);
	assert((size_t)len < sizeof(step->say));
	step->say_len = (size_t)len;
	step->event = SMTP_OPENING_SAY;
	enter(opening, SMTP_OPENING_EXPECT_HELO_REPLY);
}

static void say_quit(
    struct smtp_opening *opening, struct smtp_opening_step *step)
{
	static const char quit[] = "QUIT\r\n";
	step->say_len = sizeof(quit) - 1;
	memcpy(step->say, quit, step->say_len);
	step->event = SMTP_OPENING_SAY;
	enter(opening, SMTP_OPENING_EXPECT_QUIT_REPLY);
}

static void finish(struct smtp_opening *opening, struct smtp_opening_step *step)
{
	step->event = SMTP_OPENING_READY;
	enter(opening, SMTP_OPENING_DONE);
}

static void refuse(
    struct smtp_opening_step *step, const struct smtp_reply *reply)
{
	step->event = SMTP_OPENING_REFUSED;
	step->reply_code = reply->code;
	step->reply_text = reply->text;
	step->reply_text_len = reply->text_len;
}

static void take_greeting(struct smtp_opening *opening,
    const struct smtp_reply *reply, struct smtp_opening_step *step)
{
	if (reply->code != 220)
		refuse(step, reply);
	else if (opening->helo_verb == SMTP_VERB_UNKNOWN)
		finish(opening, step);
	else
		say_helo(opening, step);
}

static void take_helo_reply(struct smtp_opening *opening, const uint8_t *input,
    const struct smtp_reply *reply, struct smtp_opening_step *step)
{
	bool extended = opening->helo_verb == SMTP_VERB_EHLO;
	if (reply->code >= 500 && extended && opening->probe) {
		/* RFC 5321, 3.2: a server without extensions is a server. */
		opening->helo_verb = SMTP_VERB_HELO;
		say_helo(opening, step);
		return;
	}
	if (reply->code != 250) {
		refuse(step, reply);
		return;
	}
	step->ehlo_read = extended || opening->probe;
	if (extended)
		smtp_ehlo_parse(input, reply->used, &step->ehlo);
	else
		step->ehlo = (struct smtp_ehlo){0};
	if (opening->probe)
		say_quit(opening, step);
	else
		finish(opening, step);
}

void smtp_opening_init(
    struct smtp_opening *opening, enum smtp_verb helo_verb, const char *helo)
{
	assert(helo_verb == SMTP_VERB_EHLO || helo_verb == SMTP_VERB_HELO ||
	       helo_verb == SMTP_VERB_UNKNOWN);
	/* It would be two commands; the gate lets no such name in. */
	assert(strpbrk(helo, "\r\n") == NULL);
	*opening = (struct smtp_opening){.helo_verb = helo_verb};
	int len = snprintf(opening->helo, sizeof(opening->helo), "%s", helo);
	assert(len >= 0);
}

void smtp_opening_init_probe(struct smtp_opening *opening, const char *helo)
{
	smtp_opening_init(opening, SMTP_VERB_EHLO, helo);
	opening->probe = true;
}

void smtp_opening_step(struct smtp_opening *opening, const uint8_t *input,
    size_t input_len, struct smtp_opening_step *step_out)
{
	struct smtp_reply reply;
	step_out->used = 0;
	step_out->say_len = 0;
	step_out->reply_code = 0;
	step_out->reply_text = NULL;
	step_out->reply_text_len = 0;
	step_out->ehlo_read = false;
	switch (smtp_reply_find(input, input_len, &reply)) {
	case SMTP_REPLY_NEED_MORE:
		step_out->event = SMTP_OPENING_NEED_MORE;
		return;
	case SMTP_REPLY_TOO_LONG:
	case SMTP_REPLY_MALFORMED:
		step_out->event = SMTP_OPENING_MALFORMED;
		return;
	case SMTP_REPLY_FOUND:
		break;
	}
	/* It is our turn to speak: what comes now would be taken for the answer
	 * to what we have not yet asked. */
	if (input_len > reply.used || opening->state == SMTP_OPENING_DONE) {
		step_out->event = SMTP_OPENING_MALFORMED;
		return;
	}
	step_out->used = reply.used;
	switch (opening->state) {
	case SMTP_OPENING_EXPECT_GREETING:
		take_greeting(opening, &reply, step_out);
		return;
	case SMTP_OPENING_EXPECT_HELO_REPLY:
		take_helo_reply(opening, input, &reply, step_out);
		return;
	case SMTP_OPENING_EXPECT_QUIT_REPLY:
	case SMTP_OPENING_DONE:
		finish(opening, step_out);
		return;
	}
}
