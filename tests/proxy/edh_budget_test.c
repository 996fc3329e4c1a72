/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "proxy/edh_budget.h"

#define NOW_MS INT64_C(1000000)

static struct edh_clients *clients;

static void set_up(void)
{
	clients = edh_clients_create();
	cr_assert_not_null(clients);
}

static void tear_down(void)
{
	edh_clients_destroy(&clients);
	cr_assert_null(clients);
}

TestSuite(edh_clients, .init = set_up, .fini = tear_down);
TestSuite(edh_budget, .init = set_up, .fini = tear_down);

static uint64_t key_of(const char *address)
{
	struct sockaddr_in6 peer = {.sin6_family = AF_INET6};
	struct sockaddr_in *ipv4 = (void *)&peer;

	if (inet_pton(AF_INET6, address, &peer.sin6_addr) != 1) {
		ipv4->sin_family = AF_INET;
		cr_assert_eq(inet_pton(AF_INET, address, &ipv4->sin_addr), 1);
	}
	return edh_clients_key(clients, &peer);
}

Test(edh_clients, who_is_one_client)
{
	static const struct {
		const char *left, *right;
		bool same;
	} rows[] = {
	    {"192.0.2.1", "192.0.2.1", true},
	    {"192.0.2.1", "192.0.2.2", false},
	    {"192.0.2.1", "::ffff:192.0.2.1", true},
	    {"2001:db8::1", "2001:db8::ffff:0:1", true},
	    {"2001:db8::1", "2001:db8:0:1::1", false},
	    {"2001:db8::1", "2001:db9::1", false},
	};
	struct sockaddr_in6 nobody = {.sin6_family = AF_UNIX};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(key_of(rows[i].left) == key_of(rows[i].right),
		    rows[i].same, "%s %s", rows[i].left, rows[i].right);
	cr_expect_eq(edh_clients_key(clients, &nobody), 0);
}

/* A budget of 60 ms in a minute comes back at 1 µs in a ms. */
Test(edh_clients, what_is_spent_comes_back)
{
	static const struct {
		int64_t after_ms;
		uint32_t spent_us;
	} rows[] = {
	    {0, 50000}, {1, 49999}, {49999, 1}, {50000, 0}, {86400000, 0},
	    {-5, 50000}, /* another worker's clock */
	};
	uint64_t key = key_of("192.0.2.1");

	edh_clients_charge(clients, key, 20000, 60000, NOW_MS);
	edh_clients_charge(clients, key, 30000, 60000, NOW_MS);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(edh_clients_spent_us(clients, key, 60000,
				 NOW_MS + rows[i].after_ms),
		    rows[i].spent_us, "after %d ms", (int)rows[i].after_ms);
	cr_expect_eq(
	    edh_clients_spent_us(clients, key_of("192.0.2.2"), 60000, NOW_MS),
	    0);
}

Test(edh_clients, an_account_does_not_overflow)
{
	uint64_t key = key_of("192.0.2.1");

	edh_clients_charge(clients, key, UINT32_MAX, 60000, NOW_MS);
	edh_clients_charge(clients, key, UINT32_MAX, 60000, NOW_MS);
	cr_expect_eq(
	    edh_clients_spent_us(clients, key, 60000, NOW_MS), UINT32_MAX);
}

Test(edh_clients, a_refusal_is_remembered_for_ten_minutes)
{
	uint64_t key = key_of("192.0.2.1");

	edh_clients_refuse(clients, key, NOW_MS);
	cr_expect(edh_clients_was_refused(clients, key, NOW_MS + 599999));
	cr_expect_not(edh_clients_was_refused(clients, key, NOW_MS + 600000));
	cr_expect_not(
	    edh_clients_was_refused(clients, key_of("192.0.2.2"), NOW_MS + 1));
}

Test(edh_clients, a_client_without_an_address_is_never_limited)
{
	edh_clients_charge(clients, 0, 1000000, 60000, NOW_MS);
	edh_clients_refuse(clients, 0, NOW_MS);
	cr_expect_eq(edh_clients_spent_us(clients, 0, 60000, NOW_MS), 0);
	cr_expect_not(edh_clients_was_refused(clients, 0, NOW_MS));
}

/* Many who ask for little must not make the table forget who asked for much. */
Test(edh_clients, a_crowd_does_not_wash_a_record_away)
{
	uint64_t heavy = key_of("192.0.2.1"), refused = key_of("192.0.2.2");

	edh_clients_charge(clients, heavy, 50000, 60000, NOW_MS);
	edh_clients_refuse(clients, refused, NOW_MS);
	for (unsigned i = 0; i < 100000; i++) {
		struct sockaddr_in ipv4 = {
		    .sin_family = AF_INET, .sin_addr.s_addr = 0x0a000000u + i};
		struct sockaddr_in6 peer = {0};

		memcpy(&peer, &ipv4, sizeof(ipv4));
		edh_clients_charge(clients, edh_clients_key(clients, &peer),
		    100, 60000, NOW_MS);
	}
	cr_expect_eq(
	    edh_clients_spent_us(clients, heavy, 60000, NOW_MS), 50000);
	cr_expect(edh_clients_was_refused(clients, refused, NOW_MS + 1));
}

/* A share of 10 percent: a second in the window of ten; 0.75 s for everyone. */
Test(edh_budget, verdicts)
{
	static const struct {
		const char *what;
		unsigned share_percent;
		uint32_t client_us, account_us;
		bool has_choice;
		int64_t waited_ms;
		enum edh_verdict verdict;
	} rows[] = {
	    {"nothing spent", 10, 0, 0, true, 0, EDH_ALLOWED},
	    {"the client's is spent", 10, 40000, 0, true, 0, EDH_AVOIDED},
	    {"and it knows only EDH", 10, 40000, 0, false, 0, EDH_REFUSED},
	    {"almost spent", 10, 39999, 0, true, 0, EDH_ALLOWED},
	    {"up to the reserve", 10, 0, 749999, true, 0, EDH_ALLOWED},
	    {"in the reserve", 10, 0, 750000, true, 0, EDH_AVOIDED},
	    {"which is for who must", 10, 0, 750000, false, 0, EDH_ALLOWED},
	    {"and has used little", 10, 9999, 999999, false, 0, EDH_ALLOWED},
	    {"others wait", 10, 10000, 750000, false, 0, EDH_DELAYED},
	    {"all is spent", 10, 0, 1000000, true, 0, EDH_AVOIDED},
	    {"all wait then", 10, 0, 1000000, false, 0, EDH_DELAYED},
	    {"for their time", 10, 0, 1000000, false, 9999, EDH_DELAYED},
	    {"and no longer", 10, 0, 1000000, false, 10000, EDH_REFUSED},
	    {"no limit", 100, 0, 99000000, true, 0, EDH_ALLOWED},
	    {"but the client's", 100, 40000, 0, true, 0, EDH_AVOIDED},
	    {"no EDH at all", 0, 0, 0, true, 0, EDH_AVOIDED},
	    {"for anyone", 0, 0, 0, false, 0, EDH_REFUSED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct edh_account account = {rows[i].account_us, NOW_MS};
		char address[32];

		snprintf(address, sizeof(address), "192.0.2.%zu", i);
		edh_clients_charge(
		    clients, key_of(address), rows[i].client_us, 40000, NOW_MS);
		cr_expect_eq(edh_budget_ask(&(struct edh_question){
				 .clients = clients,
				 .client = key_of(address),
				 .account = &account,
				 .limits = {rows[i].share_percent, 40000},
				 .has_choice = rows[i].has_choice,
				 .waited_ms = rows[i].waited_ms,
				 .now_ms = NOW_MS,
			     }),
		    rows[i].verdict, "%s", rows[i].what);
	}
}

/* Whatever is asked for, no more than the share is spent. */
Test(edh_budget, a_flood_gets_the_share)
{
	struct edh_account account = {0};
	struct edh_limits limits = {25, 1000000000};
	uint64_t spent_us = 0;

	for (int64_t now_ms = 0; now_ms < 100000; now_ms++) {
		struct edh_question question = {
		    .clients = clients,
		    .account = &account,
		    .limits = limits,
		    .has_choice = true,
		    .now_ms = now_ms,
		};

		if (edh_budget_ask(&question) != EDH_ALLOWED)
			continue;
		edh_account_charge(&account, &limits, 900, now_ms);
		spent_us += 900;
	}
	/* 25 percent of 100 s, and what the account holds to begin with. */
	cr_expect_lt(spent_us, 25000000 + 1875000 + 900);
	cr_expect_gt(spent_us, 25000000);
}
