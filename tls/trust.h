/* SPDX-License-Identifier: Apache-2.0 */
/* Trust anchors into a context, all of them at once: workers can open no files.
 * For the files of tls/ alone. */
#ifndef POSTERN_TLS_TRUST_H
#define POSTERN_TLS_TRUST_H

#include <stdbool.h>

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "tls/context.h"
#include "tls/findings.h"

/* Loads CAfile, CApath and, if either is set and it is wanted, the system's
 * anchors. are_named: the subjects in CAfile are named to clients. What
 * identifies the anchors is added to `identity`. */
void tls_trust_load(SSL_CTX *ctx, const struct tls_peer_options *options,
    bool are_named, EVP_MD_CTX *identity, struct tls_findings *findings);

#endif
