/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/ciphers.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tls/facts.h"
#include "tls/fixture.h"
#include "tls/handles.h"

#define POSTFIX_MEDIUM "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH"
#define NAMES_SIZE     16384

TestSuite(ciphers, .init = fixture_init, .fini = fixture_fini);

static struct tls_context_options options_of(const char *list)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));

	options.ciphers.tls_medium_cipherlist = list;
	return options;
}

static struct tls_context *create(const struct tls_context_options *options)
{
	struct tls_context *context;

	fixture_findings[0] = '\0';
	context = tls_context_create(options, &fixture_report);
	cr_assert_not_null(context, "%s", fixture_findings);
	return context;
}

/* The names of the suites below TLS 1.3, by colons. */
static const char *names_of(const SSL_CTX *ctx)
{
	static char names[NAMES_SIZE];
	const STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(ctx);
	size_t len = 0;

	names[0] = '\0';
	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);

		if (strncmp(SSL_CIPHER_get_name(cipher), "TLS_", 4) != 0)
			len += (size_t)snprintf(names + len, NAMES_SIZE - len,
			    "%s%s", len > 0 ? ":" : "",
			    SSL_CIPHER_get_name(cipher));
	}
	return names;
}

static void expect_order(
    const struct tls_context_options *options, const char *expected)
{
	struct tls_context *context = create(options);

	cr_expect_str_eq(names_of(tls_context_handle(context)), expected);
	tls_context_destroy(&context);
}

static const char mixed[] =
    "AES256-SHA:DHE-RSA-AES256-GCM-SHA384:ADH-AES256-SHA:"
    "ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA:DHE-RSA-AES128-SHA:"
    "AECDH-AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256:PSK-AES128-CBC-SHA:"
    "DHE-PSK-AES128-CBC-SHA:ADH-AES128-SHA:ECDHE-PSK-AES128-CBC-SHA";

Test(ciphers, order_by_secrecy)
{
	static const struct {
		enum tls_forward_secrecy mode;
		const char *expected;
	} rows[] = {
	    {TLS_FORWARD_SECRECY_NO, mixed},
	    {TLS_FORWARD_SECRECY_PREFER,
		"AECDH-AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384:"
		"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-PSK-AES128-CBC-SHA:"
		"ADH-AES256-SHA:ADH-AES128-SHA:DHE-RSA-AES256-GCM-SHA384:"
		"DHE-RSA-AES128-SHA:DHE-PSK-AES128-CBC-SHA:AES256-SHA:"
		"AES128-SHA:PSK-AES128-CBC-SHA"},
	    {TLS_FORWARD_SECRECY_REQUIRE,
		"AECDH-AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384:"
		"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-PSK-AES128-CBC-SHA:"
		"ADH-AES256-SHA:ADH-AES128-SHA:DHE-RSA-AES256-GCM-SHA384:"
		"DHE-RSA-AES128-SHA:DHE-PSK-AES128-CBC-SHA"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context_options options = options_of(mixed);

		options.ciphers.forward_secrecy = rows[i].mode;
		expect_order(&options, rows[i].expected);
	}
}

/* Without our order, it is what OpenSSL makes of Postfix's string. */
Test(ciphers, order_of_postfix)
{
	struct tls_context_options options = options_of(POSTFIX_MEDIUM);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	char expected[NAMES_SIZE];

	SSL_CTX_set_security_level(ctx, 0);
	cr_assert_eq(SSL_CTX_set_cipher_list(ctx, POSTFIX_MEDIUM), 1);
	snprintf(expected, sizeof(expected), "%s", names_of(ctx));
	cr_assert_gt(strlen(expected), 1000);
	options.ciphers.forward_secrecy = TLS_FORWARD_SECRECY_NO;
	expect_order(&options, expected);
	SSL_CTX_free(ctx);
}

Test(ciphers, composition)
{
	static const struct {
		const char *grade, *high, *medium, *null;
		const char *exclude, *mandatory_exclude;
		bool asks_for_certificates;
		const char *expected;
	} rows[] = {
	    {"medium", "", "AES256-SHA:AES128-SHA", "", "", "", false,
		"AES256-SHA:AES128-SHA"},
	    {"MEDIUM", "", "AES256-SHA", "", "", "", false, "AES256-SHA"},
	    {"High", "AES128-SHA", "", "", "", "", false, "AES128-SHA"},
	    {"null", "", "", "NULL-SHA256", "", "", false, "NULL-SHA256"},
	    {"medium", "", "AES256-SHA:AES128-SHA:CAMELLIA128-SHA", "",
		"AES256, CAMELLIA", "", false, "AES128-SHA"},
	    {"medium", "", "AES256-SHA:AES128-SHA:CAMELLIA128-SHA", "",
		"AES256", "\tCAMELLIA\r\n", false, "AES128-SHA"},
	    {"medium", "", "AES256-SHA:AES128-SHA:CAMELLIA128-SHA", "",
		"AES256:CAMELLIA:NOSUCHSUITE", "", false, "AES128-SHA"},
	    {"medium", "", "ADH-AES128-SHA:AES128-SHA", "", "", "", false,
		"ADH-AES128-SHA:AES128-SHA"},
	    {"medium", "", "ADH-AES128-SHA:AES128-SHA", "", "", "", true,
		"AES128-SHA"},
	    {"medium", "", "ADH-AES128-SHA:AES128-SHA", "", "", "aNULL", false,
		"AES128-SHA"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context_options options = options_of(rows[i].medium);
		struct tls_cipher_options *ciphers = &options.ciphers;

		ciphers->grade = rows[i].grade;
		ciphers->tls_high_cipherlist = rows[i].high;
		ciphers->tls_null_cipherlist = rows[i].null;
		ciphers->smtpd_tls_exclude_ciphers = rows[i].exclude;
		ciphers->smtpd_tls_mandatory_exclude_ciphers =
		    rows[i].mandatory_exclude;
		ciphers->forward_secrecy = TLS_FORWARD_SECRECY_NO;
		options.peer.smtpd_tls_ask_ccert =
		    rows[i].asks_for_certificates;
		expect_order(&options, rows[i].expected);
		cr_expect_str_eq(fixture_findings, "");
	}
}

Test(ciphers, findings)
{
	static const struct {
		const char *grade, *medium, *exclude, *mandatory_exclude;
		enum tls_forward_secrecy mode;
		const char *expected;
	} rows[] = {
	    {"superhigh", "HIGH", "", "", TLS_FORWARD_SECRECY_PREFER,
		"error smtpd_tls_ciphers: \"superhigh\" is no cipher grade; "
		"must be one of high, medium, null\n"},
	    {"Low", "HIGH", "", "", TLS_FORWARD_SECRECY_PREFER,
		"warning smtpd_tls_ciphers: \"Low\" is obsolete and means "
		"\"medium\", since OpenSSL has no such suites any more; should "
		"be medium or high\n"},
	    {"export", "HIGH", "", "", TLS_FORWARD_SECRECY_PREFER,
		"warning smtpd_tls_ciphers: \"export\" is obsolete and means "
		"\"medium\", since OpenSSL has no such suites any more; should "
		"be medium or high\n"},
	    {"medium", "HIGH", "RC4 !aNULL", "", TLS_FORWARD_SECRECY_PREFER,
		"error smtpd_tls_exclude_ciphers: \"!aNULL\" begins with "
		"\"!\"; must be the bare name of a suite, or of a kind of "
		"suites such as aNULL or kRSA\n"},
	    {"medium", "HIGH", "", "@STRENGTH", TLS_FORWARD_SECRECY_PREFER,
		"error smtpd_tls_mandatory_exclude_ciphers: \"@STRENGTH\" "
		"begins with \"@\"; must be the bare name of a suite, or of a "
		"kind of suites such as aNULL or kRSA\n"},
	    {"medium", "AES128-SHA", "AES", "", TLS_FORWARD_SECRECY_PREFER,
		"error tls_medium_cipherlist: \"AES128-SHA:!AES\": no cipher "
		"match; must be a list as ciphers(1) describes it\n"},
	    {"medium", "AES128-SHA", "", "", TLS_FORWARD_SECRECY_REQUIRE,
		"error tls_medium_cipherlist: \"AES128-SHA\": leaves no suite "
		"with forward secrecy, which proxy_tls_forward_secrecy = "
		"require asks for\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context_options options = options_of(rows[i].medium);
		struct tls_context *context;

		options.ciphers.grade = rows[i].grade;
		options.ciphers.smtpd_tls_exclude_ciphers = rows[i].exclude;
		options.ciphers.smtpd_tls_mandatory_exclude_ciphers =
		    rows[i].mandatory_exclude;
		options.ciphers.forward_secrecy = rows[i].mode;
		fixture_findings[0] = '\0';
		context = tls_context_create(&options, &fixture_report);
		cr_expect_str_eq(fixture_findings, rows[i].expected);
		cr_expect_eq(
		    context == NULL, rows[i].expected[0] == 'e', "row %zu", i);
		tls_context_destroy(&context);
	}
}

Test(ciphers, security_level_in_the_list)
{
	struct tls_context_options options =
	    options_of("ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=1");
	struct tls_context *context = create(&options);

	cr_expect_eq(
	    SSL_CTX_get_security_level(tls_context_handle(context)), 1);
	tls_context_destroy(&context);
}

#define NOT_A_SUITE                                                         \
	" is no suite of TLSv1.3 that OpenSSL has, and is skipped; should " \
	"be a name such as TLS_AES_256_GCM_SHA384\n"

Test(ciphers, suites_of_tls13)
{
	struct tls_context_options options = options_of("HIGH");
	struct tls_context *context;
	const STACK_OF(SSL_CIPHER) * ciphers;

	options.ciphers.proxy_tls_ciphersuites =
	    "TLS_CHACHA20_POLY1305_SHA256, TLS_AES_128_GCM_SHA256";
	context = create(&options);
	ciphers = SSL_CTX_get_ciphers(tls_context_handle(context));
	cr_expect_str_eq(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, 0)),
	    "TLS_CHACHA20_POLY1305_SHA256");
	cr_expect_str_eq(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, 1)),
	    "TLS_AES_128_GCM_SHA256");
	cr_expect_neq(
	    strncmp(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, 2)),
		"TLS_", 4),
	    0);
	tls_context_destroy(&context);
	fixture_findings[0] = '\0';
	options.ciphers.proxy_tls_ciphersuites =
	    "TLS_AES_256_GCM TLS_AES_128_GCM_SHA256:AES128-SHA";
	context = tls_context_create(&options, &fixture_report);
	cr_assert_not_null(context);
	cr_expect_str_eq(fixture_findings,
	    "warning proxy_tls_ciphersuites: \"TLS_AES_256_GCM\"" NOT_A_SUITE
	    "warning proxy_tls_ciphersuites: \"AES128-SHA\"" NOT_A_SUITE);
	ciphers = SSL_CTX_get_ciphers(tls_context_handle(context));
	cr_expect_str_eq(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, 0)),
	    "TLS_AES_128_GCM_SHA256");
	tls_context_destroy(&context);
	options.ciphers.proxy_tls_ciphersuites = "TLS_BANANA";
	fixture_findings[0] = '\0';
	cr_assert_null(tls_context_create(&options, &fixture_report));
	cr_expect_str_eq(fixture_findings,
	    "warning proxy_tls_ciphersuites: \"TLS_BANANA\"" NOT_A_SUITE
	    "error proxy_tls_ciphersuites: \"TLS_BANANA\": names no suite; "
	    "must have names such as TLS_AES_256_GCM_SHA384, "
	    "TLS_CHACHA20_POLY1305_SHA256\n");
}

/* What a client of TLS 1.2 that offers `list` gets; "": a refusal. */
static void negotiate(
    struct tls_context *context, const char *list, struct tls_facts *facts_out)
{
	SSL_CTX *client_ctx =
	    fixture_client_ctx(TLS1_2_VERSION, TLS1_2_VERSION);
	struct link link;

	*facts_out = (struct tls_facts){.cipher = ""};
	cr_assert_eq(SSL_CTX_set_cipher_list(client_ctx, list), 1);
	link_open(&link, context, client_ctx);
	if (link_handshake(&link))
		tls_facts_read(link.server, facts_out);
	else
		cr_expect_eq(
		    tls_session_fault(link.server), TLS_FAULT_NO_SHARED_CIPHER);
	link_close(&link);
	SSL_CTX_free(client_ctx);
}

/* The two pairs that Postfix's order gets wrong. */
Test(ciphers, what_clients_get)
{
	static const struct {
		enum tls_forward_secrecy mode;
		const char *offer, *expected;
	} rows[] = {
	    {TLS_FORWARD_SECRECY_PREFER,
		"AES256-SHA:ECDHE-RSA-AES128-GCM-SHA256",
		"ECDHE-RSA-AES128-GCM-SHA256"},
	    {TLS_FORWARD_SECRECY_NO, "AES256-SHA:ECDHE-RSA-AES128-GCM-SHA256",
		"AES256-SHA"},
	    {TLS_FORWARD_SECRECY_PREFER,
		"DHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256",
		"ECDHE-RSA-AES128-GCM-SHA256"},
	    {TLS_FORWARD_SECRECY_NO,
		"DHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256",
		"DHE-RSA-AES256-GCM-SHA384"},
	    {TLS_FORWARD_SECRECY_PREFER, "AES256-SHA", "AES256-SHA"},
	    {TLS_FORWARD_SECRECY_REQUIRE, "AES256-SHA", ""},
	    {TLS_FORWARD_SECRECY_REQUIRE, "AES256-SHA:DHE-RSA-AES128-SHA",
		"DHE-RSA-AES128-SHA"},
	    {TLS_FORWARD_SECRECY_PREFER,
		"AECDH-AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384",
		"AECDH-AES128-SHA"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context_options options = options_of(POSTFIX_MEDIUM);
		struct tls_context *context;
		struct tls_facts facts;

		options.ciphers.forward_secrecy = rows[i].mode;
		context = create(&options);
		negotiate(context, rows[i].offer, &facts);
		cr_expect_str_eq(facts.cipher, rows[i].expected, "%s: %s",
		    rows[i].offer, facts.cipher);
		tls_context_destroy(&context);
	}
}

/* TLS 1.2 resumes with the old secret: not where secrecy is required. */
Test(ciphers, resumption_where_secrecy_is_required)
{
	static const struct {
		enum tls_forward_secrecy mode;
		int version;
		bool resumes;
	} rows[] = {
	    {TLS_FORWARD_SECRECY_PREFER, TLS1_2_VERSION, true},
	    {TLS_FORWARD_SECRECY_REQUIRE, TLS1_2_VERSION, false},
	    {TLS_FORWARD_SECRECY_REQUIRE, TLS1_3_VERSION, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context_options options = options_of("HIGH");
		SSL_CTX *client_ctx =
		    fixture_client_ctx(rows[i].version, rows[i].version);
		SSL_SESSION *session = NULL;
		struct tls_context *context;
		struct tls_facts facts;

		options.ciphers.forward_secrecy = rows[i].mode;
		context = create(&options);
		for (int turn = 0; turn < 2; turn++) {
			struct link link;
			char byte;

			link_open(&link, context, client_ctx);
			if (session != NULL)
				SSL_set_session(link.client, session);
			cr_assert(link_handshake(&link));
			cr_assert_eq(SSL_read(link.client, &byte, 1), -1);
			tls_facts_read(link.server, &facts);
			SSL_SESSION_free(session);
			session = SSL_get1_session(link.client);
			SSL_shutdown(link.client);
			link_close(&link);
		}
		cr_expect_eq(facts.resumed, rows[i].resumes, "row %zu", i);
		cr_expect_eq(facts.forward_secret,
		    rows[i].version == TLS1_3_VERSION || !facts.resumed);
		SSL_SESSION_free(session);
		SSL_CTX_free(client_ctx);
		tls_context_destroy(&context);
	}
}
