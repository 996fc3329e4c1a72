/* SPDX-License-Identifier: Apache-2.0 */
/* The peer's certificate, a client's or a server's: the verdict on it, and
 * Postfix's words for it (reference 1.4, 2.7, 3.2, 3.3). The handshake goes on
 * whatever comes; whether the session may is for the caller to say. */
#ifndef POSTERN_TLS_PEER_H
#define POSTERN_TLS_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include "tls/session.h"

#define TLS_PEER_NAME_SIZE	  256	   /* of a common name, in UTF-8 */
#define TLS_PEER_FINGERPRINT_SIZE (64 * 3) /* "AB:CD:…" of SHA-512 */

/* The certificate of a session's peer. All texts are "" when they are not
 * there; names are UTF-8 without control characters. */
struct tls_peer {
	bool is_present;
	bool is_server; /* the peer */
	char subject_cn[TLS_PEER_NAME_SIZE];
	char issuer_name[TLS_PEER_NAME_SIZE]; /* CN, else O */
	char fingerprint[TLS_PEER_FINGERPRINT_SIZE];
	char public_key_fingerprint[TLS_PEER_FINGERPRINT_SIZE];
};

/* Of an established session. */
void tls_peer_read(
    const struct tls_session *session, struct tls_peer *peer_out);

/* The whole names of its certificate in one line each, as Postfix logs them:
 * "/O=Example/CN=mx.example"; "" without one. */
void tls_peer_names(const struct tls_session *session,
    char subject[TLS_PEER_NAME_SIZE], char issuer[TLS_PEER_NAME_SIZE]);

/* "PEER: subject_CN=…, issuer=…, fingerprint=…, pkey_fingerprint=…"; of a
 * server it says issuer_CN. NUL-terminated, cut off at out_size; returns the
 * length. */
size_t tls_peer_line(const struct tls_peer *peer, const char *peer_name,
    char *out, size_t out_size);

/* Why the certificate is not trusted: "certificate verification failed for
 * PEER: self-signed certificate"; "" when it is. Of a resumed session: that it
 * was told when that began. As tls_peer_line. */
size_t tls_peer_verdict_line(const struct tls_session *session,
    const char *peer_name, char *out, size_t out_size);

/* A name as it may stand in a comment of Received: (reference 3.5): printable
 * ASCII without backslashes, its parentheses in pairs. As tls_peer_line. */
size_t tls_peer_comment(const char *name, char *out, size_t out_size);

#endif
