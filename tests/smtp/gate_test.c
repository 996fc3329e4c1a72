/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/gate.h"

static const char *const end_names[SMTP_END_COUNT] = {
#define END(symbol, text) #symbol,
#include "smtp/end.def"
#undef END
};

static const char offer_reply[] =
    "250-mx\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-AUTH PLAIN\r\n"
    "250 DSN\r\n";

static struct smtp_policy policy_of(enum smtp_tls_level level)
{
	return (struct smtp_policy){
	    .hostname = "gate.example",
	    .banner = "gate.example ESMTP",
	    .tls_level = level,
	    .forbidden_commands = "CONNECT GET POST",
	    .line_size_max = 100,
	    .auth_line_size_max = 200,
	    .hard_error_limit = 20,
	    .junk_command_limit = 100,
	};
}

static struct smtp_ehlo offer_of_backends(void)
{
	struct smtp_ehlo offer;
	smtp_ehlo_parse(
	    (const uint8_t *)offer_reply, sizeof(offer_reply) - 1, &offer);
	return offer;
}

/* A client that speaks to the gate; what it is told is noted. */
struct talk {
	struct smtp_client client;
	struct smtp_policy policy;
	struct smtp_ehlo offer;
	char heard[65536];
	size_t heard_len;
	char unread[70000];
	size_t unread_len;
	bool over;
	bool improper;		    /* in any step */
	enum smtp_gate_event event; /* of the last step */
	char offence[128];
	struct smtp_xclient told;
};

static void note(struct talk *talk, const char *text, size_t len)
{
	cr_assert_lt(talk->heard_len + len, sizeof(talk->heard));
	memcpy(talk->heard + talk->heard_len, text, len);
	talk->heard_len += len;
	talk->heard[talk->heard_len] = '\0';
}

static void begin(struct talk *talk, const struct smtp_policy *policy)
{
	memset(talk, 0, sizeof(*talk));
	smtp_client_init(&talk->client);
	talk->policy = *policy;
	talk->offer = offer_of_backends();
}

static void finish(struct talk *talk, const struct smtp_gate_step *step)
{
	talk->over = true;
	switch (step->event) {
	case SMTP_GATE_START_TLS:
		note(talk, "[tls]", 5);
		return;
	case SMTP_GATE_BACKEND:
		cr_assert_eq(step->used, 0);
		cr_assert_eq(step->reply_len, 0);
		note(talk, "[backend]", 9);
		return;
	case SMTP_GATE_CLOSE:
		note(talk, "[", 1);
		note(talk, end_names[step->end], strlen(end_names[step->end]));
		note(talk, "]", 1);
		return;
	case SMTP_GATE_NEED_MORE:
	case SMTP_GATE_REPLY:
	case SMTP_GATE_XCLIENT:
		break;
	}
	cr_assert_fail("not an end");
}

static void take_steps(struct talk *talk)
{
	static struct smtp_gate_step step;
	while (!talk->over) {
		/* A copy without a byte to spare: ASan sees a read too far. */
		uint8_t *input = malloc(talk->unread_len + 1);
		cr_assert_not_null(input);
		memcpy(input, talk->unread, talk->unread_len);
		input = realloc(input, talk->unread_len ? talk->unread_len : 1);
		smtp_gate_step(&talk->client, &talk->policy, &talk->offer,
		    input, talk->unread_len, &step);
		if (step.offence_len > 0)
			memcpy(talk->offence, step.offence, step.offence_len);
		free(input);
		cr_assert_leq(step.used, talk->unread_len);
		cr_assert_leq(step.reply_len, sizeof(step.reply));
		talk->unread_len -= step.used;
		memmove(
		    talk->unread, talk->unread + step.used, talk->unread_len);
		note(talk, step.reply, step.reply_len);
		talk->improper |= step.improper_pipelining;
		talk->event = step.event;
		if (step.event == SMTP_GATE_NEED_MORE)
			return;
		if (step.event == SMTP_GATE_XCLIENT)
			talk->told = step.xclient;
		else if (step.event != SMTP_GATE_REPLY)
			finish(talk, &step);
	}
}

static void say_bytes(struct talk *talk, const char *bytes, size_t len)
{
	cr_assert_leq(talk->unread_len + len, sizeof(talk->unread));
	memcpy(talk->unread + talk->unread_len, bytes, len);
	talk->unread_len += len;
	take_steps(talk);
}

static void say(struct talk *talk, const char *text)
{
	say_bytes(talk, text, strlen(text));
}

/* Says it and expects exactly this answer to it. */
static void ask(struct talk *talk, const char *text, const char *answer)
{
	talk->heard_len = 0;
	talk->heard[0] = '\0';
	say(talk, text);
	cr_assert_str_eq(
	    talk->heard, answer, "after \"%s\": %s", text, talk->heard);
}

#define NONE	 SMTP_TLS_NONE
#define MAY	 SMTP_TLS_MAY
#define ENCRYPT	 SMTP_TLS_ENCRYPT
#define MUST_TLS "530 5.7.0 Must issue a STARTTLS command first\r\n"
#define NO_AUTH	 "503 5.5.1 Error: authentication not enabled\r\n"
#define NO_RIGHT "550 5.7.0 Error: insufficient authorization\r\n"
#define OK	 "250 2.0.0 Ok\r\n"
#define WHAT	 "500 5.5.2 Error: command not recognized\r\n"
#define BAD	 "500 5.5.2 Error: bad syntax\r\n"
#define TOO_LONG "500 5.5.2 gate.example Error: command too long\r\n"
#define BARE_LF	 "550 5.5.2 gate.example Error: bare <LF> received\r\n"
#define READY	 "220 2.0.0 Ready to start TLS\r\n"
#define GOODBYE	 "221 2.7.0 Error: I can break rules, too. Goodbye.\r\n"
#define FIFTY	 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define EHLO_TLS                                                  \
	"250-gate.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n" \
	"250-STARTTLS\r\n250-AUTH PLAIN\r\n250 DSN\r\n"
#define COMMANDS                                                           \
	"BDAT DATA EHLO ETRN HELO HELP MAIL NOOP QUIT RCPT RSET STARTTLS " \
	"VRFY XCLIENT XFORWARD\r\n"

static const struct row {
	enum smtp_tls_level level;
	bool auth_only, tls;
	const char *input, *heard, *counts;
} rows[] = {
    {MAY, false, false, "HELO a\r\n", "250 gate.example\r\n",
	"helo=1 commands=1"},
    {MAY, false, false, "HELO\r\n", "501 Syntax: HELO hostname\r\n",
	"helo=0/1 commands=0/1"},
    {MAY, false, false, "EHLO  \r\n", "501 Syntax: EHLO hostname\r\n",
	"ehlo=0/1 commands=0/1"},
    {MAY, false, false, "EHLO a\r\n", EHLO_TLS, "ehlo=1 commands=1"},
    {MAY, true, false, "EHLO a\r\n",
	"250-gate.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n"
	"250-STARTTLS\r\n250 DSN\r\n",
	"ehlo=1 commands=1"},
    {ENCRYPT, false, false, "EHLO a\r\n",
	"250-gate.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n"
	"250-STARTTLS\r\n250 DSN\r\n",
	"ehlo=1 commands=1"},
    {NONE, false, false, "EHLO a\r\n",
	"250-gate.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n"
	"250-AUTH PLAIN\r\n250 DSN\r\n",
	"ehlo=1 commands=1"},
    {MAY, false, false, "NOOP\r\nnoop x y\r\nRSET\r\nRSET x\r\n",
	OK OK OK "501 5.5.4 Syntax: RSET\r\n", "rset=1/2 noop=2 commands=3/4"},
    {MAY, false, false, "EHLO a\r\nQUIT\r\nNOOP\r\n",
	EHLO_TLS "221 2.0.0 Bye\r\n[CLIENT_QUIT]", "ehlo=1 quit=1 commands=2"},
    {ENCRYPT, false, false, "BDAT 6\r\nNOOP\r\nNOOP\r\n",
	MUST_TLS "[CLIENT_BAD_BDAT]", "bdat=0/1 commands=0/1"},
    {ENCRYPT, false, false, "BDAT 0\r\nNOOP\r\n", MUST_TLS OK,
	"bdat=0/1 noop=1 commands=1/2"},
    {MAY, false, false, "HELP\r\n", "214 2.0.0 Commands: AUTH " COMMANDS,
	"help=1 commands=1"},
    {MAY, true, false, "HELP\r\n", "214 2.0.0 Commands: " COMMANDS,
	"help=1 commands=1"},
    {ENCRYPT, false, false, "HELP\r\n", "214 2.0.0 Commands: " COMMANDS,
	"help=1 commands=1"},
    {MAY, false, false, "\r\n \t\r\n", BAD BAD, "commands=0/0"},
    {MAY, false, false, "FOO\r\nEXPN a\r\n", WHAT WHAT,
	"unknown=0/2 commands=0/2"},
    {MAY, false, false, "XCLIENT ADDR=1.2.3.4\r\nXFORWARD NAME=a\r\n",
	NO_RIGHT NO_RIGHT, "xclient=0/1 xforward=0/1 commands=0/2"},
    /* Every answer to STARTTLS, in the order of Postfix's checks. */
    {MAY, false, false, "STARTTLS\r\n", READY "[tls]", "starttls=1 commands=1"},
    {MAY, false, false, " starttls \t\r\nMAIL FROM:<>\r\n", READY "[tls]",
	"starttls=1 commands=1"},
    {MAY, false, false, "EHLO a\r\nSTARTTLS\r\nRSET\r\nNOOP\r\n",
	EHLO_TLS READY "[tls]", "ehlo=1 starttls=1 commands=2"},
    {ENCRYPT, false, false, "STARTTLS\r\n", READY "[tls]",
	"starttls=1 commands=1"},
    {MAY, false, false, "STARTTLS x\r\n", "501 5.5.4 Syntax: STARTTLS\r\n",
	"starttls=0/1 commands=0/1"},
    {MAY, false, true, "STARTTLS x\r\n", "501 5.5.4 Syntax: STARTTLS\r\n",
	"starttls=0/1 commands=0/1"},
    {NONE, false, false, "STARTTLS x\r\n", "501 5.5.4 Syntax: STARTTLS\r\n",
	"starttls=0/1 commands=0/1"},
    {MAY, false, true, "STARTTLS\r\n",
	"554 5.5.1 Error: TLS already active\r\n", "starttls=0/1 commands=0/1"},
    {NONE, false, true, "STARTTLS\r\n",
	"554 5.5.1 Error: TLS already active\r\n", "starttls=0/1 commands=0/1"},
    {NONE, false, false, "STARTTLS\r\n",
	"502 5.5.1 Error: command not implemented\r\n",
	"starttls=0/1 commands=0/1"},
    /* What must not go before TLS. */
    {ENCRYPT, false, false, "MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n",
	MUST_TLS MUST_TLS MUST_TLS, "mail=0/1 rcpt=0/1 data=0/1 commands=0/3"},
    {ENCRYPT, false, false, "RSET\r\nVRFY a\r\nETRN a\r\nAUTH PLAIN\r\n",
	MUST_TLS MUST_TLS MUST_TLS MUST_TLS,
	"auth=0/1 rset=0/1 vrfy=0/1 etrn=0/1 commands=0/4"},
    {ENCRYPT, false, false, "XFORWARD NAME=a\r\nBDAT LAST\r\n",
	MUST_TLS MUST_TLS, "xforward=0/1 bdat=0/1 commands=0/2"},
    {ENCRYPT, false, false, "FOO\r\nXCLIENT NAME=a\r\nNOOP\r\nHELO a\r\n",
	WHAT NO_RIGHT OK "250 gate.example\r\n",
	"helo=1 xclient=0/1 noop=1 unknown=0/1 commands=2/4"},
    {ENCRYPT, false, false, "QUIT\r\n", "221 2.0.0 Bye\r\n[CLIENT_QUIT]",
	"quit=1 commands=1"},
    /* What the backend answers, and counts. */
    {MAY, false, false, "MAIL FROM:<a@b>\r\n", "[backend]", "commands=0/0"},
    {NONE, false, false, "RCPT TO:<a@b>\r\n", "[backend]", "commands=0/0"},
    {NONE, false, false, "DATA\r\n", "[backend]", "commands=0/0"},
    {MAY, false, false, "BDAT x\r\n", "[backend]", "commands=0/0"},
    {MAY, false, false, "VRFY\r\n", "[backend]", "commands=0/0"},
    {MAY, false, false, "ETRN a\r\n", "[backend]", "commands=0/0"},
    {MAY, false, false, "AUTH PLAIN\r\n", "[backend]", "commands=0/0"},
    {NONE, true, false, "AUTH PLAIN\r\n", NO_AUTH, "auth=0/1 commands=0/1"},
    {MAY, true, false, "AUTH PLAIN\r\n", NO_AUTH, "auth=0/1 commands=0/1"},
    {MAY, true, true, "AUTH PLAIN\r\n", "[backend]", "commands=0/0"},
    {MAY, false, true, "EHLO a\r\n", "[backend]", "commands=0/0"},
    {MAY, false, true, "NOOP\r\n\r\nXCLIENT a=b\r\nXFORWARD a=b\r\nHELO a\r\n",
	OK BAD NO_RIGHT NO_RIGHT "[backend]",
	"xclient=0/1 xforward=0/1 noop=1 commands=1/3"},
    {MAY, false, true, "RSET\r\n", "[backend]", "commands=0/0"},
    {MAY, false, true, "HELP\r\n", "[backend]", "commands=0/0"},
    {MAY, false, true, "FOO\r\n", "[backend]", "commands=0/0"},
    {MAY, false, true, "QUIT\r\n", "221 2.0.0 Bye\r\n[CLIENT_QUIT]",
	"quit=1 commands=1"},
    {ENCRYPT, false, true, "MAIL FROM:<>\r\n", "[backend]", "commands=0/0"},
    /* What is no SMTP. */
    {MAY, false, false, "GET / HTTP/1.1\r\nHost: a\r\n",
	GOODBYE "[CLIENT_NOT_SMTP]", "unknown=0/1 commands=0/1"},
    {MAY, false, true, "post / HTTP/1.1\r\n", GOODBYE "[CLIENT_NOT_SMTP]",
	"unknown=0/1 commands=0/1"},
    {MAY, false, false, "GET / HTTP/1.1\nHost: a\n",
	GOODBYE "[CLIENT_NOT_SMTP]", "unknown=0/1 commands=0/1"},
    {MAY, false, false, "Subject: x\r\n", GOODBYE "[CLIENT_NOT_SMTP]",
	"unknown=0/1 commands=0/1"},
    {MAY, false, false, "\x16\x03\x01\x02\r\n", GOODBYE "[CLIENT_NOT_SMTP]",
	"unknown=0/1 commands=0/1"},
    {MAY, false, false, "\x16\x03\x01\x02\n", GOODBYE "[CLIENT_NOT_SMTP]",
	"unknown=0/1 commands=0/1"},
    {ENCRYPT, false, false, ".\r\n", GOODBYE "[CLIENT_NOT_SMTP]",
	"unknown=0/1 commands=0/1"},
    {MAY, false, false, "NOOP\nQUIT\r\n", BARE_LF "[CLIENT_BARE_LF]",
	"commands=0/0"},
    {MAY, false, true, "EHLO a\n", BARE_LF "[CLIENT_BARE_LF]", "commands=0/0"},
    {MAY, false, false, "\n", BARE_LF "[CLIENT_BARE_LF]", "commands=0/0"},
    {MAY, false, false, "NOOP\rQUIT\r\nNOOP\r\r\nNOOP\r\n", BAD BAD OK,
	"noop=1 commands=1"},
    /* 100 bytes fit, 101 do not, and are not obeyed. */
    {MAY, false, false, "NOOP " FIFTY FIFTY "\r\nNOOP\r\n", TOO_LONG OK,
	"noop=1 commands=1"},
    {MAY, false, false, "QUIT " FIFTY FIFTY "\r\nQUIT\r\nQUIT\r\nNOOP\r\n",
	TOO_LONG "221 2.0.0 Bye\r\n[CLIENT_QUIT]", "quit=1 commands=1"},
    {MAY, false, false, "NOOP " FIFTY FIFTY "\nQUIT\r\n",
	BARE_LF "[CLIENT_BARE_LF]", "commands=0/0"},
    {MAY, false, false, "X:" FIFTY FIFTY "\r\n", GOODBYE "[CLIENT_NOT_SMTP]",
	"unknown=0/1 commands=0/1"},
};

static void check(const struct row *row, unsigned i, size_t cut)
{
	static struct talk talk;
	struct smtp_policy policy = policy_of(row->level);
	policy.auth_only = row->auth_only;
	begin(&talk, &policy);
	if (row->tls)
		smtp_client_tls_up(&talk.client);
	say_bytes(&talk, row->input, cut);
	say(&talk, row->input + cut);
	cr_assert_str_eq(talk.heard, row->heard, "row %u (%s), cut at %zu: %s",
	    i, row->input, cut, talk.heard);
	char counts[512];
	smtp_counts_format(&talk.client.counts, counts, sizeof(counts));
	cr_assert_str_eq(counts, row->counts, "row %u (%s), cut at %zu: %s", i,
	    row->input, cut, counts);
}

Test(gate, answers_as_postfix_at_every_cut)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].input);
		for (size_t cut = 0; cut <= len; cut++)
			check(&rows[i], i, cut);
	}
}

Test(gate, greets)
{
	char out[512];
	struct smtp_policy policy = policy_of(MAY);
	size_t len = smtp_gate_greeting(&policy, out, sizeof(out));
	cr_assert_eq(len, 24);
	cr_assert_eq(memcmp(out, "220 gate.example ESMTP\r\n", len), 0);

	char banner[1001];
	memset(banner, 'b', 1000);
	banner[1000] = '\0';
	policy.banner = banner;
	len = smtp_gate_greeting(&policy, out, sizeof(out));
	cr_assert_leq(len, 512);
	cr_assert_eq(memcmp(out + len - 3, "b\r\n", 3), 0);
}

Test(gate, starttls_can_be_discarded)
{
	static struct talk talk;
	struct smtp_policy policy = policy_of(MAY);
	policy.discarded_keywords =
	    1U << SMTP_KEYWORD_STARTTLS | 1U << SMTP_KEYWORD_PIPELINING;
	begin(&talk, &policy);
	ask(&talk, "EHLO a\r\n",
	    "250-gate.example\r\n250-SIZE 1000\r\n250-AUTH PLAIN\r\n"
	    "250 DSN\r\n");
	ask(&talk, "STARTTLS\r\n",
	    "502 5.5.1 Error: command not implemented\r\n");
}

Test(gate, remembers_what_was_offered)
{
	static struct talk talk;
	struct smtp_policy policy = policy_of(MAY);
	begin(&talk, &policy);
	cr_assert_eq(talk.client.helo_verb, SMTP_VERB_UNKNOWN);
	say(&talk, "EHLO client.example\r\n");
	cr_assert_eq(talk.client.helo_verb, SMTP_VERB_EHLO);
	cr_assert_str_eq(talk.client.helo, "client.example");
	cr_assert_eq(talk.client.offered,
	    1U << SMTP_KEYWORD_PIPELINING | 1U << SMTP_KEYWORD_SIZE |
		1U << SMTP_KEYWORD_AUTH | 1U << SMTP_KEYWORD_DSN);
	cr_assert_eq(talk.client.offered_size, 1000);
	say(&talk, "RSET\r\nEHLO\r\n");
	cr_assert_str_eq(talk.client.helo, "client.example");
	say(&talk, "HELO other\r\n");
	cr_assert_eq(talk.client.helo_verb, SMTP_VERB_HELO);
	cr_assert_str_eq(talk.client.helo, "other");
	cr_assert_eq(talk.client.offered, 0);
	cr_assert_eq(talk.client.offered_size, 0);
}

static const struct {
	const char *said, *kept;
} names[] = {
    {"[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"},
    {"a b", "a b"},
    {"a\tb\vc", "a?b?c"},
    {"\033[2J\x7f", "?[2J?"},
    {"m\xc3\xbcnchen", "m\xc3\xbcnchen"},
    {"\xe2\x82\xac\xf0\x9f\x93\xa7", "\xe2\x82\xac\xf0\x9f\x93\xa7"},
    {"latin\xfc", "latin?"},
    {"c1\xc2\x9b"
     "2J",
	"c1??2J"},
    {"\xc0\xaf\xe0\x80\xaf", "?????"},
    {"\xed\xa0\x80", "???"},
    {"\xf4\x90\x80\x80\xf5", "?????"},
    {"\xe2\x82", "??"},
};

/* It goes to the backend and to the log: a CR or ESC in it would be an attack
 * on either. */
Test(gate, keeps_no_control_bytes_of_a_name)
{
	static struct talk talk;
	struct smtp_policy policy = policy_of(MAY);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		begin(&talk, &policy);
		say(&talk, "HELO ");
		say(&talk, names[i].said);
		ask(&talk, "\r\n", "250 gate.example\r\n");
		cr_assert_str_eq(talk.client.helo, names[i].kept, "name %u", i);
	}
}

Test(gate, bounds_a_name)
{
	static struct talk talk;
	struct smtp_policy policy = policy_of(MAY);
	char line[300];
	policy.line_size_max = 2048;
	begin(&talk, &policy);
	memset(line, 'x', sizeof(line));
	memcpy(line, "EHLO ", 5);
	memcpy(line + 5 + 255, "\r\n", 3);
	ask(&talk, line, EHLO_TLS);
	cr_assert_eq(strlen(talk.client.helo), 255);
	memcpy(line + 5 + 255, "y\r\n", 4);
	ask(&talk, line, "501 5.5.4 Error: hostname too long\r\n");
	cr_assert_eq(strlen(talk.client.helo), 255);
}

Test(gate, names_the_last_command)
{
	static struct talk talk;
	struct smtp_policy policy = policy_of(ENCRYPT);
	begin(&talk, &policy);
	say(&talk, "\r\n");
	cr_assert_str_eq(smtp_client_last(&talk.client), "CONNECT");
	say(&talk, "FOO\r\n");
	cr_assert_str_eq(smtp_client_last(&talk.client), "UNKNOWN");
	say(&talk, "MAIL FROM:<>\r\n");
	cr_assert_str_eq(smtp_client_last(&talk.client), "MAIL");
	say(&talk, "STARTTLS\r\n");
	cr_assert_str_eq(smtp_client_last(&talk.client), "STARTTLS");
}

#define TOO_MANY "421 4.7.0 gate.example Error: too many errors\r\n"

Test(gate, ends_after_too_many_errors)
{
	static struct talk talk;
	struct smtp_policy policy = policy_of(ENCRYPT);
	policy.hard_error_limit = 3;
	begin(&talk, &policy);
	say(&talk, "\r\nFOO\r\n");
	ask(&talk, "NOOP\r\nMAIL FROM:<>\r\nQUIT\r\n",
	    OK MUST_TLS TOO_MANY "[CLIENT_ERRORS]");
	cr_assert_eq(talk.client.errors, 3);
}

Test(gate, ends_after_too_many_errors_with_tls)
{
	static struct talk talk;
	struct smtp_policy policy = policy_of(MAY);
	policy.hard_error_limit = 2;
	begin(&talk, &policy);
	smtp_client_tls_up(&talk.client);
	say(&talk, "XCLIENT NAME=a\r\n");
	ask(&talk, "STARTTLS\r\n",
	    "554 5.5.1 Error: TLS already active\r\n" TOO_MANY
	    "[CLIENT_ERRORS]");
}

Test(gate, counts_junk_commands)
{
	static struct talk talk;
	struct smtp_policy policy = policy_of(MAY);
	policy.junk_command_limit = 4;
	policy.hard_error_limit = 2;
	begin(&talk, &policy);
	say(&talk, "NOOP\r\nRSET\r\nHELO a\r\nEHLO a\r\nHELP\r\n");
	cr_assert_eq(talk.client.errors, 0);
	ask(&talk, "NOOP\r\n", OK);
	cr_assert_eq(talk.client.errors, 1);
	ask(&talk, "NOOP\r\n", OK TOO_MANY "[CLIENT_ERRORS]");
}

Test(gate, tells_of_what_is_no_smtp)
{
	static struct talk talk;
	struct smtp_policy policy = policy_of(MAY);
	begin(&talk, &policy);
	say(&talk, "Received: from a\r\nx\r\n");
	cr_assert_str_eq(talk.offence, "Received: from a");
}

/* It is dropped as it comes, but not for ever. */
Test(gate, bounds_what_it_skips)
{
	static struct talk talk;
	struct smtp_policy policy = policy_of(MAY);
	begin(&talk, &policy);
	static char flood[1000];
	memset(flood, 'x', sizeof(flood));
	for (unsigned i = 0; i < 65; i++)
		say_bytes(&talk, flood, sizeof(flood));
	cr_assert_eq(talk.unread_len, 0);
	ask(&talk, "\r\n", TOO_LONG);
	cr_assert_not(talk.client.skipping_line);
	for (unsigned i = 0; i < 65; i++)
		say_bytes(&talk, flood, sizeof(flood));
	cr_assert_not(talk.over);
	talk.heard_len = 0;
	say_bytes(&talk, flood, sizeof(flood));
	cr_assert_str_eq(talk.heard, TOO_MANY "[CLIENT_ERRORS]");
}

Test(gate, takes_nul_for_bad_syntax)
{
	static struct talk talk;
	struct smtp_policy policy = policy_of(MAY);
	static const char line[] = "NOOP\0\r\n";
	begin(&talk, &policy);
	say_bytes(&talk, line, sizeof(line) - 1);
	cr_assert_str_eq(talk.heard, BAD);
	cr_assert_eq(talk.client.errors, 1);
}

#define NO_SYNC "554 5.5.0 Error: SMTP protocol synchronization\r\n"

/* RFC 2920, 3.1, as Postfix rules it. `improper` is told in both ways of the
 * setting. */
static const struct {
	const char *before, *input, *heard; /* where it is forbidden */
	bool improper;
} batches[] = {
    {"", "NOOP\r\nNOOP\r\n", NO_SYNC "[CLIENT_PIPELINED]", true},
    {"", "STARTTLS\r\nx", NO_SYNC "[CLIENT_PIPELINED]", true},
    {"", "QUIT\r\nNOOP\r\n", NO_SYNC "[CLIENT_PIPELINED]", true},
    {"", "EHLO a\r\nNOOP\r\n", NO_SYNC "[CLIENT_PIPELINED]", true},
    {"HELO a\r\n", "RSET\r\nNOOP\r\n", NO_SYNC "[CLIENT_PIPELINED]", true},
    {"EHLO a\r\n", "EHLO a\r\nN", NO_SYNC "[CLIENT_PIPELINED]", true},
    {"EHLO a\r\n", "NOOP\r\nRSET\r\n", NO_SYNC "[CLIENT_PIPELINED]", true},
    {"EHLO a\r\n", "RSET\r\nNOOP\r\n", OK OK, false},
    {"EHLO a\r\n", "QUIT\r\nNOOP\r\n", "221 2.0.0 Bye\r\n[CLIENT_QUIT]", false},
    {"EHLO a\r\n", "STARTTLS\r\nRSET\r\n", READY "[tls]", false},
    {"", "MAIL FROM:<>\r\nRCPT TO:<a@b>\r\n", "[backend]", false},
    {"", "FOO\r\nNOOP\r\n", WHAT OK, false},
};

Test(gate, refuses_improper_pipelining)
{
	static struct talk talk;
	for (unsigned i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
		struct smtp_policy policy = policy_of(MAY);
		policy.forbid_pipelining = true;
		begin(&talk, &policy);
		say(&talk, batches[i].before);
		ask(&talk, batches[i].input, batches[i].heard);
		cr_assert_eq(talk.improper, batches[i].improper, "batch %u", i);
	}
}

Test(gate, tells_of_improper_pipelining_once)
{
	static struct talk talk;
	for (unsigned i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
		struct smtp_policy policy = policy_of(MAY);
		begin(&talk, &policy);
		say(&talk, batches[i].before);
		say(&talk, batches[i].input);
		cr_assert_eq(talk.improper, batches[i].improper, "batch %u", i);
		talk.improper = false;
		talk.over = false;
		if (!batches[i].improper)
			continue;
		say(&talk, "\r\nHELO a\r\nNOOP\r\n");
		cr_assert_not(talk.improper, "batch %u", i);
	}
}

/* Whom we refused TLS must not be heard in clear instead. */
Test(gate, puts_off_mail_in_clear_of_whom_tls_was_refused)
{
	static struct talk talk;
	struct smtp_policy policy = policy_of(MAY);
	begin(&talk, &policy);
	talk.client.tls_refused = true;
	ask(&talk, "NOOP\r\nMAIL FROM:<>\r\nSTARTTLS\r\n",
	    OK "451 4.7.0 TLS temporarily unavailable, try again later\r\n"
	       "220 2.0.0 Ready to start TLS\r\n[tls]");
	begin(&talk, &policy);
	talk.client.tls_refused = true;
	smtp_client_tls_up(&talk.client);
	ask(&talk, "MAIL FROM:<>\r\n", "[backend]");
}

#define EHLO_XCLIENT                                                \
	"250-gate.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n"   \
	"250-STARTTLS\r\n250-AUTH PLAIN\r\n"                        \
	"250-XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN " \
	"DESTADDR DESTPORT\r\n250 DSN\r\n"
#define GREETING "220 gate.example ESMTP\r\n"

/* Postfix's words; who was told of may not say it again. */
Test(gate, believes_a_trusted_proxy)
{
	static struct talk talk;
	struct smtp_policy policy = policy_of(MAY);
	begin(&talk, &policy);
	talk.client.may_xclient = true;
	ask(&talk, "EHLO proxy\r\n", EHLO_XCLIENT);
	ask(&talk, "XCLIENT\r\n",
	    "501 5.5.4 Syntax: XCLIENT attribute=value...\r\n");
	ask(&talk, "XCLIENT ADDR=192.0.2.7 NAME=c HELO=h+20i PROTO=esmtp\r\n",
	    GREETING);
	cr_assert_eq(talk.told.address.bytes[3], 7);
	cr_assert_str_eq(talk.told.name, "c");
	cr_assert_eq(talk.client.helo_verb, SMTP_VERB_EHLO);
	cr_assert_str_eq(talk.client.helo, "h i");
	ask(&talk, "XCLIENT ADDR=192.0.2.8\r\n", NO_RIGHT);
	ask(&talk, "EHLO client\r\n", EHLO_TLS);
	cr_assert_eq(talk.client.counts.ok[SMTP_VERB_XCLIENT], 1);
}

/* In TLS the backend is not asked before it is known for whom. */
Test(gate, waits_for_xclient_in_tls)
{
	static struct talk talk;
	struct smtp_policy policy = policy_of(ENCRYPT);
	begin(&talk, &policy);
	talk.client.may_xclient = true;
	smtp_client_tls_up(&talk.client);
	say(&talk, "EHLO proxy\r\n");
	cr_assert_not_null(strstr(talk.heard, "250-XCLIENT "));
	ask(&talk, "XCLIENT ADDR=IPV6:2001:db8::7\r\n", GREETING);
	ask(&talk, "EHLO client\r\n", "[backend]");
}

/* A health check of the proxy before us asks no backend. */
Test(gate, takes_no_mail_from_a_local_connection)
{
	static struct talk talk;
	struct smtp_policy policy = policy_of(MAY);
	begin(&talk, &policy);
	talk.client.is_local = true;
	ask(&talk, "EHLO check\r\n", EHLO_TLS);
	ask(&talk, "MAIL FROM:<>\r\n",
	    "451 4.3.0 Error: no mail is taken from a LOCAL connection\r\n");
	smtp_client_tls_up(&talk.client);
	say(&talk, "EHLO check\r\n");
	cr_assert_not(talk.over);
	ask(&talk, "BDAT 3 LAST\r\nQUIT\r\n",
	    "451 4.3.0 Error: no mail is taken from a LOCAL connection\r\n"
	    "[CLIENT_BAD_BDAT]");
}
