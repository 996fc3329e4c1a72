/* SPDX-License-Identifier: Apache-2.0 */
/* Records that cost us work and bring no data. */
#include "tls/session.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "tls/fixture.h"
#include "tls/handles.h"

#define LIMIT 32

static struct tls_context *context;
static SSL_CTX *client_ctx;
static struct link link_;

/* The client's secret, for records that OpenSSL would not send. */
static unsigned char secret[32];

static void keep_secret(const SSL *ssl, const char *line)
{
	static const char label[] = "CLIENT_TRAFFIC_SECRET_0 ";
	const char *hex = strrchr(line, ' ') + 1;
	size_t len;

	(void)ssl;
	if (strncmp(line, label, sizeof(label) - 1) == 0)
		cr_assert_eq(OPENSSL_hexstr2buf_ex(
				 secret, sizeof(secret), &len, hex, '\0'),
		    1);
}

static void init(void)
{
	fixture_init();
	context = fixture_context(fixture_chain("p256"));
	client_ctx = fixture_client_ctx(TLS1_3_VERSION, TLS1_3_VERSION);
	SSL_CTX_set_ciphersuites(client_ctx, "TLS_AES_128_GCM_SHA256");
	SSL_CTX_set_keylog_callback(client_ctx, keep_secret);
	link_open(&link_, context, client_ctx);
	cr_assert(link_handshake(&link_));
}

static void fini(void)
{
	link_close(&link_);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
	fixture_fini();
}

TestSuite(flood, .init = init, .fini = fini);

static void send_key_updates(int count, int type)
{
	char byte;

	for (int i = 0; i < count; i++) {
		cr_assert_eq(SSL_key_update(link_.client, type), 1);
		cr_assert_eq(SSL_do_handshake(link_.client), 1);
		/* Takes in the server's answers. */
		SSL_read(link_.client, &byte, 1);
	}
	link_collect(&link_);
}

static void derive(const char *label, unsigned char *out, size_t out_size)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
	    OSSL_PARAM_construct_utf8_string(
		OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
	    OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_KEY, secret, sizeof(secret)),
	    OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_PREFIX, (char *)"tls13 ", 6),
	    OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_LABEL, (char *)label, strlen(label)),
	    OSSL_PARAM_construct_end(),
	};

	cr_assert_eq(EVP_KDF_derive(ctx, out, out_size, params), 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

/* Appends a record of application data to the server's input (RFC 8446, 5.2).
 */
static void append_record(uint8_t number, const char *plain)
{
	size_t plain_len = strlen(plain);
	size_t sealed_len = plain_len + 1 + 16;
	uint8_t *record = link_.to_server + link_.to_server_len;
	uint8_t inner[64];
	unsigned char key[16];
	unsigned char nonce[12];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int len;

	derive("key", key, sizeof(key));
	derive("iv", nonce, sizeof(nonce));
	nonce[11] ^= number;
	memcpy(record, "\x17\x03\x03\x00", 4);
	record[4] = (uint8_t)sealed_len;
	memcpy(inner, plain, plain_len);
	inner[plain_len] = 0x17;
	EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, key, nonce);
	EVP_EncryptUpdate(ctx, NULL, &len, record, 5);
	EVP_EncryptUpdate(ctx, record + 5, &len, inner, (int)plain_len + 1);
	EVP_EncryptFinal_ex(ctx, NULL, &len);
	EVP_CIPHER_CTX_ctrl(
	    ctx, EVP_CTRL_AEAD_GET_TAG, 16, record + 5 + plain_len + 1);
	EVP_CIPHER_CTX_free(ctx);
	link_.to_server_len += 5 + sealed_len;
}

static void expect_end(void)
{
	cr_expect_eq(link_.status, TLS_FAILED);
	cr_expect_eq(tls_session_fault(link_.server), TLS_FAULT_PROTOCOL);
}

Test(flood, key_updates_end_the_session)
{
	send_key_updates(LINK_BUFFER_SIZE / 32, SSL_KEY_UPDATE_NOT_REQUESTED);
	link_serve_read(&link_);
	expect_end();
	/* At once, not after all of them. */
	cr_expect_lt(link_.to_server_used, 40 * (LIMIT + 2));
	cr_expect_str_eq(tls_session_library_errors(link_.server), "");
}

Test(flood, key_updates_one_by_one_end_it_too)
{
	int count = 0;

	do {
		send_key_updates(1, SSL_KEY_UPDATE_REQUESTED);
		link_serve_read(&link_);
		count++;
	} while (link_.status == TLS_WANT_INPUT && count < 1000);
	expect_end();
	cr_expect_eq(count, LIMIT + 2);
}

Test(flood, key_updates_in_single_bytes_end_it_too)
{
	link_.slice = 1;
	send_key_updates(LIMIT + 2, SSL_KEY_UPDATE_NOT_REQUESTED);
	link_serve_read(&link_);
	expect_end();
}

/* As many as are allowed, over and over, each time with data behind them. */
Test(flood, key_updates_between_data_are_fine)
{
	for (int round = 1; round <= 20; round++) {
		send_key_updates(LIMIT, SSL_KEY_UPDATE_REQUESTED);
		cr_assert_eq(SSL_write(link_.client, "x", 1), 1);
		link_collect(&link_);
		link_serve_read(&link_);
		cr_assert_eq(link_.status, TLS_WANT_INPUT);
		cr_assert_eq(link_.plain_len, (size_t)round);
	}
}

Test(flood, records_in_single_bytes_are_fine)
{
	char text[2000];

	memset(text, 'x', sizeof(text));
	link_.slice = 1;
	for (int i = 0; i < 10; i++)
		SSL_write(link_.client, text, sizeof(text));
	link_collect(&link_);
	link_serve_read(&link_);
	cr_assert_eq(link_.status, TLS_WANT_INPUT);
	cr_assert_eq(link_.plain_len, 10 * sizeof(text));
}

Test(flood, empty_records)
{
	for (uint8_t i = 0; i < LIMIT; i++)
		append_record(i, "");
	append_record(LIMIT, "NOOP\r\n");
	link_serve_read(&link_);
	cr_assert_eq(link_.status, TLS_WANT_INPUT, "%s",
	    tls_session_library_errors(link_.server));
	cr_assert_eq(link_.plain_len, 6);
	for (uint8_t i = LIMIT + 1; i < 3 * LIMIT; i++)
		append_record(i, "");
	link_serve_read(&link_);
	expect_end();
}
