/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/trace.h"

#include <assert.h>
#include <string.h>

#include "smtp/path.h"

_Static_assert(SMTP_OUTSTANDING_MAX <= UINT8_MAX, "so many RCPT may be due");

static bool is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] < ' ' || text[i] > '~')
			return false;
	}
	return true;
}

static void keep_recipient(
    struct smtp_trace *trace, const struct smtp_command *command)
{
	struct smtp_path path;
	if (trace->kept != SMTP_TRACE_NONE ||
	    !smtp_path_parse(command->argument, command->argument_len, &path) ||
	    path.address_len == 0 ||
	    path.address_len >= sizeof(trace->recipient) ||
	    !is_ascii(path.address, path.address_len))
		return;
	memcpy(trace->recipient, path.address, path.address_len);
	trace->recipient[path.address_len] = '\0';
	trace->kept = SMTP_TRACE_DUE;
	trace->due_before = trace->due;
}

static enum smtp_due due_of_mail(const struct smtp_command *command)
{
	struct smtp_path path;
	bool utf8 =
	    smtp_path_parse(command->argument, command->argument_len, &path) &&
	    smtp_path_has(&path, "SMTPUTF8");
	return utf8 ? SMTP_DUE_MAIL_UTF8 : SMTP_DUE_MAIL;
}

static enum smtp_due note_bdat(
    struct smtp_trace *trace, const struct smtp_command *command)
{
	uint64_t size = 0;
	bool last = false;
	bool valid = smtp_bdat_parse(
	    command->argument, command->argument_len, &size, &last);
	assert(valid); /* the verdict saw to it */
	trace->in_chunks = !last;
	return last ? SMTP_DUE_BDAT_LAST : SMTP_DUE_BDAT;
}

/* One whose reply is still due may be of the next transaction: it stays. */
static void forget_recipient(struct smtp_trace *trace)
{
	if (trace->kept == SMTP_TRACE_ACCEPTED)
		trace->kept = SMTP_TRACE_NONE;
}

enum smtp_due smtp_trace_command(
    struct smtp_trace *trace, const struct smtp_command *command)
{
	switch (command->verb) {
	case SMTP_VERB_MAIL:
		trace->in_chunks = false;
		return due_of_mail(command);
	case SMTP_VERB_RCPT:
		keep_recipient(trace, command);
		trace->due++;
		break;
	case SMTP_VERB_BDAT:
		return note_bdat(trace, command);
	case SMTP_VERB_HELO:
	case SMTP_VERB_EHLO:
	case SMTP_VERB_DATA:
	case SMTP_VERB_RSET:
		trace->in_chunks = false;
		break;
	case SMTP_VERB_XCLIENT:
	case SMTP_VERB_XFORWARD:
	case SMTP_VERB_STARTTLS:
	case SMTP_VERB_AUTH:
	case SMTP_VERB_NOOP:
	case SMTP_VERB_VRFY:
	case SMTP_VERB_ETRN:
	case SMTP_VERB_QUIT:
	case SMTP_VERB_HELP:
	case SMTP_VERB_UNKNOWN:
	case SMTP_VERB_COUNT:
		break;
	}
	return (enum smtp_due)command->verb;
}

void smtp_trace_begin(struct smtp_trace *trace, bool utf8)
{
	smtp_trace_end(trace);
	trace->utf8 = utf8;
}

void smtp_trace_rcpt_reply(struct smtp_trace *trace, bool accepted)
{
	assert(trace->due > 0);
	trace->due--;
	trace->accepted += accepted;
	if (trace->kept != SMTP_TRACE_DUE)
		return;
	if (trace->due_before > 0)
		trace->due_before--;
	else
		trace->kept = accepted ? SMTP_TRACE_ACCEPTED : SMTP_TRACE_NONE;
}

/* Where commands are pipelined, the next recipient comes before this
 * transaction has ended. */
void smtp_trace_inserted(struct smtp_trace *trace)
{
	trace->insert_due = false;
	trace->inserted = true;
	forget_recipient(trace);
}

void smtp_trace_end(struct smtp_trace *trace)
{
	trace->inserted = false;
	trace->utf8 = false;
	trace->accepted = 0;
	forget_recipient(trace);
}

const char *smtp_trace_recipient(const struct smtp_trace *trace)
{
	return trace->kept == SMTP_TRACE_ACCEPTED && trace->accepted == 1
		   ? trace->recipient
		   : NULL;
}
