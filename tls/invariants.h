/* SPDX-License-Identifier: Apache-2.0 */
/* What all contexts have in common, of either side, and the options of OpenSSL
 * that an operator adds to it. For the files of tls/ alone. */
#ifndef POSTERN_TLS_INVARIANTS_H
#define POSTERN_TLS_INVARIANTS_H

#include <openssl/ssl.h>

#include "tls/context.h"
#include "tls/findings.h"

/* First of all: what is loaded later is checked against the security level. */
void tls_invariants_apply(SSL_CTX *ctx,
    const struct tls_context_options *options, struct tls_findings *findings);

#endif
