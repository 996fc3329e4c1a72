/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a session while it goes on, in Postfix's lines:
 * smtpd_tls_loglevel above 1 (reference 1.10). Nothing that is told opens what
 * was said: no plaintext, no keys. */
#ifndef POSTERN_TLS_DEBUG_H
#define POSTERN_TLS_DEBUG_H

#include <stdint.h>

#include "tls/session.h"

enum tls_debug_topic {
	/* the cipher list, and each certificate as it is checked */
	TLS_DEBUG_VERBOSE = 1 << 0,
	TLS_DEBUG_CACHE = 1 << 1,  /* tickets */
	TLS_DEBUG_STATES = 1 << 2, /* "SSL_accept:…", and alerts */
	/* What goes over the wire, in hexadecimal and ASCII: until the
	 * handshake is done, or to the end. */
	TLS_DEBUG_HANDSHAKE_BYTES = 1 << 3,
	TLS_DEBUG_SESSION_BYTES = 1 << 4,
};

struct tls_debug_options {
	unsigned topics;  /* a set of enum tls_debug_topic */
	const char *peer; /* "unknown[192.0.2.1]"; borrowed for the call */
	/* Stands in the dumps for the address that Postfix prints, and tells
	 * the sessions of a worker apart. */
	uint64_t number;
	/* Gets lines without their end, in calls of this session; borrowed for
	 * the call. */
	void (*tell)(void *argument, const char *line);
	void *argument; /* good as long as the session */
};

/* Before the handshake; without memory nothing is told. */
void tls_debug_begin(
    struct tls_session *session, const struct tls_debug_options *options);

#endif
