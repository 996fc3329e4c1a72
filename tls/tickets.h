/* SPDX-License-Identifier: Apache-2.0 */
/* Session tickets of a context: whether there are any, and with which keys. For
 * the files of tls/ alone. */
#ifndef POSTERN_TLS_TICKETS_H
#define POSTERN_TLS_TICKETS_H

#include <openssl/ssl.h>

#include "tls/context.h"
#include "tls/findings.h"

/* After the options of OpenSSL were set: with SSL_OP_NO_TICKET among them no
 * ticket is on the wire in any version. */
void tls_tickets_apply(SSL_CTX *ctx, const struct tls_context_options *options,
    struct tls_findings *findings);

#endif
