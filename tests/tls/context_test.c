/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/context.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <openssl/rand.h>

#include "tls/fixture.h"
#include "tls/handles.h"

TestSuite(context, .init = fixture_init, .fini = fixture_fini);

static void expect_failure(
    const struct tls_context_options *options, const char *expected)
{
	fixture_findings[0] = '\0';
	cr_assert_null(tls_context_create(options, &fixture_report));
	cr_assert_str_eq(fixture_findings, expected);
}

static struct tls_context *create(const struct tls_context_options *options)
{
	struct tls_context *context;

	fixture_findings[0] = '\0';
	context = tls_context_create(options, &fixture_report);
	cr_assert_not_null(context, "%s", fixture_findings);
	return context;
}

Test(context, invariants)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));
	SSL_CTX *ctx = tls_context_handle(context);
	uint64_t options = SSL_CTX_get_options(ctx);

	cr_expect(options & SSL_OP_NO_RENEGOTIATION);
	cr_expect(options & SSL_OP_NO_COMPRESSION);
	cr_expect(options & SSL_OP_CIPHER_SERVER_PREFERENCE);
	cr_expect_not(options & SSL_OP_NO_TICKET);
	cr_expect_not(options & SSL_OP_IGNORE_UNEXPECTED_EOF);
	cr_expect_eq(SSL_CTX_get_security_level(ctx), 0);
	cr_expect_eq(SSL_CTX_get_num_tickets(ctx), 1);
	cr_expect_eq(SSL_CTX_get_session_cache_mode(ctx), SSL_SESS_CACHE_OFF);
	cr_expect_eq(SSL_CTX_get_max_early_data(ctx), 0);
	cr_expect_eq(SSL_CTX_get_timeout(ctx), 3600);
	cr_expect_eq(SSL_CTX_get_verify_mode(ctx), SSL_VERIFY_NONE);
	cr_expect_eq(SSL_CTX_get_min_proto_version(ctx), 0x0303);
	cr_expect_eq(SSL_CTX_get_max_proto_version(ctx), 0);
	tls_context_destroy(&context);
}

Test(context, the_client_may_choose)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("p256"));
	struct tls_context *context;

	options.prefer_server_ciphers = false;
	context = create(&options);
	cr_assert_not(SSL_CTX_get_options(tls_context_handle(context)) &
		      SSL_OP_CIPHER_SERVER_PREFERENCE);
	tls_context_destroy(&context);
}

Test(context, tickets_need_a_lifetime)
{
	static const struct {
		int timeout_s;
		long expected_s;
		bool has_tickets;
	} rows[] = {{0, 0, false}, {-1, 0, false}, {1, 120, true},
	    {119, 120, true}, {120, 120, true}, {7200, 7200, true}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context_options options =
		    fixture_options(fixture_chain("p256"));
		struct tls_context *context;
		SSL_CTX *ctx;

		options.session_timeout_s = rows[i].timeout_s;
		context = create(&options);
		ctx = tls_context_handle(context);
		cr_expect_eq(SSL_CTX_get_num_tickets(ctx), rows[i].has_tickets);
		cr_expect_eq((SSL_CTX_get_options(ctx) & SSL_OP_NO_TICKET) == 0,
		    rows[i].has_tickets);
		if (rows[i].has_tickets)
			cr_expect_eq(
			    SSL_CTX_get_timeout(ctx), rows[i].expected_s);
		tls_context_destroy(&context);
	}
}

Test(context, protocols)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("p256"));
	struct tls_context *context;

	options.protocols = "!TLSv1.2, <=TLSv1.3";
	options.protocols_parameter = "smtpd_tls_mandatory_protocols";
	context = create(&options);
	cr_expect(SSL_CTX_get_options(tls_context_handle(context)) &
		  SSL_OP_NO_TLSv1_2);
	/* The system's own bounds are gone. */
	cr_expect_eq(
	    SSL_CTX_get_min_proto_version(tls_context_handle(context)), 0);
	cr_expect_eq(
	    SSL_CTX_get_max_proto_version(tls_context_handle(context)), 0x0304);
	tls_context_destroy(&context);
	options.protocols = ">=TLSv1.9";
	expect_failure(&options,
	    "error smtpd_tls_mandatory_protocols: \">=TLSv1.9\" is no protocol "
	    "version; must be a list such as \">=TLSv1.2\" or \"!TLSv1.1, "
	    "!TLSv1\", with the versions TLSv1, TLSv1.1, TLSv1.2, TLSv1.3\n");
	options.protocols = ">=TLSv1.3, <=TLSv1.2";
	expect_failure(&options,
	    "error smtpd_tls_mandatory_protocols: leaves no protocol version; "
	    "must allow TLSv1.2 or TLSv1.3\n");
	options.protocols = "SSLv3";
	expect_failure(&options,
	    "error smtpd_tls_mandatory_protocols: leaves no protocol version; "
	    "must allow TLSv1.2 or TLSv1.3\n");
}

Test(context, ciphers)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("p256"));

	options.ciphers.tls_medium_cipherlist = "BANANA";
	expect_failure(&options,
	    "error tls_medium_cipherlist: \"BANANA\": no cipher match; must be "
	    "a list as ciphers(1) describes it\n");
	options.ciphers.tls_medium_cipherlist = "";
	expect_failure(&options, "error tls_medium_cipherlist: \"\": no cipher "
				 "match; must be a list "
				 "as ciphers(1) describes it\n");
}

Test(context, groups)
{
	static const struct {
		const char *groups, *findings;
	} rows[] = {
	    {"X25519", ""},
	    {"X25519MLKEM768 X25519", ""},
	    {"X25519, P-384:secp384r1\tsecp521r1", ""},
	    {"prime256v1 P-256 secp256r1", ""},
	    {"sect999 X25519 banana",
		" does not know \"sect999 banana\", which is skipped\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context_options options =
		    fixture_options(fixture_chain("p256"));
		struct tls_context *context;
		const char *told = fixture_findings;

		options.groups.tls_eecdh_auto_curves = rows[i].groups;
		context = create(&options);
		if (rows[i].findings[0] != '\0') {
			told = strstr(told, " does not");
			cr_assert_not_null(told);
			cr_assert_eq(
			    strncmp(fixture_findings,
				"warning tls_eecdh_auto_curves: "
				"OpenSSL 3.",
				strlen("warning tls_eecdh_auto_curves: "
				       "OpenSSL 3.")),
			    0);
		}
		cr_expect_str_eq(told, rows[i].findings);
		tls_context_destroy(&context);
	}
}

Test(context, no_group_is_an_error)
{
	static const char *const rows[] = {"", " ,", "banana", "brainpoolP999"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context_options options =
		    fixture_options(fixture_chain("p256"));
		char expected[256];

		options.groups.tls_eecdh_auto_curves = rows[i];
		fixture_findings[0] = '\0';
		cr_assert_null(tls_context_create(&options, &fixture_report));
		snprintf(expected, sizeof(expected),
		    "error tls_eecdh_auto_curves: none of \"%s\" is a "
		    "key-exchange group; must be names such as X25519, "
		    "prime256v1, secp384r1\n",
		    rows[i]);
		cr_expect_not_null(strstr(fixture_findings, expected));
	}
}

/* The order of the names is that of the list, and aliases do not void it. */
Test(context, groups_in_order)
{
	static const int expected[] = {
	    NID_secp384r1, NID_X25519, NID_secp521r1};
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));
	struct tls_context *context;
	struct link link;
	SSL_CTX *client_ctx = fixture_client_ctx(0x0303, 0x0303);

	SSL_CTX_set1_groups_list(client_ctx, "P-521:X25519:P-384:P-256");
	options.groups.tls_eecdh_auto_curves =
	    "P-384 banana secp384r1 X25519 x25519 secp521r1";
	context = create(&options);
	link_open(&link, context, client_ctx);
	cr_assert(link_handshake(&link));
	for (int i = 0; i < 3; i++)
		cr_expect_eq(
		    SSL_get_shared_group(tls_session_handle(link.server), i),
		    expected[i]);
	cr_expect_eq(
	    SSL_get_shared_group(tls_session_handle(link.server), -1), 3);
	link_close(&link);
	tls_context_destroy(&context);
	SSL_CTX_free(client_ctx);
}

Test(context, destroy_accepts_null)
{
	struct tls_context *context = NULL;

	tls_context_destroy(&context);
	cr_assert_null(context);
}

Test(context, library_version)
{
	cr_assert_eq(strncmp(tls_library_version(), "OpenSSL 3.", 10), 0, "%s",
	    tls_library_version());
}

/* Workers are forked after the context was made and randomness was drawn. */
Test(context, forked_workers_draw_different_random_bytes)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));
	unsigned char bytes[3][32];

	cr_assert_eq(RAND_bytes(bytes[2], sizeof(bytes[2])), 1);
	for (int i = 0; i < 2; i++) {
		int ends[2];
		pid_t child;

		cr_assert_eq(pipe(ends), 0);
		child = fork();
		if (child == 0) {
			RAND_bytes(bytes[2], sizeof(bytes[2]));
			_exit(write(ends[1], bytes[2], sizeof(bytes[2])) !=
			      sizeof(bytes[2]));
		}
		cr_assert_gt(child, 0);
		cr_assert_eq(read(ends[0], bytes[i], sizeof(bytes[i])),
		    (ssize_t)sizeof(bytes[i]));
		cr_assert_eq(waitpid(child, NULL, 0), child);
		close(ends[0]);
		close(ends[1]);
	}
	cr_assert_neq(memcmp(bytes[0], bytes[1], sizeof(bytes[0])), 0);
	cr_assert_neq(memcmp(bytes[0], bytes[2], sizeof(bytes[0])), 0);
	tls_context_destroy(&context);
}
