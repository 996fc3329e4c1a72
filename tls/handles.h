/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's objects behind ours, for the files of tls/ and their tests alone.
 */
#ifndef POSTERN_TLS_HANDLES_H
#define POSTERN_TLS_HANDLES_H

#include <openssl/ssl.h>

#include "tls/client.h"
#include "tls/context.h"
#include "tls/hello.h"
#include "tls/session.h"

/* All are borrowed. */
SSL_CTX *tls_context_handle(const struct tls_context *context);
SSL_CTX *tls_client_handle(const struct tls_client *client);
SSL *tls_session_handle(const struct tls_session *session);

/* The session of which this is the handle. In callbacks of OpenSSL. */
struct tls_session *tls_session_of(const SSL *ssl);

/* A session of neither side yet. NULL without memory. */
struct tls_session *tls_session_create_over(SSL_CTX *ctx);

/* What callbacks leave in a session; kept there, not understood. */
struct tls_exchange *tls_session_exchange(struct tls_session *session);
struct tls_verdict *tls_session_verdict(struct tls_session *session);
struct tls_sni_choice *tls_session_sni_choice(struct tls_session *session);
struct tls_client_offer *tls_session_offer(struct tls_session *session);
struct tls_ticket_events *tls_session_ticket_events(
    struct tls_session *session);

/* What is told of it; NULL in it: nothing. */
struct tls_debug **tls_session_debug(struct tls_session *session);

#endif
