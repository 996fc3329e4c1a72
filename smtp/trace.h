/* SPDX-License-Identifier: Apache-2.0 */
/* What the Received: header of a message tells of its transaction, gathered
 * while commands and replies go by; and whether the message has that header
 * already. Of the relay's use, but for smtp_trace_recipient. Pure. */
#ifndef POSTERN_SMTP_TRACE_H
#define POSTERN_SMTP_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "smtp/command.h"
#include "smtp/outstanding.h"

/* RFC 5321, 4.5.3.1.3: a path has 256 octets with its brackets. */
#define SMTP_TRACE_RECIPIENT_SIZE 256

enum smtp_trace_kept {
	SMTP_TRACE_NONE,     /* no recipient is kept */
	SMTP_TRACE_DUE,	     /* its RCPT awaits the reply */
	SMTP_TRACE_ACCEPTED, /* it had its 2xx in this transaction */
};

/* Zeroed: a session begins. */
struct smtp_trace {
	bool authenticated; /* AUTH had its 235 */
	bool utf8;	    /* the transaction's MAIL asked SMTPUTF8 */
	bool inserted;	    /* the header is in the transaction's message */
	bool insert_due;    /* smtp_relay_insert has to be called now */
	/* A chunk was passed, and neither the last one nor a command that may
	 * end the transaction. */
	bool in_chunks;
	enum smtp_trace_kept kept;
	/* RCPT commands whose reply is due, and how many of them go before that
	 * of the recipient that is kept. */
	uint8_t due, due_before;
	uint32_t accepted; /* recipients with a 2xx in this transaction */
	/* Only one is kept, to keep sessions small: the first that was not yet
	 * refused when it came. NUL-terminated. */
	char recipient[SMTP_TRACE_RECIPIENT_SIZE];
};

/* The command is passed to the backend. Returns what its reply answers. */
enum smtp_due smtp_trace_command(
    struct smtp_trace *trace, const struct smtp_command *command);

/* MAIL had its 2xx. */
void smtp_trace_begin(struct smtp_trace *trace, bool utf8);

/* RCPT had its reply. */
void smtp_trace_rcpt_reply(struct smtp_trace *trace, bool accepted);

/* The header was made: what was kept for it is no longer needed. */
void smtp_trace_inserted(struct smtp_trace *trace);

/* The transaction is over. */
void smtp_trace_end(struct smtp_trace *trace);

/* The only recipient of the transaction; NULL: there is none or there are
 * several, or the address is not known, is no plain ASCII or is too long. */
const char *smtp_trace_recipient(const struct smtp_trace *trace);

#endif
