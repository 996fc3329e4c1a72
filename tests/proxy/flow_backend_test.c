/* SPDX-License-Identifier: Apache-2.0 */
/* A session and its backend: when it is opened, which one it is, the relay, and
 * what becomes of a session that loses it. */
#include "proxy/flow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "harness.h"

#define OK   "250 2.0.0 Ok\r\n"
#define MAIL "MAIL FROM:<a@client.test>\r\n"
#define RCPT "RCPT TO:<b@box.test>\r\n"
#define UNAVAILABLE \
	"451 4.3.0 Error: mail server unavailable, try again later\r\n"
#define LOST	     "421 4.3.0 gate.test Error: backend connection lost\r\n"
#define MESSAGE_LOST "451 4.3.0 Error: backend connection lost\r\n"

TestSuite(flow_backend, .init = harness_init, .fini = harness_fini);

/* A flood of handshakes must not cost the backend a process. */
Test(flow_backend, there_is_none_before_a_command_behind_tls_needs_it)
{
	begin_in_tls(HARNESS_MAY);
	client_says("NOOP\r\nNOOP\r\n");
	cr_assert_str_eq(client_hears(), OK OK);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_CLIENT_RECV);
	client_says("EHLO client.test\r\n");
	cr_assert_eq(flow.state, FLOW_BACKEND_OPENING);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BACKEND_CONNECT);
	cr_assert_eq(counted(METRIC_backend_connects), 0);
	backend_connects();
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BACKEND_RECV);
	cr_assert_eq(counted(METRIC_backend_connects), 1);
	cr_assert_eq(counted(METRIC_backend_sessions), 1);
}

Test(flow_backend, there_is_none_for_a_client_that_only_quits)
{
	begin_in_tls(HARNESS_MAY);
	client_says("QUIT\r\n");
	cr_assert_str_eq(client_hears(), "221 2.0.0 Bye\r\n");
	ends_because(CLOSE_CLIENT_QUIT);
	cr_assert_eq(counted(METRIC_backend_connects), 0);
}

Test(flow_backend, in_clear_there_is_none_before_mail)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says("NOOP\r\nRSET\r\nHELP\r\n");
	client_hears();
	cr_assert_eq(flow.state, FLOW_GATE);
	client_says(MAIL);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BACKEND_CONNECT);
}

/* Behind TLS the client's EHLO is the first that the backend hears; in clear
 * the gate had answered it, and it is said again. */
Test(flow_backend, the_clients_own_ehlo_is_said_to_it)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says(MAIL);
	backend_connects();
	backend_says("220-backend.test\r\n220 ESMTP\r\n");
	cr_assert_str_eq(backend_hears(), "EHLO client.test\r\n");
	backend_says(HARNESS_BACKEND_EHLO);
	cr_assert_eq(flow.state, FLOW_RELAY);
	cr_assert_str_eq(client_hears(), "", "it had its answer");
	cr_assert_str_eq(backend_hears(), MAIL);
}

Test(flow_backend, a_client_without_ehlo_has_none_said)
{
	begin(HARNESS_MAY);
	client_hears();
	client_says(MAIL);
	backend_connects();
	backend_says("220 backend.test\r\n");
	cr_assert_eq(flow.state, FLOW_RELAY);
	cr_assert_str_eq(backend_hears(), MAIL);
}

/* The guard: input that was pipelined is kept until the backend can take it,
 * and not one command of it is lost or changes its place. */
Test(flow_backend, pipelined_input_is_kept_while_the_backend_opens)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says("NOOP\r\n" MAIL RCPT "NOOP\r\nDA");
	cr_assert_str_eq(client_hears(), OK);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BACKEND_CONNECT);
	client_says("TA\r\n");
	cr_assert_eq(client_unsent(), 4, "no more is received meanwhile");
	backend_connects();
	cr_assert_str_eq(backend_hears(), "");
	backend_says("220 backend.test\r\n");
	cr_assert_str_eq(backend_hears(), "EHLO client.test\r\n");
	cr_assert_eq(client_unsent(), 4);
	backend_says(HARNESS_BACKEND_EHLO);
	cr_assert_str_eq(backend_hears(), MAIL RCPT "NOOP\r\nDATA\r\n");
	backend_says("250 sender\r\n250 recipient\r\n250 nothing\r\n");
	cr_assert_str_eq(
	    client_hears(), "250 sender\r\n250 recipient\r\n250 nothing\r\n");
}

Test(flow_backend, a_message_goes_through)
{
	begin_in_relay();
	client_says(MAIL RCPT "DATA\r\n");
	cr_assert_str_eq(backend_hears(), MAIL RCPT "DATA\r\n");
	backend_says("250 s\r\n250 r\r\n354 go\r\n");
	cr_assert_str_eq(client_hears(), "250 s\r\n250 r\r\n354 go\r\n");
	client_says(
	    "Subject: x\r\n\r\nMAIL FROM:<no@command>\r\n.\r\nQUIT\r\n");
	cr_assert_str_eq(backend_hears(),
	    "Subject: x\r\n\r\nMAIL FROM:<no@command>\r\n.\r\nQUIT\r\n");
	backend_says("250 queued\r\n221 bye\r\n");
	cr_assert_str_eq(client_hears(), "250 queued\r\n221 bye\r\n");
	ends_because(CLOSE_CLIENT_QUIT);
	cr_assert_eq(counted(METRIC_messages_accepted), 1);
	cr_assert_eq(logged_times(" backend=inet:first "), 1);
	cr_assert_eq(logged_times(" commands=6 messages=1 "), 1);
}

Test(flow_backend, a_message_goes_through_byte_by_byte)
{
	harness_receive_size = 1;
	begin_in_relay();
	client_says(MAIL RCPT "DATA\r\n");
	backend_hears();
	backend_says("25");
	backend_says("0 s\r\n250 r\r");
	backend_says("\n354 go\r\n");
	cr_assert_str_eq(client_hears(), "250 s\r\n250 r\r\n354 go\r\n");
	client_says("a\r\n.\r\nQUIT\r\n");
	cr_assert_str_eq(backend_hears(), "a\r\n.\r\nQUIT\r\n");
	backend_says("250 queued\r\n");
	cr_assert_str_eq(client_hears(), "250 queued\r\n");
}

Test(flow_backend, chunks_go_through)
{
	begin_in_relay();
	client_says(MAIL RCPT "BDAT 5\r\nQUIT\nBDAT 3 LAST\r\nabc");
	cr_assert_str_eq(
	    backend_hears(), MAIL RCPT "BDAT 5\r\nQUIT\nBDAT 3 LAST\r\nabc");
	backend_says("250 s\r\n250 r\r\n250 chunk\r\n250 queued\r\n");
	cr_assert_str_eq(
	    client_hears(), "250 s\r\n250 r\r\n250 chunk\r\n250 queued\r\n");
	cr_assert_eq(counted(METRIC_messages_accepted), 1);
}

Test(flow_backend, a_message_that_is_refused_is_counted)
{
	begin_in_relay();
	client_says(MAIL RCPT "DATA\r\n");
	backend_hears();
	backend_says("250 s\r\n250 r\r\n354 go\r\n");
	client_hears();
	client_says("a\r\n.\r\n");
	backend_hears();
	backend_says("554 no\r\n");
	cr_assert_str_eq(client_hears(), "554 no\r\n");
	cr_assert_eq(counted(METRIC_messages_accepted), 0);
	cr_assert_eq(counted(METRIC_messages_refused), 1);
}

Test(flow_backend, who_sends_a_body_too_early_is_told_apart)
{
	services[HARNESS_MAY].policy.forbid_pipelining = true;
	begin_in_relay();
	client_says(MAIL RCPT);
	client_says("DATA\r\n");
	backend_hears();
	cr_assert_neq(flow_wants(&flow) & FLOW_WANT_CLIENT_RECV, 0);
	client_says("Subject: too early\r\n");
	cr_assert_eq(client_unsent(), 0);
	cr_assert_eq(flow_wants(&flow) & FLOW_WANT_CLIENT_RECV, 0);
	backend_says("250 s\r\n250 r\r\n354 go\r\n");
	cr_assert_str_eq(client_hears(),
	    "250 s\r\n250 r\r\n"
	    "554 5.5.0 Error: SMTP protocol synchronization\r\n");
	ends_because(CLOSE_CLIENT_PIPELINED);
	cr_assert_eq(
	    logged_times("improper command pipelining after DATA from "
			 "unknown[192.0.2.9]: Subject: too early\\r\\n"),
	    1);
}

Test(flow_backend, no_client_chooses_its_own_address)
{
	begin_in_relay();
	client_says("XCLIENT ADDR=192.0.2.1\r\nXFORWARD ADDR=192.0.2.1\r\n");
	cr_assert_str_eq(backend_hears(), "");
	cr_assert_str_eq(client_hears(),
	    "550 5.7.0 Error: insufficient authorization\r\n"
	    "550 5.7.0 Error: insufficient authorization\r\n");
}

/* Each way in which a backend can be of no use. */
static void is_refused(void)
{
	backend_refuses(ECONNREFUSED);
}

static void greets_badly(void)
{
	backend_connects();
	backend_says("554 not you\r\n");
}

static void greets_in_another_language(void)
{
	backend_connects();
	backend_says("SSH-2.0-OpenSSH_9.2p1\r\n");
}

static void goes_before_its_greeting(void)
{
	backend_connects();
	backend_says("22");
	backend_leaves();
}

static void breaks_before_its_greeting(void)
{
	backend_connects();
	backend_breaks(ECONNRESET);
}

static void says_nothing(void)
{
	backend_connects();
	flow_timed_out(&flow, &env);
}

static void is_not_there(void)
{
	flow_timed_out(&flow, &env);
}

static void refuses_ehlo(void)
{
	backend_serves("502 no\r\n");
}

static void lacks_what_was_offered(void)
{
	backend_serves("250-b\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n"
		       "250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n");
}

static void takes_less_than_was_offered(void)
{
	backend_serves("250-b\r\n250-PIPELINING\r\n250-SIZE 999999\r\n"
		       "250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n"
		       "250 CHUNKING\r\n");
}

static const struct {
	void (*fails)(void);
	const char *told;
} failures[] = {
    {is_refused, "cannot be reached: Connection refused"},
    {greets_badly, "refused the session: 554 not you"},
    {greets_in_another_language, "sent what is no SMTP reply"},
    {goes_before_its_greeting, "closed the connection before it was ready"},
    {breaks_before_its_greeting, "closed the connection before it was ready"},
    {says_nothing, "did not answer in time"},
    {is_not_there, "did not answer in time"},
    {refuses_ehlo, "refused the session: 502 no"},
    {lacks_what_was_offered,
	"does not offer CHUNKING, which the client was offered"},
    {takes_less_than_was_offered,
	"does not offer SIZE, which the client was offered"},
};

#define FAILURE_COUNT (sizeof(failures) / sizeof(failures[0]))

static void say_it_failed(int backend, size_t i)
{
	char line[256];

	snprintf(line, sizeof(line), "warning: backend inet:%s: %s\n",
	    backend == FIRST ? "first" : "second", failures[i].told);
	cr_assert_eq(logged_times(line), 1, "%s", logged());
}

Test(flow_backend, one_that_is_of_no_use_is_passed_over)
{
	for (size_t i = 0; i < FAILURE_COUNT; i++) {
		begin_with_ehlo(HARNESS_MAY);
		client_says(MAIL RCPT);
		cr_assert_str_eq(flow_backend(&flow)->name, "inet:first");
		failures[i].fails();
		cr_assert_eq(flow_wants(&flow), FLOW_WANT_BACKEND_CLOSE);
		backend_is_closed();
		cr_assert_eq(flow_wants(&flow), FLOW_WANT_BACKEND_CONNECT);
		cr_assert_str_eq(flow_backend(&flow)->name, "inet:second");
		backend_serves(HARNESS_BACKEND_EHLO);
		cr_assert_str_eq(backend_hears(), MAIL RCPT);
		cr_assert_str_eq(client_hears(), "");
		say_it_failed(FIRST, i);
		cr_assert_eq(counted(METRIC_backend_failures), 1);
		flow_client_failed(&flow, &env);
		ends_because(CLOSE_CLIENT_LOST);
		harness_again();
	}
}

Test(flow_backend, without_any_each_command_is_told_so)
{
	for (size_t i = 0; i < FAILURE_COUNT; i++) {
		begin_with_ehlo(HARNESS_MAY);
		client_says(MAIL RCPT "NO");
		failures[i].fails();
		backend_is_closed();
		failures[i].fails();
		backend_is_closed();
		cr_assert_eq(flow.state, FLOW_REFUSING);
		cr_assert_str_eq(client_hears(), UNAVAILABLE UNAVAILABLE);
		say_it_failed(FIRST, i);
		say_it_failed(SECOND, i);
		client_says("OP\r\n");
		cr_assert_str_eq(client_hears(), UNAVAILABLE);
		client_says("QUIT\r\n");
		cr_assert_str_eq(client_hears(), "221 2.0.0 Bye\r\n");
		ends_because(CLOSE_CLIENT_QUIT);
		harness_again();
	}
}

static void leaves(void)
{
	backend_leaves();
}

static void breaks(void)
{
	backend_breaks(ECONNRESET);
}

static void answers_by_halves(void)
{
	backend_says("250-backend.test\r\n250-SI");
	backend_leaves();
}

static void is_late(void)
{
	flow_timed_out(&flow, &env);
}

static void refuses_for_now(void)
{
	backend_says("450-not\r\n450 now\r\n");
}

static void bids_farewell(void)
{
	backend_says("421 busy\r\n");
}

/* When it has taken the client's EHLO. */
static const struct {
	void (*fails)(void);
	const char *told;
} failures_at_ehlo[] = {
    {leaves, "closed the connection before it was ready"},
    {breaks, "closed the connection before it was ready"},
    {answers_by_halves, "closed the connection before it was ready"},
    {is_late, "did not answer in time"},
    {refuses_for_now, "refused the session: 450 now"},
    {bids_farewell, "refused the session: 421 busy"},
};

#define FAILURE_AT_EHLO_COUNT \
	(sizeof(failures_at_ehlo) / sizeof(failures_at_ehlo[0]))

static void fail_at_ehlo(size_t i, int backend)
{
	char line[256];

	backend_connects();
	backend_says("220 backend.test\r\n");
	cr_assert_eq(flow.state, FLOW_RELAY);
	cr_assert_str_eq(backend_hears(), "EHLO client.test\r\n");
	failures_at_ehlo[i].fails();
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BACKEND_CLOSE);
	cr_assert_str_eq(client_hears(), "");
	backend_is_closed();
	snprintf(line, sizeof(line), "warning: backend inet:%s: %s\n",
	    backend == FIRST ? "first" : "second", failures_at_ehlo[i].told);
	cr_assert_eq(logged_times(line), 1, "%s", logged());
	cr_assert_eq(
	    counted(METRIC_backend_failures), backend == FIRST ? 1 : 2);
	cr_assert_eq(counted(METRIC_backend_sessions), 0);
}

/* Nothing was promised yet, so it is as if it had not come so far. */
Test(flow_backend, one_that_fails_at_the_clients_ehlo_is_passed_over)
{
	for (size_t i = 0; i < FAILURE_AT_EHLO_COUNT; i++) {
		begin_in_tls(HARNESS_MAY);
		client_says("EHLO client.test\r\nNO");
		fail_at_ehlo(i, FIRST);
		cr_assert_str_eq(flow_backend(&flow)->name, "inet:second");
		backend_connects();
		backend_says("220 backend.test\r\n");
		cr_assert_str_eq(backend_hears(), "EHLO client.test\r\n");
		backend_says(HARNESS_BACKEND_EHLO);
		cr_assert_str_eq(client_hears(), HARNESS_EHLO_IN_TLS);
		client_says("OP\r\nQUIT\r\n");
		cr_assert_str_eq(backend_hears(), "NOOP\r\nQUIT\r\n");
		backend_says(OK "221 bye\r\n");
		cr_assert_str_eq(client_hears(), OK "221 bye\r\n");
		ends_because(CLOSE_CLIENT_QUIT);
		cr_assert_eq(logged_times(" backend=inet:second "), 1);
		cr_assert_eq(logged_times(" ehlo=1 starttls=1 noop=1 quit=1 "
					  "commands=4\n"),
		    1, "%s", logged());
		harness_again();
	}
}

Test(flow_backend, all_that_fail_at_the_clients_ehlo_are_none)
{
	for (size_t i = 0; i < FAILURE_AT_EHLO_COUNT; i++) {
		begin_in_tls(HARNESS_MAY);
		client_says("EHLO client.test\r\n");
		fail_at_ehlo(i, FIRST);
		fail_at_ehlo(i, SECOND);
		cr_assert_eq(flow.state, FLOW_REFUSING);
		cr_assert_str_eq(client_hears(), UNAVAILABLE);
		client_says("QUIT\r\n");
		cr_assert_str_eq(client_hears(), "221 2.0.0 Bye\r\n");
		ends_because(CLOSE_CLIENT_QUIT);
		harness_again();
	}
}

/* A second greeting is for the backend that answered the first. */
Test(flow_backend, lost_at_a_later_ehlo_it_ends_the_session)
{
	for (size_t i = 0; i < 4; i++) {
		begin_in_relay();
		client_says("EHLO client.test\r\n");
		backend_hears();
		failures_at_ehlo[i].fails();
		backend_is_closed();
		cr_assert_str_eq(client_hears(), LOST);
		ends_because(CLOSE_BACKEND_LOST);
		harness_again();
	}
}

static void begin_without_backend(const char *command)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says(command);
	backend_refuses(EHOSTUNREACH);
	backend_is_closed();
	backend_refuses(EHOSTUNREACH);
	backend_is_closed();
	cr_assert_str_eq(client_hears(), UNAVAILABLE);
}

/* Octets follow that must not be read as commands. */
Test(flow_backend, without_any_bdat_ends_the_session)
{
	begin_without_backend(MAIL);
	client_says("BDAT 6 LAST\r\nQUIT\r\n");
	cr_assert_str_eq(client_hears(),
	    "421 4.3.0 gate.test Error: mail server unavailable\r\n");
	ends_because(CLOSE_BACKEND_UNAVAILABLE);
}

Test(flow_backend, without_any_a_client_cannot_go_on_for_ever)
{
	services[HARNESS_MAY].policy.hard_error_limit = 3;
	begin_without_backend(MAIL);
	client_says(RCPT RCPT RCPT);
	cr_assert_str_eq(client_hears(), UNAVAILABLE
	    "421 4.3.0 gate.test Error: mail server unavailable\r\n");
	ends_because(CLOSE_BACKEND_UNAVAILABLE);
}

Test(flow_backend, without_any_a_line_without_end_ends_the_session)
{
	static char line[12290];

	begin_without_backend(MAIL);
	memset(line, 'x', sizeof(line));
	client_sends(line, sizeof(line));
	cr_assert_str_eq(client_hears(),
	    "421 4.3.0 gate.test Error: mail server unavailable\r\n");
	ends_because(CLOSE_BACKEND_UNAVAILABLE);
}

/* What was not offered is not missed. */
Test(flow_backend, what_a_client_was_not_offered_may_be_missing)
{
	begin(HARNESS_MAY);
	client_hears();
	client_says("HELO client.test\r\n");
	cr_assert_str_eq(client_hears(), "250 gate.test\r\n");
	client_says(MAIL);
	backend_connects();
	backend_says("220 b\r\n");
	cr_assert_str_eq(backend_hears(), "HELO client.test\r\n");
	backend_says("250 b\r\n");
	cr_assert_str_eq(backend_hears(), MAIL);
}

/* What was said counts, not what a health check found since. */
Test(flow_backend, the_size_that_was_offered_must_be_taken)
{
	begin_with_ehlo(HARNESS_MAY);
	harness_probe_found(FIRST,
	    "250-b\r\n250-PIPELINING\r\n250-SIZE 10\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 CHUNKING\r\n");
	client_says(MAIL);
	backend_serves("250-b\r\n250-PIPELINING\r\n250-SIZE 10\r\n"
		       "250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n"
		       "250 CHUNKING\r\n");
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BACKEND_CLOSE);
	say_it_failed(FIRST, FAILURE_COUNT - 1);
}

static const char *opened_by_next_session(void)
{
	const char *name;

	flow = (struct flow){0};
	begin(HARNESS_MAY);
	client_hears();
	client_says(MAIL);
	name = flow_backend(&flow)->name;
	flow_client_failed(&flow, &env);
	cr_assert_eq(flow.state, FLOW_CLOSED);
	flow_finish(&flow, &env);
	return name;
}

Test(flow_backend, sessions_go_round)
{
	cr_assert_str_eq(opened_by_next_session(), "inet:first");
	cr_assert_str_eq(opened_by_next_session(), "inet:second");
	cr_assert_str_eq(opened_by_next_session(), "inet:first");
	flow = (struct flow){0};
}

Test(flow_backend, one_that_is_down_is_avoided)
{
	harness_probe_found(FIRST, NULL);
	cr_assert_str_eq(opened_by_next_session(), "inet:second");
	cr_assert_str_eq(opened_by_next_session(), "inet:second");
	harness_probe_found(SECOND, NULL);
	cr_assert_str_eq(opened_by_next_session(), "inet:first",
	    "the last word of a health check may be old");
	flow = (struct flow){0};
}

/* The close that was asked for and the connect's completion can cross. */
Test(flow_backend, one_that_connects_too_late_stays_dropped)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says(MAIL);
	flow_timed_out(&flow, &env);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BACKEND_CLOSE);
	flow_backend_connected(&flow, &env);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BACKEND_CLOSE);
	cr_assert_eq(counted(METRIC_backend_sessions), 0);
	flow_backend_received(&flow, &env, (const uint8_t *)"220 b\r\n", 7);
	flow_backend_failed(&flow, &env, ECONNRESET);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BACKEND_CLOSE);
	backend_is_closed();
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BACKEND_CONNECT);
}

static void by_its_end(void)
{
	backend_leaves();
}

static void by_a_reset(void)
{
	backend_breaks(ECONNRESET);
}

static void (*const losses[])(void) = {by_its_end, by_a_reset};

#define LOSS_COUNT (sizeof(losses) / sizeof(losses[0]))

static void lose_it(size_t i)
{
	losses[i]();
	if ((flow_wants(&flow) & FLOW_WANT_BACKEND_CLOSE) != 0)
		backend_is_closed();
}

static void over_again(enum close_reason reason)
{
	ends_because(reason);
	harness_again();
}

Test(flow_backend, lost_while_nothing_is_asked_it_ends_the_session)
{
	for (size_t i = 0; i < LOSS_COUNT; i++) {
		begin_in_relay();
		lose_it(i);
		cr_assert_str_eq(client_hears(), LOST);
		over_again(CLOSE_BACKEND_LOST);
	}
}

Test(flow_backend, lost_while_an_answer_is_due_it_ends_the_session)
{
	for (size_t i = 0; i < LOSS_COUNT; i++) {
		begin_in_relay();
		client_says(MAIL RCPT);
		backend_hears();
		backend_says("250 s\r\n");
		lose_it(i);
		cr_assert_str_eq(client_hears(), "250 s\r\n" LOST);
		over_again(CLOSE_BACKEND_LOST);
	}
}

Test(flow_backend, lost_before_it_took_a_command_it_ends_the_session)
{
	for (size_t i = 0; i < LOSS_COUNT; i++) {
		begin_in_relay();
		client_says(MAIL);
		lose_it(i);
		cr_assert_str_eq(client_hears(), LOST);
		over_again(CLOSE_BACKEND_LOST);
	}
}

/* Half a reply is none: nothing of it went by. */
Test(flow_backend, lost_within_an_answer_it_ends_the_session)
{
	for (size_t i = 0; i < LOSS_COUNT; i++) {
		begin_in_relay();
		client_says("HELP\r\n");
		backend_hears();
		backend_says("214-one\r\n214-t");
		lose_it(i);
		cr_assert_str_eq(client_hears(), LOST);
		over_again(CLOSE_BACKEND_LOST);
	}
}

/* What is too long to be kept passes as it comes; then there is nothing more to
 * be said. */
Test(flow_backend, lost_within_an_endless_answer_it_ends_without_a_word)
{
	static char answer[20000], heard[20000];
	size_t len = 0;

	while (len < 17000)
		len += (size_t)sprintf(answer + len, "214-line %zu\r\n", len);
	begin_in_relay();
	client_says("HELP\r\n");
	backend_hears();
	backend_says(answer);
	snprintf(heard, sizeof(heard), "%s", client_hears());
	lose_it(0);
	cr_assert_str_eq(client_hears(), "");
	cr_assert_str_eq(heard, answer);
	over_again(CLOSE_BACKEND_LOST);
}

static void begin_in_body(void)
{
	begin_in_relay();
	client_says(MAIL RCPT "DATA\r\n");
	backend_hears();
	backend_says("250 s\r\n250 r\r\n354 go\r\n");
	client_hears();
	client_says("one\r\n");
	cr_assert_str_eq(backend_hears(), "one\r\n");
}

/* Never a 451 before the end of the data: what follows would be read as
 * commands. */
Test(flow_backend, lost_in_a_body_the_rest_is_dropped_and_answered_at_its_end)
{
	for (size_t i = 0; i < LOSS_COUNT; i++) {
		begin_in_body();
		lose_it(i);
		cr_assert_str_eq(client_hears(), "");
		cr_assert_eq(flow_wants(&flow), FLOW_WANT_CLIENT_RECV);
		client_says("QUIT\r\nMAIL FROM:<x@y>\r\n");
		cr_assert_str_eq(client_hears(), "");
		client_says(".\r");
		cr_assert_str_eq(client_hears(), "");
		client_says("\n");
		cr_assert_str_eq(client_hears(), MESSAGE_LOST);
		client_says(MAIL);
		cr_assert_str_eq(client_hears(), LOST);
		cr_assert_eq(counted(METRIC_messages_accepted), 0);
		over_again(CLOSE_BACKEND_LOST);
	}
}

Test(flow_backend, lost_in_a_chunk_the_rest_is_dropped_and_answered_at_its_end)
{
	for (size_t i = 0; i < LOSS_COUNT; i++) {
		begin_in_relay();
		client_says(MAIL RCPT);
		backend_hears();
		backend_says("250 s\r\n250 r\r\n");
		client_hears();
		client_says("BDAT 12 LAST\r\nQUIT\r\n");
		backend_hears();
		lose_it(i);
		cr_assert_str_eq(client_hears(), "");
		client_says("RSET\r");
		cr_assert_str_eq(client_hears(), "");
		client_says("\nNOOP\r\n");
		cr_assert_str_eq(client_hears(), MESSAGE_LOST LOST);
		over_again(CLOSE_BACKEND_LOST);
	}
}

Test(flow_backend, lost_before_it_took_the_message_it_was_not_taken)
{
	for (size_t i = 0; i < LOSS_COUNT; i++) {
		begin_in_body();
		client_says(".\r\n");
		backend_hears();
		lose_it(i);
		cr_assert_str_eq(client_hears(), MESSAGE_LOST);
		cr_assert_eq(flow.state, FLOW_RELAY);
		client_says("NOOP\r\n");
		cr_assert_str_eq(client_hears(), LOST);
		cr_assert_eq(counted(METRIC_messages_accepted), 0);
		over_again(CLOSE_BACKEND_LOST);
	}
}

/* Its last answers came before it went: they are the client's. */
Test(flow_backend, what_it_said_before_it_went_is_heard)
{
	begin_in_body();
	client_says(".\r\n");
	backend_hears();
	backend_says("250 queued\r\n");
	backend_leaves();
	cr_assert_str_eq(client_hears(), "250 queued\r\n" LOST);
	cr_assert_eq(counted(METRIC_messages_accepted), 1);
	ends_because(CLOSE_BACKEND_LOST);
}

Test(flow_backend, its_421_is_the_last_word)
{
	begin_in_relay();
	client_says("NOOP\r\n");
	backend_hears();
	backend_says("421 4.3.2 shutting down\r\n");
	cr_assert_str_eq(client_hears(), "421 4.3.2 shutting down\r\n");
	ends_because(CLOSE_BACKEND_CLOSING);
}

Test(flow_backend, an_answer_to_nothing_ends_the_session)
{
	begin_in_relay();
	backend_says("250 what\r\n");
	cr_assert_str_eq(client_hears(),
	    "421 4.3.0 gate.test Error: unexpected reply from backend\r\n");
	ends_because(CLOSE_BACKEND_UNEXPECTED);
}

Test(flow_backend, what_is_no_reply_ends_the_session)
{
	begin_in_relay();
	client_says("NOOP\r\n");
	backend_hears();
	backend_says("hello\r\n");
	cr_assert_str_eq(client_hears(),
	    "421 4.3.0 gate.test Error: malformed reply from backend\r\n");
	ends_because(CLOSE_BACKEND_MALFORMED);
}

/* It saw an end of the message where there is none. */
Test(flow_backend, one_that_answers_half_a_body_sees_no_more_of_it)
{
	begin_in_body();
	backend_says("250 queued\r\n");
	cr_assert_eq(
	    flow_wants(&flow), FLOW_WANT_BACKEND_CLOSE | FLOW_WANT_CLIENT_RECV);
	backend_is_closed();
	client_says("MAIL FROM:<smuggled@evil.test>\r\n.\r\n");
	cr_assert_str_eq(backend_hears(), "");
	cr_assert_str_eq(client_hears(), MESSAGE_LOST);
	cr_assert_eq(counted(METRIC_messages_accepted), 0);
	client_says("QUIT\r\n");
	client_hears();
	ends_because(CLOSE_BACKEND_LOST);
}

Test(flow_backend, the_sink_is_a_backend_like_others)
{
	begin_with_ehlo(HARNESS_SINK);
	client_says(MAIL RCPT "DATA\r\n");
	cr_assert_str_eq(client_hears(),
	    "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n"
	    "354 End data with <CR><LF>.<CR><LF>\r\n");
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_CLIENT_RECV);
	client_says("text\r\n.\r\n" MAIL RCPT "BDAT 4 LAST\r\nabcdQUIT\r\n");
	cr_assert_str_eq(client_hears(),
	    "250 2.0.0 Ok: discarded\r\n"
	    "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n250 2.0.0 Ok: discarded\r\n"
	    "221 2.0.0 Bye\r\n");
	ends_because(CLOSE_CLIENT_QUIT);
	cr_assert_eq(counted(METRIC_sink_messages), 2);
	cr_assert_eq(counted(METRIC_sink_bytes), 10);
	cr_assert_eq(counted(METRIC_messages_accepted), 2);
	cr_assert_eq(logged_times(" backend=builtin:sink "), 1);
}

Test(flow_backend, the_sink_serves_behind_tls)
{
	begin_in_tls(HARNESS_SINK);
	client_says("EHLO client.test\r\n" MAIL RCPT "DATA\r\n");
	cr_assert_str_eq(client_hears(),
	    "250-gate.test\r\n250-PIPELINING\r\n250-SIZE 1073741824\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
	    "250 CHUNKING\r\n"
	    "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n"
	    "354 End data with <CR><LF>.<CR><LF>\r\n");
	client_says("text\r\n.\r\nQUIT\r\n");
	cr_assert_str_eq(
	    client_hears(), "250 2.0.0 Ok: discarded\r\n221 2.0.0 Bye\r\n");
	ends_because(CLOSE_CLIENT_QUIT);
}

static void begin_in_clear_relay(void)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says(MAIL);
	backend_serves(HARNESS_BACKEND_EHLO);
	cr_assert_str_eq(backend_hears(), MAIL);
	backend_says("250 s\r\n");
	cr_assert_str_eq(client_hears(), "250 s\r\n");
}

/* RFC 3207, 4.2: both sides forget what they learnt. */
Test(flow_backend, starttls_after_a_relay_in_clear_begins_all_anew)
{
	begin_in_clear_relay();
	client_says("STARTTLS\r\n");
	cr_assert_eq(flow.state, FLOW_STARTING_TLS);
	cr_assert_eq(
	    flow_wants(&flow), FLOW_WANT_CLIENT_SEND | FLOW_WANT_BACKEND_CLOSE);
	backend_is_closed();
	cr_assert_str_eq(client_hears(), HARNESS_READY);
	client_handshakes(NULL);
	cr_assert_eq(flow.state, FLOW_TLS_GATE);
	cr_assert_eq(counted(METRIC_backend_sessions), 0);
	client_says("EHLO client.test\r\n");
	backend_connects();
	backend_says("220 b\r\n");
	cr_assert_str_eq(backend_hears(), "EHLO client.test\r\n");
	backend_says(HARNESS_BACKEND_EHLO);
	cr_assert_str_eq(client_hears(), HARNESS_EHLO_IN_TLS);
	client_says("QUIT\r\n");
	backend_hears();
	backend_says("221 bye\r\n");
	cr_assert_str_eq(client_hears(), "221 bye\r\n");
	ends_because(CLOSE_CLIENT_QUIT);
}

Test(flow_backend, after_a_relay_bytes_behind_starttls_are_discarded_too)
{
	static const char words[] = "NOOP\r\nSTARTTLS\r\nRSET\r\nQUIT\r\n";
	size_t len = strlen(words);

	for (size_t cut = 1; cut <= len; cut++) {
		begin_in_clear_relay();
		client_sends(words, cut);
		client_sends(words + cut, len - cut);
		cr_assert_str_eq(backend_hears(), "NOOP\r\n");
		backend_says("250 nothing\r\n");
		cr_assert_eq(flow.state, FLOW_STARTING_TLS);
		cr_assert_eq(flow_wants(&flow),
		    FLOW_WANT_CLIENT_SEND | FLOW_WANT_BACKEND_CLOSE);
		cr_assert_eq(flow.client.held_len, 0);
		cr_assert_eq(
		    counted(METRIC_starttls_discarded_bytes) + client_unsent(),
		    strlen("RSET\r\nQUIT\r\n"), "cut at %zu", cut);
		backend_is_closed();
		flow_client_failed(&flow, &env);
		over_again(CLOSE_CLIENT_LOST);
	}
}

/* The old connection is still being closed when the new one is needed. */
Test(flow_backend, a_new_backend_waits_until_the_old_one_is_closed)
{
	begin_in_clear_relay();
	client_says("STARTTLS\r\n");
	cr_assert_str_eq(client_hears(), HARNESS_READY);
	client_handshakes("EHLO client.test\r\n");
	cr_assert_eq(flow.state, FLOW_BACKEND_OPENING);
	cr_assert_neq(flow_wants(&flow) & FLOW_WANT_BACKEND_CLOSE, 0);
	cr_assert_eq(flow_wants(&flow) & FLOW_WANT_BACKEND_CONNECT, 0);
	backend_is_closed();
	client_hears();
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BACKEND_CONNECT);
}
