/* SPDX-License-Identifier: Apache-2.0 */
/* The quick key schedule: the values of RFC 8448, and the same as the default
 * provider in whatever is asked, quick or not. */
#include "tls/quick_kdf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "tls/provider.h"

#define OUT_SIZE_MAX 300
#define PREFIX	     "tls13 "

/* Lasts as long as the process, as those of tls/library.c do. */
static OSSL_LIB_CTX *library;

static void begin(void)
{
	library = OSSL_LIB_CTX_new();
	cr_assert(tls_provider_add(library, true));
}

TestSuite(quick_kdf, .init = begin);

static EVP_KDF_CTX *open_kdf(const char *name, const char *query)
{
	EVP_KDF *kdf = EVP_KDF_fetch(library, name, query);
	EVP_KDF_CTX *ctx;

	cr_assert_not_null(kdf);
	cr_assert_str_eq(OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(kdf)),
	    query[0] == '?' ? "postern" : "default");
	ctx = EVP_KDF_CTX_new(kdf);
	EVP_KDF_free(kdf);
	cr_assert_not_null(ctx);
	return ctx;
}

static OSSL_PARAM text(const char *key, const char *value)
{
	return OSSL_PARAM_construct_utf8_string(key, (char *)value, 0);
}

static OSSL_PARAM octets(const char *key, const void *data, size_t size)
{
	return OSSL_PARAM_construct_octet_string(key, (void *)data, size);
}

static void derive(const char *name, const OSSL_PARAM *params, size_t size,
    const char *expected)
{
	EVP_KDF_CTX *ctx = open_kdf(name, TLS_PROVIDER_QUERY);
	uint8_t out[64];
	char hex[2 * sizeof(out) + 1];

	cr_assert_eq(EVP_KDF_derive(ctx, out, size, params), 1);
	for (size_t i = 0; i < size; i++)
		snprintf(hex + 2 * i, 3, "%02x", out[i]);
	cr_expect_str_eq(hex, expected);
	EVP_KDF_CTX_free(ctx);
}

static const uint8_t early_secret[] = {0x33, 0xad, 0x0a, 0x1c, 0x60, 0x7e, 0xc0,
    0x3b, 0x09, 0xe6, 0xcd, 0x98, 0x93, 0x68, 0x0c, 0xe2, 0x10, 0xad, 0xf3,
    0x00, 0xaa, 0x1f, 0x26, 0x60, 0xe1, 0xb2, 0x2e, 0x10, 0xf1, 0x70, 0xf9,
    0x2a};

/* RFC 8448, 3: "extract secret early". */
Test(quick_kdf, first_secret)
{
	int mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
	    text(OSSL_KDF_PARAM_DIGEST, "SHA2-256"),
	    octets(OSSL_KDF_PARAM_PREFIX, PREFIX, 6),
	    octets(OSSL_KDF_PARAM_LABEL, "derived", 7), OSSL_PARAM_END};

	derive("TLS13-KDF", params, 32,
	    "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a");
}

/* RFC 8448, 3: "extract secret handshake", of the shared X25519 secret. */
Test(quick_kdf, secret_after_a_secret)
{
	static const uint8_t shared[] = {0x8b, 0xd4, 0x05, 0x4f, 0xb5, 0x5b,
	    0x9d, 0x63, 0xfd, 0xfb, 0xac, 0xf9, 0xf0, 0x4b, 0x9f, 0x0d, 0x35,
	    0xe6, 0xd6, 0x3f, 0x53, 0x75, 0x63, 0xef, 0xd4, 0x62, 0x72, 0x90,
	    0x0f, 0x89, 0x49, 0x2d};
	int mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
	    text(OSSL_KDF_PARAM_DIGEST, "sha256"),
	    octets(OSSL_KDF_PARAM_KEY, shared, sizeof(shared)),
	    octets(OSSL_KDF_PARAM_SALT, early_secret, sizeof(early_secret)),
	    octets(OSSL_KDF_PARAM_PREFIX, PREFIX, 6),
	    octets(OSSL_KDF_PARAM_LABEL, "derived", 7), OSSL_PARAM_END};

	derive("TLS13-KDF", params, 32,
	    "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac");
}

/* RFC 8448, 3: "derive write traffic keys for handshake data" of the server. */
Test(quick_kdf, traffic_key)
{
	static const uint8_t secret[] = {0xb6, 0x7b, 0x7d, 0x69, 0x0c, 0xc1,
	    0x6c, 0x4e, 0x75, 0xe5, 0x42, 0x13, 0xcb, 0x2d, 0x37, 0xb4, 0xe9,
	    0xc9, 0x12, 0xbc, 0xde, 0xd9, 0x10, 0x5d, 0x42, 0xbe, 0xfd, 0x59,
	    0xd3, 0x91, 0xad, 0x38};
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
	    text(OSSL_KDF_PARAM_DIGEST, "SHA2-256"),
	    octets(OSSL_KDF_PARAM_KEY, secret, sizeof(secret)),
	    octets(OSSL_KDF_PARAM_PREFIX, PREFIX, 6),
	    octets(OSSL_KDF_PARAM_LABEL, "key", 3), OSSL_PARAM_END};

	derive("TLS13-KDF", params, 16, "3fce516009c21727d0f2e4e86ee403bc");
}

/* The same request to both; each may refuse it, but both then. */
static void compare(const char *name, const OSSL_PARAM *params, size_t size)
{
	EVP_KDF_CTX *ours = open_kdf(name, TLS_PROVIDER_QUERY);
	EVP_KDF_CTX *theirs = open_kdf(name, "provider=default");
	uint8_t our_out[OUT_SIZE_MAX] = {0}, their_out[OUT_SIZE_MAX] = {0};
	int our_result = EVP_KDF_derive(ours, our_out, size, params);
	int their_result = EVP_KDF_derive(theirs, their_out, size, params);

	cr_expect_eq(our_result == 1, their_result == 1);
	if (their_result == 1)
		cr_expect_arr_eq(our_out, their_out, sizeof(our_out));
	/* And a second time with the same object. */
	EVP_KDF_CTX_reset(ours);
	memset(our_out, 0, sizeof(our_out));
	cr_expect_eq(EVP_KDF_derive(ours, our_out, size, params) == 1,
	    their_result == 1);
	if (their_result == 1)
		cr_expect_arr_eq(our_out, their_out, sizeof(our_out));
	EVP_KDF_CTX_free(ours);
	EVP_KDF_CTX_free(theirs);
}

static const char *const digests[] = {
    "SHA2-256", "SHA2-384", "SHA384", "SHA2-512", "SHA1"};

#define DIGESTS (sizeof(digests) / sizeof(digests[0]))

static const uint8_t *noise(void)
{
	static uint8_t bytes[512];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37 + 11);
	return bytes;
}

Test(quick_kdf, expansions_are_the_default_providers)
{
	static const size_t key_sizes[] = {32, 48, 64, 65, 128, 129, 200};
	static const size_t out_sizes[] = {1, 12, 32, 33, 48, 49, 64, 100};
	static const size_t data_sizes[] = {0, 1, 32, 48, 255};
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	const uint8_t *bytes = noise();

	for (size_t i = 0; i < DIGESTS * 7 * 8 * 5; i++) {
		OSSL_PARAM params[] = {
		    OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		    text(OSSL_KDF_PARAM_DIGEST, digests[i % DIGESTS]),
		    octets(
			OSSL_KDF_PARAM_KEY, bytes, key_sizes[i / DIGESTS % 7]),
		    octets(OSSL_KDF_PARAM_PREFIX, PREFIX, 6),
		    octets(OSSL_KDF_PARAM_LABEL, "c hs traffic", 12),
		    octets(OSSL_KDF_PARAM_DATA, bytes + 7,
			data_sizes[i / DIGESTS / 7 % 5]),
		    OSSL_PARAM_END};

		compare("TLS13-KDF", params, out_sizes[i / DIGESTS / 7 / 5]);
	}
}

Test(quick_kdf, extractions_are_the_default_providers)
{
	static const size_t key_sizes[] = {20, 32, 48, 66, 128, 256, 512};
	int mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
	const uint8_t *bytes = noise();

	for (size_t i = 0; i < DIGESTS * 7; i++) {
		size_t size = i % DIGESTS == 0 ? 32 : 48;
		OSSL_PARAM params[] = {
		    OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		    text(OSSL_KDF_PARAM_DIGEST, digests[i % DIGESTS]),
		    octets(OSSL_KDF_PARAM_PREFIX, PREFIX, 6),
		    octets(OSSL_KDF_PARAM_LABEL, "derived", 7),
		    octets(OSSL_KDF_PARAM_SALT, bytes + 3, size),
		    octets(OSSL_KDF_PARAM_KEY, bytes, key_sizes[i / DIGESTS]),
		    OSSL_PARAM_END};

		compare("TLS13-KDF", params, size);
		params[5] = OSSL_PARAM_construct_end();
		compare("TLS13-KDF", params, size);
		params[4] = OSSL_PARAM_construct_end();
		compare("TLS13-KDF", params, size);
	}
}

Test(quick_kdf, prf_is_the_default_providers)
{
	static const char *const names[] = {
	    "SHA2-256", "SHA2-384", "SHA384", "MD5-SHA1", "SHA2-512"};
	static const size_t secret_sizes[] = {1, 32, 48, 64, 65, 129, 256, 512};
	static const size_t out_sizes[] = {12, 32, 48, 49, 72, 96, 104, 300};
	const uint8_t *bytes = noise();

	for (size_t i = 0; i < 5 * 8 * 8; i++) {
		OSSL_PARAM params[] = {
		    text(OSSL_KDF_PARAM_DIGEST, names[i % 5]),
		    octets(
			OSSL_KDF_PARAM_SECRET, bytes, secret_sizes[i / 5 % 8]),
		    octets(OSSL_KDF_PARAM_SEED, "master secret", 13),
		    octets(OSSL_KDF_PARAM_SEED, bytes + 1, 32),
		    octets(OSSL_KDF_PARAM_SEED, NULL, 0),
		    octets(OSSL_KDF_PARAM_SEED, bytes + 40, i % 64),
		    octets(OSSL_KDF_PARAM_SEED, NULL, 0), OSSL_PARAM_END};

		compare("TLS1-PRF", params, out_sizes[i / 5 / 8]);
	}
}

/* What is no request of libssl's gets the default provider's answer. */
Test(quick_kdf, odd_requests)
{
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	int other_mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND;
	const uint8_t *bytes = noise();
	OSSL_PARAM mode_param =
	    OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	OSSL_PARAM digest = text(OSSL_KDF_PARAM_DIGEST, "SHA2-256");
	OSSL_PARAM key = octets(OSSL_KDF_PARAM_KEY, bytes, 32);
	OSSL_PARAM label = octets(OSSL_KDF_PARAM_LABEL, "key", 3);
	OSSL_PARAM prefix = octets(OSSL_KDF_PARAM_PREFIX, PREFIX, 6);
	OSSL_PARAM rows[][8] = {{OSSL_PARAM_END}, {mode_param, OSSL_PARAM_END},
	    {mode_param, digest, OSSL_PARAM_END},
	    {mode_param, digest, key, OSSL_PARAM_END},
	    {mode_param, digest, key, label, OSSL_PARAM_END},
	    {mode_param, digest, label, prefix, OSSL_PARAM_END},
	    {digest, key, label, prefix, OSSL_PARAM_END},
	    {mode_param, key, label, prefix, OSSL_PARAM_END},
	    {mode_param, digest, key, key, label, prefix, OSSL_PARAM_END},
	    {mode_param, mode_param, digest, key, label, prefix,
		OSSL_PARAM_END},
	    {mode_param, text(OSSL_KDF_PARAM_DIGEST, "none such"), key, label,
		prefix, OSSL_PARAM_END},
	    {mode_param, digest, text(OSSL_KDF_PARAM_KEY, "secret"), label,
		prefix, OSSL_PARAM_END},
	    {mode_param, digest, key, label, prefix,
		octets("something else", bytes, 1), OSSL_PARAM_END},
	    {mode_param, digest, key, octets(OSSL_KDF_PARAM_LABEL, bytes, 250),
		prefix, OSSL_PARAM_END},
	    {mode_param, digest, key, label, prefix,
		octets(OSSL_KDF_PARAM_DATA, bytes, 256), OSSL_PARAM_END},
	    {mode_param, digest, key, label, prefix,
		octets(OSSL_KDF_PARAM_SALT, bytes, 32), OSSL_PARAM_END},
	    {OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &other_mode), digest,
		key, label, prefix, OSSL_PARAM_END}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		compare("TLS13-KDF", rows[i], 32);
		compare("TLS1-PRF", rows[i], 32);
	}
	compare("TLS13-KDF", NULL, 32);
}

/* Parameters that come before the call that derives. */
Test(quick_kdf, parameters_in_two_calls)
{
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	const uint8_t *bytes = noise();
	OSSL_PARAM first[] = {
	    OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
	    text(OSSL_KDF_PARAM_DIGEST, "SHA2-384"),
	    octets(OSSL_KDF_PARAM_KEY, bytes, 48), OSSL_PARAM_END};
	OSSL_PARAM second[] = {octets(OSSL_KDF_PARAM_PREFIX, PREFIX, 6),
	    octets(OSSL_KDF_PARAM_LABEL, "iv", 2), OSSL_PARAM_END};
	OSSL_PARAM all[] = {
	    first[0], first[1], first[2], second[0], second[1], OSSL_PARAM_END};
	uint8_t in_two[12], in_one[12];
	EVP_KDF_CTX *ctx = open_kdf("TLS13-KDF", TLS_PROVIDER_QUERY);

	cr_assert_eq(EVP_KDF_derive(ctx, in_one, sizeof(in_one), all), 1);
	cr_assert_eq(EVP_KDF_CTX_set_params(ctx, first), 1);
	cr_assert_eq(EVP_KDF_derive(ctx, in_two, sizeof(in_two), second), 1);
	cr_expect_arr_eq(in_one, in_two, sizeof(in_one));
	cr_expect_gt(EVP_KDF_CTX_get_kdf_size(ctx), 0);
	EVP_KDF_CTX_free(ctx);
}
