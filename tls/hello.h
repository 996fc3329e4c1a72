/* SPDX-License-Identifier: Apache-2.0 */
/* Lists in a ClientHello that has come, and what the client says with them that
 * it could do. For the files of tls/ alone, but for the offer. */
#ifndef POSTERN_TLS_HELLO_H
#define POSTERN_TLS_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_session;

/* What the client could do here, whatever came of it: with what it offered and
 * the groups of the listener. */
struct tls_client_offer {
	bool is_known;	     /* a ClientHello has come */
	const char *version; /* the highest it offered: "TLSv1.3"; static */
	bool tls_13;
	bool eecdh, edh; /* a key exchange with forward secrecy, by kind */
	bool rsa;	 /* the one without, of TLS 1.2 and below */
	bool hybrid;	 /* a group with ML-KEM or Kyber */
};

/* Borrowed from the session. */
const struct tls_client_offer *tls_session_client_offer(
    const struct tls_session *session);

/* The name that the client asked for, whether or not there is a chain for it;
 * "" when it asked for none, NULL when what it sent is no host name. Borrowed
 * from the session. */
const char *tls_session_asked_name(const struct tls_session *session);

/* The rest is for the files of tls/ alone. */

/* In the ClientHello callback. Only the first ClientHello counts. */
void tls_client_offer_read(struct tls_session *session);

#endif
