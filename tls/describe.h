/* SPDX-License-Identifier: Apache-2.0 */
/* What is in force in a context, for "postern ciphers": suites and groups in
 * order, the prime of EDH, the certificates. Of a count of
 * things each is read by its index. */
#ifndef POSTERN_TLS_DESCRIBE_H
#define POSTERN_TLS_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/context.h"

struct tls_cipher_description {
	const char *name;     /* "ECDHE-RSA-AES128-GCM-SHA256"; static */
	const char *protocol; /* the lowest it works with: "TLSv1.2"; static */
	/* OpenSSL's words behind Kx=, Au=, Enc= and Mac=: "ECDH", "RSA",
	 * "AESGCM(128)", "AEAD" */
	char exchange[16], authentication[16], encryption[32], mac[16];
	int bits; /* of the key in use */
	bool forward_secret;
	/* False: it is in the list, but what it needs is not there: its
	 * protocol version, a certificate of its kind, a group, a prime, a
	 * shared key. */
	bool is_usable;
};

/* Those of TLS 1.3 come first. */
size_t tls_describe_cipher_count(const struct tls_context *context);
void tls_describe_cipher(const struct tls_context *context, size_t index,
    struct tls_cipher_description *cipher_out);

/* Key-exchange groups; names as OpenSSL has them for TLS: "x25519",
 * "secp256r1". */
size_t tls_describe_group_count(const struct tls_context *context);
const char *tls_describe_group(const struct tls_context *context, size_t index);

struct tls_dh_description {
	const char *name; /* "ffdhe2048", or "" for a prime without one */
	int bits;	  /* 0: there is no EDH in TLS 1.2 and below */
	int exponent_bits;
	bool is_from_file;   /* of smtpd_tls_dh1024_param_file */
	bool checks_quickly; /* proxy_tls_quick_key_check is in force */
};

/* Good as long as the context. */
void tls_describe_dh(
    const struct tls_context *context, struct tls_dh_description *dh_out);

struct tls_certificate_description {
	char subject[256]; /* RFC 2253: "CN=mx.example.com" */
	char names[512];   /* DNS names and addresses, by ", "; or "" */
	char key_type[16]; /* "RSA", "EC", "ED25519" */
	int key_bits;
	int64_t not_after_s; /* since 1970 */
	bool is_for_sni;     /* of tls_server_sni_maps */
};

/* With several key types a context has several. The listener's own come first,
 * then those of tls_server_sni_maps. */
size_t tls_describe_certificate_count(const struct tls_context *context);
void tls_describe_certificate(const struct tls_context *context, size_t index,
    struct tls_certificate_description *certificate_out);

#endif
