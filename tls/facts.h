/* SPDX-License-Identifier: Apache-2.0 */
/* What was negotiated, and Postfix's words for it. */
#ifndef POSTERN_TLS_FACTS_H
#define POSTERN_TLS_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "tls/session.h"

/* Postfix's status words (reference 2.7). */
enum tls_trust { TLS_ANONYMOUS, TLS_UNTRUSTED, TLS_TRUSTED, TLS_VERIFIED };

/* One of key exchange, server signature, client signature. name "" when
 * unknown. Names are those of Postfix 3.7 (reference 3.2). */
struct tls_algorithm {
	char name[24];	 /* "X25519", "ECDHE", "RSA-PSS", "ECDSA" */
	char curve[24];	 /* "prime256v1", or "" */
	int bits;	 /* 0: not told */
	char digest[16]; /* "SHA256", or "" */
};

struct tls_facts {
	enum tls_trust trust;
	const char *protocol; /* "TLSv1.3"; static */
	const char *cipher;   /* "TLS_AES_256_GCM_SHA384"; static */
	int cipher_bits, cipher_bits_of_algorithm;
	struct tls_algorithm key_exchange, server_signature, client_signature;
	bool resumed;
	/* Forward secrecy: whether the keys of this session die with it, and in
	 * a word why: "ecdhe", "dhe", "rsa_key_exchange",
	 * "resumed_without_exchange", "psk". */
	bool forward_secret;
	const char *forward_secrecy_reason; /* static */
	bool post_quantum; /* the key exchange, also against who records it */
	const char *sni; /* matched name as the client sent it, or ""; borrowed
			  * from the session */
};

/* Of an established session. */
void tls_facts_read(
    const struct tls_session *session, struct tls_facts *facts_out);

/* "Anonymous", "Untrusted", "Trusted", "Verified" */
const char *tls_trust_word(enum tls_trust trust);

/* For records and metrics: "X25519", "prime256v1", "DHE-2048"; "none" without a
 * group. NUL-terminated. */
void tls_facts_group_word(
    const struct tls_facts *facts, char *out, size_t out_size);
/* What our certificate signed with: "RSA-PSS-SHA256"; "none" where nothing was
 * signed, or where it is not known. */
void tls_facts_signature_word(
    const struct tls_facts *facts, char *out, size_t out_size);

/* Writes Postfix's summary line, byte for byte (reference 3.2): "Anonymous TLS
 * connection established from PEER: TLSv1.3 with cipher … (256/256 bits)
 * key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest
 * SHA256". direction is "from" or "to". NUL-terminated, cut off at out_size;
 * returns the length. */
size_t tls_facts_summary(const struct tls_facts *facts, const char *direction,
    const char *peer, char *out, size_t out_size);

#endif
