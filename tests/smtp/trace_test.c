/* SPDX-License-Identifier: Apache-2.0 */
/* Which recipient is named. What a relay makes of it is in relay_test.c. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "smtp/trace.h"

static enum smtp_due command(struct smtp_trace *trace, const char *line)
{
	struct smtp_command command;
	smtp_command_parse(line, strlen(line), &command);
	return smtp_trace_command(trace, &command);
}

Test(trace, names_what_a_reply_answers)
{
	static const struct {
		const char *line;
		enum smtp_due due;
	} rows[] = {
	    {"MAIL FROM:<a@b>", SMTP_DUE_MAIL},
	    {"MAIL FROM:<a@b> SMTPUTF8", SMTP_DUE_MAIL_UTF8},
	    {"MAIL SMTPUTF8", SMTP_DUE_MAIL},
	    {"RCPT TO:<a@b>", SMTP_DUE_RCPT},
	    {"BDAT 1", SMTP_DUE_BDAT},
	    {"BDAT 1 LAST", SMTP_DUE_BDAT_LAST},
	    {"NOOP", SMTP_DUE_NOOP},
	    {"FOO", SMTP_DUE_UNKNOWN},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct smtp_trace trace = {0};
		cr_expect_eq(command(&trace, rows[i].line), rows[i].due, "%s",
		    rows[i].line);
	}
}

Test(trace, knows_between_which_commands_chunks_stand)
{
	static const struct {
		const char *line;
		bool in_chunks;
	} rows[] = {
	    {"BDAT 1", true},
	    {"NOOP", true},
	    {"BDAT 0", true},
	    {"BDAT 0 LAST", false},
	    {"BDAT 1", true},
	    {"RSET", false},
	    {"BDAT 1", true},
	    {"MAIL FROM:<>", false},
	    {"BDAT 1", true},
	    {"DATA", false},
	    {"BDAT 1", true},
	    {"EHLO x", false},
	    {"BDAT 1", true},
	    {"HELO x", false},
	    {"RCPT TO:<x>", false},
	};
	struct smtp_trace trace = {0};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		command(&trace, rows[i].line);
		cr_expect_eq(trace.in_chunks, rows[i].in_chunks, "row %zu", i);
	}
}

Test(trace, keeps_a_recipient_at_the_limit)
{
	for (size_t len = SMTP_TRACE_RECIPIENT_SIZE - 2;
	     len <= SMTP_TRACE_RECIPIENT_SIZE; len++) {
		struct smtp_trace trace = {0};
		char line[SMTP_TRACE_RECIPIENT_SIZE + 32] = "RCPT TO:<";
		size_t at = strlen(line);
		memset(line + at, 'a', len);
		memcpy(line + at + len, ">", 2);
		command(&trace, line);
		smtp_trace_rcpt_reply(&trace, true);
		const char *recipient = smtp_trace_recipient(&trace);
		if (len == SMTP_TRACE_RECIPIENT_SIZE)
			cr_expect_null(recipient);
		else
			cr_expect_eq(strlen(recipient), len);
	}
}

Test(trace, names_no_recipient_that_it_could_not_write)
{
	static const char *const lines[] = {"RCPT TO:<>",
	    "RCPT TO:", "RCPT <a@b>", "RCPT TO:<\xc3\xa4@b>",
	    "RCPT TO:<@a,@b:c@d>", "RCPT TO:<\"\x1b\"@b>",
	    "RCPT TO:<a@b>; <c@d>"};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct smtp_trace trace = {0};
		command(&trace, lines[i]);
		smtp_trace_rcpt_reply(&trace, true);
		cr_expect_eq(trace.accepted, 1);
		cr_expect_null(smtp_trace_recipient(&trace), "%s", lines[i]);
	}
}

/* As many as can be outstanding, with the kept one behind others. */
Test(trace, counts_what_is_due)
{
	struct smtp_trace trace = {0};
	for (int i = 0; i < 10; i++)
		command(&trace, "RCPT nonsense");
	command(&trace, "RCPT TO:<a@b>");
	for (int i = 11; i < SMTP_OUTSTANDING_MAX; i++)
		command(&trace, "RCPT TO:<c@d>");
	for (int i = 0; i < SMTP_OUTSTANDING_MAX; i++)
		smtp_trace_rcpt_reply(&trace, i == 10);
	cr_expect_eq(trace.due, 0);
	cr_expect_str_eq(smtp_trace_recipient(&trace), "a@b");
}
