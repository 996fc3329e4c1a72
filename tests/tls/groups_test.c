/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/groups.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tls/describe.h"
#include "tls/facts.h"
#include "tls/fixture.h"
#include "tls/handles.h"

#define HYBRID "X25519MLKEM768"

TestSuite(groups, .init = fixture_init, .fini = fixture_fini);

struct row {
	const char *grade, *strong, *ultra, *automatic, *ffdhe;
	const char *expected; /* names, by blanks */
	const char *findings; /* behind OpenSSL's version, if that is told */
};

static struct tls_context_options options_of(const struct row *row)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));

	options.groups = (struct tls_group_options){
	    .smtpd_tls_eecdh_grade = row->grade,
	    .tls_eecdh_strong_curve = row->strong,
	    .tls_eecdh_ultra_curve = row->ultra,
	    .tls_eecdh_auto_curves = row->automatic,
	    .tls_ffdhe_auto_groups = row->ffdhe,
	};
	return options;
}

static const char *names_of(const struct tls_context *context)
{
	static char names[1024];
	size_t len = 0;

	names[0] = '\0';
	for (size_t i = 0; i < tls_describe_group_count(context); i++) {
		const char *name = tls_describe_group(context, i);

		/* Newer releases have it. */
		if (strcmp(name, HYBRID) != 0)
			len +=
			    (size_t)snprintf(names + len, sizeof(names) - len,
				"%s%s", len > 0 ? " " : "", name);
	}
	return names;
}

Test(groups, of_each_grade)
{
	static const struct row rows[] = {
	    {"auto", "P-256", "P-384", "X25519 prime256v1", "",
		"x25519 secp256r1", ""},
	    {"AUTO", "P-256", "P-384", "X448", "ffdhe2048", "x448 ffdhe2048",
		""},
	    {"strong", "prime256v1 X25519", "P-384", "X448", "",
		"secp256r1 x25519", ""},
	    {"ultra", "P-256", "secp384r1, X448:X25519\tprime256v1", "X25519",
		"", "secp384r1 x448 x25519 secp256r1", ""},
	    {"none", "P-256", "P-384", "X25519", "ffdhe3072 ffdhe2048",
		"ffdhe3072 ffdhe2048", ""},
	    /* Two names of one group. */
	    {"auto", "", "", "P-256 prime256v1 secp256r1 X25519 x25519", "",
		"secp256r1 x25519", ""},
	    {"auto", "", "", "x25519", "FFDHE2048", "x25519 ffdhe2048", ""},
	    /* Of newer releases: first where they are known, else absent. */
	    {"auto", "", "", HYBRID " X25519", "", "x25519", ""},
	    {"auto", "", "", "?nonsense:X25519", "", "x25519", ""},
	    {"auto", "", "", "sect999 X25519 banana", "", "x25519",
		" does not know \"sect999 banana\", which is skipped\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context_options options = options_of(&rows[i]);
		struct tls_context *context;
		const char *told = fixture_findings;

		fixture_findings[0] = '\0';
		context = tls_context_create(&options, &fixture_report);
		cr_assert_not_null(context, "%s", fixture_findings);
		cr_expect_str_eq(names_of(context), rows[i].expected);
		if (strstr(told, " does not know") != NULL)
			told = strstr(told, " does not know");
		cr_expect_str_eq(told, rows[i].findings);
		tls_context_destroy(&context);
	}
}

Test(groups, grade_none)
{
	static const struct row row = {"none", "", "", "X25519", "", "", ""};
	struct tls_context_options options = options_of(&row);
	struct tls_context *context;
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
	struct tls_facts facts;
	struct link link;

	context = tls_context_create(&options, &fixture_report);
	cr_assert_not_null(context);
	cr_expect_str_eq(fixture_findings,
	    "warning smtpd_tls_eecdh_grade: none: TLSv1.3 needs a key-exchange "
	    "group and is turned off; should be auto, or tls_ffdhe_auto_groups "
	    "should name one\n");
	link_open(&link, context, client_ctx);
	cr_assert(link_handshake(&link));
	tls_facts_read(link.server, &facts);
	cr_expect_str_eq(facts.protocol, "TLSv1.2");
	cr_expect_str_eq(facts.key_exchange.name, "DHE");
	cr_expect_eq(facts.key_exchange.bits, 2048);
	link_close(&link);
	tls_context_destroy(&context);
	SSL_CTX_free(client_ctx);

	options.protocols = "TLSv1.3";
	fixture_findings[0] = '\0';
	cr_expect_null(tls_context_create(&options, &fixture_report));
	cr_expect_str_eq(fixture_findings,
	    "error smtpd_tls_eecdh_grade: none: TLSv1.3 needs a key-exchange "
	    "group, and no other version is allowed; must be auto, or "
	    "tls_ffdhe_auto_groups must name one\n");
	/* Of no concern where it is off anyway. */
	options.protocols = "TLSv1.2";
	fixture_findings[0] = '\0';
	context = tls_context_create(&options, &fixture_report);
	cr_expect_str_eq(fixture_findings, "");
	tls_context_destroy(&context);
}

Test(groups, findings)
{
	static const struct row rows[] = {
	    {"super", "", "", "X25519", "", "",
		"error smtpd_tls_eecdh_grade: \"super\" is no grade; must be "
		"one of auto, strong, ultra, none\n"},
	    {"strong", "", "", "X25519", "", "",
		"error tls_eecdh_strong_curve: none of \"\" is a key-exchange "
		"group; must be names such as X25519, prime256v1, secp384r1\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context_options options = options_of(&rows[i]);

		fixture_findings[0] = '\0';
		cr_expect_null(tls_context_create(&options, &fixture_report));
		cr_expect_str_eq(fixture_findings, rows[i].findings);
	}
}

/* What a client gets that offers `groups` with the first of them as its share,
 * in TLS 1.3 (with an FFDHE one, too) and below. */
Test(groups, what_clients_get)
{
	static const struct {
		const char *ours, *ffdhe, *client;
		int version;
		const char *name, *curve; /* "": a refusal */
		int bits;
	} rows[] = {
	    {"X25519 P-256", "", "P-256:X25519", TLS1_3_VERSION, "ECDHE",
		"prime256v1", 0},
	    {"P-384 X25519", "", "P-256:X25519:P-384", TLS1_3_VERSION, "ECDHE",
		"secp384r1", 0},
	    {"P-384 X25519", "", "X25519:P-384", TLS1_2_VERSION, "ECDHE",
		"secp384r1", 0},
	    {"X25519", "", "ffdhe2048", TLS1_3_VERSION, "", "", 0},
	    {"X25519", "ffdhe2048", "ffdhe2048", TLS1_3_VERSION, "DHE", "",
		2048},
	    {"X25519", "ffdhe3072", "ffdhe2048:ffdhe3072", TLS1_3_VERSION,
		"DHE", "", 3072},
	    {"X25519", "ffdhe2048", "ffdhe4096", TLS1_3_VERSION, "", "", 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row row = {
		    "auto", "", "", rows[i].ours, rows[i].ffdhe, "", ""};
		struct tls_context_options options = options_of(&row);
		struct tls_context *context =
		    tls_context_create(&options, &fixture_report);
		SSL_CTX *client_ctx =
		    fixture_client_ctx(rows[i].version, rows[i].version);
		struct tls_facts facts = {.protocol = ""};
		struct link link;

		cr_assert_eq(
		    SSL_CTX_set1_groups_list(client_ctx, rows[i].client), 1);
		link_open(&link, context, client_ctx);
		if (link_handshake(&link))
			tls_facts_read(link.server, &facts);
		else
			cr_expect_eq(tls_session_fault(link.server),
			    TLS_FAULT_NO_SHARED_GROUP);
		cr_expect_str_eq(facts.key_exchange.name, rows[i].name,
		    "row %zu: %s", i, facts.key_exchange.name);
		cr_expect_str_eq(facts.key_exchange.curve, rows[i].curve);
		cr_expect_eq(facts.key_exchange.bits, rows[i].bits);
		link_close(&link);
		SSL_CTX_free(client_ctx);
		tls_context_destroy(&context);
	}
}

Test(groups, ffdhe_numbers)
{
	static const struct {
		uint16_t id;
		bool is_ffdhe;
	} rows[] = {{0x00FF, false}, {0x0100, true}, {0x0104, true},
	    {0x01FF, true}, {0x0200, false}, {29, false}, {4588, false}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(tls_group_is_ffdhe(rows[i].id), rows[i].is_ffdhe);
}
