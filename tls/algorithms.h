/* SPDX-License-Identifier: Apache-2.0 */
/* Versions, suites, groups and the prime of a context, which depend on each
 * other. For the files of tls/ alone. */
#ifndef POSTERN_TLS_ALGORITHMS_H
#define POSTERN_TLS_ALGORITHMS_H

#include <openssl/ssl.h>

#include "tls/context.h"
#include "tls/exchange.h"
#include "tls/findings.h"
#include "tls/library.h"

/* Before the certificates: versions, groups and suites. */
void tls_algorithms_apply(SSL_CTX *ctx, const struct tls_library *library,
    const struct tls_context_options *options,
    struct tls_exchange_policy *policy_out, struct tls_findings *findings);

/* After them: the prime, which is as strong as they are; a check that there is
 * something to do without one; and the policy into the context. */
void tls_algorithms_finish(SSL_CTX *ctx, const struct tls_library *library,
    const struct tls_context_options *options,
    struct tls_exchange_policy *policy, struct tls_findings *findings);

#endif
