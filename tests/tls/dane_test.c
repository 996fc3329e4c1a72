/* SPDX-License-Identifier: Apache-2.0 */
/* Which records are of use. What they match is in the integration tests. */
#include "tls/dane.h"

#include <string.h>

#include <criterion/criterion.h>

#include "tls/client_dane.h"
#include "tls/fixture.h"
#include "tls/handles.h"

static void init(void)
{
	fixture_init();
}

static void fini(void)
{
	fixture_fini();
}

TestSuite(dane, .init = init, .fini = fini);

static struct tls_client *create(const char *digests)
{
	struct tls_client_options options = {
	    .shared = fixture_options(""),
	    .level = TLS_CLIENT_DANE,
	    .match_parameter = "smtp_tls_security_level",
	    .smtp_tls_trust_anchor_file = "",
	    .trust_anchor_parameter = "smtp_tls_trust_anchor_file",
	    .servername = "",
	    .tls_dane_digests = digests,
	};

	options.shared.protocols_parameter = "smtp_tls_protocols";
	options.shared.ciphers.grade_parameter = "smtp_tls_ciphers";
	options.shared.peer.smtpd_tls_ccert_verifydepth = 9;
	return tls_client_create(&options, &fixture_report);
}

static const uint8_t zeros[65];

static struct tls_dane dane_of(const struct tls_dane_record *record)
{
	return (struct tls_dane){.base_domain = "mx.test",
	    .host = "mail.test",
	    .records = record,
	    .count = 1};
}

Test(dane, which_records_are_of_use)
{
	static const struct {
		const char *digests;
		struct tls_dane_record record;
		size_t expected;
	} rows[] = {
	    {"sha512 sha256", {3, 1, 1, zeros, 32}, 1},
	    {"sha512 sha256", {3, 0, 2, zeros, 64}, 1},
	    {"sha512 sha256", {2, 0, 1, zeros, 32}, 1},
	    /* Usages of the web, and of nobody. */
	    {"sha512 sha256", {0, 0, 1, zeros, 32}, 0},
	    {"sha512 sha256", {1, 1, 1, zeros, 32}, 0},
	    {"sha512 sha256", {4, 1, 1, zeros, 32}, 0},
	    {"sha512 sha256", {255, 1, 1, zeros, 32}, 0},
	    {"sha512 sha256", {3, 2, 1, zeros, 32}, 0},
	    {"sha512 sha256", {3, 1, 3, zeros, 32}, 0},
	    /* Lengths that are not the digest's. */
	    {"sha512 sha256", {3, 1, 1, zeros, 31}, 0},
	    {"sha512 sha256", {3, 1, 1, zeros, 33}, 0},
	    {"sha512 sha256", {3, 1, 1, zeros, 0}, 0},
	    {"sha512 sha256", {3, 1, 2, zeros, 65}, 0},
	    /* Neither a key nor a certificate. */
	    {"sha512 sha256", {3, 1, 0, zeros, 32}, 0},
	    {"sha512 sha256", {2, 0, 0, zeros, 0}, 0},
	    {"sha512", {3, 1, 1, zeros, 32}, 0},
	    {"SHA512, SHA256", {3, 1, 1, zeros, 32}, 1},
	    {"sha3-256=200 sha256", {3, 1, 200, zeros, 32}, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_client *client = create(rows[i].digests);
		struct tls_dane dane = dane_of(&rows[i].record);
		struct tls_session *session;

		cr_assert_not_null(client, "%s", fixture_findings);
		cr_expect_eq(tls_dane_usable(client, &dane), rows[i].expected,
		    "row %zu", i);
		session = tls_dane_session_create(client, &dane);
		cr_expect_eq(session != NULL, rows[i].expected > 0, "%zu", i);
		tls_session_destroy(&session);
		tls_client_destroy(&client);
	}
}

Test(dane, digests_that_are_none)
{
	static const char *const lists[] = {"sha3-256", "sha256=", "sha256=0",
	    "sha256=255", "sha256=x", "junk=3", "sha256 junk"};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		fixture_findings[0] = '\0';
		cr_expect_null(create(lists[i]), "%s", lists[i]);
		cr_expect_not_null(
		    strstr(fixture_findings, "is no digest"), "%s", lists[i]);
	}
	fixture_findings[0] = '\0';
	cr_expect_null(create(""));
	cr_expect_not_null(
	    strstr(fixture_findings, "must have at least sha256"));
}

/* A session that began before the records changed is not kept for the next. */
Test(dane, sessions_are_of_their_records)
{
	static const uint8_t ones[32] = {1};
	const struct tls_dane_record records[2] = {
	    {3, 1, 1, zeros, 32}, {3, 1, 1, ones, 32}};
	struct tls_client *client = create("sha256");
	SSL *old = SSL_new(tls_client_handle(client));
	SSL *now = SSL_new(tls_client_handle(client));
	struct tls_client_dane known = {0};
	struct tls_dane first = dane_of(&records[0]);
	struct tls_dane second = dane_of(&records[1]);

	cr_expect_not(tls_client_dane_note(&known, &first, old));
	cr_expect(tls_client_dane_note(&known, &first, old));
	cr_expect(tls_client_dane_is_current(&known, old));
	cr_expect_not(tls_client_dane_note(&known, &second, now));
	cr_expect(tls_client_dane_is_current(&known, now));
	cr_expect_not(tls_client_dane_is_current(&known, old));
	second.base_domain = "other.test";
	cr_expect_not(tls_client_dane_note(&known, &second, old));
	SSL_free(old);
	SSL_free(now);
	tls_client_destroy(&client);
}
