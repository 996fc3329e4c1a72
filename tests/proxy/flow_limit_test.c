/* SPDX-License-Identifier: Apache-2.0 */
/* How long a session may wait, and how it ends when it is not the client who
 * ends it: time limits, stopping, half-closed streams. And health checks. */
#include "proxy/flow.h"

#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "harness.h"

#define MAIL	  "MAIL FROM:<a@client.test>\r\n"
#define RCPT	  "RCPT TO:<b@box.test>\r\n"
#define TIMED_OUT "421 4.4.2 gate.test Error: timeout exceeded\r\n"
#define STOPPED	  "421 4.3.2 gate.test Service shutting down\r\n"
#define LOST	  "421 4.3.0 gate.test Error: backend connection lost\r\n"

TestSuite(flow_limit, .init = harness_init, .fini = harness_fini);

static void time_is_up(void)
{
	uint32_t serial = flow.limit.serial;

	flow_timed_out(&flow, &env);
	harness_check();
	/* Without a new limit a session that goes on would do so for ever; or
	 * the next backend's begins when this one's connection is closed. */
	if (flow.state != FLOW_CLOSED && flow.state != FLOW_BACKEND_OPENING)
		cr_assert_neq(flow.limit.serial, serial);
}

static void enter_body(void)
{
	client_says(MAIL RCPT "DATA\r\n");
	backend_hears();
	backend_says("250 s\r\n250 r\r\n354 go\r\n");
	client_hears();
}

Test(flow_limit, each_wait_has_its_own)
{
	begin(HARNESS_MAY);
	cr_assert_eq(flow.limit.duration_ms, 300000);
	client_hears();
	client_says("STARTTLS\r\n");
	cr_assert_eq(flow.limit.duration_ms, 200000);
	client_hears();
	cr_assert_eq(flow.limit.duration_ms, 200000);
	client_handshakes(NULL);
	client_hears(); /* tickets */
	cr_assert_eq(flow.limit.duration_ms, 300000);
	client_says("EHLO client.test\r\n");
	cr_assert_eq(flow.limit.duration_ms, 30000);
	backend_connects();
	cr_assert_eq(flow.limit.duration_ms, 90000);
	backend_says("220 b\r\n");
	cr_assert_eq(flow.limit.duration_ms, 600000, "it has to take EHLO");
	backend_hears();
	cr_assert_eq(flow.limit.duration_ms, 600000, "and to answer it");
	backend_says(HARNESS_BACKEND_EHLO);
	cr_assert_eq(flow.limit.duration_ms, 300000);
	client_hears();
	client_says("NOOP\r\n");
	cr_assert_eq(flow.limit.duration_ms, 600000);
	backend_hears();
	backend_says("250 nothing\r\n");
	cr_assert_eq(flow.limit.duration_ms, 300000);
}

/* The time of the handshake runs from the STARTTLS on, and nothing that comes
 * makes it longer. */
Test(flow_limit, a_handshake_has_one_limit_for_all_of_it)
{
	uint32_t serial;

	begin(HARNESS_MAY);
	client_hears();
	client_says("STARTTLS\r\n");
	serial = flow.limit.serial;
	client_hears();
	harness_receive_size = 50;
	client_begins_handshake();
	while ((flow_wants(&flow) & FLOW_WANT_CLIENT_SEND) == 0) {
		flow_handshake_turn(&flow, &env);
		client_says("");
	}
	client_takes(SIZE_MAX);
	cr_assert_eq(flow.state, FLOW_HANDSHAKE);
	cr_assert_eq(flow.limit.serial, serial);
}

Test(flow_limit, half_a_command_earns_no_time)
{
	uint32_t serial;

	begin_with_ehlo(HARNESS_MAY);
	serial = flow.limit.serial;
	for (int i = 0; i < 500; i++)
		client_says("x");
	cr_assert_eq(flow.limit.serial, serial);
	client_says("\r\n");
	cr_assert_neq(flow.limit.serial, serial);
}

Test(flow_limit, a_command_that_is_too_long_earns_none_for_its_length)
{
	static char head[3000];
	uint32_t serial;

	memset(head, 'x', sizeof(head));
	begin_in_relay();
	client_sends(head, sizeof(head));
	serial = flow.limit.serial;
	flow.limit.earned_ms = 0;
	for (int i = 0; i < 100; i++)
		client_says("x");
	cr_assert_eq(flow.limit.serial, serial);
	cr_assert_leq(flow.limit.earned_ms, 200);
	client_says("\r\n");
	cr_assert_str_eq(
	    client_hears(), "500 5.5.2 gate.test Error: command too long\r\n");
	cr_assert_neq(flow.limit.serial, serial);
}

/* One byte a minute is not enough: at 500 bytes a second each is worth 2 ms,
 * also if the backend takes it at once. */
Test(flow_limit, bytes_of_a_body_earn_time_by_their_number)
{
	uint32_t serial;

	begin_in_relay();
	enter_body();
	serial = flow.limit.serial;
	cr_assert_eq(flow.limit.duration_ms, 300000);
	for (int i = 0; i < 10; i++) {
		client_says("x");
		cr_assert_str_eq(backend_hears(), "x");
	}
	cr_assert_eq(flow.limit.serial, serial);
	cr_assert_eq(flow.limit.earned_ms, 20);
	flow.limit.earned_ms = 0;
	client_says("0123456789012345678901234567890123456789012345678\n");
	cr_assert_eq(flow.limit.earned_ms, 100);
	client_says("\r\n.\r\n");
	cr_assert_neq(flow.limit.serial, serial);
	cr_assert_eq(flow.limit.duration_ms, 600000);
}

Test(flow_limit, octets_of_a_chunk_earn_time_by_their_number)
{
	uint32_t serial;

	begin_in_relay();
	client_says(MAIL RCPT "BDAT 1000 LAST\r\n");
	backend_hears();
	backend_says("250 s\r\n250 r\r\n");
	client_hears();
	serial = flow.limit.serial;
	cr_assert_eq(flow.limit.duration_ms, 300000);
	for (int i = 0; i < 10; i++) {
		client_says("xxxxx");
		cr_assert_str_eq(backend_hears(), "xxxxx");
	}
	cr_assert_eq(flow.limit.serial, serial);
	cr_assert_eq(flow.limit.earned_ms, 100);
}

/* While the backend did not take, it was not the client who was slow. */
Test(flow_limit, a_client_that_was_kept_waiting_gets_its_time_anew)
{
	static char body[200000];
	uint32_t serial;

	memset(body, 'x', sizeof(body));
	begin_in_relay();
	enter_body();
	client_sends(body, sizeof(body));
	cr_assert_eq(flow_wants(&flow) & FLOW_WANT_CLIENT_RECV, 0);
	serial = flow.limit.serial;
	while ((flow_wants(&flow) & FLOW_WANT_CLIENT_RECV) == 0) {
		cr_assert_eq(flow.limit.duration_ms, 600000);
		cr_assert_eq(flow.limit.serial, serial);
		cr_assert(backend_takes(1000));
	}
	cr_assert_eq(flow.limit.duration_ms, 300000);
	cr_assert_neq(flow.limit.serial, serial);
}

Test(flow_limit, a_silent_client_is_told_and_closed)
{
	begin_with_ehlo(HARNESS_MAY);
	time_is_up();
	cr_assert_str_eq(client_hears(), TIMED_OUT);
	ends_because(CLOSE_TIMED_OUT);
	cr_assert_eq(counted(METRIC_timeouts), 1);
	cr_assert_eq(logged_times("timeout after EHLO from"), 1);
}

Test(flow_limit, a_silent_client_behind_tls_is_told_and_closed)
{
	begin_in_tls(HARNESS_MAY);
	time_is_up();
	cr_assert_str_eq(client_hears(), TIMED_OUT);
	ends_because(CLOSE_TIMED_OUT);
}

Test(flow_limit, a_client_that_does_not_take_our_220_is_closed)
{
	begin(HARNESS_MAY);
	client_hears();
	client_says("STARTTLS\r\n");
	time_is_up();
	cr_assert_eq(flow.state, FLOW_DRAIN);
	time_is_up();
	ends_because(CLOSE_TIMED_OUT);
}

Test(flow_limit, a_handshake_that_takes_too_long_is_closed)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says("STARTTLS\r\n");
	client_hears();
	client_begins_handshake();
	flow_handshake_turn(&flow, &env);
	time_is_up();
	ends_because(CLOSE_TIMED_OUT);
	cr_assert_eq(counted(METRIC_handshakes_failed), 1);
	cr_assert_eq(logged_times("SSL_accept error from unknown[192.0.2.9]: "
				  "Connection timed out"),
	    1);
	cr_assert_eq(logged_times("ehlo=1 starttls=0/1 commands=1/2"), 1);
}

Test(flow_limit, a_client_that_is_silent_in_the_relay_is_told_and_closed)
{
	begin_in_relay();
	time_is_up();
	cr_assert_str_eq(client_hears(), TIMED_OUT);
	ends_because(CLOSE_TIMED_OUT);
}

Test(flow_limit, a_client_that_is_silent_in_a_body_is_told_and_closed)
{
	begin_in_relay();
	enter_body();
	client_says("half a");
	backend_hears();
	time_is_up();
	cr_assert_str_eq(client_hears(), TIMED_OUT);
	ends_because(CLOSE_TIMED_OUT);
	cr_assert_eq(logged_times("timeout after DATA (6 bytes) from"), 1);
	cr_assert_eq(counted(METRIC_messages_accepted), 0);
}

Test(flow_limit, a_backend_that_does_not_answer_is_lost)
{
	begin_in_relay();
	client_says("NOOP\r\n");
	backend_hears();
	time_is_up();
	cr_assert_str_eq(client_hears(), LOST);
	ends_because(CLOSE_BACKEND_LOST);
}

/* The session goes on, and so its time must. */
Test(flow_limit, a_backend_that_does_not_take_a_body_is_lost)
{
	static char body[80000];

	memset(body, 'x', sizeof(body));
	begin_in_relay();
	enter_body();
	client_sends(body, sizeof(body));
	cr_assert_eq(flow_wants(&flow) & FLOW_WANT_CLIENT_RECV, 0);
	cr_assert_eq(flow.limit.duration_ms, 600000);
	time_is_up();
	backend_is_closed();
	cr_assert_eq(flow.state, FLOW_RELAY);
	cr_assert_eq(flow.limit.duration_ms, 300000);
	time_is_up();
	cr_assert_str_eq(client_hears(), TIMED_OUT);
	ends_because(CLOSE_TIMED_OUT);
}

Test(flow_limit, a_backend_that_does_not_take_the_end_of_a_body_is_lost)
{
	begin_in_relay();
	enter_body();
	client_says("text\r\n.\r\n");
	time_is_up();
	backend_is_closed();
	cr_assert_str_eq(
	    client_hears(), "451 4.3.0 Error: backend connection lost\r\n");
	cr_assert_eq(flow.state, FLOW_RELAY);
	cr_assert_eq(flow.limit.duration_ms, 300000);
	time_is_up();
	cr_assert_str_eq(client_hears(), TIMED_OUT);
	ends_because(CLOSE_TIMED_OUT);
}

Test(flow_limit, a_client_that_was_refused_a_backend_cannot_stay)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says(MAIL);
	backend_refuses(ECONNREFUSED);
	backend_is_closed();
	time_is_up();
	backend_is_closed();
	client_hears();
	cr_assert_eq(flow.state, FLOW_REFUSING);
	cr_assert_eq(flow.limit.duration_ms, 300000);
	time_is_up();
	cr_assert_str_eq(client_hears(), TIMED_OUT);
	ends_because(CLOSE_TIMED_OUT);
}

Test(flow_limit, who_does_not_read_our_last_words_is_closed)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says("NOOP\n");
	cr_assert_eq(flow.state, FLOW_DRAIN);
	cr_assert_eq(flow.limit.duration_ms, 10000);
	time_is_up();
	cr_assert_eq(flow.state, FLOW_CLOSED);
	ends_because(CLOSE_CLIENT_BARE_LF);
}

Test(flow_limit, who_does_not_close_after_our_last_words_is_closed)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says("NOOP\n");
	client_hears();
	flow_client_shut_down(&flow);
	cr_assert_eq(flow.state, FLOW_LINGER);
	cr_assert_eq(flow.limit.duration_ms, 2000);
	client_says("NOOP\r\n");
	time_is_up();
	ends_because(CLOSE_CLIENT_BARE_LF);
}

Test(flow_limit, without_a_buffer_time_is_up_all_the_same)
{
	begin_with_ehlo(HARNESS_MAY);
	buffers_run_out(0);
	client_says("NOOP\r\n");
	time_is_up();
	ends_because(CLOSE_TIMED_OUT);
}

static void stop(void)
{
	env.stopping = true;
	flow_stop(&flow, &env);
	harness_check();
}

Test(flow_limit, a_stop_ends_the_gate)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says("NO");
	stop();
	cr_assert_str_eq(client_hears(), STOPPED);
	ends_because(CLOSE_STOPPED);
}

Test(flow_limit, a_stop_ends_the_gate_behind_tls)
{
	begin_in_tls(HARNESS_MAY);
	stop();
	cr_assert_str_eq(client_hears(), STOPPED);
	ends_because(CLOSE_STOPPED);
}

/* Words in clear would be no words of TLS. */
Test(flow_limit, a_stop_ends_a_handshake_without_a_word)
{
	begin(HARNESS_WRAPPED);
	stop();
	cr_assert_eq(flow.state, FLOW_CLOSED);
	ends_because(CLOSE_STOPPED);
	cr_assert_str_eq(client_hears(), "");
}

Test(flow_limit, a_stop_before_our_220_has_left_says_no_more)
{
	begin(HARNESS_MAY);
	client_hears();
	client_says("STARTTLS\r\n");
	stop();
	cr_assert_str_eq(client_hears(), HARNESS_READY);
	ends_because(CLOSE_STOPPED);
}

Test(flow_limit, a_stop_ends_an_idle_relay)
{
	begin_in_relay();
	stop();
	cr_assert_str_eq(client_hears(), STOPPED);
	ends_because(CLOSE_STOPPED);
}

Test(flow_limit, a_stop_lets_a_transaction_come_to_its_end)
{
	begin_in_relay();
	client_says(MAIL);
	stop();
	cr_assert_str_eq(backend_hears(), MAIL);
	backend_says("250 s\r\n");
	cr_assert_str_eq(client_hears(), "250 s\r\n");
	client_says(RCPT "DATA\r\n");
	backend_hears();
	backend_says("250 r\r\n354 go\r\n");
	client_says("text\r\n.\r\n");
	cr_assert_str_eq(backend_hears(), "text\r\n.\r\n");
	cr_assert_eq(flow.state, FLOW_RELAY);
	backend_says("250 queued\r\n");
	cr_assert_str_eq(
	    client_hears(), "250 r\r\n354 go\r\n250 queued\r\n" STOPPED);
	ends_because(CLOSE_STOPPED);
	cr_assert_eq(counted(METRIC_messages_accepted), 1);
}

Test(flow_limit, a_stop_lets_a_backend_open_for_what_was_asked)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says(MAIL);
	stop();
	cr_assert_eq(flow.state, FLOW_BACKEND_OPENING);
	backend_serves(HARNESS_BACKEND_EHLO);
	cr_assert_str_eq(backend_hears(), MAIL);
	backend_says("250 s\r\n");
	client_says("RSET\r\n");
	backend_hears();
	backend_says("250 reset\r\n");
	cr_assert_str_eq(client_hears(), "250 s\r\n250 reset\r\n" STOPPED);
	ends_because(CLOSE_STOPPED);
}

Test(flow_limit, a_stop_ends_who_was_refused_a_backend)
{
	services[HARNESS_MAY].backend_count = 1;
	begin_with_ehlo(HARNESS_MAY);
	client_says(MAIL);
	backend_refuses(ECONNREFUSED);
	backend_is_closed();
	client_hears();
	stop();
	cr_assert_str_eq(client_hears(), STOPPED);
	ends_because(CLOSE_STOPPED);
}

Test(flow_limit, a_stop_does_not_change_how_a_session_ended)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says("QUIT\r\n");
	stop();
	cr_assert_str_eq(client_hears(), "221 2.0.0 Bye\r\n");
	ends_because(CLOSE_CLIENT_QUIT);
}

Test(flow_limit, who_comes_while_we_stop_is_told)
{
	env.stopping = true;
	begin(HARNESS_MAY);
	cr_assert_str_eq(client_hears(), HARNESS_GREETING STOPPED);
	ends_because(CLOSE_STOPPED);
}

Test(flow_limit, a_session_can_be_cut_off_in_any_state)
{
	begin_in_relay();
	enter_body();
	client_says("half a");
	flow_cut_off(&flow, &env);
	cr_assert_eq(flow.reason, CLOSE_STOPPED);
	cr_assert_eq(counted(METRIC_sessions_open), 0);
	cr_assert_eq(counted(METRIC_backend_sessions), 0);
	flow = (struct flow){0};
}

/* It may still want what it asked for. */
Test(flow_limit, a_client_that_half_closes_gets_its_answers)
{
	begin_in_relay();
	client_says("NOOP\r\nVRFY a\r\n");
	client_leaves();
	cr_assert_eq(flow.state, FLOW_RELAY);
	cr_assert_str_eq(backend_hears(), "NOOP\r\nVRFY a\r\n");
	backend_says("250 nothing\r\n");
	cr_assert_eq(flow.state, FLOW_RELAY);
	backend_says("252 perhaps\r\n");
	cr_assert_str_eq(client_hears(), "250 nothing\r\n252 perhaps\r\n");
	ends_because(CLOSE_CLIENT_LOST);
}

Test(flow_limit, a_client_that_half_closes_while_the_backend_opens_is_served)
{
	begin_in_tls(HARNESS_MAY);
	client_says("NOOP\r\n");
	client_hears();
	client_says("EHLO client.test\r\nQUIT\r\n");
	backend_connects();
	backend_says("220 b\r\n");
	backend_hears();
	backend_says(HARNESS_BACKEND_EHLO);
	cr_assert_str_eq(client_hears(), HARNESS_EHLO_IN_TLS);
	cr_assert_str_eq(backend_hears(), "QUIT\r\n");
	client_leaves();
	backend_says("221 bye\r\n");
	cr_assert_str_eq(client_hears(), "221 bye\r\n");
	ends_because(CLOSE_CLIENT_QUIT);
}

/* A body without its end is never ended by us. */
Test(flow_limit, a_client_that_goes_in_a_body_sent_no_message)
{
	begin_in_relay();
	enter_body();
	client_says("half a message\r\n.");
	client_leaves();
	cr_assert_eq(
	    flow_wants(&flow) & FLOW_WANT_BACKEND_SEND, 0, "not even that");
	ends_because(CLOSE_CLIENT_LOST);
	cr_assert_eq(counted(METRIC_messages_accepted), 0);
	cr_assert_eq(logged_times("lost connection after DATA (17 bytes)"), 1);
}

Test(flow_limit, a_client_that_goes_after_its_message_may_not_wait_for_it)
{
	begin_in_relay();
	enter_body();
	client_says("text\r\n.\r\n");
	client_leaves();
	cr_assert_str_eq(backend_hears(), "text\r\n.\r\n");
	backend_says("250 queued\r\n");
	cr_assert_str_eq(client_hears(), "250 queued\r\n");
	ends_because(CLOSE_CLIENT_LOST);
	cr_assert_eq(counted(METRIC_messages_accepted), 1);
}

Test(flow_limit, half_a_command_at_the_end_is_no_command)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says("QUIT");
	client_leaves();
	ends_because(CLOSE_CLIENT_LOST);
}

static void begin_probe(void)
{
	flow_begin_probe(&flow, &env, &services[HARNESS_MAY], SECOND);
	harness_check();
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BACKEND_CONNECT);
	cr_assert_str_eq(flow_backend(&flow)->name, "inet:second");
	cr_assert_eq(flow.limit.duration_ms, 10000);
}

static const struct state_backend *seen(void)
{
	static struct state_backend copy;

	state_backend_read(
	    &env.state->backends[flow_backend(&flow)->state_index], &copy);
	return &copy;
}

Test(flow_limit, a_health_check_tells_what_a_backend_offers)
{
	uint32_t probes;

	begin_probe();
	probes = seen()->probes;
	backend_connects();
	cr_assert_eq(flow.limit.duration_ms, 10000);
	backend_says("220 b\r\n");
	cr_assert_str_eq(backend_hears(), "EHLO gate.test\r\n");
	backend_says("250-b\r\n250 DSN\r\n");
	cr_assert_str_eq(backend_hears(), "QUIT\r\n");
	cr_assert(seen()->up);
	cr_assert(smtp_ehlo_has(&seen()->ehlo, SMTP_KEYWORD_DSN));
	cr_assert_not(smtp_ehlo_has(&seen()->ehlo, SMTP_KEYWORD_CHUNKING));
	backend_says("221 bye\r\n");
	ends_because(CLOSE_PROBE_DONE);
	cr_assert_eq(seen()->probes, probes + 1);
	cr_assert_eq(counted(METRIC_probes_done), 1);
	cr_assert_eq(counted(METRIC_sessions_accepted), 0);
	cr_assert_eq(logged_times("postern/worker["), 1, "%s", logged());
	cr_assert_eq(logged_times("EHLO now offers -PIPELINING"), 1);
}

static void quits_by_closing(void)
{
	backend_leaves();
}

static void quits_by_a_reset(void)
{
	backend_breaks(ECONNRESET);
}

static void quits_in_silence(void)
{
	time_is_up();
}

Test(flow_limit, a_health_check_needs_no_answer_to_its_quit)
{
	static void (*const ends[])(void) = {
	    quits_by_closing, quits_by_a_reset, quits_in_silence};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		begin_probe();
		backend_connects();
		backend_says("220 b\r\n");
		backend_hears();
		backend_says("250 b\r\n");
		backend_hears();
		ends[i]();
		ends_because(CLOSE_PROBE_DONE);
		cr_assert(seen()->up);
		cr_assert_eq(counted(METRIC_probes_done), 1);
		harness_again();
	}
}

static void refuses_to_connect(void)
{
	backend_refuses(ECONNREFUSED);
}

static void does_not_connect(void)
{
	time_is_up();
}

static void does_not_greet(void)
{
	backend_connects();
	time_is_up();
}

static void greets_with_554(void)
{
	backend_connects();
	backend_says("554 no\r\n");
}

static void leaves_at_once(void)
{
	backend_connects();
	backend_leaves();
}

Test(flow_limit, a_health_check_that_fails_says_so_once)
{
	static void (*const fails[])(void) = {refuses_to_connect,
	    does_not_connect, does_not_greet, greets_with_554, leaves_at_once};

	for (size_t i = 0; i < sizeof(fails) / sizeof(fails[0]); i++) {
		for (int time = 0; time < 2; time++) {
			flow = (struct flow){0};
			begin_probe();
			fails[i]();
			ends_because(CLOSE_PROBE_FAILED);
			cr_assert_not(seen()->up);
			cr_assert(seen()->ever_reached, "it was, before");
		}
		/* Why, and that it is. */
		cr_assert_eq(logged_times("warning: backend inet:second: "), 2);
		cr_assert_eq(
		    logged_times("warning: backend inet:second: is down: "), 1);
		cr_assert_eq(counted(METRIC_probes_failed), 2);
		harness_again();
	}
}

Test(flow_limit, a_health_check_that_is_stopped_says_nothing)
{
	begin_probe();
	backend_connects();
	stop();
	ends_because(CLOSE_STOPPED);
	cr_assert(seen()->up);
	cr_assert_str_eq(logged(), "");
}
