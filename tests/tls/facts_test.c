/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/facts.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/pem.h>

#include "tls/fixture.h"
#include "tls/handles.h"

TestSuite(facts, .init = fixture_init, .fini = fixture_fini);

#define FROM "TLS connection established from unknown[127.0.0.1]: "

/* What Postfix 3.7 prints was seen there (reference 3.2), other than FFDHE in
 * TLS 1.3, which its server could not do. */
struct row {
	const char *key;       /* of the server; "none" */
	const char *protocols; /* of both */
	int version;	       /* of the client */
	const char *groups;    /* of both */
	const char *suite;     /* of the client */
	const char *line;
	const char *exchange, *curve; /* tls_facts.key_exchange */
	const char *reason;
	bool is_forward_secret;
};

#define SUITE_13 "TLS_AES_256_GCM_SHA384"

static const struct row rows[] = {
    {"rsa", ">=TLSv1.2", 0, "X25519", SUITE_13,
	"Anonymous " FROM "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 "
	"(256/256 bits) key-exchange X25519 server-signature RSA-PSS "
	"(2048 bits) server-digest SHA256",
	"X25519", "", "ecdhe", true},
    {"rsa", ">=TLSv1.2", 0, "prime256v1", "TLS_AES_128_GCM_SHA256",
	"Anonymous " FROM "TLSv1.3 with cipher TLS_AES_128_GCM_SHA256 "
	"(128/128 bits) key-exchange ECDHE (prime256v1) server-signature "
	"RSA-PSS (2048 bits) server-digest SHA256",
	"ECDHE", "prime256v1", "ecdhe", true},
    {"p256", ">=TLSv1.2", 0, "secp384r1", "TLS_CHACHA20_POLY1305_SHA256",
	"Anonymous " FROM "TLSv1.3 with cipher TLS_CHACHA20_POLY1305_SHA256 "
	"(256/256 bits) key-exchange ECDHE (secp384r1) server-signature ECDSA "
	"(prime256v1) server-digest SHA256",
	"ECDHE", "secp384r1", "ecdhe", true},
    {"p384", ">=TLSv1.2", 0, "X448", SUITE_13,
	"Anonymous " FROM "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 "
	"(256/256 bits) key-exchange X448 server-signature ECDSA (secp384r1) "
	"server-digest SHA384",
	"X448", "", "ecdhe", true},
    {"ed25519", ">=TLSv1.2", 0, "X25519", SUITE_13,
	"Anonymous " FROM "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 "
	"(256/256 bits) key-exchange X25519 server-signature ED25519",
	"X25519", "", "ecdhe", true},
    {"rsa", ">=TLSv1.2", 0, "ffdhe2048", SUITE_13,
	"Anonymous " FROM "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 "
	"(256/256 bits) key-exchange DHE (2048 bits) server-signature RSA-PSS "
	"(2048 bits) server-digest SHA256",
	"DHE", "", "dhe", true},
    {"rsa", ">=TLSv1.2", TLS1_2_VERSION, "X25519",
	"ECDHE-RSA-AES256-GCM-SHA384",
	"Anonymous " FROM "TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 "
	"(256/256 bits)",
	"X25519", "", "ecdhe", true},
    {"rsa", ">=TLSv1.2", TLS1_2_VERSION, "secp521r1",
	"ECDHE-RSA-AES128-GCM-SHA256",
	"Anonymous " FROM "TLSv1.2 with cipher ECDHE-RSA-AES128-GCM-SHA256 "
	"(128/128 bits)",
	"ECDHE", "secp521r1", "ecdhe", true},
    {"rsa", ">=TLSv1", TLS1_VERSION, "X25519", "ECDHE-RSA-AES256-SHA",
	"Anonymous " FROM "TLSv1 with cipher ECDHE-RSA-AES256-SHA "
	"(256/256 bits)",
	"X25519", "", "ecdhe", true},
    {"rsa", ">=TLSv1.2", TLS1_2_VERSION, "X25519", "DHE-RSA-AES256-GCM-SHA384",
	"Anonymous " FROM "TLSv1.2 with cipher DHE-RSA-AES256-GCM-SHA384 "
	"(256/256 bits)",
	"DHE", "", "dhe", true},
    {"rsa", ">=TLSv1.2", TLS1_2_VERSION, "X25519", "AES256-GCM-SHA384",
	"Anonymous " FROM "TLSv1.2 with cipher AES256-GCM-SHA384 "
	"(256/256 bits)",
	"RSA", "", "rsa_key_exchange", false},
    {"none", ">=TLSv1.2", 0, "X25519", "ADH-AES256-GCM-SHA384",
	"Anonymous " FROM "TLSv1.2 with cipher ADH-AES256-GCM-SHA384 "
	"(256/256 bits)",
	"DHE", "", "dhe", true},
};

static struct tls_context *context_of(const struct row *row)
{
	struct tls_context_options options = fixture_options("");
	struct tls_context *context;

	if (strcmp(row->key, "none") == 0)
		options.smtpd_tls_cert_file = "none";
	else
		options.smtpd_tls_chain_files = fixture_chain(row->key);
	options.protocols = row->protocols;
	options.groups.tls_eecdh_auto_curves = row->groups;
	options.ciphers.tls_medium_cipherlist = "ALL:!eNULL";
	context = tls_context_create(&options, &fixture_report);
	cr_assert_not_null(context, "%s", fixture_findings);
	return context;
}

static SSL_CTX *client_of(const struct row *row)
{
	SSL_CTX *ctx = fixture_client_ctx(row->version, row->version);

	/* One of them takes it. */
	if (SSL_CTX_set_ciphersuites(ctx, row->suite) != 1 ||
	    strncmp(row->suite, "TLS_", 4) != 0)
		cr_assert_eq(SSL_CTX_set_cipher_list(ctx, row->suite), 1);
	cr_assert_eq(SSL_CTX_set1_groups_list(ctx, row->groups), 1);
	return ctx;
}

Test(facts, of_every_kind_of_handshake)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct tls_context *context = context_of(row);
		SSL_CTX *client_ctx = client_of(row);
		struct tls_facts facts;
		struct link link;
		char line[512];

		link_open(&link, context, client_ctx);
		cr_assert(link_handshake(&link), "%s: %s", row->suite,
		    tls_session_library_errors(link.server));
		tls_facts_read(link.server, &facts);
		cr_expect_eq(tls_facts_summary(&facts, "from",
				 "unknown[127.0.0.1]", line, sizeof(line)),
		    strlen(row->line));
		cr_expect_str_eq(line, row->line);
		cr_expect_str_eq(facts.key_exchange.name, row->exchange);
		cr_expect_str_eq(facts.key_exchange.curve, row->curve);
		cr_expect_str_eq(facts.forward_secrecy_reason, row->reason);
		cr_expect_eq(facts.forward_secret, row->is_forward_secret);
		cr_expect_not(facts.resumed);
		cr_expect_eq(facts.trust, TLS_ANONYMOUS);
		link_close(&link);
		SSL_CTX_free(client_ctx);
		tls_context_destroy(&context);
	}
}

static int accept_any(int verdict, X509_STORE_CTX *store)
{
	(void)verdict;
	(void)store;
	return 1;
}

/* Client certificates are not asked for yet; their facts are told all the
 * same. */
Test(facts, of_client_certificates)
{
	static const struct {
		const char *key;
		bool is_known;
		const char *word, *suffix;
	} clients[] = {
	    {"rsa", true, "Trusted",
		" client-signature RSA-PSS (2048 bits) client-digest SHA256"},
	    {"rsa", false, "Untrusted",
		" client-signature RSA-PSS (2048 bits) client-digest SHA256"},
	    {"p384", true, "Trusted",
		" client-signature ECDSA (secp384r1) client-digest SHA384"},
	};

	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
		const char *file = fixture_chain(clients[i].key);
		struct tls_context *context =
		    fixture_context(fixture_chain("rsa"));
		SSL_CTX *ctx = tls_context_handle(context);
		SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
		struct tls_facts facts;
		struct link link;
		char expected[512];
		char line[512];

		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, accept_any);
		if (clients[i].is_known)
			SSL_CTX_load_verify_file(ctx, file);
		SSL_CTX_use_certificate_chain_file(client_ctx, file);
		SSL_CTX_use_PrivateKey_file(client_ctx, file, SSL_FILETYPE_PEM);
		link_open(&link, context, client_ctx);
		cr_assert(link_handshake(&link));
		tls_facts_read(link.server, &facts);
		tls_facts_summary(
		    &facts, "from", "unknown[127.0.0.1]", line, sizeof(line));
		snprintf(expected, sizeof(expected), "%s %s%s", clients[i].word,
		    FROM "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 "
			 "(256/256 bits) key-exchange X25519 server-signature "
			 "RSA-PSS (2048 bits) server-digest SHA256",
		    clients[i].suffix);
		cr_expect_str_eq(line, expected);
		link_close(&link);
		SSL_CTX_free(client_ctx);
		tls_context_destroy(&context);
	}
}

static const struct tls_facts with_name = {
    .trust = TLS_VERIFIED,
    .protocol = "TLSv1.3",
    .cipher = "TLS_AES_256_GCM_SHA384",
    .cipher_bits = 256,
    .cipher_bits_of_algorithm = 256,
    .key_exchange = {.name = "X25519MLKEM768"},
    .sni = "sni1.example.test",
};

Test(facts, summary_with_a_name_and_to_a_server)
{
	char line[512];

	tls_facts_summary(
	    &with_name, "to", "mx[127.0.0.1]:25", line, sizeof(line));
	cr_assert_str_eq(line,
	    "Verified TLS connection established to mx[127.0.0.1]:25 to "
	    "sni1.example.test: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 "
	    "(256/256 bits) key-exchange X25519MLKEM768");
}

Test(facts, summary_is_cut_off_at_every_size)
{
	char whole[512];
	size_t len = tls_facts_summary(
	    &with_name, "from", "a[::1]", whole, sizeof(whole));

	cr_assert_eq(len, strlen(whole));
	for (size_t size = 0; size <= len + 1; size++) {
		char line[512];
		size_t expected = size > 0 ? size - 1 : 0;

		memset(line, 'x', sizeof(line));
		cr_assert_eq(
		    tls_facts_summary(&with_name, "from", "a[::1]", line, size),
		    expected);
		cr_assert_eq(memcmp(line, whole, expected), 0);
		if (size > 0)
			cr_assert_eq(line[expected], '\0');
		cr_assert_eq(line[size], 'x');
	}
}

Test(facts, words_of_trust)
{
	cr_expect_str_eq(tls_trust_word(TLS_ANONYMOUS), "Anonymous");
	cr_expect_str_eq(tls_trust_word(TLS_UNTRUSTED), "Untrusted");
	cr_expect_str_eq(tls_trust_word(TLS_TRUSTED), "Trusted");
	cr_expect_str_eq(tls_trust_word(TLS_VERIFIED), "Verified");
}
