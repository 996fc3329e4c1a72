/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of TLS: a policy towards one server -> what its sessions
 * are made from, and what they must find (reference 2.2, 2.7). The sessions are
 * those of tls/session.h. Made as root before the workers are forked; but for
 * the session to be resumed, which each process remembers for itself, it is
 * immutable.
 *
 * The peer chooses the prime here, so that OpenSSL's own check of keys is in
 * force, and exponents are as long as it makes them: tls/quick_check.h serves
 * servers alone. */
#ifndef POSTERN_TLS_CLIENT_H
#define POSTERN_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "tls/context.h"
#include "tls/facts.h"
#include "tls/session.h"

enum tls_client_level {
	TLS_CLIENT_MAY,		/* whoever it is, or nobody known */
	TLS_CLIENT_ENCRYPT,	/* likewise, but never in clear */
	TLS_CLIENT_FINGERPRINT, /* the certificate or its key is known */
	TLS_CLIENT_DANE,	/* a record in DNS knows it: tls/dane.h */
	TLS_CLIENT_VERIFY,	/* it is trusted, and has one of the names */
	TLS_CLIENT_SECURE,	/* likewise; names that no DNS was asked for */
};

/* Whether a session is worth nothing unless the certificate matches. */
static inline bool tls_client_level_must_match(enum tls_client_level level)
{
	return level >= TLS_CLIENT_FINGERPRINT;
}

/* Borrowed for the call. */
struct tls_client_options {
	/* What servers have too: a field that is called smtpd_tls_… has the
	 * value of its twin, smtp_tls_…, and so do messages name it. Those that
	 * only servers have are not looked at. */
	struct tls_context_options shared;
	enum tls_client_level level;
	/* Names or fingerprints, by the level, and where they come from. A name
	 * with a dot in front stands for all below it. */
	const char *const *matches;
	size_t match_count;
	const char *match_parameter;
	bool tls_wildcard_matches_multiple_labels;
	/* PEM files with certificates or public keys that replace
	 * smtp_tls_CAfile and CApath; "": none. */
	const char *smtp_tls_trust_anchor_file;
	const char *trust_anchor_parameter;
	/* For SNI; "": none is sent. DANE has its own. */
	const char *servername;
	const char *tls_dane_digests; /* for DANE alone */
};

struct tls_client; /* opaque */

/* Tells every finding through report; NULL when one of them was an error. */
struct tls_client *tls_client_create(
    const struct tls_client_options *options, const struct tls_report *report);

/* Accepts NULL inside; sets it to NULL. Sessions keep what they need. */
void tls_client_destroy(struct tls_client **client);

/* A session that offers to resume the last one with this server. NULL without
 * memory. */
struct tls_session *tls_client_session_create(const struct tls_client *client);

/* The next session is not to resume: a handshake failed, perhaps for that. */
void tls_client_forget_session(const struct tls_client *client);

/* Sessions offer these signature algorithms alone, in OpenSSL's words, by ":".
 * Thus a server shows which kinds of keys it has. False: OpenSSL knows none of
 * them. */
bool tls_client_limit_signatures(
    const struct tls_client *client, const char *algorithms);

/* With what the last session could be resumed. */
struct tls_client_memory {
	bool is_there;
	bool is_ticket; /* or else its id, which the server remembers */
	unsigned long lifetime_s; /* of the ticket, as the server says; or 0 */
};
struct tls_client_memory tls_client_memory(const struct tls_client *client);

/* The rest is about an established session of a client. */

/* Whether the server is who the level asks for; below fingerprint it always is.
 */
bool tls_client_is_satisfied(const struct tls_session *session);

/* Anonymous servers have none: see tls_facts_read(). */
enum tls_trust tls_client_trust(const struct tls_session *session);

/* Why it is not satisfied, or at a level that does not ask for it, what the
 * certificate lacks, as Postfix logs it: "server certificate verification
 * failed for PEER: num=62:hostname mismatch"; "" when there is nothing to say.
 * NUL-terminated, cut off at out_size; returns the length. */
size_t tls_client_verdict_line(const struct tls_session *session,
    const char *peer, char *out, size_t out_size);

/* "PEER: matched peername: NAME", where a record of DANE names the issuer and
 * the name has to match, too; "" anywhere else. As above. */
size_t tls_client_name_line(const struct tls_session *session, const char *peer,
    char *out, size_t out_size);

/* "PEER: matched peername: NAME", "PEER: Matched fingerprint: HEX", "PEER:
 * Matched DANE EE certificate at depth 0: 3 1 1 HEX"; "" below fingerprint or
 * without a match. As above. */
size_t tls_client_match_line(const struct tls_session *session,
    const char *peer, char *out, size_t out_size);

#endif
