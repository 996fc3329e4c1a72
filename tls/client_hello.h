/* SPDX-License-Identifier: Apache-2.0 */
/* What is decided when a ClientHello has come, before OpenSSL looks at the
 * ticket in it: OpenSSL has one callback for that. For the files of tls/ alone.
 */
#ifndef POSTERN_TLS_CLIENT_HELLO_H
#define POSTERN_TLS_CLIENT_HELLO_H

#include <openssl/ssl.h>

/* The callback for a context's sessions. */
void tls_client_hello_watch(SSL_CTX *ctx);

#endif
