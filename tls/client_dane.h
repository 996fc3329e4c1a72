/* SPDX-License-Identifier: Apache-2.0 */
/* Records of DANE and OpenSSL, which knows what they mean. For the files of
 * tls/ alone; others see tls/dane.h. */
#ifndef POSTERN_TLS_CLIENT_DANE_H
#define POSTERN_TLS_CLIENT_DANE_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/sha.h>
#include <openssl/ssl.h>

#include "tls/dane.h"
#include "tls/findings.h"

/* The records that the last sessions of a client were checked against. */
struct tls_client_dane {
	unsigned name_flags; /* X509_CHECK_FLAG_… */
	unsigned char digest[SHA256_DIGEST_LENGTH];
	uintptr_t version; /* grows with each other set of records */
};

/* tls_dane_digests: the digests of such records, the best first. */
void tls_client_dane_init(
    SSL_CTX *ctx, const char *digests, struct tls_findings *findings);

/* How many of the records were taken; -1 without memory. */
int tls_client_dane_apply(
    const struct tls_dane *dane, unsigned name_flags, SSL *ssl);

/* False when these records are others than before. Marks the session as one of
 * these. */
bool tls_client_dane_note(
    struct tls_client_dane *known, const struct tls_dane *dane, SSL *ssl);

/* Whether the session was checked against the records that count now. */
bool tls_client_dane_is_current(
    const struct tls_client_dane *known, const SSL *ssl);

/* In an established session. A resumed one is as good as its first, which was
 * checked against the same records. */
bool tls_client_dane_is_matched(const SSL *ssl);

/* What no record matched: "CA" where one names the issuer and there is a chain,
 * else "server". */
const char *tls_client_dane_failed(const SSL *ssl);

/* "PEER: Matched DANE EE certificate at depth 0: 3 1 1 0A1B…"; "" in a resumed
 * session. As tls_client_match_line(). */
size_t tls_client_dane_match_line(
    const SSL *ssl, const char *peer, char *out, size_t out_size);

#endif
