/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/client_dane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#define SEPARATORS ", \t\r\n"

/* RFC 6698, 2.1. Usages 0 and 1 are of no use to mail (RFC 7672, 3.1.3). */
#define USAGE_TRUST_ANCHOR 2
#define USAGE_END_ENTITY   3
#define MATCHING_SHA256	   1
#define MATCHING_SHA512	   2
#define MATCHING_MAX	   254 /* 255 is for private use */

#define DIGESTS_MAX 16

/* As much of a record as Postfix logs. */
#define SHOWN_WHOLE 64
#define SHOWN_HALF  32

static int version_index = -1; /* in every SSL */
/* Set where a record names an issuer. */
static int issuer_index = -1;

struct digest {
	const EVP_MD *md;
	uint8_t matching;
};

/* "sha512", "sha3-256=10" */
static bool read_digest(char *text, struct digest *digest_out)
{
	char *equals = strchr(text, '=');
	unsigned long number = 0;

	if (equals != NULL) {
		char *end;

		*equals = '\0';
		number = strtoul(equals + 1, &end, 10);
		if (equals[1] < '1' || equals[1] > '9' || *end != '\0')
			return false;
	} else if (strcasecmp(text, "sha256") == 0) {
		number = MATCHING_SHA256;
	} else if (strcasecmp(text, "sha512") == 0) {
		number = MATCHING_SHA512;
	}
	digest_out->md = EVP_get_digestbyname(text);
	digest_out->matching = (uint8_t)number;
	return digest_out->md != NULL && number > 0 && number <= MATCHING_MAX;
}

static size_t read_digests(
    const char *list, struct digest *digests, struct tls_findings *findings)
{
	char *words = OPENSSL_strdup(list);
	char *rest = NULL;
	size_t count = 0;

	for (char *word = words == NULL ? NULL
					: strtok_r(words, SEPARATORS, &rest);
	     word != NULL; word = strtok_r(NULL, SEPARATORS, &rest)) {
		if (count < DIGESTS_MAX && read_digest(word, &digests[count]))
			count++;
		else
			tls_findings_error(findings, "tls_dane_digests",
			    "\"%s\" is no digest; must be sha512, sha256, or "
			    "another with the number of its matching type, "
			    "such as sha3-256=10",
			    word);
	}
	OPENSSL_free(words);
	return count;
}

void tls_client_dane_init(
    SSL_CTX *ctx, const char *digests, struct tls_findings *findings)
{
	struct digest known[DIGESTS_MAX];
	size_t count = read_digests(digests, known, findings);
	bool done = SSL_CTX_dane_enable(ctx) == 1;

	if (version_index < 0)
		version_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	if (issuer_index < 0)
		issuer_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	/* None but those that are named. */
	SSL_CTX_dane_mtype_set(ctx, NULL, MATCHING_SHA256, 0);
	SSL_CTX_dane_mtype_set(ctx, NULL, MATCHING_SHA512, 0);
	for (size_t i = 0; done && i < count; i++)
		done = SSL_CTX_dane_mtype_set(ctx, known[i].md,
			   known[i].matching, (uint8_t)(count - i)) == 1;
	if (!done || version_index < 0 || issuer_index < 0)
		tls_findings_error(findings, "tls_dane_digests",
		    "OpenSSL takes none: %s", tls_findings_library_reason());
	else if (count == 0)
		tls_findings_error(findings, "tls_dane_digests",
		    "no record could match; must have at least sha256");
	ERR_clear_error();
}

static bool has_known_usage(const struct tls_dane_record *record)
{
	return record->usage == USAGE_TRUST_ANCHOR ||
	       record->usage == USAGE_END_ENTITY;
}

int tls_client_dane_apply(
    const struct tls_dane *dane, unsigned name_flags, SSL *ssl)
{
	int taken = 0;

	if (SSL_dane_enable(ssl, dane->base_domain) != 1 ||
	    SSL_add1_host(ssl, dane->host) != 1)
		return -1;
	/* Whose key it is says the record: names and dates in the certificate
	 * do not matter then (RFC 7672, 3.1.1). */
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	SSL_set_hostflags(ssl, name_flags);
	for (size_t i = 0; i < dane->count; i++) {
		const struct tls_dane_record *record = &dane->records[i];
		int result;

		if (!has_known_usage(record) || record->len == 0)
			continue;
		result = SSL_dane_tlsa_add(ssl, record->usage, record->selector,
		    record->matching, record->data, record->len);
		if (result < 0)
			return -1;
		if (result > 0 && record->usage == USAGE_TRUST_ANCHOR)
			SSL_set_ex_data(ssl, issuer_index, ssl);
		taken += result;
	}
	return taken;
}

static void digest_text(EVP_MD_CTX *digest, const char *text)
{
	EVP_DigestUpdate(digest, text, strlen(text) + 1);
}

static bool digest_of(
    const struct tls_dane *dane, unsigned char out[SHA256_DIGEST_LENGTH])
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool done = digest != NULL &&
		    EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1;

	if (done) {
		digest_text(digest, dane->base_domain);
		digest_text(digest, dane->host);
	}
	for (size_t i = 0; done && i < dane->count; i++) {
		const struct tls_dane_record *record = &dane->records[i];
		char head[64];

		snprintf(head, sizeof(head), "%d %d %d %zu", record->usage,
		    record->selector, record->matching, record->len);
		digest_text(digest, head);
		EVP_DigestUpdate(digest, record->data, record->len);
	}
	done = done && EVP_DigestFinal_ex(digest, out, NULL) == 1;
	EVP_MD_CTX_free(digest);
	return done;
}

bool tls_client_dane_note(
    struct tls_client_dane *known, const struct tls_dane *dane, SSL *ssl)
{
	unsigned char digest[SHA256_DIGEST_LENGTH] = {0};
	bool same = digest_of(dane, digest) &&
		    memcmp(digest, known->digest, sizeof(digest)) == 0;

	if (!same) {
		memcpy(known->digest, digest, sizeof(digest));
		known->version++;
	}
	SSL_set_ex_data(ssl, version_index, (void *)known->version);
	return same;
}

bool tls_client_dane_is_current(
    const struct tls_client_dane *known, const SSL *ssl)
{
	return (uintptr_t)SSL_get_ex_data(ssl, version_index) == known->version;
}

/* OpenSSL's questions about DANE change nothing, and take no const. */
static SSL *asked(const SSL *ssl)
{
	return (SSL *)(uintptr_t)ssl;
}

bool tls_client_dane_is_matched(const SSL *ssl)
{
	if (SSL_get0_peer_certificate(ssl) == NULL ||
	    SSL_get_verify_result(ssl) != X509_V_OK)
		return false;
	return SSL_session_reused(ssl) == 1 ||
	       SSL_get0_dane_authority(asked(ssl), NULL, NULL) >= 0;
}

static size_t print_hex(
    const unsigned char *bytes, size_t len, char *out, size_t out_size)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < len && at + 3 <= out_size; i++) {
		snprintf(out + at, out_size - at, "%02X", bytes[i]);
		at += 2;
	}
	return at;
}

static void print_data(
    const unsigned char *data, size_t len, char *out, size_t out_size)
{
	size_t at;

	if (len <= SHOWN_WHOLE) {
		print_hex(data, len, out, out_size);
		return;
	}
	at = print_hex(data, SHOWN_HALF, out, out_size);
	at += (size_t)snprintf(out + at, out_size - at, "...");
	print_hex(data + len - SHOWN_HALF, SHOWN_HALF, out + at, out_size - at);
}

const char *tls_client_dane_failed(const SSL *ssl)
{
	return SSL_get_ex_data(ssl, issuer_index) != NULL &&
		       sk_X509_num(SSL_get_peer_cert_chain(ssl)) > 1
		   ? "CA"
		   : "server";
}

size_t tls_client_dane_match_line(
    const SSL *ssl, const char *peer, char *out, size_t out_size)
{
	char text[2 * SHOWN_WHOLE + sizeof("...")];
	const unsigned char *data = NULL;
	uint8_t usage, selector, matching;
	EVP_PKEY *key = NULL;
	size_t data_len = 0;
	int depth = SSL_get0_dane_authority(asked(ssl), NULL, &key);
	int len;

	if (out_size > 0)
		out[0] = '\0';
	if (depth < 0 || out_size == 0 ||
	    SSL_get0_dane_tlsa(
		asked(ssl), &usage, &selector, &matching, &data, &data_len) < 0)
		return 0;
	print_data(data, data_len, text, sizeof(text));
	len = snprintf(out, out_size,
	    "%s: Matched DANE %s at depth %d: %d %d %d %s", peer,
	    key != NULL	 ? "TA public key verified certificate"
	    : depth != 0 ? "TA certificate"
			 : "EE certificate",
	    depth, usage, selector, matching, text);
	return (size_t)len < out_size ? (size_t)len : out_size - 1;
}
