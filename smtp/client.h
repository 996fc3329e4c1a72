/* SPDX-License-Identifier: Apache-2.0 */
/* What a client's own words told of it; shared by the machines that serve one
 * session after another: gate, then relay. No pointers, no clock. */
#ifndef POSTERN_SMTP_CLIENT_H
#define POSTERN_SMTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/command.h"
#include "smtp/counts.h"
#include "smtp/policy.h"

#define SMTP_HELO_SIZE 256 /* RFC 5321, 4.5.3.1.2: a domain has 255 octets */

/* How much of one line may be dropped before it is no longer a mistake. */
#define SMTP_SKIPPED_MAX 65536

/* What happened around STARTTLS and is to be counted; whoever counts it sets it
 * back to zeros. */
struct smtp_tls_events {
	uint16_t offered;      /* answers to EHLO */
	uint16_t repeated;     /* STARTTLS in TLS */
	uint16_t refused;      /* commands in clear where TLS is a must */
	uint16_t ehlo_missing; /* behind STARTTLS, before another command */
};

struct smtp_client {
	struct smtp_tls_events tls_events;
	struct smtp_counts counts;
	/* The last command, for "lost connection after …"; valid if `spoke`. */
	enum smtp_verb last;
	bool spoke;
	bool after_message; /* the last thing was the end of a message */
	bool tls;	    /* TLS is up */
	/* TLS was refused to it lately for reasons of ours: what it sends in
	 * clear for that is put off. */
	bool tls_refused;
	/* The greeting in force: EHLO, HELO, or UNKNOWN when there was none
	 * since the start or since STARTTLS (RFC 3207, 4.2: it is then
	 * forgotten). */
	enum smtp_verb helo_verb;
	/* As helo_verb: the greeting that is for the backend to answer, and
	 * not yet in force. */
	enum smtp_verb helo_to_come;
	char helo[SMTP_HELO_SIZE]; /* of either, NUL-terminated */
	uint32_t offered;      /* EHLO keywords that we offered, as a bit set,
				* but for STARTTLS */
	uint64_t offered_size; /* with SIZE; 0: no limit was named */
	uint16_t errors;       /* replies of ours that were errors */
	uint16_t junk;	    /* commands that get nowhere, since the last MAIL */
	uint32_t discarded; /* as in the policy, for this client besides */
	bool may_xclient;   /* a trusted proxy: it may say whom it serves */
	bool is_local;	    /* … and says that it serves nobody */
	bool skipping_line; /* the rest of a line beyond the limit is dropped */
	uint32_t skipped;   /* how much of it was: it must end some day */
	uint32_t transactions; /* MAIL commands that the backend accepted */
	bool improper;	       /* improper pipelining was seen and told */
};

void smtp_client_init(struct smtp_client *client);

/* Forgets what RFC 3207, 4.2 says must be forgotten when TLS comes up. Counts
 * and errors stay: Postfix's disconnect line spans both halves. */
void smtp_client_tls_up(struct smtp_client *client);

/* Keeps the argument of HELO or EHLO, of less than SMTP_HELO_SIZE bytes. The
 * name goes to the backend and into logs: what is no character becomes `?`, as
 * in Postfix. */
void smtp_client_keep_helo(
    struct smtp_client *client, const char *name, size_t len);

/* XCLIENT was believed: forgets what was said before it, and takes what it says
 * of HELO ("": nothing). It may not be said again, unless the caller sees that
 * the new client may. */
void smtp_client_xclient(
    struct smtp_client *client, enum smtp_verb helo_verb, const char *helo);

/* What stands behind "lost connection after": "CONNECT", "MAIL",
 * "END-OF-MESSAGE", "UNKNOWN". */
const char *smtp_client_last(const struct smtp_client *client);

/* AUTH is neither offered nor obeyed as things are: TLS must come first. */
bool smtp_client_hides_auth(
    const struct smtp_client *client, const struct smtp_policy *policy);

#endif
