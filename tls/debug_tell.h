/* SPDX-License-Identifier: Apache-2.0 */
/* What modules of tls/ have to tell under tls/debug.h. For the files of tls/
 * alone. */
#ifndef POSTERN_TLS_DEBUG_TELL_H
#define POSTERN_TLS_DEBUG_TELL_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "tls/debug.h"

struct tls_debug; /* opaque; belongs to a session */

void tls_debug_destroy(struct tls_debug **debug);

/* From now on application data goes over the wire. */
void tls_debug_handshake_done(struct tls_session *session);

/* "PEER: …", if the topic is asked for. */
void tls_debug_tell(const SSL *ssl, enum tls_debug_topic topic,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The note about SNI at its place among the other lines; true: it was told. */
bool tls_debug_tell_sni(const SSL *ssl);

#endif
