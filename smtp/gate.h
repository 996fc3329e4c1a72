/* SPDX-License-Identifier: Apache-2.0 */
/* The dialogue that Postern answers alone, before a backend is involved: in
 * clear (greeting, HELO, EHLO, NOOP, RSET, QUIT, HELP, STARTTLS) and, once TLS
 * is up, until the first command that is neither NOOP nor QUIT. One line in,
 * one event out. Codes and texts are Postfix's. Pure: no I/O, no clock, no
 * allocation. */
#ifndef POSTERN_SMTP_GATE_H
#define POSTERN_SMTP_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/client.h"
#include "smtp/ehlo.h"
#include "smtp/end.h"
#include "smtp/policy.h"
#include "smtp/xclient.h"

enum smtp_gate_event {
	SMTP_GATE_NEED_MORE, /* no whole command is there; `used` bytes are of
			      * no use (of a line that is too long: it is
			      * dropped as it comes and answered at its end) */
	SMTP_GATE_REPLY,     /* send `reply`, then go on with what follows */
	SMTP_GATE_START_TLS, /* send `reply`; every other byte that came in
			      * clear, and all that was learnt, is void (RFC
			      * 3207, 4.2; CVE-2011-0411) */
	SMTP_GATE_BACKEND, /* the first command of `input` needs the backend; it
			    * is not used up: `used` is 0 */
	SMTP_GATE_XCLIENT, /* send `reply`; the client is who `xclient` says */
	SMTP_GATE_CLOSE,   /* send `reply` if it is not empty, then end */
};

struct smtp_gate_step {
	enum smtp_gate_event event;
	enum smtp_end end; /* with CLOSE */
	size_t used;	   /* bytes of input that are done with */
	size_t reply_len;
	/* The command broke RFC 2920's rule on what may follow it, for the
	 * first time in the session: the log line wants verb and tail. */
	bool improper_pipelining;
	/* With CLIENT_NOT_SMTP: the offending line, borrowed, for the log. */
	const char *offence;
	size_t offence_len;
	struct smtp_xclient xclient; /* XCLIENT */
	char reply[SMTP_EHLO_REPLY_SIZE_MAX];
};

/* Writes the greeting, "220 banner CRLF", into out (at least 512 bytes).
 * Returns its length. */
size_t smtp_gate_greeting(
    const struct smtp_policy *policy, char *out, size_t out_size);

/* Obeys the first command of `input`. After too many errors it is CLOSE without
 * looking at any. `offer` is what the backends can do now. Whether TLS is up
 * stands in client->tls. */
void smtp_gate_step(struct smtp_client *client,
    const struct smtp_policy *policy, const struct smtp_ehlo *offer,
    const uint8_t *input, size_t input_len, struct smtp_gate_step *step_out);

#endif
