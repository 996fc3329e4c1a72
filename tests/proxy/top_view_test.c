/* SPDX-License-Identifier: Apache-2.0 */
/* What top shows of two samples made by hand. */
#include "proxy/top_view.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "proxy/flow.h"

static struct top_sample now;
static struct top_totals before;
static struct top_view view;
static struct top_page page;

static void add(const char *address, int64_t begun_s, uint64_t octets,
    uint32_t messages, bool in_tls)
{
	struct top_session *session = &now.sessions[now.session_count++];

	*session = (struct top_session){
	    .begun_s = begun_s,
	    .octets = octets,
	    .messages = messages,
	    .in_tls = in_tls,
	    .forward_secret = in_tls,
	    .flow_state = FLOW_RELAY,
	    .listener = "smtp",
	    .backend = "inet:one",
	};
	if (strchr(address, ':') == NULL) {
		session->address.s6_addr[10] = 0xff;
		session->address.s6_addr[11] = 0xff;
		inet_pton(AF_INET, address, &session->address.s6_addr[12]);
	} else {
		inet_pton(AF_INET6, address, &session->address);
	}
}

static void set_up(void)
{
	memset(&now, 0, sizeof(now));
	memset(&before, 0, sizeof(before));
	now.sessions = calloc(100, sizeof(*now.sessions));
	now.now_s = 1000;
	now.totals.at_us = 10000000;
	before.at_us = 5000000;
	add("192.0.2.2", 900, 500, 1, true);
	add("2001:db8::7", 990, 9000, 0, true);
	add("192.0.2.2", 950, 600, 2, false);
	add("192.0.2.10", 100, 10, 0, true);
	add("192.0.2.10", 800, 10, 0, true);
	add("192.0.2.10", 800, 10, 0, true);
}

static void tear_down(void)
{
	top_view_finish(&view);
	top_sample_finish(&now);
}

TestSuite(top_view, .init = set_up, .fini = tear_down);

static void make(enum top_sort sort, const char *filter)
{
	top_view_finish(&view);
	cr_assert(top_view_make(&view, &now, &before, sort, filter));
}

Test(top_view, rates_are_between_two_samples)
{
	now.totals.counters[TOP_ACCEPTED] = 150;
	before.counters[TOP_ACCEPTED] = 100;
	/* The master was started anew in between. */
	now.totals.counters[TOP_MESSAGES] = 5;
	before.counters[TOP_MESSAGES] = 900;
	make(TOP_BY_SESSIONS, "");
	cr_expect_float_eq(view.rates[TOP_ACCEPTED], 10.0, 1e-9);
	cr_expect_float_eq(view.rates[TOP_MESSAGES], 1.0, 1e-9);
}

Test(top_view, without_a_sample_before_there_are_no_rates)
{
	now.totals.counters[TOP_ACCEPTED] = 150;
	cr_assert(top_view_make(&view, &now, NULL, TOP_BY_SESSIONS, ""));
	cr_expect_float_eq(view.rates[TOP_ACCEPTED], 0.0, 1e-9);
}

Test(top_view, shares_are_of_what_came_lately)
{
	make(TOP_BY_SESSIONS, "");
	cr_expect_lt(view.forward_secrecy, 0, "there was no handshake");
	now.totals.counters[TOP_HANDSHAKES] = 110;
	now.totals.counters[TOP_FORWARD_SECRET] = 105;
	before.counters[TOP_HANDSHAKES] = 100;
	before.counters[TOP_FORWARD_SECRET] = 100;
	make(TOP_BY_SESSIONS, "");
	cr_expect_float_eq(view.forward_secrecy, 0.5, 1e-9);
	before = now.totals;
	before.at_us = 5000000;
	make(TOP_BY_SESSIONS, "");
	cr_expect_float_eq(view.forward_secrecy, 105.0 / 110, 1e-9);
}

/* The bounds are read, as nobody writes a bucket down that may move. */
Test(top_view, quantiles)
{
	size_t count;
	const uint64_t *bounds =
	    metric_bounds(METRIC_BUCKETS_HANDSHAKE, &count);

	make(TOP_BY_SESSIONS, "");
	cr_expect_lt(view.handshake_p50_s, 0);
	now.totals.handshakes.counts[0] = 7;
	before.handshakes.counts[0] = 7; /* before: not to be counted */
	now.totals.handshakes.counts[2] = 10;
	make(TOP_BY_SESSIONS, "");
	cr_expect_float_eq(
	    view.handshake_p50_s, (double)(bounds[1] + bounds[2]) / 2e6, 1e-9);
	now.totals.handshakes.counts[count] = 1000;
	make(TOP_BY_SESSIONS, "");
	cr_expect_float_eq(
	    view.handshake_p95_s, (double)bounds[count - 1] / 1e6, 1e-9);
}

static void expect_clients(enum top_sort sort, const char *first,
    const char *second, const char *third)
{
	make(sort, "");
	cr_assert_eq(view.client_count, 3);
	cr_expect_str_eq(view.clients[0].address, first);
	cr_expect_str_eq(view.clients[1].address, second);
	cr_expect_str_eq(view.clients[2].address, third);
}

Test(top_view, the_busiest_clients_come_first)
{
	expect_clients(
	    TOP_BY_SESSIONS, "192.0.2.10", "192.0.2.2", "2001:db8::7");
	cr_expect_eq(view.clients[0].sessions, 3);
	cr_expect_eq(view.clients[1].octets, 1100);
	cr_expect_eq(view.clients[1].messages, 3);
	cr_expect_eq(view.clients[1].in_clear, 1);
	cr_expect_eq(view.clients[1].oldest_s, 900);
	expect_clients(TOP_BY_OCTETS, "2001:db8::7", "192.0.2.2", "192.0.2.10");
	expect_clients(
	    TOP_BY_MESSAGES, "192.0.2.2", "192.0.2.10", "2001:db8::7");
	expect_clients(TOP_BY_AGE, "192.0.2.10", "192.0.2.2", "2001:db8::7");
}

Test(top_view, the_filter_is_for_sessions)
{
	make(TOP_BY_SESSIONS, "192.0.2.2");
	cr_expect_eq(view.matched, 2);
	cr_expect_eq(view.client_count, 1);
	make(TOP_BY_SESSIONS, "inet:one");
	cr_expect_eq(view.matched, 6);
	make(TOP_BY_SESSIONS, "no such");
	cr_expect_eq(view.client_count, 0);
}

Test(top_view, sorts_have_words)
{
	for (int i = 0; i < TOP_SORT_COUNT; i++)
		cr_expect_eq(top_sort_find(top_sort_word((enum top_sort)i)),
		    (enum top_sort)i);
	cr_expect_eq(top_sort_find("x"), TOP_SORT_COUNT);
}

/* Whatever is in it, a page fits its screen and its terminal. */
Test(top_view, a_page_fits)
{
	static const size_t sizes[][2] = {
	    {80, 24}, {80, 1}, {20, 5}, {1, 1}, {500, 500}, {132, 0}};

	now.totals.backend_count = 200;
	for (size_t i = 0; i < 200; i++)
		snprintf(now.totals.backends[i].name, STATE_NAME_SIZE,
		    "inet:\x1b[2J\xff backend %zu", i);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		make(TOP_BY_SESSIONS, "");
		top_view_page(&view, sizes[i][0], sizes[i][1], &page);
		cr_expect_leq(page.count, sizes[i][1]);
		cr_expect_leq(page.count, TOP_LINES_MAX);
		for (size_t j = 0; j < page.count; j++) {
			const char *text = page.lines[j].text;

			cr_expect_leq(strlen(text), sizes[i][0]);
			for (; *text != '\0'; text++)
				cr_expect(*text >= ' ' && *text <= '~');
		}
	}
}

Test(top_view, the_clients_stand_in_the_page)
{
	make(TOP_BY_SESSIONS, "");
	top_view_page(&view, 80, 23, &page);
	cr_expect_str_eq(page.lines[8].text,
	    "CLIENT           OPEN   MSGS  BYTES   AGE FS    STATE           "
	    "LISTENER");
	cr_expect_str_eq(page.lines[9].text,
	    "192.0.2.10          3      0     30   15m yes   relay           "
	    "smtp");
	cr_expect_str_eq(page.lines[10].text,
	    "192.0.2.2           2      3   1100  100s clear relay           "
	    "smtp");
	cr_expect(page.lines[8].is_heading);
	cr_expect_eq(page.count, 12);
}
