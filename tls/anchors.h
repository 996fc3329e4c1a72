/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_tls_trust_anchor_file: certificates, of roots or not, and bare public
 * keys, either of which vouches for a server's chain. To OpenSSL they are
 * records of DANE (usage 2, RFC 7671, 5.2), the one way in which it takes a key
 * without a certificate. For the files of tls/ alone. */
#ifndef POSTERN_TLS_ANCHORS_H
#define POSTERN_TLS_ANCHORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "tls/findings.h"

struct tls_anchor {
	uint8_t selector; /* 0: a certificate, 1: a public key */
	unsigned char *bytes;
	size_t len;
};

struct tls_anchors {
	struct tls_anchor *anchors;
	size_t count;
};

/* Adds those of the PEM files in a list (by blanks or commas). What cannot be
 * read is an error. */
void tls_anchors_load(struct tls_anchors *anchors, const char *files,
    const char *parameter, struct tls_findings *findings);
void tls_anchors_finish(struct tls_anchors *anchors);

/* For a session: nothing else is trusted in it. False without memory. */
bool tls_anchors_apply(const struct tls_anchors *anchors, SSL *ssl);

#endif
