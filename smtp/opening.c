/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/opening.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "smtp/reply.h"

#define ADDR_BIT (UINT32_C(1) << SMTP_ATTRIBUTE_ADDR)

static void enter(struct smtp_opening *opening, enum smtp_opening_state state)
{
	/* A dialogue never goes back, but that XCLIENT can take two lines. */
	assert(state >= opening->state ||
	       opening->state == SMTP_OPENING_EXPECT_XCLIENT_REPLY);
	opening->state = state;
}

static void say(struct smtp_opening *opening, struct smtp_opening_step *step,
    enum smtp_opening_state next, const char *verb, const char *argument)
{
	int len = snprintf(step->say, sizeof(step->say), "%s%s%s\r\n", verb,
	    argument[0] != '\0' ? " " : "", argument);
	assert(len > 0);
	assert((size_t)len < sizeof(step->say));
	step->say_len = (size_t)len;
	step->event = SMTP_OPENING_SAY;
	enter(opening, next);
}

static void say_own_helo(struct smtp_opening *opening,
    struct smtp_opening_step *step, enum smtp_opening_state next)
{
	say(opening, step, next,
	    smtp_verb_name(
		opening->said_helo ? SMTP_VERB_HELO : SMTP_VERB_EHLO),
	    opening->hostname);
}

static void finish(struct smtp_opening *opening, struct smtp_opening_step *step)
{
	step->event = SMTP_OPENING_READY;
	enter(opening, SMTP_OPENING_DONE);
}

static void fail(struct smtp_opening_step *step, enum smtp_opening_event event,
    const struct smtp_reply *reply)
{
	step->event = event;
	if (reply == NULL)
		return;
	step->reply_code = reply->code;
	step->reply_text = reply->text;
	step->reply_text_len = reply->text_len;
}

/* The client's own words, or nothing. */
static void go_on_as_client(
    struct smtp_opening *opening, struct smtp_opening_step *step)
{
	if (opening->probe)
		say(opening, step, SMTP_OPENING_EXPECT_QUIT_REPLY, "QUIT", "");
	else if (opening->helo_verb == SMTP_VERB_UNKNOWN)
		finish(opening, step);
	else
		say(opening, step, SMTP_OPENING_EXPECT_HELO_REPLY,
		    smtp_verb_name(opening->helo_verb), opening->helo);
}

static void go_on_behind_tls(
    struct smtp_opening *opening, struct smtp_opening_step *step)
{
	if (!opening->xclient || opening->probe) {
		go_on_as_client(opening, step);
		return;
	}
	if ((opening->attributes & ADDR_BIT) == 0) {
		fail(step, SMTP_OPENING_NO_XCLIENT, NULL);
		return;
	}
	step->event = SMTP_OPENING_IDENTIFY;
	enter(opening, SMTP_OPENING_EXPECT_IDENTITY);
}

static void take_greeting(struct smtp_opening *opening,
    const struct smtp_reply *reply, struct smtp_opening_step *step)
{
	if (reply->code != 220)
		fail(step, SMTP_OPENING_REFUSED, reply);
	else if (opening->tls != SMTP_OPENING_TLS_NONE || opening->xclient ||
		 opening->probe)
		say_own_helo(opening, step, SMTP_OPENING_EXPECT_FIRST_REPLY);
	else
		go_on_as_client(opening, step);
}

/* Returns whether the dialogue can go on. */
static bool take_own_reply(struct smtp_opening *opening, const uint8_t *input,
    const struct smtp_reply *reply, struct smtp_opening_step *step)
{
	if (reply->code >= 500 && !opening->said_helo) {
		/* RFC 5321, 3.2: a server without extensions is a server. */
		opening->said_helo = true;
		say_own_helo(opening, step, opening->state);
		return false;
	}
	if (reply->code != 250) {
		fail(step, SMTP_OPENING_REFUSED, reply);
		return false;
	}
	step->ehlo = (struct smtp_ehlo){0};
	if (!opening->said_helo)
		smtp_ehlo_parse(input, reply->used, &step->ehlo);
	step->ehlo_read = true;
	step->ehlo_is_ours = true;
	opening->offers_starttls = step->ehlo.starttls;
	opening->attributes = step->ehlo.xclient;
	return true;
}

static void take_first_reply(struct smtp_opening *opening, const uint8_t *input,
    const struct smtp_reply *reply, struct smtp_opening_step *step)
{
	if (!take_own_reply(opening, input, reply, step))
		return;
	if (opening->tls != SMTP_OPENING_TLS_NONE && opening->offers_starttls)
		say(opening, step, SMTP_OPENING_EXPECT_STARTTLS_REPLY,
		    "STARTTLS", "");
	else if (opening->tls == SMTP_OPENING_TLS_ENCRYPT)
		fail(step, SMTP_OPENING_NO_TLS, NULL);
	else
		go_on_behind_tls(opening, step);
}

static void take_starttls_reply(struct smtp_opening *opening,
    const struct smtp_reply *reply, struct smtp_opening_step *step)
{
	if (reply->code == 220) {
		step->event = SMTP_OPENING_START_TLS;
		enter(opening, SMTP_OPENING_EXPECT_TLS);
	} else if (opening->tls == SMTP_OPENING_TLS_ENCRYPT) {
		fail(step, SMTP_OPENING_NO_TLS, reply);
	} else if (opening->probe) {
		/* The last answer to EHLO is what a probe goes by. */
		say_own_helo(opening, step, SMTP_OPENING_EXPECT_NEXT_REPLY);
	} else {
		go_on_behind_tls(opening, step);
	}
}

/* The reply to XCLIENT is a new greeting. */
static void take_xclient_reply(struct smtp_opening *opening,
    const struct smtp_reply *reply, struct smtp_opening_step *step)
{
	if (reply->code != 220) {
		fail(step, SMTP_OPENING_NO_XCLIENT, reply);
	} else if (opening->attributes != 0) {
		step->event = SMTP_OPENING_IDENTIFY;
		enter(opening, SMTP_OPENING_EXPECT_IDENTITY);
	} else {
		opening->identified = true;
		go_on_as_client(opening, step);
	}
}

static void take_helo_reply(struct smtp_opening *opening, const uint8_t *input,
    const struct smtp_reply *reply, struct smtp_opening_step *step)
{
	if (reply->code != 250) {
		fail(step, SMTP_OPENING_REFUSED, reply);
		return;
	}
	step->ehlo_read = opening->helo_verb == SMTP_VERB_EHLO;
	if (step->ehlo_read)
		smtp_ehlo_parse(input, reply->used, &step->ehlo);
	finish(opening, step);
}

static void take_reply(struct smtp_opening *opening, const uint8_t *input,
    const struct smtp_reply *reply, struct smtp_opening_step *step)
{
	switch (opening->state) {
	case SMTP_OPENING_EXPECT_GREETING:
		take_greeting(opening, reply, step);
		return;
	case SMTP_OPENING_EXPECT_FIRST_REPLY:
		take_first_reply(opening, input, reply, step);
		return;
	case SMTP_OPENING_EXPECT_STARTTLS_REPLY:
		take_starttls_reply(opening, reply, step);
		return;
	case SMTP_OPENING_EXPECT_NEXT_REPLY:
		if (take_own_reply(opening, input, reply, step))
			go_on_behind_tls(opening, step);
		return;
	case SMTP_OPENING_EXPECT_XCLIENT_REPLY:
		take_xclient_reply(opening, reply, step);
		return;
	case SMTP_OPENING_EXPECT_HELO_REPLY:
		take_helo_reply(opening, input, reply, step);
		return;
	case SMTP_OPENING_EXPECT_QUIT_REPLY:
		finish(opening, step);
		return;
	case SMTP_OPENING_EXPECT_TLS:
	case SMTP_OPENING_EXPECT_IDENTITY:
	case SMTP_OPENING_DONE:
		step->event = SMTP_OPENING_MALFORMED;
		return;
	}
}

static void begin_step(struct smtp_opening_step *step)
{
	step->event = SMTP_OPENING_NEED_MORE;
	step->used = 0;
	step->say_len = 0;
	step->reply_code = 0;
	step->reply_text = NULL;
	step->reply_text_len = 0;
	step->ehlo_read = false;
	step->ehlo_is_ours = false;
}

void smtp_opening_init(
    struct smtp_opening *opening, const struct smtp_opening_plan *plan)
{
	enum smtp_verb verb = plan->helo_verb;
	assert(verb == SMTP_VERB_EHLO || verb == SMTP_VERB_HELO ||
	       verb == SMTP_VERB_UNKNOWN);
	/* It would be two commands; the gate lets no such name in. */
	assert(strpbrk(plan->helo, "\r\n") == NULL);
	*opening = (struct smtp_opening){
	    .helo_verb = verb,
	    .tls = plan->tls,
	    .xclient = plan->xclient,
	    .probe = plan->probe,
	};
	snprintf(
	    opening->hostname, sizeof(opening->hostname), "%s", plan->hostname);
	snprintf(opening->helo, sizeof(opening->helo), "%s", plan->helo);
}

void smtp_opening_step(struct smtp_opening *opening, const uint8_t *input,
    size_t input_len, struct smtp_opening_step *step_out)
{
	struct smtp_reply reply;
	begin_step(step_out);
	switch (smtp_reply_find(input, input_len, &reply)) {
	case SMTP_REPLY_NEED_MORE:
		return;
	case SMTP_REPLY_TOO_LONG:
	case SMTP_REPLY_MALFORMED:
		step_out->event = SMTP_OPENING_MALFORMED;
		return;
	case SMTP_REPLY_FOUND:
		break;
	}
	step_out->used = reply.used;
	/* Bytes behind the 220 to STARTTLS came in clear, from anyone on the
	 * path. Were they kept, they would be read as if TLS had protected
	 * them. RFC 3207, 4.2; CVE-2021-38371. */
	if (opening->state == SMTP_OPENING_EXPECT_STARTTLS_REPLY &&
	    reply.code == 220)
		step_out->used = input_len;
	/* Else it is our turn to speak: what comes now would be taken for the
	 * answer to what we have not yet asked. */
	if (input_len > step_out->used) {
		step_out->event = SMTP_OPENING_MALFORMED;
		step_out->used = 0;
		return;
	}
	take_reply(opening, input, &reply, step_out);
}

void smtp_opening_secured(
    struct smtp_opening *opening, struct smtp_opening_step *step_out)
{
	assert(opening->state == SMTP_OPENING_EXPECT_TLS);
	begin_step(step_out);
	opening->said_helo = false;
	opening->attributes = 0;
	opening->offers_starttls = false;
	say_own_helo(opening, step_out, SMTP_OPENING_EXPECT_NEXT_REPLY);
}

void smtp_opening_identify(struct smtp_opening *opening,
    const struct smtp_identity *identity, struct smtp_opening_step *step_out)
{
	assert(opening->state == SMTP_OPENING_EXPECT_IDENTITY);
	begin_step(step_out);
	step_out->say_len = smtp_xclient_write(&opening->attributes, identity,
	    step_out->say, sizeof(step_out->say));
	assert(step_out->say_len > 0); /* ADDR has always something to say */
	step_out->event = SMTP_OPENING_SAY;
	enter(opening, SMTP_OPENING_EXPECT_XCLIENT_REPLY);
}
