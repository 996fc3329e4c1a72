/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a server's certificate is one that the policy names: by a name in it,
 * or by its digest or that of its public key. For the files of tls/ alone. */
#ifndef POSTERN_TLS_CLIENT_MATCH_H
#define POSTERN_TLS_CLIENT_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "tls/client.h"
#include "tls/findings.h"

#define TLS_CLIENT_MATCH_TEXT_SIZE (EVP_MAX_MD_SIZE * 3)

struct tls_client_match {
	char **names; /* at verify and secure */
	/* At fingerprint: one behind the other, digest_len bytes each. */
	unsigned char *fingerprints;
	size_t count; /* of the one or the other */
	const EVP_MD *digest;
	size_t digest_len;
	unsigned name_flags; /* X509_CHECK_FLAG_… */
};

/* What cannot be of use is a warning; nothing that is of use, an error. False
 * then, or without memory. */
bool tls_client_match_init(struct tls_client_match *match,
    const struct tls_client_options *options, const EVP_MD *digest,
    struct tls_findings *findings);
void tls_client_match_finish(struct tls_client_match *match);

/* text_out (may be NULL): the name in the certificate, or the fingerprint. */
bool tls_client_match_find(const struct tls_client_match *match,
    X509 *certificate, char text_out[TLS_CLIENT_MATCH_TEXT_SIZE]);

#endif
