/* SPDX-License-Identifier: Apache-2.0 */
/* The gate, STARTTLS and the handshake. */
#include "proxy/flow.h"

#include <string.h>

#include <criterion/criterion.h>

#include "harness.h"

#define OK "250 2.0.0 Ok\r\n"

TestSuite(flow, .init = harness_init, .fini = harness_fini);

Test(flow, the_gate_greets_and_answers_alone)
{
	begin(HARNESS_MAY);
	cr_assert_eq(flow.state, FLOW_GATE);
	cr_assert_eq(
	    flow_wants(&flow), FLOW_WANT_CLIENT_SEND | FLOW_WANT_CLIENT_RECV);
	cr_assert_str_eq(client_hears(), HARNESS_GREETING);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_CLIENT_RECV);
	client_says("EHLO client.test\r\n");
	cr_assert_str_eq(client_hears(), HARNESS_EHLO_IN_CLEAR);
	client_says("NOOP\r\nRSET\r\n");
	cr_assert_str_eq(client_hears(), OK OK);
	client_says("QUIT\r\n");
	cr_assert_str_eq(client_hears(), "221 2.0.0 Bye\r\n");
	ends_because(CLOSE_CLIENT_QUIT);
	cr_assert_eq(counted(METRIC_backend_connects), 0);
	cr_assert_eq(counted(METRIC_sessions_accepted), 1);
	cr_assert_eq(logged_times("disconnect from unknown[192.0.2.9] "
				  "ehlo=1 rset=1 noop=1 quit=1 commands=4"),
	    1);
}

Test(flow, a_command_comes_in_any_pieces)
{
	harness_receive_size = 1;
	begin(HARNESS_MAY);
	client_says("EHLO client.test\r\nNOOP\r\n");
	cr_assert_str_eq(
	    client_hears(), HARNESS_GREETING HARNESS_EHLO_IN_CLEAR OK);
}

Test(flow, the_offer_follows_the_backends)
{
	harness_probe_found(FIRST,
	    "250-a\r\n250-SIZE 7000\r\n250-DSN\r\n250-XWEIRD\r\n"
	    "250 CHUNKING\r\n");
	begin(HARNESS_MAY);
	client_hears();
	client_says("EHLO client.test\r\n");
	cr_assert_str_eq(client_hears(),
	    "250-gate.test\r\n250-SIZE 7000\r\n250-STARTTLS\r\n"
	    "250 CHUNKING\r\n");
	harness_probe_found(SECOND, "250-a\r\n250 DSN\r\n");
	client_says("EHLO client.test\r\n");
	cr_assert_str_eq(
	    client_hears(), "250-gate.test\r\n250-STARTTLS\r\n250 DSN\r\n");
}

Test(flow, a_house_without_backends_turns_clients_away)
{
	harness_probe_never_found(FIRST);
	harness_probe_never_found(SECOND);
	begin(HARNESS_MAY);
	cr_assert_str_eq(client_hears(),
	    "421 4.3.2 gate.test Service currently unavailable\r\n");
	ends_because(CLOSE_NO_BACKEND);
}

Test(flow, one_backend_that_was_ever_reached_is_enough)
{
	harness_probe_never_found(FIRST);
	harness_probe_found(SECOND, NULL);
	begin(HARNESS_MAY);
	cr_assert_str_eq(client_hears(), HARNESS_GREETING);
}

Test(flow, at_a_limit_a_client_is_told_so)
{
	begin_refused(HARNESS_MAY);
	cr_assert_eq(flow.state, FLOW_DRAIN);
	cr_assert_str_eq(
	    client_hears(), "421 4.3.2 All server ports are busy\r\n");
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_CLIENT_SHUTDOWN);
	ends_because(CLOSE_SESSION_LIMIT);
	cr_assert_eq(counted(METRIC_sessions_refused), 1);
}

/* Words in clear would be no words of TLS. */
Test(flow, at_a_limit_a_client_of_implicit_tls_is_told_nothing)
{
	begin_refused(HARNESS_WRAPPED);
	cr_assert_eq(flow.state, FLOW_CLOSED);
	ends_because(CLOSE_SESSION_LIMIT);
	cr_assert_str_eq(client_hears(), "");
}

Test(flow, where_tls_is_a_must_nothing_goes_without)
{
	begin_with_ehlo(HARNESS_ENCRYPT);
	client_says("MAIL FROM:<a@client.test>\r\n");
	cr_assert_str_eq(client_hears(),
	    "530 5.7.0 Must issue a STARTTLS command first\r\n");
	cr_assert_eq(flow.state, FLOW_GATE);
	cr_assert_eq(counted(METRIC_backend_connects), 0);
}

Test(flow, too_many_errors_end_the_session)
{
	services[HARNESS_MAY].policy.hard_error_limit = 2;
	begin_with_ehlo(HARNESS_MAY);
	client_says("FOO\r\nBAR\r\n");
	cr_assert_str_eq(client_hears(),
	    "500 5.5.2 Error: command not recognized\r\n"
	    "500 5.5.2 Error: command not recognized\r\n"
	    "421 4.7.0 gate.test Error: too many errors\r\n");
	ends_because(CLOSE_CLIENT_ERRORS);
	cr_assert_eq(logged_times("too many errors after UNKNOWN from "
				  "unknown[192.0.2.9]"),
	    1);
}

Test(flow, who_does_not_speak_smtp_is_sent_away)
{
	begin(HARNESS_MAY);
	client_says("GET / HTTP/1.1\r\n");
	cr_assert_str_eq(client_hears(), HARNESS_GREETING
	    "221 2.7.0 Error: I can break rules, too. Goodbye.\r\n");
	ends_because(CLOSE_CLIENT_NOT_SMTP);
	cr_assert_eq(logged_times("warning: non-SMTP command from "
				  "unknown[192.0.2.9]: GET / HTTP/1.1\n"),
	    1);
}

/* Closing over what it still sends would reset our last words away. */
Test(flow, a_client_that_goes_on_talking_can_read_why_it_was_sent_away)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says("NOOP\n");
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_CLIENT_SEND);
	client_says("MAIL FROM:<a@client.test>\r\n");
	cr_assert_str_eq(client_hears(),
	    "550 5.5.2 gate.test Error: bare <LF> received\r\n");
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_CLIENT_SHUTDOWN);
	flow_client_shut_down(&flow);
	cr_assert_eq(flow.state, FLOW_LINGER);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_CLIENT_RECV);
	client_says("QUIT\r\n");
	cr_assert_eq(client_unsent(), 0);
	cr_assert_str_eq(client_hears(), "");
	ends_because(CLOSE_CLIENT_BARE_LF);
}

Test(flow, a_client_that_goes_is_lost)
{
	begin_with_ehlo(HARNESS_MAY);
	client_leaves();
	ends_because(CLOSE_CLIENT_LOST);
	cr_assert_eq(
	    logged_times("lost connection after EHLO from unknown[192.0.2.9]"),
	    1);
}

Test(flow, a_client_that_resets_gets_no_last_words)
{
	begin(HARNESS_MAY);
	flow_client_failed(&flow, &env);
	cr_assert_eq(flow.state, FLOW_CLOSED);
	ends_because(CLOSE_CLIENT_LOST);
	cr_assert_eq(logged_times("lost connection after CONNECT from"), 1);
}

/* No receive before the 220 has left: what came in clear would be read behind
 * TLS. */
Test(flow, after_starttls_nothing_is_wanted_but_to_send)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says("STARTTLS\r\n");
	cr_assert_eq(flow.state, FLOW_STARTING_TLS);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_CLIENT_SEND);
	client_takes(strlen(HARNESS_READY) - 1);
	cr_assert_eq(flow.state, FLOW_STARTING_TLS);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_CLIENT_SEND);
	client_takes(1);
	cr_assert_eq(flow.state, FLOW_HANDSHAKE);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_CLIENT_RECV);
	cr_assert_str_eq(client_hears(), HARNESS_READY);
	client_handshakes(NULL);
	cr_assert_eq(flow.state, FLOW_TLS_GATE);
	cr_assert_eq(counted(METRIC_starttls_discarded_bytes), 0);
	cr_assert_eq(counted(METRIC_handshakes_done), 1);
	cr_assert_neq(strstr(logged(), "Anonymous TLS connection established "
				       "from unknown[192.0.2.9]: TLSv1.3 with "
				       "cipher "),
	    NULL);
}

/* CVE-2011-0411: cut wherever it may be, none of it is obeyed behind TLS. */
Test(flow, bytes_behind_starttls_are_discarded)
{
	static const char words[] =
	    "STARTTLS\r\nEHLO evil.test\r\nMAIL FROM:<evil@evil.test>\r\n";
	size_t len = strlen(words);

	for (size_t cut = 1; cut <= len; cut++) {
		begin_with_ehlo(HARNESS_MAY);
		client_sends(words, cut);
		if (cut < len)
			client_sends(words + cut, len - cut);
		cr_assert_eq(flow.state, FLOW_STARTING_TLS);
		cr_assert_eq(flow.client.held_len, 0);
		cr_assert_eq(flow_wants(&flow), FLOW_WANT_CLIENT_SEND);
		cr_assert_eq(
		    counted(METRIC_starttls_discarded_bytes) + client_unsent(),
		    len - strlen("STARTTLS\r\n"), "cut at %zu", cut);
		flow_client_failed(&flow, &env);
		ends_because(CLOSE_CLIENT_LOST);
		harness_again();
	}
}

Test(flow, what_was_discarded_is_not_there_behind_tls)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says("STARTTLS\r\nEHLO evil.test\r\n");
	cr_assert_str_eq(client_hears(), HARNESS_READY);
	client_handshakes(NULL);
	cr_assert_eq(flow.state, FLOW_TLS_GATE);
	cr_assert_str_eq(client_hears(), "");
	cr_assert_eq(counted(METRIC_starttls_discarded_bytes), 16);
	cr_assert_eq(flow.smtp.helo_verb, SMTP_VERB_UNKNOWN);
	client_says("NOOP\r\n");
	cr_assert_str_eq(client_hears(), OK);
	cr_assert_eq(counted(METRIC_backend_connects), 0);
}

/* They came in clear, but are read as TLS, which they are not. */
Test(flow, bytes_that_come_late_break_the_handshake)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says("STARTTLS\r\n");
	client_says("NOOP\r\nNOOP\r\nNOOP\r\n");
	cr_assert_eq(client_unsent(), 18);
	cr_assert_str_eq(client_hears(), HARNESS_READY);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_HANDSHAKE);
	flow_handshake_turn(&flow, &env);
	ends_because(CLOSE_HANDSHAKE_FAILED);
	cr_assert_eq(flow.smtp.counts.total[SMTP_VERB_NOOP], 0);
}

/* A flood of handshakes must not keep others waiting, so a receive only copies
 * what came. */
Test(flow, a_handshake_goes_on_only_in_its_turn)
{
	begin(HARNESS_MAY);
	client_hears();
	client_says("STARTTLS\r\n");
	client_hears();
	client_begins_handshake();
	cr_assert_eq(flow.state, FLOW_HANDSHAKE);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_HANDSHAKE);
	cr_assert_eq(leg_pending(&flow.client), 0);
	flow_go_on(&flow, &env);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_HANDSHAKE);
	flow_handshake_turn(&flow, &env);
	cr_assert_eq(flow.state, FLOW_HANDSHAKE);
	cr_assert_eq(
	    flow_wants(&flow), FLOW_WANT_CLIENT_SEND | FLOW_WANT_CLIENT_RECV);
	cr_assert_null(flow.client.held);
}

Test(flow, a_turn_out_of_turn_does_nothing)
{
	begin(HARNESS_MAY);
	flow_handshake_turn(&flow, &env);
	cr_assert_eq(flow.state, FLOW_GATE);
}

Test(flow, a_handshake_comes_in_any_pieces)
{
	harness_receive_size = 1;
	begin_in_tls(HARNESS_MAY);
	client_says("NOOP\r\n");
	cr_assert_str_eq(client_hears(), OK);
	client_says("QUIT\r\n");
	cr_assert_str_eq(client_hears(), "221 2.0.0 Bye\r\n");
	ends_because(CLOSE_CLIENT_QUIT);
}

Test(flow, the_first_command_may_ride_with_finished)
{
	begin(HARNESS_MAY);
	client_hears();
	client_says("STARTTLS\r\n");
	client_hears();
	client_handshakes("NOOP\r\n");
	cr_assert_str_eq(client_hears(), OK);
	cr_assert_eq(flow.state, FLOW_TLS_GATE);
}

Test(flow, a_first_command_with_finished_may_need_a_backend)
{
	begin(HARNESS_MAY);
	client_hears();
	client_says("STARTTLS\r\n");
	client_hears();
	client_handshakes("EHLO client.test\r\n");
	cr_assert_eq(flow.state, FLOW_BACKEND_OPENING);
	cr_assert_neq(flow_wants(&flow) & FLOW_WANT_BACKEND_CONNECT, 0);
}

Test(flow, implicit_tls_starts_with_the_handshake)
{
	begin(HARNESS_WRAPPED);
	cr_assert_eq(flow.state, FLOW_HANDSHAKE);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_CLIENT_RECV);
	cr_assert_str_eq(client_hears(), "");
	client_handshakes(NULL);
	cr_assert_eq(flow.state, FLOW_TLS_GATE);
	cr_assert_str_eq(client_hears(), HARNESS_GREETING);
	client_says("QUIT\r\n");
	cr_assert_str_eq(client_hears(), "221 2.0.0 Bye\r\n");
	ends_because(CLOSE_CLIENT_QUIT);
}

Test(flow, in_implicit_tls_the_greeting_goes_before_any_answer)
{
	begin(HARNESS_WRAPPED);
	client_handshakes("NOOP\r\n");
	cr_assert_str_eq(client_hears(), HARNESS_GREETING OK);
}

Test(flow, in_implicit_tls_a_house_without_backends_says_so_in_tls)
{
	harness_probe_never_found(FIRST);
	harness_probe_never_found(SECOND);
	begin(HARNESS_WRAPPED);
	client_handshakes("EHLO client.test\r\n");
	cr_assert_str_eq(client_hears(),
	    "421 4.3.2 gate.test Service currently unavailable\r\n");
	ends_because(CLOSE_NO_BACKEND);
}

Test(flow, a_handshake_that_fails_says_why)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says("STARTTLS\r\n");
	client_hears();
	client_says("QUIT\r\nQUIT\r\n");
	flow_handshake_turn(&flow, &env);
	ends_because(CLOSE_HANDSHAKE_FAILED);
	cr_assert_eq(counted(METRIC_handshakes_failed), 1);
	cr_assert_eq(counted(METRIC_handshakes_done), 0);
	cr_assert_eq(
	    logged_times("SSL_accept error from unknown[192.0.2.9]: -1"), 1);
	cr_assert_eq(logged_times("warning: TLS library problem: error:"), 1);
	cr_assert_eq(logged_times("lost connection after STARTTLS from"), 1);
	cr_assert_eq(logged_times("ehlo=1 starttls=0/1 commands=1/2"), 1);
}

Test(flow, a_client_that_goes_in_the_handshake_is_lost)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says("STARTTLS\r\n");
	client_hears();
	client_leaves();
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_HANDSHAKE);
	flow_handshake_turn(&flow, &env);
	ends_because(CLOSE_HANDSHAKE_FAILED);
	cr_assert_eq(counted(METRIC_handshakes_failed), 1);
	cr_assert_eq(logged_times("SSL_accept error from unknown[192.0.2.9]: "
				  "lost connection"),
	    1);
}

Test(flow, a_client_that_resets_in_the_handshake_is_one_that_failed)
{
	begin_with_ehlo(HARNESS_MAY);
	client_says("STARTTLS\r\n");
	client_hears();
	flow_client_failed(&flow, &env);
	ends_because(CLOSE_HANDSHAKE_FAILED);
	cr_assert_eq(counted(METRIC_handshakes_failed), 1);
	cr_assert_eq(logged_times("SSL_accept error from unknown[192.0.2.9]: "
				  "lost connection"),
	    1);
	cr_assert_eq(logged_times("ehlo=1 starttls=0/1 commands=1/2"), 1);
}

/* An alert goes out, and no word more. */
Test(flow, what_is_no_tls_behind_the_handshake_ends_the_session)
{
	static const uint8_t record[] = {23, 3, 3, 0, 32, 1, 2, 3, 4, 5, 6, 7,
	    8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
	    25, 26, 27, 28, 29, 30, 31, 32};

	begin_in_tls(HARNESS_MAY);
	flow_client_received(&flow, &env, record, sizeof(record));
	cr_assert_eq(flow.state, FLOW_DRAIN);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_CLIENT_SEND);
	cr_assert_str_eq(client_hears(), "");
	ends_because(CLOSE_TLS_BROKEN);
}

Test(flow, close_notify_is_the_end_of_the_stream)
{
	begin_in_tls(HARNESS_MAY);
	client_says("NOOP\r\n");
	client_closes_tls();
	cr_assert_str_eq(client_hears(), OK);
	ends_because(CLOSE_CLIENT_LOST);
	cr_assert_eq(logged_times("lost connection after NOOP from"), 1);
}

Test(flow, the_record_of_a_session_has_its_facts)
{
	begin_in_tls(HARNESS_MAY);
	client_says("QUIT\r\n");
	env.now_ms += 77;
	ends_because(CLOSE_CLIENT_QUIT);
	cr_assert_eq(logged_times("Z listener=127.0.0.1:2525 "
				  "client=[192.0.2.9]:40112 proxy_source=none "
				  "reason=CLIENT_QUIT tls=TLSv1.3 cipher=TLS_"),
	    1);
	cr_assert_eq(logged_times(" resumed=no forward_secrecy=yes "), 1);
	cr_assert_eq(logged_times(" backend=none handover=none "
				  "backend_tls=none commands=2 messages=0 in="),
	    1);
	cr_assert_eq(logged_times(" ms=77\n"), 1);
}
