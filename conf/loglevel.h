/* SPDX-License-Identifier: Apache-2.0 */
/* smtpd_tls_loglevel, smtp_tls_loglevel: one of Postfix's levels, or a list of
 * what the levels are made of. */
#ifndef POSTERN_CONF_LOGLEVEL_H
#define POSTERN_CONF_LOGLEVEL_H

#include <stdbool.h>

/* The words of Postfix, in its order. Level 1 is the summary; 2 adds verbose,
 * cache and ssl-debug; 3 the bytes of the handshake; 4 those of the session. */
enum loglevel_topic {
	LOGLEVEL_SUMMARY = 1 << 0,	   /* summary */
	LOGLEVEL_UNTRUSTED = 1 << 1,	   /* untrusted */
	LOGLEVEL_PEERCERT = 1 << 2,	   /* peercert */
	LOGLEVEL_VERBOSE = 1 << 3,	   /* verbose */
	LOGLEVEL_CACHE = 1 << 4,	   /* cache */
	LOGLEVEL_STATES = 1 << 5,	   /* ssl-debug */
	LOGLEVEL_HANDSHAKE_BYTES = 1 << 6, /* ssl-handshake-packet-dump */
	LOGLEVEL_SESSION_BYTES = 1 << 7,   /* ssl-session-packet-dump */
	LOGLEVEL_CERTMATCH = 1 << 8,	   /* certmatch; of clients alone */
};

/* A set of enum loglevel_topic; empty text is none. False when it has a word
 * that is no level and no topic. */
bool loglevel_parse(const char *text, unsigned *topics_out);

#endif
