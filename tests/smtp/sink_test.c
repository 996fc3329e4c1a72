/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/sink.h"

/* A client that speaks to the sink; what it is told is noted. */
struct talk {
	struct smtp_sink sink;
	size_t out_size; /* room for replies in each step */
	char heard[65536];
	size_t heard_len;
	char unread[65536];
	size_t unread_len;
};

static void begin(struct talk *talk, size_t out_size)
{
	char out[SMTP_SINK_REPLY_SIZE_MAX];
	memset(talk, 0, sizeof(*talk));
	talk->out_size = out_size;
	size_t len =
	    smtp_sink_init(&talk->sink, "sink.example", out, sizeof(out));
	cr_assert_eq(len, 29);
	cr_assert_eq(memcmp(out, "220 sink.example ESMTP sink\r\n", len), 0);
}

static void say_bytes(struct talk *talk, const char *bytes, size_t len)
{
	cr_assert_leq(talk->unread_len + len, sizeof(talk->unread));
	memcpy(talk->unread + talk->unread_len, bytes, len);
	talk->unread_len += len;
	size_t used = 0;
	do {
		/* Copies without a byte to spare: ASan sees a step too far. */
		size_t input_len = talk->unread_len;
		uint8_t *input = malloc(input_len > 0 ? input_len : 1);
		char *out = malloc(talk->out_size);
		cr_assert_not_null(input);
		cr_assert_not_null(out);
		memcpy(input, talk->unread, input_len);
		size_t out_len;
		used = smtp_sink_step(&talk->sink, "sink.example", input,
		    input_len, out, talk->out_size, &out_len);
		cr_assert_leq(used, input_len);
		cr_assert_leq(out_len, talk->out_size);
		cr_assert_lt(talk->heard_len + out_len, sizeof(talk->heard));
		memcpy(talk->heard + talk->heard_len, out, out_len);
		talk->heard_len += out_len;
		talk->heard[talk->heard_len] = '\0';
		talk->unread_len -= used;
		memmove(talk->unread, talk->unread + used, talk->unread_len);
		free(input);
		free(out);
	} while (used > 0);
}

static void say(struct talk *talk, const char *text)
{
	say_bytes(talk, text, strlen(text));
}

#define HELLO	    "HELO a\r\n"
#define HI	    "250 sink.example\r\n"
#define OPEN	    "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"
#define OPENED	    "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n"
#define GO	    "354 End data with <CR><LF>.<CR><LF>\r\n"
#define OK	    "250 2.0.0 Ok\r\n"
#define DISCARDED   "250 2.0.0 Ok: discarded\r\n"
#define NEED_RCPT   "503 5.5.1 Error: need RCPT command\r\n"
#define NO_RCPT	    "554 5.5.1 Error: no valid recipients\r\n"
#define MAIL_SYNTAX "501 5.5.4 Syntax: MAIL FROM:<address>\r\n"
#define RCPT_SYNTAX "501 5.5.4 Syntax: RCPT TO:<address>\r\n"
#define TOO_BIG	    "552 5.3.4 Message size exceeds fixed limit\r\n"
#define NOT_THERE   "502 5.5.1 Error: command not implemented\r\n"
#define WHAT	    "500 5.5.2 Error: command not recognized\r\n"
#define BAD	    "500 5.5.2 Error: bad syntax\r\n"

static const struct row {
	const char *name, *input, *heard;
	uint64_t messages, octets;
	bool over;
} rows[] = {
    {"EHLO", "EHLO a\r\n",
	"250-sink.example\r\n250-PIPELINING\r\n250-SIZE 1073741824\r\n"
	"250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n"
	"250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
	"250 CHUNKING\r\n",
	0, 0, false},
    {"HELO and nothing", "HELO\r\nEHLO \r\nHELO a\r\n",
	"501 Syntax: HELO hostname\r\n501 Syntax: EHLO hostname\r\n" HI, 0, 0,
	false},
    {"a message", HELLO OPEN "DATA\r\nSubject: x\r\n\r\n.x\r\n.\r\nQUIT\r\n",
	HI OPENED GO DISCARDED "221 2.0.0 Bye\r\n", 1, 18, true},
    {"an empty message", HELLO OPEN "DATA\r\n.\r\n", HI OPENED GO DISCARDED, 1,
	0, false},
    {"commands in a body are none",
	HELLO OPEN "DATA\r\nQUIT\r\n\n.\nRSET\r\n.\r\nNOOP\r\n",
	HI OPENED GO DISCARDED OK, 1, 15, false},
    {"two messages, pipelined",
	HELLO OPEN "DATA\r\na\r\n.\r\n" OPEN "BDAT 3 LAST\r\na\r\nNOOP\r\n",
	HI OPENED GO DISCARDED OPENED DISCARDED OK, 2, 6, false},
    {"too early", "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
	"503 5.5.1 Error: send HELO/EHLO first\r\n"
	"503 5.5.1 Error: need MAIL command\r\n" NEED_RCPT,
	0, 0, false},
    {"nested", HELLO OPEN "MAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\n",
	HI OPENED "503 5.5.1 Error: nested MAIL command\r\n" OK
		  "250 2.1.0 Ok\r\n",
	0, 0, false},
    {"no recipient", HELLO "MAIL FROM:<>\r\nDATA\r\n",
	HI "250 2.1.0 Ok\r\n" NO_RCPT, 0, 0, false},
    {"EHLO ends a transaction", HELLO OPEN HELLO "DATA\r\n",
	HI OPENED HI NEED_RCPT, 0, 0, false},
    {"DATA with an argument", HELLO OPEN "DATA x\r\n",
	HI OPENED "501 5.5.4 Syntax: DATA\r\n", 0, 0, false},
    {"paths",
	HELLO "MAIL FROM: <a@b> SIZE=5\r\nRCPT to:c@d NOTIFY=NEVER\r\n"
	      "RCPT TO:<\"a > \\\" b\"@c>\r\n",
	HI OPENED "250 2.1.5 Ok\r\n", 0, 0, false},
    {"paths that are none",
	HELLO "MAIL\r\nMAIL a@b\r\nMAIL FROM:\r\nMAIL FROM: \r\n"
	      "MAIL FROM:<a@b\r\nMAIL FROM:<\"a>\r\n",
	HI MAIL_SYNTAX MAIL_SYNTAX MAIL_SYNTAX MAIL_SYNTAX MAIL_SYNTAX
	    MAIL_SYNTAX,
	0, 0, false},
    {"recipients that are none",
	HELLO "MAIL FROM:<>\r\nRCPT\r\nRCPT FROM:<a>\r\nRCPT TO:<\r\n",
	HI "250 2.1.0 Ok\r\n" RCPT_SYNTAX RCPT_SYNTAX RCPT_SYNTAX, 0, 0, false},
    {"SIZE",
	HELLO "MAIL FROM:<> SIZE=1073741825\r\n"
	      "MAIL FROM:<> BODY=8BITMIME size=99999999999999999999999999\r\n"
	      "MAIL FROM:<SIZE=9999999999> SIZE=1073741824\r\n",
	HI TOO_BIG TOO_BIG "250 2.1.0 Ok\r\n", 0, 0, false},
    {"chunks", HELLO OPEN "BDAT 6\r\nQUIT\r\nBDAT 0\r\nBDAT 2 LAST\r\n\r\n",
	HI OPENED
	"250 2.0.0 Ok: 6 bytes\r\n250 2.0.0 Ok: 0 bytes\r\n" DISCARDED,
	1, 8, false},
    {"an empty last chunk", HELLO OPEN "BDAT 1\r\nxBDAT 0 LAST\r\nNOOP\r\n",
	HI OPENED "250 2.0.0 Ok: 1 bytes\r\n" DISCARDED OK, 1, 1, false},
    {"an empty message of one chunk", HELLO OPEN "BDAT 0 LAST\r\n",
	HI OPENED DISCARDED, 1, 0, false},
    {"the octets of a chunk that is refused",
	HELLO "BDAT 6\r\nQUIT\r\nMAIL FROM:<>\r\nBDAT 6 LAST\r\nQUIT\r\n"
	      "BDAT 0 LAST\r\nNOOP\r\n",
	HI NEED_RCPT "250 2.1.0 Ok\r\n" NO_RCPT NO_RCPT OK, 0, 0, false},
    {"between chunks",
	HELLO OPEN "BDAT 1\r\nxMAIL FROM:<>\r\nRCPT TO:<e@f>\r\nDATA\r\n"
		   "XCLIENT NAME=a\r\nRSET\r\nBDAT 1 LAST\r\nx" OPEN
		   "DATA\r\n.\r\n",
	HI OPENED
	"250 2.0.0 Ok: 1 bytes\r\n"
	"503 5.5.1 Error: nested MAIL command\r\n"
	"503 5.5.1 Error: RCPT after BDAT\r\n"
	"503 5.5.1 Error: DATA after BDAT\r\n"
	"503 5.5.1 Error: MAIL transaction in progress\r\n" OK NEED_RCPT OPENED
	    GO DISCARDED,
	1, 0, false},
    {"a chunk whose end nobody knows", HELLO OPEN "BDAT x\r\nQUIT\r\n",
	HI OPENED "521 5.5.4 Syntax: BDAT count [LAST]\r\n", 0, 0, true},
    {"XCLIENT begins anew",
	HELLO "XCLIENT ADDR=1.2.3.4\r\nMAIL FROM:<>\r\nXCLIENT\r\n",
	HI "220 sink.example ESMTP sink\r\n"
	   "503 5.5.1 Error: send HELO/EHLO first\r\n"
	   "501 5.5.4 Syntax: XCLIENT attribute=value...\r\n",
	0, 0, false},
    {"the rest",
	"noop x\r\nRSET\r\nRSET x\r\nVRFY a\r\nVRFY\r\nHELP\r\nSTARTTLS\r\n"
	"AUTH PLAIN\r\nETRN a\r\nXFORWARD A=b\r\nEXPN a\r\n\r\na\rb\r\n",
	OK OK "501 5.5.4 Syntax: RSET\r\n"
	      "252 2.0.0 Cannot verify, will accept anything\r\n"
	      "501 5.5.4 Syntax: VRFY address\r\n"
	      "214 2.0.0 Commands: BDAT DATA EHLO HELO HELP MAIL NOOP QUIT "
	      "RCPT RSET VRFY XCLIENT\r\n" NOT_THERE NOT_THERE NOT_THERE
		  NOT_THERE WHAT BAD BAD,
	0, 0, false},
    {"a bare LF", "NOOP\nNOOP\r\n", "521 5.5.2 Error: bare <LF> received\r\n",
	0, 0, true},
    {"after the end", "QUIT\r\nNOOP\r\nQUIT\r\n", "221 2.0.0 Bye\r\n", 0, 0,
	true},
};

static void check(const struct row *row, size_t cut, size_t out_size)
{
	static struct talk talk;
	begin(&talk, out_size);
	say_bytes(&talk, row->input, cut);
	say(&talk, row->input + cut);
	cr_assert_str_eq(talk.heard, row->heard, "%s, cut at %zu: %s",
	    row->name, cut, talk.heard);
	cr_assert_eq(talk.sink.messages, row->messages, "%s", row->name);
	cr_assert_eq(talk.sink.octets, row->octets, "%s: %zu", row->name,
	    (size_t)talk.sink.octets);
	cr_assert_eq(talk.sink.state == SMTP_SINK_EXPECT_END, row->over);
	cr_assert_eq(talk.unread_len, 0, "%s", row->name);
}

Test(sink, answers_the_same_at_every_cut)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].input);
		for (size_t cut = 0; cut <= len; cut++)
			check(&rows[i], cut, 16384);
	}
}

Test(sink, waits_for_room_to_answer)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check(&rows[i], 0, SMTP_SINK_REPLY_SIZE_MAX);
		check(&rows[i], 0, SMTP_SINK_REPLY_SIZE_MAX + 20);
	}
}

Test(sink, does_nothing_without_room)
{
	struct smtp_sink sink;
	char out[SMTP_SINK_REPLY_SIZE_MAX];
	smtp_sink_init(&sink, "sink.example", out, sizeof(out));
	size_t out_len = 1;
	cr_assert_eq(
	    smtp_sink_step(&sink, "sink.example", (const uint8_t *)"NOOP\r\n",
		6, out, sizeof(out) - 1, &out_len),
	    0);
	cr_assert_eq(out_len, 0);
}

Test(sink, bounds_a_line)
{
	static struct talk talk;
	static char flood[2049];
	memset(flood, 'x', sizeof(flood));
	begin(&talk, 16384);
	say_bytes(&talk, flood, sizeof(flood));
	cr_assert_str_eq(talk.heard, "521 5.5.2 Error: command too long\r\n");
	cr_assert_eq(talk.sink.state, SMTP_SINK_EXPECT_END);
}

/* The counting alone, without a gigabyte. */
Test(sink, refuses_what_is_bigger_than_it_says)
{
	static struct talk talk;
	begin(&talk, 16384);
	say(&talk, HELLO OPEN "DATA\r\n");
	talk.sink.size = SMTP_SINK_MESSAGE_SIZE_MAX;
	say(&talk, ".\r\n" OPEN "DATA\r\n");
	talk.sink.size = SMTP_SINK_MESSAGE_SIZE_MAX;
	say(&talk, "x\r\n.\r\n" OPEN "BDAT 2\r\nxx");
	talk.sink.size = SMTP_SINK_MESSAGE_SIZE_MAX;
	say(&talk, "BDAT 1\r\nxBDAT 1 LAST\r\nx");
	cr_assert_str_eq(talk.heard, HI OPENED GO DISCARDED OPENED GO
	    "552 5.3.4 Error: message file too big\r\n" OPENED
	    "250 2.0.0 Ok: 2 bytes\r\n"
	    "552 5.3.4 Error: message file too big\r\n" NEED_RCPT);
	cr_assert_eq(talk.sink.messages, 1);
	cr_assert_eq(talk.sink.octets, SMTP_SINK_MESSAGE_SIZE_MAX);
}

Test(sink, bounds_its_hostname)
{
	struct smtp_sink sink;
	char hostname[1001], out[SMTP_SINK_REPLY_SIZE_MAX];
	memset(hostname, 'h', 1000);
	hostname[1000] = '\0';
	size_t len = smtp_sink_init(&sink, hostname, out, sizeof(out));
	cr_assert_eq(len, 4 + 255 + 13);
	cr_assert_eq(
	    smtp_sink_step(&sink, hostname, (const uint8_t *)"EHLO a\r\n", 8,
		out, sizeof(out), &len),
	    8);
	cr_assert_leq(len, sizeof(out));
	cr_assert_eq(memcmp(out + len - 14, "250 CHUNKING\r\n", 14), 0);
}
