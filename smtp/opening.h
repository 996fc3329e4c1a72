/* SPDX-License-Identifier: Apache-2.0 */
/* The start of a dialogue with a backend: its greeting (of any number of
 * lines), and, where the client already said HELO or EHLO to the gate, the same
 * words again. Also the whole of a health check: greeting, EHLO, QUIT. Backend
 * bytes in, events out. Pure. */
#ifndef POSTERN_SMTP_OPENING_H
#define POSTERN_SMTP_OPENING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/client.h"
#include "smtp/ehlo.h"

enum smtp_opening_state {
	SMTP_OPENING_EXPECT_GREETING,
	SMTP_OPENING_EXPECT_HELO_REPLY,
	SMTP_OPENING_EXPECT_QUIT_REPLY, /* of a probe */
	SMTP_OPENING_DONE,
};

struct smtp_opening {
	enum smtp_opening_state state;
	enum smtp_verb helo_verb; /* EHLO, HELO, or UNKNOWN: say nothing */
	bool probe;		  /* QUIT as soon as the EHLO reply was read */
	char helo[SMTP_HELO_SIZE];
};

enum smtp_opening_event {
	SMTP_OPENING_NEED_MORE,
	SMTP_OPENING_SAY,   /* send `say` to the backend, then step again */
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
	char say[SMTP_HELO_SIZE + 16];
	int reply_code;		/* REFUSED */
	const char *reply_text; /* REFUSED: its last line, borrowed */
	size_t reply_text_len;
	/* An EHLO reply was read in this step: `ehlo` is filled in. */
	bool ehlo_read;
	struct smtp_ehlo ehlo;
};

/* For a session: what the client said (helo_verb UNKNOWN: nothing). */
void smtp_opening_init(
    struct smtp_opening *opening, enum smtp_verb helo_verb, const char *helo);

/* For a health check: EHLO with this name, then QUIT. */
void smtp_opening_init_probe(struct smtp_opening *opening, const char *helo);

void smtp_opening_step(struct smtp_opening *opening, const uint8_t *input,
    size_t input_len, struct smtp_opening_step *step_out);

#endif
