/* SPDX-License-Identifier: Apache-2.0 */
/* The BIO through which OpenSSL sees the buffers of a struct tls_wire. For the
 * files of tls/ alone. */
#ifndef POSTERN_TLS_WIRE_BIO_H
#define POSTERN_TLS_WIRE_BIO_H

#include <stdbool.h>

#include <openssl/bio.h>

#include "tls/session.h"

/* Belongs to the session, at an address that does not change. */
struct tls_wire_bio {
	struct tls_wire *wire; /* lent for one call, otherwise NULL */
	bool stopped;	       /* set by the session: gives no more input */
	bool eof_seen;	       /* OpenSSL wanted more than the peer will send */
};

/* NULL without memory. The SSL object takes it over. */
BIO *tls_wire_bio_create(struct tls_wire_bio *state);

#endif
