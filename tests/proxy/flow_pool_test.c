/* SPDX-License-Identifier: Apache-2.0 */
/* A session and the pool: its place, the queue, the circuit breaker, the health
 * checks. */
#include "proxy/flow_pool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "harness.h"

#define UNAVAILABLE \
	"451 4.3.0 Error: mail server unavailable, try again later\r\n"
#define BUSY                                                               \
	"421 4.3.2 gate.test Error: all mail servers are busy, try again " \
	"later\r\n"
#define EHLO "EHLO client.test\r\n"

TestSuite(flow_pool, .init = harness_init, .fini = harness_fini);

static struct backend *backend_of(int index)
{
	return &services[HARNESS_MAY].backends[index];
}

/* Another worker's sessions. */
static struct state_block *other_worker(void)
{
	static struct state_block *block;

	if (block == NULL)
		block = state_block_claim(env.state, STATE_WORKER, 1, 1);
	return block;
}

static void has_elsewhere(int index, uint64_t sessions)
{
	metric_set_for(other_worker(), METRIC_backend_places_taken,
	    (size_t)backend_of(index)->state_index, sessions);
}

static uint64_t gauge(enum metric metric, int index)
{
	return atomic_load(metric_cell(
	    env.block, metric, (size_t)backend_of(index)->state_index, 0));
}

/* What the one before left in the log is there until then. */
static void begin_anew(void)
{
	if (flow.service != NULL)
		harness_next();
}

static void comes(void)
{
	begin_anew();
	begin_in_tls(HARNESS_MAY);
	client_says(EHLO);
}

static void goes(void)
{
	flow_client_failed(&flow, &env);
	ends_because(CLOSE_CLIENT_LOST);
}

Test(flow_pool, the_sessions_of_all_workers_count)
{
	settings.proxy_backend_balance = SETTINGS_BALANCE_LEAST_SESSIONS;
	has_elsewhere(FIRST, 2);
	has_elsewhere(SECOND, 1);
	comes();
	cr_assert_str_eq(flow_backend(&flow)->name, "inet:second");
	cr_assert_eq(gauge(METRIC_backend_places_taken, SECOND), 1);
	cr_assert_eq(gauge(METRIC_backend_sessions, SECOND), 0, "not yet");
}

Test(flow_pool, a_place_is_free_when_the_socket_is_closed)
{
	comes();
	cr_assert_eq(gauge(METRIC_backend_places_taken, FIRST), 1);
	backend_connects();
	backend_leaves();
	cr_assert_eq(flow.backend_state, FLOW_BACKEND_DROPPED);
	cr_assert_eq(gauge(METRIC_backend_places_taken, FIRST), 1);
	backend_is_closed();
	cr_assert_eq(gauge(METRIC_backend_places_taken, FIRST), 0);
	cr_assert_eq(gauge(METRIC_backend_places_taken, SECOND), 1);
	cr_assert(env.place_is_free);
	goes();
	cr_assert_eq(gauge(METRIC_backend_places_taken, SECOND), 0);
}

Test(flow_pool, a_full_one_is_passed_over)
{
	backend_of(FIRST)->limit = 2;
	has_elsewhere(FIRST, 2);
	comes();
	cr_assert_str_eq(flow_backend(&flow)->name, "inet:second");
}

static void fill_all(void)
{
	backend_of(FIRST)->limit = 2;
	backend_of(SECOND)->limit = 1;
	has_elsewhere(FIRST, 2);
	has_elsewhere(SECOND, 1);
}

Test(flow_pool, where_all_are_full_a_session_waits_for_a_place)
{
	fill_all();
	comes();
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_PLACE);
	cr_assert_eq(flow.limit.duration_ms, 20000);
	cr_assert_eq(counted(METRIC_sessions_waiting), 1);
	flow_go_on(&flow, &env);
	harness_check();
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_PLACE, "still none");
	has_elsewhere(SECOND, 0);
	flow_go_on(&flow, &env);
	harness_check();
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_BACKEND_CONNECT);
	cr_assert_eq(flow.limit.duration_ms, 30000);
	cr_assert_str_eq(flow_backend(&flow)->name, "inet:second");
	cr_assert_eq(counted(METRIC_sessions_waiting), 0);
	backend_serves(HARNESS_BACKEND_EHLO);
	cr_assert_eq(flow.state, FLOW_RELAY);
}

Test(flow_pool, who_waits_too_long_gets_421)
{
	fill_all();
	comes();
	client_hears();
	flow_timed_out(&flow, &env);
	cr_assert_str_eq(client_hears(), BUSY);
	ends_because(CLOSE_BACKENDS_BUSY);
	cr_assert_eq(counted(METRIC_sessions_refused), 1);
	cr_assert_eq(counted(METRIC_sessions_waiting), 0);
	cr_assert_eq(counted(METRIC_backend_connects), 0);
}

Test(flow_pool, who_finds_no_room_in_the_queue_gets_421_at_once)
{
	fill_all();
	env.pools.of_service[HARNESS_MAY].waiting = 1;
	comes();
	cr_assert_str_eq(client_hears(), BUSY);
	ends_because(CLOSE_BACKENDS_BUSY);
	cr_assert_eq(env.pools.of_service[HARNESS_MAY].waiting, 1);
}

/* It would take the place that another waits for. */
Test(flow_pool, nobody_overtakes_the_queue)
{
	settings.proxy_backend_queue_limit = 2;
	env.pools.of_service[HARNESS_MAY].waiting = 1;
	comes();
	cr_assert_eq(flow_wants(&flow), FLOW_WANT_PLACE);
}

Test(flow_pool, the_queue_ends_when_the_program_does)
{
	fill_all();
	comes();
	client_hears();
	flow_stop(&flow, &env);
	harness_check();
	cr_assert_str_eq(
	    client_hears(), "421 4.3.2 gate.test Service shutting down\r\n");
	ends_because(CLOSE_STOPPED);
	cr_assert_eq(counted(METRIC_sessions_waiting), 0);
}

/* One backend alone, whose breaker two failures open for 5 s. */
static void have_breaker(void)
{
	services[HARNESS_MAY].backend_count = 1;
	settings.proxy_backend_breaker_failures = 2;
	settings.proxy_backend_breaker_time_s = 5;
}

static void is_refused(void)
{
	comes();
	if (flow.state == FLOW_BACKEND_OPENING) {
		backend_refuses(ECONNREFUSED);
		backend_is_closed();
	}
	cr_assert_eq(flow.state, FLOW_REFUSING);
	cr_assert_str_eq(client_hears(), UNAVAILABLE);
	client_says("QUIT\r\n");
	client_hears();
	ends_because(CLOSE_CLIENT_QUIT);
}

Test(flow_pool, an_open_breaker_spares_the_backend)
{
	have_breaker();
	is_refused();
	cr_assert_eq(gauge(METRIC_backend_breakers_open, FIRST), 0);
	is_refused();
	cr_assert_eq(gauge(METRIC_backend_breakers_open, FIRST), 1);
	cr_assert_eq(logged_times("warning: backend inet:first: its circuit "
				  "breaker opens for 5 s: 2 sessions in a row "
				  "could not be opened\n"),
	    1);
	is_refused();
	cr_assert_eq(counted(METRIC_backend_breaker_openings), 1);
	cr_assert_eq(counted(METRIC_backend_failures), 2, "not asked again");
	env.now_ms += 5000;
	is_refused();
	cr_assert_eq(logged_times("breaker opens for 10 s: 3 sessions"), 1);
	env.now_ms += 9999;
	is_refused();
	cr_assert_eq(counted(METRIC_backend_failures), 3);
	env.now_ms += 1;
	comes();
	backend_serves(HARNESS_BACKEND_EHLO);
	cr_assert_eq(flow.state, FLOW_RELAY);
	cr_assert_eq(gauge(METRIC_backend_breakers_open, FIRST), 0);
	cr_assert_eq(logged_times("backend inet:first: its circuit breaker "
				  "closes: it answers again\n"),
	    1);
}

/* A client that the backend will not have must not close it to others. */
Test(flow_pool, refusals_do_not_open_the_breaker)
{
	have_breaker();
	for (int i = 0; i < 5; i++) {
		comes();
		backend_connects();
		backend_says("554 5.7.1 no service for you\r\n");
		backend_is_closed();
		cr_assert_eq(flow.state, FLOW_REFUSING);
		client_leaves();
		ends_because(CLOSE_CLIENT_LOST);
	}
	cr_assert_eq(counted(METRIC_backend_failures), 5);
	cr_assert_eq(counted(METRIC_backend_breaker_openings), 0);
}

Test(flow_pool, a_client_that_leaves_in_the_trial_leaves_it_to_the_next)
{
	have_breaker();
	is_refused();
	is_refused();
	env.now_ms += 5000;
	comes();
	cr_assert(flow.is_trial);
	flow_client_failed(&flow, &env);
	ends_because(CLOSE_CLIENT_LOST);
	comes();
	cr_assert(flow.is_trial);
	cr_assert_eq(gauge(METRIC_backend_breakers_open, FIRST), 1);
}

/* Eleven to one, then ever more: the clock is the test's. */
Test(flow_pool, a_backend_that_recovered_begins_slowly)
{
	unsigned first = 0;

	settings.proxy_backend_slow_start_s = 30;
	env.now_ms = 100000;
	env.state->backends[backend_of(FIRST)->state_index].risen_ms = 100000;
	for (int i = 0; i < 22; i++) {
		comes();
		first += flow.backend_index == FIRST;
		goes();
	}
	cr_assert_eq(first, 2);
	env.now_ms += 15000;
	first = 0;
	for (int i = 0; i < 30; i++) {
		comes();
		first += flow.backend_index == FIRST;
		goes();
	}
	cr_assert_eq(first, 10, "half the weight of the other");
}

static void probe(const char *ehlo)
{
	begin_anew();
	flow_begin_probe(&flow, &env, &services[HARNESS_MAY], FIRST);
	cr_assert_eq(flow.limit.duration_ms, 10000);
	if (ehlo == NULL) {
		backend_refuses(ECONNREFUSED);
	} else {
		backend_connects();
		backend_says("220 backend.test\r\n");
		backend_hears();
		backend_says(ehlo);
		backend_hears();
		backend_says("221 bye\r\n");
	}
	ends_because(ehlo == NULL ? CLOSE_PROBE_FAILED : CLOSE_PROBE_DONE);
}

Test(flow_pool, a_change_of_the_offer_is_told_once)
{
	probe("250-b\r\n250-SIZE 1000000\r\n250 DSN\r\n");
	cr_assert_eq(
	    logged_times("backend inet:first: EHLO now offers -PIPELINING "
			 "-ENHANCEDSTATUSCODES -8BITMIME +DSN -CHUNKING\n"),
	    1, "%s", logged());
	probe("250-b\r\n250-SIZE 1000000\r\n250 DSN\r\n");
	cr_assert_eq(logged_times("EHLO now offers"), 0);
	probe("250-b\r\n250-SIZE 2000000\r\n250 DSN\r\n");
	cr_assert_eq(
	    logged_times("EHLO now offers +SIZE=2000000 -SIZE=1000000\n"), 1,
	    "%s", logged());
}

Test(flow_pool, up_and_down_are_told_once)
{
	settings.proxy_backend_probe_rise = 2;
	settings.proxy_backend_probe_fall = 2;
	probe(NULL);
	cr_assert_eq(logged_times("is down"), 0);
	probe(NULL);
	cr_assert_eq(logged_times("warning: backend inet:first: is down: 2 "
				  "health checks in a row failed\n"),
	    1, "%s", logged());
	probe(NULL);
	cr_assert_eq(logged_times("backend"), 0, "%s", logged());
	probe(HARNESS_BACKEND_EHLO);
	cr_assert_eq(logged_times("backend"), 0, "%s", logged());
	probe(HARNESS_BACKEND_EHLO);
	cr_assert_eq(logged_times("backend inet:first: is up: 2 health checks "
				  "in a row ended well\n"),
	    1, "%s", logged());
	probe(HARNESS_BACKEND_EHLO);
	cr_assert_eq(logged_times("backend"), 0, "%s", logged());
}

/* However it spreads its answers: the whole check has one limit. */
Test(flow_pool, a_health_check_has_one_limit)
{
	uint32_t serial;

	flow_begin_probe(&flow, &env, &services[HARNESS_MAY], FIRST);
	serial = flow.limit.serial;
	backend_connects();
	backend_says("220 backend.test\r\n");
	backend_hears();
	backend_says(HARNESS_BACKEND_EHLO);
	cr_assert_eq(flow.limit.serial, serial);
	backend_says("221 bye\r\n");
	ends_because(CLOSE_PROBE_DONE);
}
