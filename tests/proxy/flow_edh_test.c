/* SPDX-License-Identifier: Apache-2.0 */
/* A handshake that waits for the budget of EDH. */
#include "proxy/flow_edh.h"

#include <arpa/inet.h>

#include <criterion/criterion.h>

#include "harness.h"

static struct edh_account accounts[HARNESS_SERVICE_COUNT];
static struct shared shared;
static struct services budgeted;

static void init(void)
{
	harness_init();
	shared.edh_clients = edh_clients_create();
	cr_assert_not_null(shared.edh_clients);
	budgeted = *env.services;
	budgeted.shared = &shared;
	env.services = &budgeted;
	env.edh_accounts = accounts;
	settings.proxy_edh_cpu_share = 10;
	settings.proxy_edh_client_cpu_time_ms = 1000;
}

static void fini(void)
{
	edh_clients_destroy(&shared.edh_clients);
	harness_fini();
}

TestSuite(flow_edh, .init = init, .fini = fini);

/* Neither a turn nor a receive: it would spin, or fill memory. */
Test(flow_edh, a_handshake_that_waits_wants_nothing_but_time)
{
	begin(HARNESS_WRAPPED);
	cr_assert_eq(flow.state, FLOW_HANDSHAKE);
	flow_edh_wait(&flow);
	cr_assert_eq(flow_wants(&flow), 0);
	cr_assert_eq(flow.limit.duration_ms, 100);
	flow_timed_out(&flow, &env);
	cr_assert_eq(flow.state, FLOW_HANDSHAKE);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_HANDSHAKE);
	cr_assert_eq(
	    flow.limit.duration_ms, settings.smtpd_starttls_timeout_s * 1000);
	flow_handshake_turn(&flow, &env);
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_CLIENT_RECV);
	/* The next time is up for good. */
	flow_timed_out(&flow, &env);
	cr_assert_eq(flow.reason, CLOSE_TIMED_OUT);
	ends_because(CLOSE_TIMED_OUT);
}

Test(flow_edh, a_session_with_eecdh_costs_it_nothing)
{
	begin_in_tls(HARNESS_MAY);
	flow_edh_charge(&flow, &env, 5000);
	cr_assert_eq(counted(METRIC_edh_cpu_seconds), 0);
	cr_assert_eq(accounts[HARNESS_MAY].spent_us, 0);
	client_closes_tls();
	ends_because(CLOSE_CLIENT_LOST);
}

/* The harness' client was refused this long ago. */
static void was_refused(int64_t ago_ms)
{
	struct sockaddr_in6 peer = {.sin6_family = AF_INET};

	inet_pton(AF_INET, "192.0.2.9",
	    &((struct sockaddr_in *)(void *)&peer)->sin_addr);
	edh_clients_refuse(shared.edh_clients,
	    edh_clients_key(shared.edh_clients, &peer), env.now_ms - ago_ms);
}

Test(flow_edh, who_was_refused_is_put_off_in_clear)
{
	was_refused(EDH_REFUSAL_MS - 1);
	begin_with_ehlo(HARNESS_MAY);
	client_says("MAIL FROM:<>\r\n");
	cr_assert_str_eq(client_hears(),
	    "451 4.7.0 TLS temporarily unavailable, try again later\r\n");
	client_leaves();
	ends_because(CLOSE_CLIENT_LOST);
}

Test(flow_edh, a_refusal_is_forgotten)
{
	was_refused(EDH_REFUSAL_MS);
	begin_with_ehlo(HARNESS_MAY);
	cr_assert_not(flow.smtp.tls_refused);
	client_leaves();
	ends_because(CLOSE_CLIENT_LOST);
}

/* Where nothing is taken in clear there is nothing to put off. */
Test(flow_edh, a_refusal_means_nothing_where_tls_is_a_must)
{
	was_refused(0);
	begin(HARNESS_ENCRYPT);
	cr_assert_not(flow.smtp.tls_refused);
	client_leaves();
	ends_because(CLOSE_CLIENT_LOST);
}
