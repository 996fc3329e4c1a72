/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/received.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#define SUITE_13                                                   \
	.protocol = "TLSv1.3", .cipher = "TLS_AES_256_GCM_SHA384", \
	.cipher_bits = 256, .cipher_bits_of_algorithm = 256, .sni = ""
#define SUITE_12                                                        \
	.protocol = "TLSv1.2", .cipher = "ECDHE-RSA-AES256-GCM-SHA384", \
	.cipher_bits = 256, .cipher_bits_of_algorithm = 256, .sni = ""
#define RSA                                                         \
	{                                                           \
		.name = "RSA-PSS", .bits = 2048, .digest = "SHA256" \
	}
#define X25519                   \
	{                        \
		.name = "X25519" \
	}
#define USING_13 \
	"(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
#define USING_12                                                           \
	"(using TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 " \
	"bits))\n"
#define BY_RSA                                                                \
	"\n key-exchange X25519 server-signature RSA-PSS (2048 bits) server-" \
	"digest SHA256"

/* The texts were seen in Postfix 3.7 (reference 3.5). */
static const struct {
	const char *name;
	struct tls_facts facts;
	struct tls_peer peer;
	bool asked;
	const char *expected;
} rows[] = {
    {"TLS 1.3", {SUITE_13, .key_exchange = X25519, .server_signature = RSA},
	{0}, false, USING_13 BY_RSA ")\n(No client certificate requested)\n"},
    {"TLS 1.2", {SUITE_12, .key_exchange = {.name = "ECDHE"}}, {0}, false,
	USING_12 "(No client certificate requested)\n"},
    {"no certificate",
	{SUITE_13, .key_exchange = X25519, .server_signature = RSA}, {0}, true,
	USING_13 BY_RSA ")\n(Client did not present a certificate)\n"},
    {"a trusted one",
	{SUITE_13, .trust = TLS_TRUSTED, .key_exchange = X25519,
	    .server_signature = RSA, .client_signature = RSA},
	{.is_present = true,
	    .subject_cn = "client.example.test",
	    .issuer_name = "Test Root CA"},
	true,
	USING_13 BY_RSA "\n client-signature RSA-PSS (2048 bits) client-digest "
			"SHA256)\n(Client CN \"client.example.test\", Issuer "
			"\"Test Root CA\" (verified OK))\n"},
    {"one that is not trusted",
	{SUITE_13, .trust = TLS_UNTRUSTED, .key_exchange = X25519,
	    .server_signature = RSA,
	    .client_signature = {.name = "ECDSA",
		.curve = "secp384r1",
		.digest = "SHA384"}},
	{.is_present = true,
	    .subject_cn = "self.test",
	    .issuer_name = "self.test"},
	true,
	USING_13 BY_RSA "\n client-signature ECDSA (secp384r1) client-digest "
			"SHA384)\n(Client CN \"self.test\", Issuer "
			"\"self.test\" (not verified))\n"},
    {"a trusted one in TLS 1.2", {SUITE_12, .trust = TLS_TRUSTED},
	{.is_present = true,
	    .subject_cn = "client (ec).example.test",
	    .issuer_name = "Test Root CA"},
	true,
	USING_12 "(Client CN \"client (ec).example.test\", Issuer \"Test Root "
		 "CA\" (verified OK))\n"},
    {"other keys of the server",
	{SUITE_13, .key_exchange = {.name = "ECDHE", .curve = "prime256v1"},
	    .server_signature = {.name = "ECDSA",
		.curve = "prime256v1",
		.digest = "SHA256"}},
	{0}, false,
	USING_13 "\n key-exchange ECDHE (prime256v1) server-signature ECDSA "
		 "(prime256v1) server-digest SHA256)\n"
		 "(No client certificate requested)\n"},
    {"Ed25519",
	{SUITE_13, .key_exchange = X25519,
	    .server_signature = {.name = "ED25519"}},
	{0}, false,
	USING_13 "\n key-exchange X25519 server-signature ED25519)\n"
		 "(No client certificate requested)\n"},
    {"nothing known", {SUITE_13}, {0}, false,
	USING_13 ")\n(No client certificate requested)\n"},
    /* Threats 18 and 20. */
    {"names that would forge lines", {SUITE_12, .trust = TLS_UNTRUSTED},
	{.is_present = true,
	    .subject_cn = "a\r\nX: y)\x1b\\\xc3\xa4",
	    .issuer_name = "(\n"},
	true,
	USING_12 "(Client CN \"a??X: y??"
		 "??"
		 "?\", Issuer \"(?)\" "
		 "(not verified))\n"},
};

Test(received, writes_the_comments_of_postfix)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *out = malloc(TLS_RECEIVED_SIZE);
		size_t len = tls_received_comments(&rows[i].facts,
		    &rows[i].peer, rows[i].asked, out, TLS_RECEIVED_SIZE);

		cr_expect_str_eq(out, rows[i].expected,
		    "%s: got\n%s\nand not\n%s", rows[i].name, out,
		    rows[i].expected);
		cr_expect_eq(len, strlen(out));
		free(out);
	}
}

static void fill(char *text, size_t size, char byte)
{
	memset(text, byte, size - 1);
	text[size - 1] = '\0';
}

static void fill_algorithm(struct tls_algorithm *algorithm)
{
	fill(algorithm->name, sizeof(algorithm->name), 'n');
	fill(algorithm->curve, sizeof(algorithm->curve), 'c');
	fill(algorithm->digest, sizeof(algorithm->digest), 'd');
}

/* The longest names that there can be are not cut off. */
Test(received, has_room_for_all)
{
	static struct tls_peer peer = {.is_present = true};
	struct tls_facts facts = {SUITE_13};
	char out[TLS_RECEIVED_SIZE];
	const char end[] = " (not verified))\n";
	size_t len;

	facts.cipher = "TLS_SHA256_WITH_A_NAME_LONGER_THAN_ANY_OF_THEM";
	facts.trust = TLS_UNTRUSTED;
	fill_algorithm(&facts.key_exchange);
	fill_algorithm(&facts.server_signature);
	fill_algorithm(&facts.client_signature);
	fill(peer.subject_cn, sizeof(peer.subject_cn), '(');
	fill(peer.issuer_name, sizeof(peer.issuer_name), 'i');
	len = tls_received_comments(&facts, &peer, true, out, sizeof(out));
	cr_assert_str_eq(out + len - strlen(end), end);
	cr_assert_lt(len, sizeof(out) - 1);
	/* Cut off anywhere, it ends where the room does. */
	for (size_t size = 0; size <= len; size++) {
		char *short_out = malloc(size > 0 ? size : 1);
		size_t short_len =
		    tls_received_comments(&facts, &peer, true, short_out, size);

		cr_assert_eq(short_len, size > 0 ? size - 1 : 0);
		cr_assert(memcmp(short_out, out, short_len) == 0);
		free(short_out);
	}
}
