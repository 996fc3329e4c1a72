/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/dialogue.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

static const char message[] = "Subject: a\r\n\r\nb\r\n";

static struct dialogue_plan plan = {
    .work = DIALOGUE_RELAY,
    .tls = DIALOGUE_CLEAR,
    .helo = "client.test",
    .from = "a@test",
    .to = "b@test",
    .message = message,
    .message_len = sizeof(message) - 1,
};
static struct dialogue dialogue;

/* All that it has to say, taken a few octets at a time. */
static void assert_says(const char *expected)
{
	char said[1024] = "";
	size_t len = 0;

	while (dialogue_wants(&dialogue) == DIALOGUE_WANT_SEND) {
		const char *data;
		size_t part = dialogue_output(&dialogue, &data);

		if (part > 3)
			part = 3;
		cr_assert_lt(len + part, sizeof(said));
		memcpy(said + len, data, part);
		len += part;
		dialogue_sent(&dialogue, part);
	}
	said[len] = '\0';
	cr_assert_str_eq(said, expected);
}

static void hear(const char *bytes)
{
	cr_assert_eq(dialogue_wants(&dialogue), DIALOGUE_WANT_INPUT);
	dialogue_input(&dialogue, bytes, strlen(bytes));
}

static void assert_wants(enum dialogue_want want)
{
	cr_assert_eq(dialogue_wants(&dialogue), want, "it wants %d, %s",
	    dialogue_wants(&dialogue), dialogue.fault);
}

static void greet(void)
{
	dialogue_init(&dialogue, &plan);
	hear("220 mx\r\n");
	assert_says("EHLO client.test\r\n");
	hear("250-mx\r\n250 8BITMIME\r\n");
}

Test(dialogue, a_message_step_by_step)
{
	greet();
	assert_wants(DIALOGUE_WANT_UNIT);
	dialogue_begin_unit(&dialogue);
	assert_says("MAIL FROM:<a@test>\r\n");
	hear("250 ok\r\n");
	assert_says("RCPT TO:<b@test>\r\n");
	hear("250 ok\r\n");
	assert_says("DATA\r\n");
	hear("354 go\r\n");
	assert_says("Subject: a\r\n\r\nb\r\n.\r\n");
	cr_assert_not(dialogue.unit_done);
	hear("250 queued\r\n");
	cr_assert(dialogue.unit_done);
	assert_wants(DIALOGUE_WANT_UNIT);
	dialogue_finish(&dialogue);
	assert_says("QUIT\r\n");
	hear("221 bye\r\n");
	assert_wants(DIALOGUE_WANT_END);
}

Test(dialogue, a_pipelined_message)
{
	plan.pipelined = true;
	greet();
	dialogue_begin_unit(&dialogue);
	assert_says("MAIL FROM:<a@test>\r\nRCPT TO:<b@test>\r\nDATA\r\n");
	hear("250 ok\r\n250 ok\r\n35");
	hear("4 go\r\n");
	assert_says("Subject: a\r\n\r\nb\r\n.\r\n");
	hear("250 queued\r\n");
	cr_assert(dialogue.unit_done);
}

Test(dialogue, chunks)
{
	plan.bdat = true;
	greet();
	dialogue_begin_unit(&dialogue);
	assert_says("MAIL FROM:<a@test>\r\n");
	hear("250 ok\r\n");
	assert_says("RCPT TO:<b@test>\r\n");
	hear("250 ok\r\n");
	assert_says("BDAT 17 LAST\r\nSubject: a\r\n\r\nb\r\n");
	hear("250 queued\r\n");
	cr_assert(dialogue.unit_done);
}

Test(dialogue, pipelined_chunks)
{
	plan.bdat = true;
	plan.pipelined = true;
	greet();
	dialogue_begin_unit(&dialogue);
	assert_says("MAIL FROM:<a@test>\r\nRCPT TO:<b@test>\r\n"
		    "BDAT 17 LAST\r\nSubject: a\r\n\r\nb\r\n");
	hear("250 ok\r\n250 ok\r\n");
	cr_assert_not(dialogue.unit_done);
	hear("250 queued\r\n");
	cr_assert(dialogue.unit_done);
}

Test(dialogue, starttls_begins_anew)
{
	plan.tls = DIALOGUE_STARTTLS;
	greet();
	assert_says("STARTTLS\r\n");
	hear("220 go\r\n");
	assert_wants(DIALOGUE_WANT_TLS);
	dialogue_secured(&dialogue);
	assert_says("EHLO client.test\r\n");
	hear("250 mx\r\n");
	assert_wants(DIALOGUE_WANT_UNIT);
}

Test(dialogue, a_handshake_is_done_when_tls_stands)
{
	plan.work = DIALOGUE_HANDSHAKE;
	plan.tls = DIALOGUE_IMPLICIT;
	dialogue_init(&dialogue, &plan);
	assert_wants(DIALOGUE_WANT_TLS);
	dialogue_secured(&dialogue);
	cr_assert(dialogue.unit_done);
	assert_wants(DIALOGUE_WANT_END);
	/* What the server says then is of no interest. */
	dialogue_input(&dialogue, "whatever", 8);
	assert_wants(DIALOGUE_WANT_END);
}

Test(dialogue, a_handshake_with_quit)
{
	plan.work = DIALOGUE_HANDSHAKE;
	plan.tls = DIALOGUE_IMPLICIT;
	plan.quit = true;
	dialogue_init(&dialogue, &plan);
	dialogue_secured(&dialogue);
	hear("220 mx\r\n");
	assert_says("QUIT\r\n");
	hear("221 bye\r\n");
	assert_wants(DIALOGUE_WANT_END);
}

Test(dialogue, holds_at_each_stage)
{
	plan.work = DIALOGUE_IDLE;
	plan.tls = DIALOGUE_STARTTLS;
	greet();
	assert_says("STARTTLS\r\n");
	hear("220 go\r\n");
	plan.hold = DIALOGUE_SECURED;
	dialogue_secured(&dialogue);
	assert_wants(DIALOGUE_WANT_NOTHING);

	plan.tls = DIALOGUE_CLEAR;
	plan.hold = DIALOGUE_GREETED;
	greet();
	assert_wants(DIALOGUE_WANT_NOTHING);

	plan.hold = DIALOGUE_ADDRESSED;
	greet();
	assert_says("MAIL FROM:<a@test>\r\n");
	hear("250 ok\r\n");
	assert_says("RCPT TO:<b@test>\r\n");
	hear("250 ok\r\n");
	assert_wants(DIALOGUE_WANT_NOTHING);
}

Test(dialogue, a_refusal_is_told_with_the_servers_words)
{
	dialogue_init(&dialogue, &plan);
	hear("554 go away\r\n");
	assert_wants(DIALOGUE_FAILED);
	cr_assert_str_eq(dialogue.fault,
	    "the server answered the greeting with: 554 go away");
}

Test(dialogue, what_nobody_asked_for_is_told)
{
	greet();
	dialogue_input(&dialogue, "421 timeout\r\n", 13);
	assert_wants(DIALOGUE_FAILED);
	cr_assert_str_eq(
	    dialogue.fault, "the server said unasked: 421 timeout");
}

Test(dialogue, another_protocol_is_told)
{
	dialogue_init(&dialogue, &plan);
	hear("HTTP/1.1 400 Bad Request\r\n");
	assert_wants(DIALOGUE_FAILED);
	cr_assert_str_eq(
	    dialogue.fault, "this is no SMTP reply: HTTP/1.1 400 Bad Request");
}

Test(dialogue, octets_behind_starttls_are_told)
{
	plan.tls = DIALOGUE_STARTTLS;
	greet();
	assert_says("STARTTLS\r\n");
	hear("220 go\r\n250 injected\r\n");
	assert_wants(DIALOGUE_FAILED);
	cr_assert_neq(strstr(dialogue.fault, "in clear"), NULL);
}

/* Whatever the size: whole lines, and no dot at the beginning of one. */
Test(dialogue, messages_of_any_size_are_well_formed)
{
	for (size_t len = DIALOGUE_MESSAGE_MIN; len < 700; len++) {
		char *text = dialogue_make_message(len);

		cr_assert_eq(memcmp(text + len - 2, "\r\n", 2), 0);
		for (size_t i = 0; i < len; i++) {
			if (text[i] == '\n')
				cr_assert_eq(text[i - 1], '\r', "%zu", len);
			if (text[i] == '\r')
				cr_assert_eq(text[i + 1], '\n', "%zu", len);
			cr_assert_neq(text[i], '.');
		}
		free(text);
	}
}
