/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/dialogue.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_LEN 76 /* of a message, with its CRLF */

/* Named by what is under way. */
enum step {
	STEP_GREETING,
	STEP_EHLO,
	STEP_STARTTLS,
	STEP_HANDSHAKE,
	STEP_READY,
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_BODY,
	STEP_NOOP,
	STEP_HELD,
	STEP_QUIT,
	STEP_END,
	STEP_FAILED,
};

static const char *step_name(enum step step)
{
	static const char *const names[] = {"the greeting", "EHLO", "STARTTLS",
	    "the handshake", "a command", "MAIL", "RCPT", "DATA", "the message",
	    "NOOP", "nothing", "QUIT", "the end", "a failure"};

	return names[step];
}

__attribute__((format(printf, 2, 3))) static void fail(
    struct dialogue *dialogue, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(dialogue->fault, sizeof(dialogue->fault), format, arguments);
	va_end(arguments);
	dialogue->step = STEP_FAILED;
}

/* `expect` has one digit for each reply. */
__attribute__((format(printf, 4, 5))) static void say(struct dialogue *dialogue,
    enum step step, const char *expect, const char *format, ...)
{
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(
	    dialogue->commands, sizeof(dialogue->commands), format, arguments);
	va_end(arguments);
	assert(len >= 0);
	assert((size_t)len < sizeof(dialogue->commands));
	memset(dialogue->pieces, 0, sizeof(dialogue->pieces));
	dialogue->pieces[0].data = dialogue->commands;
	dialogue->pieces[0].len = (size_t)len;
	dialogue->step = step;
	dialogue->expect = expect;
}

static void append_message(struct dialogue *dialogue)
{
	const struct dialogue_plan *plan = dialogue->plan;

	dialogue->pieces[1].data = plan->message;
	dialogue->pieces[1].len = plan->message_len;
	if (plan->bdat)
		return;
	dialogue->pieces[2].data = ".\r\n";
	dialogue->pieces[2].len = 3;
}

static void say_mail(struct dialogue *dialogue)
{
	const struct dialogue_plan *plan = dialogue->plan;
	bool is_held = plan->work == DIALOGUE_IDLE;

	if (!plan->pipelined || is_held) {
		say(dialogue, STEP_MAIL, "2", "MAIL FROM:<%s>\r\n", plan->from);
		return;
	}
	if (!plan->bdat) {
		say(dialogue, STEP_DATA, "223",
		    "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", plan->from,
		    plan->to);
		return;
	}
	say(dialogue, STEP_BODY, "222",
	    "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nBDAT %zu LAST\r\n", plan->from,
	    plan->to, plan->message_len);
	append_message(dialogue);
}

static void say_body(struct dialogue *dialogue)
{
	if (dialogue->plan->bdat)
		say(dialogue, STEP_BODY, "2", "BDAT %zu LAST\r\n",
		    dialogue->plan->message_len);
	else
		say(dialogue, STEP_BODY, "2", "%s", "");
	append_message(dialogue);
}

static void enter(struct dialogue *dialogue, enum step step)
{
	dialogue->step = step;
	dialogue->expect = "";
}

static void hear_greeting(struct dialogue *dialogue)
{
	dialogue->step = STEP_GREETING;
	dialogue->expect = "2";
}

/* EHLO was answered, in TLS or where there is none. */
static void begin_work(struct dialogue *dialogue)
{
	switch (dialogue->plan->work) {
	case DIALOGUE_HANDSHAKE:
		enter(dialogue, STEP_END);
		return;
	case DIALOGUE_RELAY:
	case DIALOGUE_NOOP:
		enter(dialogue, STEP_READY);
		return;
	case DIALOGUE_IDLE:
		if (dialogue->plan->hold == DIALOGUE_ADDRESSED)
			say_mail(dialogue);
		else
			enter(dialogue, STEP_HELD);
		return;
	}
}

static void leave_greeting(struct dialogue *dialogue)
{
	const struct dialogue_plan *plan = dialogue->plan;

	if (plan->work == DIALOGUE_HANDSHAKE && dialogue->secured)
		say(dialogue, STEP_QUIT, "2", "QUIT\r\n");
	else
		say(dialogue, STEP_EHLO, "2", "EHLO %s\r\n", plan->helo);
}

static void leave_ehlo(struct dialogue *dialogue)
{
	if (dialogue->plan->tls == DIALOGUE_STARTTLS && !dialogue->secured)
		say(dialogue, STEP_STARTTLS, "2", "STARTTLS\r\n");
	else
		begin_work(dialogue);
}

static void end_unit(struct dialogue *dialogue)
{
	dialogue->unit_done = true;
	enter(dialogue, STEP_READY);
}

/* All that was expected in this step has come. */
static void advance(struct dialogue *dialogue)
{
	const struct dialogue_plan *plan = dialogue->plan;

	switch ((enum step)dialogue->step) {
	case STEP_GREETING:
		leave_greeting(dialogue);
		return;
	case STEP_EHLO:
		leave_ehlo(dialogue);
		return;
	case STEP_STARTTLS:
		enter(dialogue, STEP_HANDSHAKE);
		return;
	case STEP_MAIL:
		say(dialogue, STEP_RCPT, "2", "RCPT TO:<%s>\r\n", plan->to);
		return;
	case STEP_RCPT:
		if (plan->work == DIALOGUE_IDLE)
			enter(dialogue, STEP_HELD);
		else if (plan->bdat)
			say_body(dialogue);
		else
			say(dialogue, STEP_DATA, "3", "DATA\r\n");
		return;
	case STEP_DATA:
		say_body(dialogue);
		return;
	case STEP_BODY:
	case STEP_NOOP:
		end_unit(dialogue);
		return;
	case STEP_QUIT:
		enter(dialogue, STEP_END);
		return;
	case STEP_HANDSHAKE:
	case STEP_READY:
	case STEP_HELD:
	case STEP_END:
	case STEP_FAILED:
		return;
	}
}

static void hear(struct dialogue *dialogue)
{
	const struct reply *reply = &dialogue->reply;
	const char *unsaid;

	if (*dialogue->expect == '\0' ||
	    dialogue_output(dialogue, &unsaid) > 0) {
		fail(dialogue, "the server said unasked: %s", reply->text);
		return;
	}
	if (reply->code / 100 != *dialogue->expect - '0') {
		fail(dialogue, "the server answered %s with: %s",
		    step_name(dialogue->step), reply->text);
		return;
	}
	dialogue->expect++;
	if (*dialogue->expect == '\0')
		advance(dialogue);
}

void dialogue_init(struct dialogue *dialogue, const struct dialogue_plan *plan)
{
	memset(dialogue, 0, sizeof(*dialogue));
	dialogue->plan = plan;
	dialogue->expect = "";
	if (plan->tls == DIALOGUE_IMPLICIT)
		enter(dialogue, STEP_HANDSHAKE);
	else
		hear_greeting(dialogue);
}

enum dialogue_want dialogue_wants(const struct dialogue *dialogue)
{
	const char *data;

	if (dialogue->step == STEP_FAILED)
		return DIALOGUE_FAILED;
	if (dialogue_output(dialogue, &data) > 0)
		return DIALOGUE_WANT_SEND;
	if (*dialogue->expect != '\0')
		return DIALOGUE_WANT_INPUT;
	if (dialogue->step == STEP_HANDSHAKE)
		return DIALOGUE_WANT_TLS;
	if (dialogue->step == STEP_READY)
		return DIALOGUE_WANT_UNIT;
	if (dialogue->step == STEP_HELD)
		return DIALOGUE_WANT_NOTHING;
	assert(dialogue->step == STEP_END);
	return DIALOGUE_WANT_END;
}

size_t dialogue_output(const struct dialogue *dialogue, const char **data_out)
{
	for (size_t i = 0; i < 3; i++)
		if (dialogue->pieces[i].len > 0) {
			*data_out = dialogue->pieces[i].data;
			return dialogue->pieces[i].len;
		}
	return 0;
}

void dialogue_sent(struct dialogue *dialogue, size_t len)
{
	for (size_t i = 0; i < 3 && len > 0; i++) {
		struct dialogue_piece *piece = &dialogue->pieces[i];
		size_t part = len < piece->len ? len : piece->len;

		if (part == 0)
			continue;
		piece->data += part;
		piece->len -= part;
		len -= part;
	}
	assert(len == 0);
}

void dialogue_input(struct dialogue *dialogue, const char *data, size_t len)
{
	while (len > 0) {
		enum reply_status status;
		size_t used;

		if (dialogue->step == STEP_END || dialogue->step == STEP_FAILED)
			return;
		if (dialogue->step == STEP_HANDSHAKE) {
			fail(dialogue, "the server sent octets in clear "
				       "where TLS must begin");
			return;
		}
		status = reply_read(&dialogue->reply, data, len, &used);
		data += used;
		len -= used;
		if (status == REPLY_BAD)
			fail(dialogue, "this is no SMTP reply: %s",
			    dialogue->reply.text);
		else if (status == REPLY_DONE)
			hear(dialogue);
	}
}

void dialogue_secured(struct dialogue *dialogue)
{
	const struct dialogue_plan *plan = dialogue->plan;

	assert(dialogue->step == STEP_HANDSHAKE);
	dialogue->secured = true;
	if (plan->work == DIALOGUE_HANDSHAKE)
		dialogue->unit_done = true;
	if (plan->work == DIALOGUE_HANDSHAKE && !plan->quit) {
		enter(dialogue, STEP_END);
		return;
	}
	if (plan->work == DIALOGUE_IDLE && plan->hold == DIALOGUE_SECURED) {
		enter(dialogue, STEP_HELD);
		return;
	}
	if (plan->tls == DIALOGUE_IMPLICIT)
		hear_greeting(dialogue);
	else
		leave_greeting(dialogue);
}

void dialogue_begin_unit(struct dialogue *dialogue)
{
	assert(dialogue->step == STEP_READY);
	if (dialogue->plan->work == DIALOGUE_NOOP)
		say(dialogue, STEP_NOOP, "2", "NOOP\r\n");
	else
		say_mail(dialogue);
}

void dialogue_finish(struct dialogue *dialogue)
{
	assert(dialogue->step == STEP_READY);
	say(dialogue, STEP_QUIT, "2", "QUIT\r\n");
}

char *dialogue_make_message(size_t len)
{
	static const char head[] = "Subject: postern-bench\r\n\r\n";
	size_t at = sizeof(head) - 1;
	char *message;

	assert(len >= DIALOGUE_MESSAGE_MIN);
	message = malloc(len);
	if (message == NULL)
		return NULL;
	memcpy(message, head, at);
	for (size_t column = 0; at < len; at++, column++) {
		size_t place = column % LINE_LEN;

		message[at] = (char)('a' + column % 26);
		if (place == LINE_LEN - 2 && at + 1 < len)
			message[at] = '\r';
		if (place == LINE_LEN - 1)
			message[at] = '\n';
	}
	/* Whatever stood there: a lone CR or half a line. */
	if (message[len - 3] == '\r')
		message[len - 3] = 'z';
	message[len - 2] = '\r';
	message[len - 1] = '\n';
	return message;
}
