/* SPDX-License-Identifier: Apache-2.0 */
/* The secrets of a context's sessions into a file, for Wireshark (NSS's format
 * of SSLKEYLOGFILE). Only ever on the operator's explicit word; the environment
 * variable means nothing here. For the files of tls/ alone. */
#ifndef POSTERN_TLS_KEYLOG_H
#define POSTERN_TLS_KEYLOG_H

#include <openssl/ssl.h>

#include "tls/findings.h"

/* Opens the file now, as root, to be appended to; warns. path "" or NULL: no
 * secrets leave, whatever the configuration of OpenSSL says. */
void tls_keylog_apply(
    SSL_CTX *ctx, const char *path, struct tls_findings *findings);

#endif
