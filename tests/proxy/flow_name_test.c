/* SPDX-License-Identifier: Apache-2.0 */
/* What waits for the name of a client, and what does not. */
#include <string.h>

#include <criterion/criterion.h>

#include "conf/loglevel.h"
#include "harness.h"

#define CONNECT_LINE "connect from mx.example.test[192.0.2.9]"

static const struct client_name confirmed = {
    .status = CLIENT_NAME_CONFIRMED,
    .text = "mx.example.test",
};

static void init(void)
{
	harness_init();
	settings.smtpd_peername_lookup = true;
}

TestSuite(flow_name, .init = init, .fini = harness_fini);

static void is_named(void)
{
	flow_named(&flow, &env, &confirmed);
	harness_check();
}

Test(flow_name, the_greeting_does_not_wait_but_the_first_command_does)
{
	begin(HARNESS_MAY);
	cr_assert_neq(flow_wants(&flow) & FLOW_WANT_NAME, 0);
	cr_assert_str_eq(client_hears(), HARNESS_GREETING);
	client_says("EHLO client.test\r\n");
	cr_assert_str_eq(client_hears(), "");
	cr_assert_eq(logged_times("connect from"), 0);
	/* What it says meanwhile stays with the kernel. */
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_NAME);
	is_named();
	cr_assert_str_eq(client_hears(), HARNESS_EHLO_IN_CLEAR);
	cr_assert_eq(logged_times(CONNECT_LINE), 1);
	cr_assert_eq(flow_wants(&flow) & FLOW_WANT_NAME, 0);
	client_says("QUIT\r\n");
	ends_because(CLOSE_CLIENT_QUIT);
	cr_assert_eq(logged_times("unknown["), 0);
}

Test(flow_name, it_comes_once)
{
	static const struct client_name other = {
	    .status = CLIENT_NAME_CONFIRMED,
	    .text = "other.example.test",
	};

	begin(HARNESS_MAY);
	is_named();
	flow_named(&flow, &env, &other);
	cr_assert_eq(logged_times("connect from"), 1);
	cr_assert_eq(logged_times("other.example.test"), 0);
	client_hears();
	client_says("QUIT\r\n");
	ends_because(CLOSE_CLIENT_QUIT);
}

/* Its first flight and our answer tell nobody the name; the line behind it
 * does. */
Test(flow_name, a_handshake_waits_at_its_end)
{
	begin(HARNESS_WRAPPED);
	client_handshakes(NULL);
	cr_assert_eq(flow.state, FLOW_HANDSHAKE);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_NAME);
	cr_assert_eq(logged_times("TLS connection established"), 0);
	is_named();
	cr_assert_neq(flow_wants(&flow) & FLOW_WANT_HANDSHAKE, 0);
	flow_handshake_turn(&flow, &env);
	cr_assert_str_eq(client_hears(), HARNESS_GREETING);
	cr_assert(
	    strstr(logged(), CONNECT_LINE) <
	    strstr(logged(), "established from mx.example.test[192.0.2.9]"));
	client_says("QUIT\r\n");
	ends_because(CLOSE_CLIENT_QUIT);
}

Test(flow_name, a_handshake_that_is_told_of_waits_at_once)
{
	services[HARNESS_WRAPPED].tls_log |= LOGLEVEL_VERBOSE;
	begin(HARNESS_WRAPPED);
	client_begins_handshake();
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_NAME);
	is_named();
	cr_assert(strstr(logged(), CONNECT_LINE) <
		  strstr(logged(),
		      "setting up TLS connection from mx.example.test["));
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_HANDSHAKE);
	flow_client_failed(&flow, &env);
	ends_because(CLOSE_HANDSHAKE_FAILED);
}

Test(flow_name, who_leaves_at_once_has_a_name_too)
{
	begin(HARNESS_MAY);
	client_hears();
	client_leaves();
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_NAME);
	is_named();
	ends_because(CLOSE_CLIENT_LOST);
	cr_assert_eq(
	    logged_times("lost connection after CONNECT from mx.example.test["),
	    1);
}

/* A reset, a stop: there is no time to wait. */
Test(flow_name, a_session_that_ends_before_it_is_of_nobody)
{
	begin(HARNESS_MAY);
	flow_client_failed(&flow, &env);
	cr_assert_eq(flow.state, FLOW_CLOSED);
	cr_assert_eq(flow_wants(&flow), 0);
	is_named();
	ends_because(CLOSE_CLIENT_LOST);
	cr_assert_eq(logged_times("connect from unknown[192.0.2.9]"), 2);
	cr_assert_eq(logged_times("mx.example.test"), 0);
}

Test(flow_name, who_is_refused_is_not_looked_up)
{
	begin_refused(HARNESS_MAY);
	cr_assert_eq(flow_wants(&flow) & FLOW_WANT_NAME, 0);
	ends_because(CLOSE_SESSION_LIMIT);
}

Test(flow_name, a_name_that_leads_elsewhere_is_none)
{
	static const struct client_name liar = {
	    .status = CLIENT_NAME_UNCONFIRMED,
	    .text = "liar.example.test",
	};

	begin(HARNESS_MAY);
	flow_named(&flow, &env, &liar);
	cr_assert_eq(logged_times("connect from unknown[192.0.2.9]"), 1);
	cr_assert_eq(logged_times("liar"), 0);
	client_hears();
	client_says("QUIT\r\n");
	ends_because(CLOSE_CLIENT_QUIT);
}
