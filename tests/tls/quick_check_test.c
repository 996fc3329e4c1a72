/* SPDX-License-Identifier: Apache-2.0 */
/* The quick key check: what a server with it still refuses, and how long the
 * keys are that it and its client make. Keys are seen where libssl makes them:
 * this program has an EVP_PKEY_keygen() of its own that calls OpenSSL's. */
#include "tls/quick_check.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include "tls/describe.h"
#include "tls/dh_files.h"
#include "tls/client.h"
#include "tls/facts.h"
#include "tls/fixture.h"
#include "tls/handles.h"

#define KEYS_MAX 8

struct made_key {
	char provider[32];
	int private_bits;
	BIGNUM *public_value;
};

static struct made_key keys[KEYS_MAX];
static size_t key_count;

static void remember(const EVP_PKEY *key)
{
	struct made_key *made = &keys[key_count];
	BIGNUM *private_value = NULL;

	if (EVP_PKEY_is_a(key, "DH") != 1)
		return;
	cr_assert_lt(key_count, KEYS_MAX);
	cr_assert_eq(EVP_PKEY_get_bn_param(
			 key, OSSL_PKEY_PARAM_PRIV_KEY, &private_value),
	    1);
	cr_assert_eq(EVP_PKEY_get_bn_param(
			 key, OSSL_PKEY_PARAM_PUB_KEY, &made->public_value),
	    1);
	made->private_bits = BN_num_bits(private_value);
	snprintf(made->provider, sizeof(made->provider), "%s",
	    OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)));
	BN_clear_free(private_value);
	key_count++;
}

int EVP_PKEY_keygen(EVP_PKEY_CTX *ctx, EVP_PKEY **key_out)
{
	int (*original)(EVP_PKEY_CTX *, EVP_PKEY **);
	void *symbol = dlsym(RTLD_NEXT, "EVP_PKEY_keygen");
	int result;

	memcpy(&original, &symbol, sizeof(original));
	result = original(ctx, key_out);
	if (result == 1)
		remember(*key_out);
	return result;
}

static void forget_keys(void)
{
	while (key_count > 0)
		BN_free(keys[--key_count].public_value);
	memset(keys, 0, sizeof(keys));
}

static void finish(void)
{
	forget_keys();
	fixture_fini();
}

TestSuite(quick_check, .init = fixture_init, .fini = finish);

static struct tls_context *create(struct tls_context_options *options)
{
	struct tls_context *context =
	    tls_context_create(options, &fixture_report);

	cr_assert_not_null(context, "%s", fixture_findings);
	return context;
}

static SSL_CTX *edh_client(int version, const char *group)
{
	SSL_CTX *ctx = fixture_client_ctx(version, version);

	SSL_CTX_set_cipher_list(ctx, "DHE-RSA-AES128-GCM-SHA256");
	if (group != NULL)
		cr_assert_eq(SSL_CTX_set1_groups_list(ctx, group), 1);
	return ctx;
}

static void shake_hands(struct tls_context *context, SSL_CTX *client_ctx)
{
	struct link link;

	link_open(&link, context, client_ctx);
	cr_assert(link_handshake(&link), "%s",
	    tls_session_library_errors(link.server));
	link_close(&link);
}

/* Exponents of n random bits are a few bits shorter now and then, and those
 * with the highest bit set never. */
static void expect_length(int bits, int expected)
{
	cr_expect_leq(bits, expected, "%d, not %d", bits, expected);
	cr_expect_gt(bits, expected - 40, "%d, not %d", bits, expected);
}

/* The server's key is made first in TLS 1.2. */
Test(quick_check, length_of_exponents_on_both_legs)
{
	static const struct {
		const char *content; /* NULL: auto */
		bool quick;
		int server_bits, client_bits;
	} rows[] = {
	    {NULL, true, 225, 225}, /* ffdhe2048: OpenSSL knows it */
	    {NULL, false, 225, 225},
	    {DH_OWN_2048, true, 225, 2047},
	    {DH_OWN_2048, false, 2047, 2047},
	    {DH_X942_SAFE, true, 225, 2047},
	    {DH_OWN_1024, true, 200, 1023},
	    {DH_UNSAFE_2048, true, 2047, 2047},
	    {DH_UNSAFE_2048, false, 2047, 2047},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context_options options =
		    fixture_options(fixture_chain("rsa"));
		SSL_CTX *client_ctx = edh_client(TLS1_2_VERSION, NULL);
		struct tls_context *context;
		struct tls_dh_description dh;

		options.proxy_tls_quick_key_check = rows[i].quick;
		if (rows[i].content != NULL)
			options.smtpd_tls_dh1024_param_file =
			    fixture_text("dh.pem", rows[i].content);
		context = create(&options);
		tls_describe_dh(context, &dh);
		cr_expect_eq(dh.checks_quickly, rows[i].quick);
		cr_expect_eq(dh.exponent_bits, rows[i].server_bits,
		    "row %zu: %d", i, dh.exponent_bits);
		shake_hands(context, client_ctx);
		cr_assert_eq(key_count, 2);
		cr_expect_str_eq(
		    keys[0].provider, rows[i].quick ? "postern" : "default");
		cr_expect_str_eq(keys[1].provider, "default");
		expect_length(keys[0].private_bits, rows[i].server_bits);
		expect_length(keys[1].private_bits, rows[i].client_bits);
		forget_keys();
		SSL_CTX_free(client_ctx);
		tls_context_destroy(&context);
	}
}

/* Our own client's leg: there the peer chooses the prime. */
Test(quick_check, client_contexts_do_without)
{
	struct tls_context_options server_options =
	    fixture_options(fixture_chain("rsa"));
	struct tls_client_options options = {
	    .shared = fixture_options(""),
	    .level = TLS_CLIENT_MAY,
	    .match_parameter = "smtp_tls_security_level",
	};
	struct tls_context *server;
	struct tls_client *client;
	struct tls_session *ends[2];
	uint8_t wires[2][LINK_BUFFER_SIZE];
	size_t lens[2] = {0, 0};

	server_options.smtpd_tls_dh1024_param_file =
	    fixture_text("dh.pem", DH_OWN_2048);
	options.shared.protocols = "<=TLSv1.2";
	options.shared.ciphers.tls_medium_cipherlist = "DHE:!aNULL";
	server = create(&server_options);
	client = tls_client_create(&options, &fixture_report);
	cr_assert_not_null(client, "%s", fixture_findings);
	ends[0] = tls_client_session_create(client);
	ends[1] = tls_session_create(server);
	for (size_t turn = 0; turn < 4; turn++) {
		size_t me = turn % 2, other = 1 - me;
		struct tls_wire wire = {.in = wires[me],
		    .in_len = lens[me],
		    .out = wires[other],
		    .out_size = LINK_BUFFER_SIZE};

		cr_assert_neq(
		    tls_session_handshake(ends[me], &wire), TLS_FAILED);
		lens[other] = wire.out_len;
	}
	/* The server's key is made first. */
	cr_assert_eq(key_count, 2);
	cr_expect_str_eq(keys[0].provider, "postern");
	cr_expect_str_eq(keys[1].provider, "default");
	expect_length(keys[0].private_bits, 225);
	expect_length(keys[1].private_bits, 2047);
	tls_session_destroy(&ends[0]);
	tls_session_destroy(&ends[1]);
	tls_client_destroy(&client);
	tls_context_destroy(&server);
}

Test(quick_check, lengths_that_are_described_are_in_force)
{
	static const char *const groups[] = {
	    "ffdhe3072", "modp_1536", "modp_2048", "modp_3072"};

	for (size_t i = 0; i < 2 * sizeof(groups) / sizeof(groups[0]); i++) {
		struct tls_context_options options =
		    fixture_options(fixture_chain("rsa"));
		SSL_CTX *client_ctx = edh_client(TLS1_2_VERSION, NULL);
		struct tls_context *context;
		struct tls_dh_description dh;

		options.proxy_tls_quick_key_check = i % 2 == 0;
		options.smtpd_tls_dh1024_param_file =
		    fixture_group("group.pem", "DH", groups[i / 2]);
		context = create(&options);
		tls_describe_dh(context, &dh);
		shake_hands(context, client_ctx);
		cr_expect_str_eq(dh.name, groups[i / 2]);
		cr_expect_leq(abs(dh.exponent_bits - keys[0].private_bits), 12,
		    "%s: %d, not %d", dh.name, keys[0].private_bits,
		    dh.exponent_bits);
		forget_keys();
		SSL_CTX_free(client_ctx);
		tls_context_destroy(&context);
	}
}

Test(quick_check, keys_are_used_once)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		struct tls_context_options options =
		    fixture_options(fixture_chain("rsa"));
		SSL_CTX *client_ctx = edh_client(versions[i], "ffdhe2048");
		struct tls_context *context;

		options.groups.tls_ffdhe_auto_groups = "ffdhe2048";
		context = create(&options);
		for (int turn = 0; turn < 3; turn++)
			shake_hands(context, client_ctx);
		cr_assert_eq(key_count, 6);
		for (size_t j = 0; j < key_count; j++)
			for (size_t k = 0; k < j; k++)
				cr_expect_neq(BN_cmp(keys[j].public_value,
						  keys[k].public_value),
				    0);
		forget_keys();
		SSL_CTX_free(client_ctx);
		tls_context_destroy(&context);
	}
}

/* Public values that a peer may make up, of the group's p. The full check of a
 * named group refuses those outside the subgroup of order q, too; p-2 is one.
 */
enum value { GOOD, ZERO, ONE, TWO, LAST_BUT_ONE, LAST, P, BEHIND_P, LONGER };

static const enum value values[] = {
    GOOD, ZERO, ONE, TWO, LAST_BUT_ONE, LAST, P, BEHIND_P, LONGER};
#define VALUE_COUNT (sizeof(values) / sizeof(values[0]))

static bool is_acceptable(enum value value, bool is_fully_checked)
{
	return value == GOOD || value == TWO ||
	       (value == LAST_BUT_ONE && !is_fully_checked);
}

/* Returns the length. */
static size_t write_value(
    enum value value, const BIGNUM *p, const BIGNUM *good, uint8_t *out)
{
	BIGNUM *number = BN_dup(value == GOOD ? good : p);
	size_t len = (size_t)BN_num_bytes(p);

	switch (value) {
	case GOOD:
	case P:
		break;
	case ZERO:
		BN_zero(number);
		break;
	case ONE:
		BN_one(number);
		break;
	case TWO:
		BN_set_word(number, 2);
		break;
	case LAST_BUT_ONE:
		BN_sub_word(number, 2);
		break;
	case LAST:
		BN_sub_word(number, 1);
		break;
	case BEHIND_P:
		BN_add_word(number, 1);
		break;
	case LONGER:
		BN_lshift(number, number, 64);
		len += 8;
		break;
	}
	cr_assert_eq(BN_bn2binpad(number, out, (int)len), (int)len);
	BN_free(number);
	return len;
}

/* The first record of the client's, if it is of type 22, has one message of
 * this type alone; the value in it is replaced. What follows is dropped. */
static void replace_exchange(
    struct link *link, const uint8_t *value, size_t value_len, size_t size_len)
{
	uint8_t *record = link->to_server;
	size_t body_len = size_len + value_len;
	size_t at = 9;

	cr_assert_eq(record[0], 22);
	cr_assert_eq(record[5], 16); /* ClientKeyExchange */
	record[3] = (uint8_t)((body_len + 4) >> 8);
	record[4] = (uint8_t)(body_len + 4);
	record[6] = 0;
	record[7] = (uint8_t)(body_len >> 8);
	record[8] = (uint8_t)body_len;
	if (size_len == 2)
		record[at++] = (uint8_t)(value_len >> 8);
	record[at++] = (uint8_t)value_len;
	memcpy(record + at, value, value_len);
	link->to_server_len = at + value_len;
}

/* The server has written an alert: a client reads it. */
static void expect_alert(struct link *link)
{
	uint8_t bytes[4096];
	int len = BIO_read(SSL_get_rbio(link->client), bytes, sizeof(bytes));

	cr_assert_eq(link->status, TLS_FAILED);
	cr_assert_geq(len, 7);
	/* In the clear, the last there is: RFC 5246, 7.2. */
	cr_expect_eq(bytes[len - 7], 21);
	cr_expect_eq(bytes[len - 2], 2);
}

/* The server's flight went to the client, and its exchange is there. */
static void begin_12(
    struct link *link, struct tls_context *context, SSL_CTX *client_ctx)
{
	link_open(link, context, client_ctx);
	SSL_do_handshake(link->client);
	link_collect(link);
	link_serve_handshake(link);
	cr_assert_eq(link->status, TLS_WANT_INPUT);
	SSL_do_handshake(link->client);
	link_collect(link);
	forget_keys();
}

static BIGNUM *prime_of(SSL *client)
{
	EVP_PKEY *key = NULL;
	BIGNUM *p = NULL;

	cr_assert_eq(SSL_get_peer_tmp_key(client, &key), 1);
	cr_assert_eq(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_FFC_P, &p), 1);
	EVP_PKEY_free(key);
	return p;
}

static void try_dh_values(struct tls_context *context, bool is_fully_checked)
{
	SSL_CTX *client_ctx = edh_client(TLS1_2_VERSION, NULL);

	for (size_t i = 0; i < VALUE_COUNT; i++) {
		uint8_t bytes[1024];
		struct link link;
		BIGNUM *good;
		BIGNUM *p;
		size_t len;

		begin_12(&link, context, client_ctx);
		p = prime_of(link.client);
		good = BN_bin2bn(link.to_server + 11,
		    link.to_server[9] << 8 | link.to_server[10], NULL);
		len = write_value(values[i], p, good, bytes);
		replace_exchange(&link, bytes, len, 2);
		link_serve_handshake(&link);
		if (is_acceptable(values[i], is_fully_checked))
			cr_expect_eq(
			    link.status, TLS_WANT_INPUT, "value %d", values[i]);
		else
			expect_alert(&link);
		BN_free(good);
		BN_free(p);
		link_close(&link);
	}
	SSL_CTX_free(client_ctx);
}

static void in_both_modes(struct tls_context_options *options,
    bool is_named_group,
    void (*try)(struct tls_context *context, bool is_fully_checked))
{
	for (int quick = 0; quick <= 1; quick++) {
		struct tls_context *context;

		options->proxy_tls_quick_key_check = quick;
		context = create(options);
		try(context, is_named_group && !quick);
		tls_context_destroy(&context);
	}
}

Test(quick_check, invalid_values_for_a_named_group)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));

	in_both_modes(&options, true, try_dh_values);
}

Test(quick_check, invalid_values_for_a_prime_of_our_own)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));

	options.smtpd_tls_dh1024_param_file =
	    fixture_text("dh.pem", DH_OWN_2048);
	in_both_modes(&options, false, try_dh_values);
}

Test(quick_check, invalid_values_for_an_unsafe_prime)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));

	options.smtpd_tls_dh1024_param_file =
	    fixture_text("dh.pem", DH_UNSAFE_2048);
	in_both_modes(&options, false, try_dh_values);
}

/* The share of the client's hello, in the one record that it is. */
static uint8_t *find_share(struct link *link, unsigned group, size_t share_len)
{
	const uint8_t header[] = {(uint8_t)(group >> 8), (uint8_t)group,
	    (uint8_t)(share_len >> 8), (uint8_t)share_len};
	uint8_t *found = memmem(
	    link->to_server, link->to_server_len, header, sizeof(header));

	cr_assert_not_null(found);
	return found + sizeof(header);
}

/* Sends a hello with this in the place of the share; true: it was accepted. */
static void try_share(struct tls_context *context, SSL_CTX *client_ctx,
    unsigned group, const uint8_t *bytes, size_t bytes_len, bool is_accepted)
{
	struct link link;

	link_open(&link, context, client_ctx);
	SSL_do_handshake(link.client);
	link_collect(&link);
	if (bytes != NULL)
		memcpy(find_share(&link, group, bytes_len), bytes, bytes_len);
	link_serve_handshake(&link);
	if (is_accepted)
		cr_expect_eq(link.status, TLS_WANT_INPUT);
	else
		expect_alert(&link);
	link_close(&link);
	forget_keys();
}

static void try_dh_shares(struct tls_context *context, bool is_fully_checked)
{
	SSL_CTX *client_ctx = edh_client(TLS1_3_VERSION, "ffdhe2048");
	EVP_PKEY *parameters = NULL;
	EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	BIGNUM *p = NULL;

	EVP_PKEY_paramgen_init(maker);
	EVP_PKEY_CTX_set_group_name(maker, "ffdhe2048");
	EVP_PKEY_paramgen(maker, &parameters);
	EVP_PKEY_get_bn_param(parameters, OSSL_PKEY_PARAM_FFC_P, &p);
	for (size_t i = 0; i < VALUE_COUNT; i++) {
		uint8_t bytes[1024];
		size_t len;

		if (values[i] == GOOD || values[i] == LONGER)
			continue;
		len = write_value(values[i], p, NULL, bytes);
		try_share(context, client_ctx, 0x0100, bytes, len,
		    is_acceptable(values[i], is_fully_checked));
	}
	BN_free(p);
	EVP_PKEY_free(parameters);
	EVP_PKEY_CTX_free(maker);
	SSL_CTX_free(client_ctx);
}

Test(quick_check, invalid_values_in_tls13)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));

	options.groups.tls_ffdhe_auto_groups = "ffdhe2048";
	in_both_modes(&options, true, try_dh_shares);
}

#define POINT_LEN 65

/* Points of P-256: one on it (its generator, from SP 800-186), and others. */
static const struct {
	const char *hex;
	bool is_accepted;
} points[] = {
    {"046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"
     "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5",
	true},
    /* The last bit of y. */
    {"046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"
     "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F4",
	false},
    {"04000000000000000000000000000000000000000000000000000000000000000000"
     "00000000000000000000000000000000000000000000000000000000000000",
	false},
    /* x = p */
    {"04FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF"
     "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5",
	false},
    {"05"
     "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"
     "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5",
	false},
};

static size_t read_point(const char *hex, uint8_t bytes[POINT_LEN])
{
	size_t len = 0;

	cr_assert_eq(
	    OPENSSL_hexstr2buf_ex(bytes, POINT_LEN, &len, hex, '\0'), 1);
	cr_assert_eq(len, POINT_LEN);
	return len;
}

static SSL_CTX *eecdh_client(int version)
{
	SSL_CTX *ctx = fixture_client_ctx(version, version);

	SSL_CTX_set_cipher_list(ctx, "ECDHE-RSA-AES128-GCM-SHA256");
	cr_assert_eq(SSL_CTX_set1_groups_list(ctx, "P-256"), 1);
	return ctx;
}

static void try_points(struct tls_context *context, bool is_fully_checked)
{
	static const uint8_t infinity[] = {0};
	SSL_CTX *client_ctx = eecdh_client(TLS1_2_VERSION);
	SSL_CTX *client_ctx_13 = eecdh_client(TLS1_3_VERSION);
	struct link link;

	/* On a curve the quick check does all that matters. */
	(void)is_fully_checked;
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		uint8_t bytes[POINT_LEN];
		size_t len = read_point(points[i].hex, bytes);

		begin_12(&link, context, client_ctx);
		replace_exchange(&link, bytes, len, 1);
		link_serve_handshake(&link);
		if (points[i].is_accepted)
			cr_expect_eq(link.status, TLS_WANT_INPUT);
		else
			expect_alert(&link);
		link_close(&link);
		try_share(context, client_ctx_13, 23, bytes, len,
		    points[i].is_accepted);
	}
	begin_12(&link, context, client_ctx);
	replace_exchange(&link, infinity, sizeof(infinity), 1);
	link_serve_handshake(&link);
	expect_alert(&link);
	link_close(&link);
	SSL_CTX_free(client_ctx);
	SSL_CTX_free(client_ctx_13);
}

Test(quick_check, invalid_points)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));

	in_both_modes(&options, false, try_points);
}

/* Every curve and every kind of certificate goes with it. */
Test(quick_check, all_groups_still_work)
{
	static const char *const groups[] = {"X25519", "X448", "P-256", "P-384",
	    "P-521", "ffdhe2048", "ffdhe3072", "ffdhe4096"};
	static const char *const types[] = {"rsa", "p256", "p384", "ed25519"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct tls_context_options options =
		    fixture_options(fixture_chain(types[i]));
		struct tls_context *context;

		options.groups.tls_ffdhe_auto_groups =
		    "ffdhe2048 ffdhe3072 ffdhe4096";
		context = create(&options);
		for (size_t j = 0; j < sizeof(groups) / sizeof(groups[0]);
		     j++) {
			SSL_CTX *client_ctx = fixture_client_ctx(0, 0);

			cr_assert_eq(
			    SSL_CTX_set1_groups_list(client_ctx, groups[j]), 1);
			shake_hands(context, client_ctx);
			SSL_CTX_free(client_ctx);
			forget_keys();
		}
		tls_context_destroy(&context);
	}
}
