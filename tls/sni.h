/* SPDX-License-Identifier: Apache-2.0 */
/* tls_server_sni_maps: the chain for the name that the client asks for. Names
 * are looked up in lower case, as they are, then by their parent domains with
 * the dot in front ("a.sub.example" -> ".sub.example" -> ".example"); the first
 * hit counts. Without one, the listener's own chains serve. */
#ifndef POSTERN_TLS_SNI_H
#define POSTERN_TLS_SNI_H

#include <stdbool.h>
#include <stddef.h>

#include "tls/session.h"

enum tls_sni_outcome {
	TLS_SNI_NONE,	     /* no name came, or it was of no interest */
	TLS_SNI_MATCHED,     /* the name's chain serves */
	TLS_SNI_NOT_MATCHED, /* the listener's chain serves */
	TLS_SNI_INVALID,     /* it is no host name: as if none had come */
	TLS_SNI_FAILED,	     /* the lookup; the handshake ends */
};

/* Of an established session. */
enum tls_sni_outcome tls_sni_outcome(const struct tls_session *session);

enum tls_sni_note {
	TLS_SNI_NOTE_NONE,
	TLS_SNI_NOTE_INFO,
	TLS_SNI_NOTE_WARNING,
};

/* What is worth a line in the log once the handshake is over (reference 1.9):
 * "TLS SNI NAME from PEER not matched, using default chain". The text is
 * NUL-terminated, cut off at out_size, and "" with NOTE_NONE. */
enum tls_sni_note tls_sni_note(const struct tls_session *session,
    const char *peer, char *out, size_t out_size);

/* The rest is for the files of tls/ and their tests alone. */

/* Kept in a session. */
struct tls_sni_choice {
	bool is_made;
	enum tls_sni_outcome outcome;
	char *name;	    /* as the client sent it, printable; NULL: none */
	bool is_changed;    /* by the ClientHello after a HelloRetryRequest */
	char *changed_name; /* what it then was; NULL: none */
	bool is_told;	    /* the note was (tls/debug.h) */
};

void tls_sni_choice_finish(struct tls_sni_choice *choice);

/* When a ClientHello has come; false: the handshake must end. */
bool tls_sni_choose(struct tls_session *session);

/* When OpenSSL has looked at the ticket. */
void tls_sni_tell(struct tls_session *session);

/* The name that was matched, as the client sent it, or "". */
const char *tls_sni_matched_name(const struct tls_session *session);

/* A host name as the DNS has them: letters, digits, hyphens, dots, and the
 * underscores that Postfix takes, too; at most 255 of them; no address. Names
 * go into tables, and some tables into paths. */
bool tls_sni_is_host_name(const char *name, size_t name_len);

#endif
