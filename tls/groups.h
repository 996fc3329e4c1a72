/* SPDX-License-Identifier: Apache-2.0 */
/* The key-exchange groups of a context. For the files of tls/ alone. */
#ifndef POSTERN_TLS_GROUPS_H
#define POSTERN_TLS_GROUPS_H

#include <openssl/ssl.h>

#include "tls/findings.h"

/* Sets the groups that OpenSSL knows, in the order of `names` (separated by
 * blanks, commas or colons); a second name of one group counts for nothing.
 * parameter is where the names came from. */
void tls_groups_apply(SSL_CTX *ctx, const char *names, const char *parameter,
    struct tls_findings *findings);

#endif
