/* SPDX-License-Identifier: Apache-2.0 */
/* Whether clients are asked for a certificate, and the verdict on what comes,
 * on either side. For the files of tls/ alone; others see tls/peer.h. */
#ifndef POSTERN_TLS_VERIFY_H
#define POSTERN_TLS_VERIFY_H

#include <stdbool.h>

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "tls/context.h"
#include "tls/findings.h"

/* What the checks of a chain found; kept in a session. */
struct tls_verdict {
	int error;    /* X509_V_ERR_…, of the lowest certificate at fault */
	int depth;    /* of that; 0 is the client's own */
	char *issuer; /* of that, in one line */
};

void tls_verdict_finish(struct tls_verdict *verdict);

/* Whether certificates are asked for; and whether they are required, so that
 * the session cannot go on without a good one. */
bool tls_verify_asks(const struct tls_peer_options *options);
bool tls_verify_requires(const struct tls_peer_options *options);

/* Sets the policy; adds to `identity` what sessions are to be bound to. */
void tls_verify_apply(SSL_CTX *ctx, const struct tls_peer_options *options,
    EVP_MD_CTX *identity, struct tls_findings *findings);

/* The same for a client's context: the server's certificate is checked whatever
 * it is worth. must_match: the session depends on it. Returns the digest of
 * fingerprints, or NULL after an error. */
const EVP_MD *tls_verify_apply_client(SSL_CTX *ctx,
    const struct tls_peer_options *options, bool must_match,
    struct tls_findings *findings);

/* smtpd_tls_fingerprint_digest of the session's context. Borrowed. */
const EVP_MD *tls_verify_digest(const SSL *ssl);

#endif
