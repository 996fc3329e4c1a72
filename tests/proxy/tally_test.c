/* SPDX-License-Identifier: Apache-2.0 */
/* What many records add up to, and the pages made of it. */
#include "proxy/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "proxy/report_page.h"

static struct report_page page;

static void set_up(void)
{
	memset(&page, 0, sizeof(page));
	tally_init(&page.tally);
}

static void tear_down(void)
{
	tally_finish(&page.tally);
}

TestSuite(tally, .init = set_up, .fini = tear_down);

/* One session more; `words` go behind session, time and client. */
static void add(const char *day, const char *client, const char *words)
{
	static struct record record;
	char line[1024];
	const char *why;

	snprintf(line, sizeof(line),
	    "session=1-1 time=%sT12:00:00Z listener=smtp client=[%s]:25 "
	    "reason=CLIENT_QUIT %s",
	    day, client, words);
	cr_assert_eq(record_read(line, strlen(line), &record, &why),
	    RECORD_FOUND, "%s: %s", line, why);
	cr_assert(tally_add(&page.tally, &record));
	page.records++;
}

#define SECRET                                                    \
	"tls=TLSv1.3 group=X25519 cipher=TLS_AES_128_GCM_SHA256 " \
	"forward_secrecy=yes forward_secrecy_reason=ecdhe "       \
	"client_version=TLSv1.3 client_eecdh=yes client_edh=no "  \
	"client_rsa=no messages=2"
#define EDH                                                     \
	"tls=TLSv1.2 group=DHE-2048 cipher=DHE-RSA-AES128-SHA " \
	"forward_secrecy=yes forward_secrecy_reason=dhe "       \
	"client_version=TLSv1.2 client_eecdh=no client_edh=yes "
#define RSA                                                     \
	"tls=TLSv1.2 cipher=AES128-SHA forward_secrecy=no "     \
	"forward_secrecy_reason=rsa_key_exchange "              \
	"client_version=TLSv1.2 client_eecdh=no client_edh=no " \
	"client_rsa=yes messages=1"
#define CLEAR                          \
	"tls=none forward_secrecy=no " \
	"forward_secrecy_reason=no_tls messages=1"

static const struct tally_row *find(enum tally_table table, const char *name)
{
	for (size_t i = 0; i < page.tally.tables[table].count; i++)
		if (strcmp(page.tally.tables[table].rows[i]->name, name) == 0)
			return page.tally.tables[table].rows[i];
	cr_assert(false, "no row %s", name);
	return NULL;
}

static void fill(void)
{
	add("2026-11-21", "192.0.2.1", SECRET);
	add("2026-11-21", "192.0.2.1", SECRET);
	add("2026-11-20", "192.0.2.2", EDH "client_rsa=yes");
	add("2026-11-20", "192.0.2.3", EDH "client_rsa=no");
	add("2026-11-20", "2001:db8::4", RSA);
	add("2026-11-20", "192.0.2.5", CLEAR);
	/* Could have done EECDH; it was our order that gave EDH. */
	add("2026-11-22", "192.0.2.6",
	    "tls=TLSv1.3 group=ffdhe2048 forward_secrecy=yes "
	    "client_version=TLSv1.3 client_eecdh=yes client_edh=yes "
	    "client_rsa=yes");
	add("2026-11-22", "192.0.2.7", "tls=TLSv1.2 forward_secrecy=no");
	tally_sort(&page.tally);
}

Test(tally, sums)
{
	const struct tally *tally = &page.tally;

	fill();
	cr_expect_eq(tally->all.sessions, 8);
	cr_expect_eq(tally->all.secret, 5);
	cr_expect_eq(tally->all.messages, 6);
	cr_expect_eq(tally->all.messages_secret, 4);
	cr_expect_eq(tally->in_clear, 1);
	cr_expect_eq(tally->offer_unknown, 1);
	cr_expect_eq(tally->first_s, 1795176000);
	cr_expect_eq(tally->last_s, 1795348800);
	cr_expect_eq(find(TALLY_VERSION, "TLSv1.2")->counts.sessions, 4);
	cr_expect_eq(find(TALLY_VERSION, "TLSv1.2")->counts.secret, 2);
	cr_expect_eq(find(TALLY_GROUP, "DHE-2048")->counts.sessions, 2);
	cr_expect_eq(find(TALLY_WHY_NONE, "no_tls")->counts.sessions, 1);
	cr_expect_eq(
	    find(TALLY_CLIENT_NONE, "2001:db8::4")->counts.sessions, 1);
}

Test(tally, rows_are_in_order)
{
	fill();
	cr_expect_str_eq(
	    page.tally.tables[TALLY_DAY].rows[0]->name, "2026-11-20");
	cr_expect_str_eq(
	    page.tally.tables[TALLY_DAY].rows[2]->name, "2026-11-22");
	cr_expect_str_eq(
	    page.tally.tables[TALLY_VERSION].rows[0]->name, "TLSv1.2");
	cr_expect_str_eq(
	    page.tally.tables[TALLY_VERSION].rows[1]->name, "TLSv1.3");
}

/* From what was offered, not from what came of it. */
Test(tally, who_would_be_lost)
{
	fill();
	cr_expect_eq(page.tally.tables[TALLY_LOST_EDH].count, 2);
	find(TALLY_LOST_EDH, "192.0.2.2");
	find(TALLY_LOST_EDH, "192.0.2.3");
	cr_expect_eq(page.tally.edh_to_rsa, 1);
	cr_expect_eq(page.tally.tables[TALLY_LOST_RSA].count, 1);
	find(TALLY_LOST_RSA, "2001:db8::4");
	cr_expect_eq(page.tally.tables[TALLY_LOST_TLS12].count, 3);
}

Test(tally, clients_have_a_limit)
{
	char client[32], *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	size_t count = TALLY_CLIENTS_MAX + 5;

	for (size_t i = 0; i < count; i++) {
		snprintf(client, sizeof(client), "2001:db8::%zx", i);
		add("2026-11-21", client, CLEAR);
	}
	add("2026-11-21", "2001:db8::1", CLEAR);
	tally_sort(&page.tally);
	cr_expect_eq(
	    page.tally.tables[TALLY_CLIENT_NONE].count, TALLY_CLIENTS_MAX);
	cr_expect(page.tally.tables[TALLY_CLIENT_NONE].has_others);
	cr_expect_eq(page.tally.tables[TALLY_CLIENT_NONE].others.sessions, 5);
	cr_expect_eq(
	    find(TALLY_CLIENT_NONE, "2001:db8::1")->counts.sessions, 2);
	report_page_text(out, &page);
	fclose(out);
	cr_expect_not_null(strstr(text, "     19985    0.0 %      19985    "
					"0.0 %  others (more than 19980)\n"),
	    "%s", text);
	free(text);
}

static const struct {
	uint64_t part, whole;
	const char *text;
} shares[] = {
    {0, 0, "-"},
    {0, 7, "0.0 %"},
    {7, 7, "100.0 %"},
    {1, 3, "33.3 %"},
    {1, 100000, "<0.1 %"},
    {99999, 100000, ">99.9 %"},
    {999, 1000, "99.9 %"},
};

Test(tally, shares_are_not_rounded_up_to_all)
{
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		char text[REPORT_SHARE_SIZE];

		report_page_share(
		    shares[i].part, shares[i].whole, text, sizeof(text));
		cr_expect_str_eq(text, shares[i].text);
	}
}

/* A record of somebody else's making: what a word may be is narrow, what a name
 * may be is not. */
Test(tally, pages_of_html_are_escaped)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	add("2026-11-21", "<script>alert('1')&amp;</script>", CLEAR);
	tally_sort(&page.tally);
	report_page_html(out, &page);
	fclose(out);
	cr_expect_null(strstr(text, "<script>"));
	cr_expect_not_null(
	    strstr(text, "&lt;script&gt;alert(&#39;1&#39;)&amp;amp;"));
	cr_expect_not_null(strstr(text, "default-src 'none'"));
	cr_expect_null(strstr(text, "http://"));
	cr_expect_null(strstr(text, "https://"));
	free(text);
}
