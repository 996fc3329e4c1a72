/* SPDX-License-Identifier: Apache-2.0 */
/* The start of a dialogue with a backend, up to where the client's own commands
 * can go on:
 *
 *   greeting
 *   EHLO, STARTTLS, and TLS      where the plan wants it
 *   EHLO, XCLIENT, greeting      where the plan wants it
 *   the HELO or EHLO that the client already said to the gate
 *
 * Each is waited for; nothing is sent ahead. A PROXY header and TLS from the
 * first byte come before all this, and are the caller's. Also the whole of a
 * health check: the same, with EHLO and QUIT at its end. Backend bytes in,
 * events out. Pure. */
#ifndef POSTERN_SMTP_OPENING_H
#define POSTERN_SMTP_OPENING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/client.h"
#include "smtp/ehlo.h"
#include "smtp/identity.h"

enum smtp_opening_tls {
	SMTP_OPENING_TLS_NONE,
	SMTP_OPENING_TLS_MAY,	  /* if it is offered */
	SMTP_OPENING_TLS_ENCRYPT, /* or the session is refused */
};

/* What is to be done. Texts are copied. */
struct smtp_opening_plan {
	const char *hostname;	  /* for the EHLO that is ours */
	enum smtp_verb helo_verb; /* what the client said: EHLO, HELO, or
				   * UNKNOWN: nothing yet */
	const char *helo;
	enum smtp_opening_tls tls; /* STARTTLS */
	bool xclient;
	bool probe;
};

enum smtp_opening_state {
	SMTP_OPENING_EXPECT_GREETING,
	SMTP_OPENING_EXPECT_FIRST_REPLY, /* to our own EHLO */
	SMTP_OPENING_EXPECT_STARTTLS_REPLY,
	SMTP_OPENING_EXPECT_TLS,	/* smtp_opening_secured */
	SMTP_OPENING_EXPECT_NEXT_REPLY, /* to our own EHLO behind TLS */
	SMTP_OPENING_EXPECT_IDENTITY,	/* smtp_opening_identify */
	SMTP_OPENING_EXPECT_XCLIENT_REPLY,
	SMTP_OPENING_EXPECT_HELO_REPLY, /* to what the client said */
	SMTP_OPENING_EXPECT_QUIT_REPLY, /* of a probe */
	SMTP_OPENING_DONE,
};

struct smtp_opening {
	enum smtp_opening_state state;
	enum smtp_verb helo_verb;
	enum smtp_opening_tls tls;
	bool xclient, probe;
	bool said_helo;	      /* our own EHLO was refused, and HELO said */
	bool offers_starttls; /* in the answer to our own EHLO */
	uint32_t attributes;  /* of XCLIENT: offered and not yet said */
	bool identified;      /* XCLIENT was believed */
	char hostname[SMTP_HELO_SIZE];
	char helo[SMTP_HELO_SIZE];
};

enum smtp_opening_event {
	SMTP_OPENING_NEED_MORE,
	SMTP_OPENING_SAY,	/* send `say` to the backend, then step again */
	SMTP_OPENING_START_TLS, /* do the client's part of a handshake, then
				 * call smtp_opening_secured */
	SMTP_OPENING_NO_TLS,	/* STARTTLS is a must, and not offered
				 * (reply_code 0), or refused in `reply` */
	SMTP_OPENING_IDENTIFY,	/* call smtp_opening_identify */
	SMTP_OPENING_NO_XCLIENT, /* who the client is cannot be told: XCLIENT
				  * with ADDR is not offered (reply_code 0), or
				  * refused in `reply` */
	SMTP_OPENING_READY, /* the backend awaits the client's next command; of
			     * a probe: all is said */
	SMTP_OPENING_REFUSED,	/* a reply that is no success: `reply` has it */
	SMTP_OPENING_MALFORMED, /* no SMTP reply, too long, or bytes where the
				 * backend had to wait for us */
};

struct smtp_opening_step {
	enum smtp_opening_event event;
	size_t used;
	size_t say_len;
	char say[SMTP_IDENTITY_LINE_SIZE];
	int reply_code;
	const char *reply_text; /* its last line, borrowed */
	size_t reply_text_len;
	/* A reply to EHLO was read in this step: `ehlo` is filled in. */
	bool ehlo_read;
	bool ehlo_is_ours; /* … to an EHLO that was not the client's: more may
			    * be offered to the client, or less */
	struct smtp_ehlo ehlo;
};

void smtp_opening_init(
    struct smtp_opening *opening, const struct smtp_opening_plan *plan);

void smtp_opening_step(struct smtp_opening *opening, const uint8_t *input,
    size_t input_len, struct smtp_opening_step *step_out);

/* TLS is up: SAY. What was learnt in clear is forgotten (RFC 3207, 4.2). */
void smtp_opening_secured(
    struct smtp_opening *opening, struct smtp_opening_step *step_out);

/* Who the client is: SAY. */
void smtp_opening_identify(struct smtp_opening *opening,
    const struct smtp_identity *identity, struct smtp_opening_step *step_out);

#endif
