/* SPDX-License-Identifier: Apache-2.0 */
/* Back-pressure and buffers: who does not take must not be sent to without
 * bound, and nothing that had to wait may be lost. */
#include "proxy/flow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "harness.h"

#define OK	       "250 2.0.0 Ok\r\n"
#define MAIL	       "MAIL FROM:<a@client.test>\r\n"
#define RCPT	       "RCPT TO:<b@box.test>\r\n"
#define BODY_SIZE      ((size_t)1 << 20)
#define NOT_AUTHORIZED "550 5.7.0 Error: insufficient authorization\r\n"
/* What a flow may keep of a client that cannot be served: one receive, and what
 * it can complete. */
#define KEPT_SIZE_MAX LEG_PLAIN_SIZE_MAX((size_t)FLOW_RECEIVE_SIZE)

TestSuite(flow_pressure, .init = harness_init, .fini = harness_fini);

static unsigned wants(enum flow_want want)
{
	return flow_wants(&flow) & want;
}

/* Lines that differ, so that what changes places is seen. */
static char *make_body(size_t size)
{
	char *body = malloc(size + 64);
	size_t len = 0;

	cr_assert_not_null(body);
	for (unsigned line = 0; len < size; line++)
		len += (size_t)sprintf(body + len, "line %u of many\r\n", line);
	body[size] = '\0';
	return body;
}

static void enter_body(void)
{
	client_says(MAIL RCPT "DATA\r\n");
	backend_hears();
	backend_says("250 s\r\n250 r\r\n354 go\r\n");
	client_hears();
}

static void begin_in_clear_relay(void)
{
	begin_with_ehlo(HARNESS_CLEAR);
	client_says(MAIL);
	backend_serves(HARNESS_BACKEND_EHLO);
	cr_assert_str_eq(backend_hears(), MAIL);
	backend_says("250 s\r\n");
	client_hears();
	client_says("RSET\r\n");
	backend_hears();
	backend_says("250 reset\r\n");
	client_hears();
}

static void slow_backend(void (*begin_relay)(void))
{
	char *body = make_body(BODY_SIZE);
	size_t unsent;

	begin_relay();
	enter_body();
	client_sends(body, BODY_SIZE);
	unsent = client_unsent();
	cr_assert_gt(unsent, BODY_SIZE - BUFFER_SIZE - 2 * KEPT_SIZE_MAX);
	cr_assert_eq(wants(FLOW_WANT_CLIENT_RECV), 0);
	cr_assert_leq(flow.client.held_len, KEPT_SIZE_MAX);
	/* It takes a little, again and again. */
	for (int i = 0; i < 100; i++) {
		backend_takes(1000);
		client_sends("", 0);
		cr_assert_leq(flow.client.held_len, KEPT_SIZE_MAX);
	}
	cr_assert_lt(client_unsent(), unsent);
	cr_assert_str_eq(backend_hears(), body);
	cr_assert_eq(client_unsent(), 0);
	cr_assert_null(flow.client.held);
	cr_assert_eq(wants(FLOW_WANT_CLIENT_RECV), FLOW_WANT_CLIENT_RECV);
	free(body);
}

Test(flow_pressure, a_slow_backend_slows_the_client)
{
	slow_backend(begin_in_clear_relay);
}

Test(flow_pressure, a_slow_backend_slows_the_client_in_tls)
{
	slow_backend(begin_in_relay);
}

/* However the bytes come, the last receive may just fill the buffer. */
Test(flow_pressure, a_full_buffer_with_nothing_kept_goes_on)
{
	for (size_t i = 0; i < 8; i++) {
		size_t size = (i < 4 ? 16384 : FLOW_RECEIVE_SIZE) - i % 4;
		char *body = make_body(BODY_SIZE);

		harness_receive_size = size;
		begin_in_clear_relay();
		enter_body();
		client_sends(body, BODY_SIZE);
		cr_assert_str_eq(backend_hears(), body);
		cr_assert_eq(client_unsent(), 0);
		free(body);
		flow_client_failed(&flow, &env);
		ends_because(CLOSE_CLIENT_LOST);
		harness_again();
	}
}

static char *make_reply(size_t size)
{
	static const char last[] = "214 end\r\n";
	char *reply = malloc(size + 64);
	size_t len = 0;

	cr_assert_not_null(reply);
	for (unsigned line = 0; len < size; line++)
		len += (size_t)sprintf(reply + len, "214-line %u\r\n", line);
	memcpy(reply + len, last, sizeof(last));
	return reply;
}

static void slow_client(void (*begin_relay)(void), size_t kept_max)
{
	char *reply = make_reply(400000);
	size_t len = strlen(reply), said = 0;
	char *heard = calloc(1, len + 1);
	size_t heard_len = 0;

	begin_relay();
	client_says("HELP\r\n");
	backend_hears();
	while (said < len) {
		while (said < len && wants(FLOW_WANT_BACKEND_RECV) != 0) {
			size_t size = len - said < FLOW_RECEIVE_SIZE
					  ? len - said
					  : FLOW_RECEIVE_SIZE;

			backend_sends(reply + said, size);
			said += size;
		}
		if (said < len)
			cr_assert_gt(leg_pending(&flow.client),
			    BUFFER_SIZE - 2 * FLOW_RECEIVE_SIZE);
		cr_assert_leq(flow.backend.held_len, kept_max);
		client_takes(5000);
		const char *part = client_hears();

		memcpy(heard + heard_len, part, client_heard_len());
		heard_len += client_heard_len();
	}
	cr_assert_str_eq(heard, reply);
	free(reply);
	free(heard);
}

Test(flow_pressure, a_slow_client_slows_the_backend)
{
	/* A receive is armed with room for all of it: what is left is the head
	 * of a line. */
	slow_client(begin_in_clear_relay, 64);
}

Test(flow_pressure, a_slow_client_slows_the_backend_in_tls)
{
	/* Each line is a record of its own, so it may not all fit. */
	slow_client(begin_in_relay, FLOW_RECEIVE_SIZE);
}

/* 16 KiB of EHLO are answered with over 100 KiB. */
Test(flow_pressure, the_gate_obeys_while_there_is_room_to_answer)
{
	static const char word[] = "EHLO a\r\n";
	size_t count = 4000;
	size_t replies_len = count * strlen(HARNESS_EHLO_IN_CLEAR);
	const char *heard;

	services[HARNESS_MAY].policy.junk_command_limit = 100000;
	begin(HARNESS_MAY);
	client_hears();
	for (size_t i = 0; i < count; i++)
		client_says(word);
	cr_assert_eq(wants(FLOW_WANT_CLIENT_RECV), 0);
	cr_assert_leq(flow.client.held_len, FLOW_RECEIVE_SIZE);
	cr_assert_gt(client_unsent(), 0);
	heard = client_hears();
	cr_assert_eq(client_unsent(), 0);
	cr_assert_eq(client_heard_len(), replies_len);
	for (size_t at = 0; at < replies_len;
	     at += strlen(HARNESS_EHLO_IN_CLEAR))
		cr_assert_eq(memcmp(heard + at, HARNESS_EHLO_IN_CLEAR,
				 strlen(HARNESS_EHLO_IN_CLEAR)),
		    0);
	cr_assert_eq(wants(FLOW_WANT_CLIENT_RECV), FLOW_WANT_CLIENT_RECV);
}

/* Fills what goes to the client with replies of ours, while a receive from the
 * backend is armed and an answer of it is due. */
static void fill_client_buffer(size_t room)
{
	client_says("NOOP\r\n");
	backend_hears();
	backend_says("250 nothing\r\n");
	while (leg_room(&flow.client) > room + strlen(NOT_AUTHORIZED))
		client_says("XCLIENT a=b\r\n");
}

/* The answer of the backend and those of ours that waited for it go out in one
 * step, and together they may be more than there is room for. */
Test(flow_pressure, answers_that_come_together_wait_for_room)
{
	static char line[1601];
	size_t long_line_len = sizeof(line) - 1;

	memset(line, 'x', long_line_len);
	memcpy(line, "250 ", 4);
	memcpy(line + long_line_len - 2, "\r\n", 2);
	services[HARNESS_CLEAR].policy.hard_error_limit = 100000;
	for (size_t room = 4096; room < 6000; room += 25) {
		const char *heard;

		begin_with_ehlo(HARNESS_CLEAR);
		client_says(MAIL);
		backend_serves(HARNESS_BACKEND_EHLO);
		backend_hears();
		backend_says("250 s\r\n");
		client_hears();
		fill_client_buffer(room);
		client_says("NOOP\r\n");
		cr_assert_str_eq(backend_hears(), "NOOP\r\n");
		for (int i = 0; i < 60; i++)
			client_says("XCLIENT a=b\r\n");
		flow_backend_received(
		    &flow, &env, (const uint8_t *)line, long_line_len);
		harness_check();
		heard = client_hears();
		cr_assert_neq(strstr(heard, line), NULL);
		cr_assert_eq(strlen(strstr(heard, line)),
		    long_line_len + 60 * strlen(NOT_AUTHORIZED));
		cr_assert_eq(
		    wants(FLOW_WANT_BACKEND_RECV), FLOW_WANT_BACKEND_RECV);
		flow_client_failed(&flow, &env);
		ends_because(CLOSE_CLIENT_LOST);
		harness_again();
	}
}

/* It can be written to no more, but what it said before is an answer. */
Test(flow_pressure, a_reset_loses_no_answer_that_waits_for_room)
{
	static const char *const answers[] = {"250 one\r\n", "250 two\r\n"};

	for (size_t read = 0; read < 3; read++) {
		const char *heard;

		begin_in_clear_relay();
		client_says("NOOP\r\nNOOP\r\n");
		backend_hears();
		client_says("NOOP\r\n");
		for (size_t i = 0; i < read && i < 2; i++)
			flow_backend_received(&flow, &env,
			    (const uint8_t *)answers[i], strlen(answers[i]));
		flow_backend_send_failed(&flow, &env, ECONNRESET);
		cr_assert_eq(
		    wants(FLOW_WANT_BACKEND_RECV), FLOW_WANT_BACKEND_RECV);
		for (size_t i = read; i < 2; i++)
			flow_backend_received(&flow, &env,
			    (const uint8_t *)answers[i], strlen(answers[i]));
		flow_backend_failed(&flow, &env, ENOTCONN);
		if (wants(FLOW_WANT_BACKEND_CLOSE) != 0)
			flow_backend_closed(&flow, &env);
		heard = client_hears();
		cr_assert_str_eq(heard, "250 one\r\n250 two\r\n"
					"421 4.3.0 gate.test Error: backend "
					"connection lost\r\n");
		ends_because(CLOSE_BACKEND_LOST);
		harness_again();
	}
}

/* The end of its stream comes behind all that it said; a reset may come while
 * answers wait for room. */
Test(flow_pressure, a_reset_loses_no_answer_that_came)
{
	static char answers[1620];
	size_t long_line_len = 1600;

	memset(answers, 'x', long_line_len);
	memcpy(answers, "250 ", 4);
	memcpy(answers + long_line_len - 2, "\r\n250 two\r\n", 12);
	services[HARNESS_CLEAR].policy.hard_error_limit = 100000;
	begin_with_ehlo(HARNESS_CLEAR);
	client_says(MAIL);
	backend_serves(HARNESS_BACKEND_EHLO);
	backend_hears();
	backend_says("250 s\r\n");
	client_hears();
	fill_client_buffer(4200);
	client_says("NOOP\r\nNOOP\r\nNOOP\r\n");
	cr_assert_str_eq(backend_hears(), "NOOP\r\nNOOP\r\nNOOP\r\n");
	flow_backend_received(
	    &flow, &env, (const uint8_t *)answers, strlen(answers));
	cr_assert(flow.backend_waits);
	backend_breaks(ECONNRESET);
	const char *heard = strstr(client_hears(), answers);
	cr_assert_not_null(heard);
	cr_assert_str_eq(heard + strlen(answers),
	    "421 4.3.0 gate.test Error: backend connection lost\r\n");
	backend_is_closed();
	ends_because(CLOSE_BACKEND_LOST);
}

/* With the client's buffer full and nothing kept, it is listened to again. */
Test(flow_pressure, a_client_that_just_filled_its_buffer_is_heard_again)
{
	services[HARNESS_CLEAR].policy.hard_error_limit = 100000;
	begin_in_clear_relay();
	while (wants(FLOW_WANT_CLIENT_RECV) != 0)
		client_says("XCLIENT a=b\r\n");
	cr_assert_lt(leg_room(&flow.client), 4096);
	client_hears();
	cr_assert_eq(wants(FLOW_WANT_CLIENT_RECV), FLOW_WANT_CLIENT_RECV);
	client_says("NOOP\r\n");
	cr_assert_str_eq(backend_hears(), "NOOP\r\n");
}

Test(flow_pressure, without_a_buffer_the_greeting_waits)
{
	buffers_run_out(0);
	begin(HARNESS_MAY);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BUFFER);
	cr_assert_eq(counted(METRIC_buffers_exhausted), 1);
	flow_go_on(&flow, &env);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BUFFER);
	buffers_come_back();
	flow_go_on(&flow, &env);
	cr_assert_str_eq(client_hears(), HARNESS_GREETING);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_CLIENT_RECV);
}

Test(flow_pressure, without_a_buffer_a_command_is_kept)
{
	begin_with_ehlo(HARNESS_MAY);
	buffers_run_out(0);
	client_says("NOOP\r\nRS");
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BUFFER);
	client_says("ET\r\n");
	cr_assert_eq(client_unsent(), 4);
	buffers_come_back();
	flow_go_on(&flow, &env);
	cr_assert_str_eq(client_hears(), OK OK);
}

Test(flow_pressure, without_a_buffer_a_handshake_waits)
{
	begin(HARNESS_WRAPPED);
	buffers_run_out(0);
	client_begins_handshake();
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_HANDSHAKE);
	flow_handshake_turn(&flow, &env);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BUFFER);
	buffers_come_back();
	flow_go_on(&flow, &env);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_HANDSHAKE);
	flow_handshake_turn(&flow, &env);
	cr_assert_eq(
	    flow_wants(&flow), FLOW_WANT_CLIENT_SEND | FLOW_WANT_CLIENT_RECV);
}

/* With one buffer left the client's side has it, and the backend's has not. */
Test(flow_pressure, without_a_second_buffer_the_backend_waits)
{
	begin_in_relay();
	buffers_run_out(1);
	client_says("NOOP\r\n");
	cr_assert_eq(
	    flow_wants(&flow), FLOW_WANT_BUFFER | FLOW_WANT_BACKEND_RECV);
	buffers_come_back();
	flow_go_on(&flow, &env);
	cr_assert_str_eq(backend_hears(), "NOOP\r\n");
}

Test(flow_pressure, without_a_buffer_the_backends_answer_waits)
{
	begin_in_relay();
	client_says("NOOP\r\n");
	backend_hears();
	buffers_run_out(0);
	backend_says("250 nothing\r\n");
	cr_assert_eq(
	    flow_wants(&flow), FLOW_WANT_BUFFER | FLOW_WANT_CLIENT_RECV);
	buffers_come_back();
	flow_go_on(&flow, &env);
	cr_assert_str_eq(client_hears(), "250 nothing\r\n");
	cr_assert_eq(
	    flow_wants(&flow), FLOW_WANT_CLIENT_RECV | FLOW_WANT_BACKEND_RECV);
}

Test(flow_pressure, without_a_buffer_the_opening_waits)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says(MAIL);
	backend_connects();
	buffers_run_out(0);
	backend_says("220 backend.test\r\n");
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BUFFER);
	buffers_come_back();
	flow_go_on(&flow, &env);
	cr_assert_str_eq(backend_hears(), "EHLO client.test\r\n");
}

/* Who goes before a buffer is free for him was not forgotten. */
Test(flow_pressure, without_a_buffer_a_client_can_still_go)
{
	begin_with_ehlo(HARNESS_MAY);
	buffers_run_out(0);
	client_says("NOOP\r\n");
	flow_client_failed(&flow, &env);
	ends_because(CLOSE_CLIENT_LOST);
}

#define SINK_SESSION                                                  \
	"EHLO client.test\r\n" MAIL RCPT "DATA\r\nSubject: x\r\n\r\n" \
	"text\r\n.\r\n" MAIL RCPT "BDAT 4 LAST\r\nabcdNOOP\r\nQUIT\r\n"

/* Bytes of the session that come while there is no buffer, from the cut on. */
static void run_out_at(size_t cut, uint32_t left, const char *expected)
{
	size_t len = strlen(SINK_SESSION);

	begin_in_tls(HARNESS_SINK);
	client_sends(SINK_SESSION, cut);
	while (client_takes(SIZE_MAX))
		;
	buffers_run_out(left);
	client_sends(&SINK_SESSION[cut], len - cut);
	for (int i = 0; i < 3; i++) {
		flow_go_on(&flow, &env);
		harness_check();
	}
	buffers_come_back();
	if (wants(FLOW_WANT_BUFFER) != 0)
		flow_go_on(&flow, &env);
	cr_assert_str_eq(client_hears(), expected, "cut at %zu", cut);
	ends_because(CLOSE_CLIENT_QUIT);
	cr_assert_eq(counted(METRIC_messages_accepted), 2);
	cr_assert_eq(counted(METRIC_sink_bytes), 24);
	harness_again();
}

Test(flow_pressure, wherever_buffers_run_out_nothing_is_lost)
{
	char expected[4096];

	begin_in_tls(HARNESS_SINK);
	client_says(SINK_SESSION);
	snprintf(expected, sizeof(expected), "%s", client_hears());
	ends_because(CLOSE_CLIENT_QUIT);
	harness_again();
	for (size_t cut = 0; cut < strlen(SINK_SESSION); cut++)
		for (uint32_t left = 0; left < 2; left++)
			run_out_at(cut, left, expected);
}

static uint32_t in_use(void)
{
	return buffer_pool_in_use(&env.buffers);
}

Test(flow_pressure, who_is_idle_holds_no_buffer)
{
	begin(HARNESS_MAY);
	client_hears();
	cr_assert_eq(in_use(), 0, "gate");
	client_says("EHLO cli");
	cr_assert_eq(in_use(), 0, "half a command");
	client_says("ent.test\r\n");
	cr_assert_eq(in_use(), 1);
	client_hears();
	client_says("STARTTLS\r\n");
	client_hears();
	cr_assert_eq(in_use(), 0, "handshake");
	client_begins_handshake();
	cr_assert_eq(in_use(), 0, "handshake, before its turn");
	flow_handshake_turn(&flow, &env);
	flow_client_failed(&flow, &env);
	ends_because(CLOSE_HANDSHAKE_FAILED);
}

Test(flow_pressure, who_is_idle_behind_tls_holds_no_buffer)
{
	begin_in_tls(HARNESS_MAY);
	cr_assert_eq(in_use(), 0, "first command");
	client_says("EHLO client.test\r\n");
	cr_assert_eq(in_use(), 0, "connecting");
	backend_connects();
	backend_says("220 back");
	cr_assert_eq(in_use(), 0, "half a greeting");
	backend_says("end.test\r\n");
	cr_assert_eq(in_use(), 1);
	backend_hears();
	cr_assert_eq(in_use(), 0, "the answer to EHLO is due");
	backend_says(HARNESS_BACKEND_EHLO);
	client_hears();
	cr_assert_eq(in_use(), 0, "relay");
	enter_body();
	client_says("some text");
	backend_hears();
	cr_assert_eq(in_use(), 0, "in a body");
}

Test(flow_pressure, who_lingers_holds_no_buffer)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says("NOOP\n");
	client_hears();
	flow_client_shut_down(&flow);
	cr_assert_eq(flow.state, FLOW_LINGER);
	cr_assert_eq(in_use(), 0);
}
