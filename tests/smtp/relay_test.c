/* SPDX-License-Identifier: Apache-2.0 */
/* Dialogues with both sides of a relay, each written out: what one side says,
 * and what the other side, and the one that spoke, then get. Each is played
 * whole, and once per place where one of its utterances can be cut in two. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/relay.h"

#define STREAM_SIZE 65536

enum speaker { NOBODY, CLIENT, BACKEND, LOSS };

struct utterance {
	enum speaker speaker;
	const char *text;
	size_t len;
	const char *to_backend;
	const char *to_client;
};

#define C(text, to_backend, to_client)                                \
	{                                                             \
		CLIENT, text, sizeof(text) - 1, to_backend, to_client \
	}
#define B(text, to_client)                                     \
	{                                                      \
		BACKEND, text, sizeof(text) - 1, "", to_client \
	}
/* The backend's words let client bytes go on that were kept. */
#define B_AND(text, to_backend, to_client)                             \
	{                                                              \
		BACKEND, text, sizeof(text) - 1, to_backend, to_client \
	}
#define LOST(to_client)                    \
	{                                  \
		LOSS, "", 0, "", to_client \
	}
/* Passes unchanged. */
#define C_PASSES(text) C(text, text, "")
#define B_PASSES(text) B(text, text)

struct setup {
	enum smtp_tls_level level;
	bool clear, no_ehlo, no_chunking, auth_only, forbid_pipelining;
	bool insert, tls_refused, xforward, verified;
	uint32_t discarded;
	unsigned errors_max; /* 0: 20 */
};

struct dialogue {
	const char *name;
	struct setup setup;
	struct utterance said[20];
	/* In order: M250 (MESSAGE and its code), R421 (REFUSED), DROP,
	 * IMPROPER, NOT_SMTP, START_TLS, and how it ended. */
	const char *events;
	bool whole; /* what counts is what had already come: do not cut */
};

struct stream {
	char bytes[STREAM_SIZE];
	size_t len;
};

struct play {
	struct smtp_relay relay;
	struct smtp_client client;
	struct smtp_policy policy;
	struct smtp_relay_step step;
	struct stream client_kept, backend_kept, to_backend, to_client;
	char events[256];
	bool over, backend_gone;
};

static void add(struct stream *stream, const void *bytes, size_t len)
{
	cr_assert(len <= sizeof(stream->bytes) - stream->len);
	if (len > 0)
		memcpy(stream->bytes + stream->len, bytes, len);
	stream->len += len;
}

static void note(struct play *play, const char *event)
{
	size_t len = strlen(play->events);
	snprintf(play->events + len, sizeof(play->events) - len, "%s%s",
	    len > 0 ? " " : "", event);
}

static const char *end_name(enum smtp_end end)
{
	static const char *const names[] = {
#define END(symbol, text) #symbol,
#include "smtp/end.def"
#undef END
	};
	return names[end];
}

static void begin(struct play *play, const struct setup *setup)
{
	static const uint8_t offers[] = "250-backend\r\n250-PIPELINING\r\n"
					"250-XFORWARD NAME ADDR\r\n"
					"250 CHUNKING\r\n";
	memset(play, 0, sizeof(*play));
	play->policy = (struct smtp_policy){
	    .hostname = "mx.test",
	    .banner = "mx.test ESMTP",
	    .tls_level = setup->level,
	    .auth_only = setup->auth_only,
	    .forbid_pipelining = setup->forbid_pipelining,
	    .insert_received = setup->insert,
	    .forbidden_commands = "CONNECT GET POST",
	    .discarded_keywords = setup->discarded,
	    .line_size_max = 64,
	    .auth_line_size_max = 96,
	    .hard_error_limit = setup->errors_max > 0 ? setup->errors_max : 20,
	    .junk_command_limit = 100,
	};
	smtp_client_init(&play->client);
	play->client.tls = !setup->clear;
	play->client.tls_refused = setup->tls_refused;
	struct smtp_ehlo ehlo;
	smtp_ehlo_parse(offers, sizeof(offers) - 1, &ehlo);
	if (setup->no_chunking)
		ehlo = (struct smtp_ehlo){0};
	if (!setup->no_ehlo)
		play->client.helo_verb = SMTP_VERB_EHLO;
	const struct smtp_relay_backend backend = {
	    .ehlo = setup->no_ehlo ? NULL : &ehlo,
	    .says_xforward = setup->xforward,
	    .is_verified = setup->verified,
	};
	smtp_relay_init(&play->relay, &backend);
}

/* A header that shows what the relay knows: "T: 1 utf8 auth for c@d". */
static void insert(struct play *play, struct stream *to_backend)
{
	const struct smtp_trace *trace = &play->relay.trace;
	const char *recipient = smtp_trace_recipient(trace);
	char command[SMTP_RELAY_BDAT_SIZE_MAX];
	char header[400];
	int len = snprintf(header, sizeof(header), "T: %u%s%s%s%s\r\n",
	    play->client.transactions, trace->utf8 ? " utf8" : "",
	    trace->authenticated ? " auth" : "",
	    recipient != NULL ? " for " : "",
	    recipient != NULL ? recipient : "");
	size_t command_len = smtp_relay_insert(
	    &play->relay, (size_t)len, command, sizeof(command));
	add(to_backend, command, command_len);
	add(to_backend, header, (size_t)len);
}

/* Takes what a step gave; true: call it again. */
static bool take(struct play *play, struct stream *kept, struct stream *other)
{
	const struct smtp_relay_step *step = &play->step;
	char event[32];
	cr_assert(step->used <= kept->len);
	if (step->forward_len > 0)
		add(other, step->forward, step->forward_len);
	add(&play->to_client, step->reply, step->reply_len);
	if (step->improper_pipelining)
		note(play, "IMPROPER");
	if (step->offence != NULL)
		note(play, "NOT_SMTP");
	memmove(kept->bytes, kept->bytes + step->used, kept->len - step->used);
	kept->len -= step->used;
	switch (step->event) {
	case SMTP_RELAY_PROGRESS:
		return true;
	case SMTP_RELAY_NEED_MORE:
	case SMTP_RELAY_WAIT:
		return false;
	case SMTP_RELAY_MESSAGE:
		snprintf(event, sizeof(event), "M%d", step->reply_code);
		note(play, event);
		return true;
	case SMTP_RELAY_TRACE:
		cr_assert_eq(step->forward_len, 0);
		insert(play, other);
		return true;
	case SMTP_RELAY_XFORWARD:
		cr_assert_eq(step->used, 0);
		add(other, "XFORWARD x\r\n", 12);
		smtp_relay_xforward(&play->relay, 1);
		return true;
	case SMTP_RELAY_REFUSED:
		cr_assert_eq(step->used, 0);
		snprintf(event, sizeof(event), "R%d", step->reply_code);
		note(play, event);
		play->over = true;
		return false;
	case SMTP_RELAY_DROP_BACKEND:
		note(play, "DROP");
		cr_expect_eq(step->end, SMTP_END_BACKEND_UNEXPECTED);
		play->backend_gone = true;
		return true;
	case SMTP_RELAY_START_TLS:
		note(play, "START_TLS");
		play->over = true;
		return false;
	case SMTP_RELAY_CLOSE:
		note(play, end_name(step->end));
		play->over = true;
		return false;
	}
	return false;
}

/* A copy with nothing behind it, so that reading beyond is seen. */
static uint8_t *exact_copy(const struct stream *stream)
{
	uint8_t *copy = malloc(stream->len > 0 ? stream->len : 1);
	cr_assert(copy != NULL);
	memcpy(copy, stream->bytes, stream->len);
	return copy;
}

static bool step_client(struct play *play)
{
	uint8_t *input = exact_copy(&play->client_kept);
	smtp_relay_client_step(&play->relay, &play->client, &play->policy,
	    input, play->client_kept.len, &play->step);
	bool again = take(play, &play->client_kept, &play->to_backend);
	free(input);
	return again;
}

/* What one buffer has to take. */
static void expect_room(const struct smtp_relay_step *step)
{
	if (step->forward_len > 0 && step->reply_len > 0)
		cr_assert_leq(step->forward_len + step->reply_len,
		    SMTP_EHLO_REPLY_SIZE_MAX);
}

static bool step_backend(struct play *play)
{
	if (play->backend_gone)
		play->backend_kept.len = 0;
	uint8_t *input = exact_copy(&play->backend_kept);
	smtp_relay_backend_step(&play->relay, &play->client, &play->policy,
	    input, play->backend_kept.len, &play->step);
	expect_room(&play->step);
	bool again = take(play, &play->backend_kept, &play->to_client);
	free(input);
	return again;
}

static void run(struct play *play)
{
	bool again = true;
	for (int turn = 0; again && !play->over; turn++) {
		cr_assert(turn < 10000, "it goes on for ever");
		again = step_backend(play);
		if (!play->over)
			again |= step_client(play);
	}
}

static void hear(
    struct play *play, enum speaker speaker, const char *text, size_t len)
{
	if (play->over)
		return;
	if (speaker == LOSS) {
		static struct stream none;
		play->backend_gone = true;
		smtp_relay_backend_lost(
		    &play->relay, &play->client, &play->policy, &play->step);
		take(play, &none, &none);
	} else {
		add(speaker == CLIENT ? &play->client_kept
				      : &play->backend_kept,
		    text, len);
	}
	run(play);
}

static void expect(const struct stream *stream, const char *expected,
    const char *name, const char *what)
{
	size_t len = strlen(expected);
	cr_assert(
	    stream->len == len && memcmp(stream->bytes, expected, len) == 0,
	    "%s: %s: got\n%.*s\nand not\n%s", name, what, (int)stream->len,
	    stream->bytes, expected);
}

/* Plays it with utterance number `at` cut in two; cut 0: whole. */
static void play_dialogue(
    const struct dialogue *dialogue, size_t at, size_t cut)
{
	static struct play play;
	char name[128];
	begin(&play, &dialogue->setup);
	for (size_t i = 0; dialogue->said[i].speaker != NOBODY; i++) {
		const struct utterance *said = &dialogue->said[i];
		size_t head = i == at ? cut : 0;
		snprintf(name, sizeof(name),
		    "%s, utterance %zu (cut %zu at %zu)", dialogue->name, i, at,
		    cut);
		play.to_backend.len = 0;
		play.to_client.len = 0;
		if (head > 0)
			hear(&play, said->speaker, said->text, head);
		hear(&play, said->speaker, said->text + head, said->len - head);
		/* A body may hold NUL; as a string it is compared up to it. */
		expect(&play.to_backend, said->to_backend, name, "to backend");
		expect(&play.to_client, said->to_client, name, "to client");
	}
	cr_assert_str_eq(play.events, dialogue->events,
	    "%s: events \"%s\" and not \"%s\"", name, play.events,
	    dialogue->events);
}

static void play_all(const struct dialogue *dialogues, size_t count)
{
	for (size_t row = 0; row < count; row++) {
		const struct dialogue *dialogue = &dialogues[row];
		play_dialogue(dialogue, 0, 0);
		if (dialogue->whole)
			continue;
		for (size_t i = 0; dialogue->said[i].speaker != NOBODY; i++) {
			for (size_t cut = 1; cut < dialogue->said[i].len; cut++)
				play_dialogue(dialogue, i, cut);
		}
	}
}

#define PLAY(rows) play_all(rows, sizeof(rows) / sizeof(rows[0]))

#define MAIL	 "MAIL FROM:<a@b>\r\n"
#define RCPT	 "RCPT TO:<c@d>\r\n"
#define OK	 "250 2.0.0 Ok\r\n"
#define OK_354	 "354 Go on\r\n"
#define LOST_421 "421 4.3.0 mx.test Error: backend connection lost\r\n"
#define LOST_451 "451 4.3.0 Error: backend connection lost\r\n"
#define UNEXPECTED_421 \
	"421 4.3.0 mx.test Error: unexpected reply from backend\r\n"
#define MALFORMED_421 \
	"421 4.3.0 mx.test Error: malformed reply from backend\r\n"
#define NOT_AUTHORIZED	"550 5.7.0 Error: insufficient authorization\r\n"
#define SYNCHRONIZATION "554 5.5.0 Error: SMTP protocol synchronization\r\n"
#define NOT_IMPLEMENTED "502 5.5.1 Error: command not implemented\r\n"
#define BAD_SYNTAX	"500 5.5.2 Error: bad syntax\r\n"
#define BARE_LF		"550 5.5.2 mx.test Error: bare <LF> received\r\n"
#define GOODBYE		"221 2.7.0 Error: I can break rules, too. Goodbye.\r\n"

/* Up to the 354, so that a body follows. */
#define TO_BODY C_PASSES("DATA\r\n"), B_PASSES(OK_354)

static const struct dialogue passing[] = {
    {"a message", {.no_ehlo = true},
	{C_PASSES("EHLO c.test\r\n"),
	    B("250-backend.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n"
	      "250 CHUNKING\r\n",
		"250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n"
		"250 CHUNKING\r\n"),
	    C_PASSES(MAIL), B_PASSES(OK), C_PASSES(RCPT), B_PASSES(OK), TO_BODY,
	    C_PASSES("Subject: x\r\n\r\nhello\r\n.\r\n"), B_PASSES(OK),
	    C_PASSES("QUIT\r\n"), B_PASSES("221 Bye\r\n")},
	"M250 CLIENT_QUIT"},
    {"HELO", {.no_ehlo = true},
	{C_PASSES("HELO c.test\r\n"), B("250 backend\r\n", "250 mx.test\r\n"),
	    C_PASSES(MAIL), B_PASSES(OK)},
	""},
    {"XFORWARD before each MAIL, and the client hears nothing of it",
	{.xforward = true},
	{C(MAIL, "XFORWARD x\r\n" MAIL, ""), B("250-Yes\r\n250 Ok\r\n", ""),
	    B_PASSES(OK), C_PASSES("RSET\r\n"), B_PASSES(OK),
	    C(MAIL RCPT, "XFORWARD x\r\n" MAIL RCPT, ""),
	    B("550 no\r\n" OK OK, OK OK)},
	""},
    {"XFORWARD where the backend does not offer it",
	{.xforward = true, .no_ehlo = true}, {C_PASSES(MAIL), B_PASSES(OK)},
	""},
    {"the backend goes with XFORWARD", {.xforward = true},
	{C(MAIL, "XFORWARD x\r\n" MAIL, ""),
	    LOST("421 4.3.0 mx.test Error: backend connection lost\r\n")},
	"BACKEND_LOST"},
    {"the backend ends the session in answer to XFORWARD", {.xforward = true},
	{C(MAIL, "XFORWARD x\r\n" MAIL, ""), B_PASSES("421 bye\r\n")},
	"BACKEND_CLOSING"},
    {"a refused EHLO", {.no_ehlo = true},
	{C_PASSES("EHLO\r\n"), B_PASSES("501-Say\r\n501 your name\r\n"),
	    C_PASSES("HELO c.test\r\n"),
	    B("250 backend\r\n", "250 mx.test\r\n")},
	""},
    {"pipelined", {0},
	{C_PASSES(MAIL RCPT RCPT "DATA\r\n"), B_PASSES(OK), B_PASSES(OK),
	    B_PASSES("550-no\r\n550 such user\r\n"), B_PASSES(OK_354),
	    C_PASSES("x\r\n.\r\n" MAIL RCPT), B_PASSES(OK OK OK),
	    C_PASSES("RSET\r\nQUIT\r\n"), B_PASSES(OK "221 Bye\r\n")},
	"M250 CLIENT_QUIT"},
    {"all that passes", {0},
	{C_PASSES("noop x\r\n"), B_PASSES(OK), C_PASSES("VRFY x\r\n"),
	    B_PASSES("252 perhaps\r\n"), C_PASSES("ETRN x\r\n"),
	    B_PASSES("458 no\r\n"), C_PASSES("HELP\r\n"),
	    B_PASSES("214-help\r\n214\r\n"), C_PASSES("EXPN x\r\n"),
	    B_PASSES("500 what?\r\n"), C_PASSES("RSET\r\n"), B_PASSES(OK)},
	""},
    {"a message that is refused", {0},
	{C_PASSES(MAIL RCPT), B_PASSES(OK OK), TO_BODY, C_PASSES(".\r\n"),
	    B_PASSES("554 spam\r\n"), C_PASSES(MAIL), B_PASSES(OK)},
	"M554"},
    {"DATA refused", {0},
	{C_PASSES("DATA\r\n"), B_PASSES("503-no\r\n503 MAIL\r\n"),
	    C_PASSES(MAIL), B_PASSES(OK)},
	""},
    {"QUIT is the last word", {0},
	{C(MAIL "QUIT\r\n" MAIL, MAIL "QUIT\r\n", ""), B_PASSES(OK),
	    C("NOOP\r\n", "", ""), B_PASSES("221 Bye\r\n")},
	"CLIENT_QUIT"},
    {"the backend ends the session by itself", {0},
	{B_PASSES("421-good\r\n421 bye\r\n")}, "BACKEND_CLOSING"},
    {"the backend ends it with its reply", {0},
	{C_PASSES(MAIL RCPT), B_PASSES("421 overloaded\r\n")},
	"BACKEND_CLOSING"},
    {"521 too", {0}, {C_PASSES(MAIL), B_PASSES("521 no mail here\r\n")},
	"BACKEND_CLOSING"},
    {"421 to a message", {0},
	{TO_BODY, C_PASSES(".\r\n"), B_PASSES("421 restart\r\n")},
	"BACKEND_CLOSING"},
};

Test(relay, passes_what_it_follows)
{
	PLAY(passing);
}

static const struct dialogue authentications[] = {
    {"with continuations", {0},
	{C_PASSES("AUTH LOGIN\r\n"), B_PASSES("334 VXNlcg==\r\n"),
	    C_PASSES("STARTTLS\r\n"), B_PASSES("334 UGFzcw==\r\n"),
	    C_PASSES("XCLIENT ADDR=1.2.3.4\r\n"), B_PASSES("235 2.7.0 ok\r\n"),
	    C_PASSES(MAIL), B_PASSES(OK)},
	""},
    {"refused", {0},
	{C_PASSES("AUTH PLAIN AA==\r\n"), B_PASSES("535 no\r\n"),
	    C_PASSES(MAIL), B_PASSES(OK)},
	""},
    {"behind other commands, and the response is kept", {0},
	{C("NOOP\r\nAUTH PLAIN\r\nAGEAYg==\r\n", "NOOP\r\nAUTH PLAIN\r\n", ""),
	    B_PASSES(OK), B_AND("334 \r\n", "AGEAYg==\r\n", "334 \r\n"),
	    B_PASSES("235 ok\r\n")},
	"IMPROPER", true},
    {"a line longer than that of other commands", {0},
	{C_PASSES("AUTH PLAIN "
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "bbbbbbbbbbbbbbbbbbbb\r\n"),
	    B_PASSES("235 ok\r\n")},
	""},
    {"a response that is too long", {0},
	{C_PASSES("AUTH PLAIN\r\n"), B_PASSES("334 \r\n"),
	    C("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	      "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n",
		"", "500 5.5.6 Error: authentication response too long\r\n")},
	"CLIENT_NOT_SMTP"},
    {"a response with a bare CR", {0},
	{C_PASSES("AUTH PLAIN\r\n"), B_PASSES("334 \r\n"),
	    C("aa\rMAIL\r\n", "",
		"501 5.5.2 Error: bad authentication response\r\n")},
	"CLIENT_NOT_SMTP"},
    {"a response with a bare LF", {0},
	{C_PASSES("AUTH PLAIN\r\n"), B_PASSES("334 \r\n"),
	    C("aa\nMAIL\r\n", "", BARE_LF)},
	"CLIENT_BARE_LF"},
    {"in clear where it needs TLS",
	{.clear = true, .level = SMTP_TLS_MAY, .auth_only = true},
	{C("AUTH PLAIN AA==\r\n", "",
	    "503 5.5.1 Error: authentication not enabled\r\n")},
	""},
    {"in clear where TLS was refused",
	{.clear = true, .level = SMTP_TLS_MAY, .tls_refused = true},
	{C(MAIL, "",
	    "451 4.7.0 TLS temporarily unavailable, try again later\r\n")},
	""},
    {"refused by us, and so answered before more is read",
	{.clear = true, .level = SMTP_TLS_MAY, .auth_only = true},
	{C(MAIL "AUTH PLAIN\r\n" RCPT, MAIL, ""),
	    B_AND(
		OK, RCPT, OK "503 5.5.1 Error: authentication not enabled\r\n"),
	    B_PASSES(OK)},
	""},
    {"in clear where it may", {.clear = true, .level = SMTP_TLS_MAY},
	{C_PASSES("AUTH PLAIN AA==\r\n"), B_PASSES("235 ok\r\n")}, ""},
};

Test(relay, authenticates)
{
	PLAY(authentications);
}

static const struct dialogue answers_in_place[] = {
    {"at once when nothing is outstanding", {0},
	{C("\r\n", "", BAD_SYNTAX), C(" \t\r\n", "", BAD_SYNTAX),
	    C_PASSES(MAIL), B_PASSES(OK)},
	""},
    {"between its neighbours", {0},
	{C(MAIL "XCLIENT ADDR=1.2.3.4\r\n" RCPT "\r\nNOOP\r\n",
	     MAIL RCPT "NOOP\r\n", ""),
	    B("250 one\r\n", "250 one\r\n" NOT_AUTHORIZED),
	    B("250 two\r\n", "250 two\r\n" BAD_SYNTAX), B_PASSES("250 3\r\n")},
	""},
    {"behind the reply to a message", {0},
	{TO_BODY, C(".\r\nXFORWARD NAME=x\r\nfoo:\r\n", ".\r\n", ""),
	    B(OK, OK NOT_AUTHORIZED GOODBYE)},
	"NOT_SMTP M250 CLIENT_NOT_SMTP"},
    {"an end in its turn", {0},
	{C(MAIL "BDAT x\r\n" RCPT, MAIL, ""),
	    B(OK, OK "501 5.5.4 Syntax: BDAT count [LAST]\r\n")},
	"CLIENT_BAD_BDAT"},
    {"an end right behind a message", {0},
	{TO_BODY, C(".\r\nBDAT x\r\n", ".\r\n", ""),
	    B(OK, OK "501 5.5.4 Syntax: BDAT count [LAST]\r\n")},
	"M250 CLIENT_BAD_BDAT"},
    {"a line too long", {0},
	{C("NOOP aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	   "\rMAIL\r\r\n" MAIL,
	     MAIL, "500 5.5.2 mx.test Error: command too long\r\n"),
	    B_PASSES(OK)},
	""},
    {"a line too long that ends with LF", {0},
	{C("NOOP aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	   "aaaa\n" MAIL,
	    "", BARE_LF)},
	"CLIENT_BARE_LF"},
    {"a bare CR", {0}, {C("NOOP a\rMAIL\r\n", "", BAD_SYNTAX)}, ""},
    {"a line too long that hides its verb", {0},
	{C("                                                               "
	   "  BDAT 6\r\nRSET\r\n",
	    "", BAD_SYNTAX)},
	"CLIENT_NOT_SMTP"},
    {"a line of blanks that may hide a verb", {0},
	{C("                                                               "
	   "     ",
	    "", BAD_SYNTAX)},
	"CLIENT_NOT_SMTP"},
    {"what cannot be read, where bytes follow that are no commands", {0},
	{C(MAIL "DATA \r\r\nQUIT\r\n", MAIL, ""), B(OK, OK BAD_SYNTAX)},
	"CLIENT_NOT_SMTP"},
    {"a bare LF", {0}, {C(MAIL "NOOP\nMAIL\r\n", MAIL, ""), B(OK, OK BARE_LF)},
	"CLIENT_BARE_LF"},
    {"too many errors", {.errors_max = 2},
	{C(MAIL "\r\nXCLIENT\r\nNOOP\r\n", MAIL, ""),
	    B(OK, OK BAD_SYNTAX NOT_AUTHORIZED
		"421 4.7.0 mx.test Error: too many errors\r\n")},
	"CLIENT_ERRORS"},
};

Test(relay, answers_in_the_place_of_the_command)
{
	PLAY(answers_in_place);
}

Test(relay, refuses_nul)
{
	static struct play play;
	begin(&play, &(struct setup){0});
	hear(&play, CLIENT, "NOOP\0\r\n", 7);
	expect(&play.to_client, BAD_SYNTAX, "NUL", "to client");
	expect(&play.to_backend, "", "NUL", "to backend");
}

/* Threats 1 and 3: what came in clear is void. */
static const struct dialogue starttls[] = {
    {"offered and obeyed",
	{.clear = true, .level = SMTP_TLS_MAY, .no_ehlo = true},
	{C_PASSES("EHLO x\r\n"),
	    B("250-b\r\n250 DSN\r\n",
		"250-mx.test\r\n250-STARTTLS\r\n250 DSN\r\n"),
	    C("STARTTLS\r\n", "", "220 2.0.0 Ready to start TLS\r\n")},
	"START_TLS"},
    {"when all is answered, and what is behind it never passes",
	{.clear = true, .level = SMTP_TLS_MAY},
	{C(MAIL RCPT "starttls \r\nRSET\r\n" MAIL, MAIL RCPT, ""), B_PASSES(OK),
	    B(OK, OK "220 2.0.0 Ready to start TLS\r\n")},
	"START_TLS"},
    {"with an argument", {.clear = true, .level = SMTP_TLS_MAY},
	{C("STARTTLS now\r\n", "", "501 5.5.4 Syntax: STARTTLS\r\n")}, ""},
    {"where there is none", {.clear = true},
	{C("STARTTLS\r\n", "", NOT_IMPLEMENTED)}, ""},
    {"where its keyword is discarded",
	{.clear = true,
	    .level = SMTP_TLS_MAY,
	    .discarded = UINT32_C(1) << SMTP_KEYWORD_STARTTLS,
	    .no_ehlo = true},
	{C_PASSES("EHLO x\r\n"), B("250 b\r\n", "250 mx.test\r\n"),
	    C("STARTTLS\r\n", "", NOT_IMPLEMENTED)},
	""},
    {"inside TLS (threat 4)", {.level = SMTP_TLS_MAY, .no_ehlo = true},
	{C_PASSES("EHLO x\r\n"),
	    B("250-b\r\n250-STARTTLS\r\n250 DSN\r\n",
		"250-mx.test\r\n250 DSN\r\n"),
	    C("STARTTLS\r\n", "", "554 5.5.1 Error: TLS already active\r\n")},
	""},
    {"a must, and the gate failed to ask for it",
	{.clear = true, .level = SMTP_TLS_ENCRYPT},
	{C(MAIL, "", "530 5.7.0 Must issue a STARTTLS command first\r\n"),
	    C("BDAT 6 LAST\r\nRSET\r\nAUTH PLAIN\r\n", "",
		"530 5.7.0 Must issue a STARTTLS command first\r\n"
		"530 5.7.0 Must issue a STARTTLS command first\r\n"),
	    C_PASSES("NOOP\r\n"), B_PASSES(OK)},
	""},
};

Test(relay, a1_a3_starttls_voids_what_came_in_clear)
{
	PLAY(starttls);
}

/* Nothing that comes after its 220 does anything, from either side. */
Test(relay, a1_nothing_counts_behind_starttls)
{
	static struct play play;
	begin(&play, &(struct setup){.clear = true, .level = SMTP_TLS_MAY});
	hear(&play, CLIENT, "STARTTLS\r\n" MAIL,
	    sizeof("STARTTLS\r\n" MAIL) - 1);
	cr_assert_str_eq(play.events, "START_TLS");
	cr_assert_eq(play.client_kept.len, sizeof(MAIL) - 1);
	play.to_client.len = 0;
	play.over = false;
	hear(&play, BACKEND, OK, sizeof(OK) - 1);
	expect(&play.to_backend, "", "behind STARTTLS", "to backend");
	expect(&play.to_client, "", "behind STARTTLS", "to client");
}

/* Threat 10. Everything passes as it is, and CRLF.CRLF alone is an end: what
 * follows a look-alike is still body, so no MAIL is found in it. */
#define LOOK_ALIKE(marker)                                           \
	{                                                            \
		"look-alike " #marker, {0},                          \
		    {TO_BODY, C_PASSES("a" marker MAIL "\r\n.\r\n"), \
			B_PASSES(OK)},                               \
		    "M250"                                           \
	}

static const struct dialogue look_alikes[] = {
    LOOK_ALIKE("\n.\n"),
    LOOK_ALIKE("\n.\r\n"),
    LOOK_ALIKE("\r.\r"),
    LOOK_ALIKE("\r\n.\n"),
    LOOK_ALIKE("\r\n.\r"),
    LOOK_ALIKE("\r\n.\r\r\n"),
    LOOK_ALIKE("\r\r\n.\r\r\n"),
    LOOK_ALIKE("\n\n.\r\n"),
    LOOK_ALIKE("\r.\r\n"),
    LOOK_ALIKE("\r\n. \r\n"),
    LOOK_ALIKE("\r\n..\r\n"),
};

Test(relay, b10_only_crlf_dot_crlf_ends_a_message)
{
	PLAY(look_alikes);
}

/* Threat 10: a lenient backend took a look-alike for the end. Its 250 never
 * reaches the client, and the rest never reaches it. */
static const struct dialogue too_early[] = {
    {"250 in the middle of a body", {0},
	{TO_BODY, C_PASSES("a\n.\n" MAIL), B(OK, ""),
	    C(RCPT "DATA\r\n", "", ""), C("\r\n.\r\n", "", LOST_451),
	    C(MAIL, "", LOST_421)},
	"DROP BACKEND_LOST"},
    {"a refusal in the middle of a body", {0},
	{TO_BODY, C_PASSES("a\r\n"), B("552 too much\r\n", ""),
	    C("b\r\n.\r\nQUIT\r\n", "", LOST_451 LOST_421)},
	"DROP BACKEND_LOST"},
    {"421 in the middle of a body", {0},
	{TO_BODY, B("421 bye\r\n", ""), C(".\r\n", "", LOST_451)}, "DROP"},
    {"250 in the middle of a chunk", {0},
	{C_PASSES("BDAT 9 LAST\r\nabc"), B(OK, ""), C("def\r\n.", "", LOST_451),
	    C(MAIL, "", LOST_421)},
	"DROP BACKEND_LOST"},
    {"a second reply in the middle of a refused chunk", {0},
	{C_PASSES("BDAT 9 LAST\r\nabc"), B_PASSES("452 full\r\n"), B(OK, ""),
	    C("defghi", "", ""), C(MAIL, "", LOST_421)},
	"M452 DROP BACKEND_LOST"},
};

Test(relay, b10_a_reply_before_the_end_drops_the_backend)
{
	PLAY(too_early);
}

/* Threat 13. */
static const struct dialogue chunks[] = {
    {"a message of three", {0},
	{C_PASSES(MAIL "BDAT 8\r\nab\r\nQUITBDAT 5\r\n\r\n.\r\n"
		       "BDAT 0 LAST\r\n" MAIL),
	    B_PASSES(OK OK OK OK OK)},
	"M250"},
    {"octets that look like commands", {0},
	{C_PASSES("bdat 21 last\r\nXCLIENT NAME=a\r\nQUIT\nNOOP\r\n"),
	    B_PASSES(OK OK)},
	"M250"},
    {"refused before the octets came: they pass all the same", {0},
	{C_PASSES("BDAT 12 LAST\r\nMAIL"), B_PASSES("503 no MAIL\r\n"),
	    C_PASSES(" FROM:<>NOOP\r\n"), B_PASSES(OK)},
	"M503"},
    {"not offered: octets are swallowed", {.no_chunking = true},
	{C(MAIL "BDAT 12 LAST\r\nRSET\r\nRSET\r\nBDAT 0\r\nNOOP\r\n",
	     MAIL "NOOP\r\n", ""),
	    B(OK, OK NOT_IMPLEMENTED NOT_IMPLEMENTED), B_PASSES(OK)},
	""},
    {"its keyword is discarded",
	{.discarded = UINT32_C(1) << SMTP_KEYWORD_CHUNKING},
	{C("BDAT 6\r\nRSET\r\n", "", NOT_IMPLEMENTED)}, ""},
    {"forgotten with the next greeting", {0},
	{C_PASSES("HELO x\r\n"), B(OK, "250 mx.test\r\n"),
	    C("BDAT 6\r\nRSET\r\n", "", NOT_IMPLEMENTED)},
	"IMPROPER", true},
};

Test(relay, b13_octets_of_a_chunk_are_no_commands)
{
	PLAY(chunks);
}

/* One recipient, in the first and second transaction of a session. */
#define H1    "T: 1 for c@d\r\n"
#define H2    "T: 2 for c@d\r\n"
#define HELLO "BDAT 5 LAST\r\nhello"

static const struct dialogue inserting[] = {
    {"DATA", {.insert = true},
	{C_PASSES(MAIL RCPT), B_PASSES(OK OK), TO_BODY,
	    C("x\r\n\r\n..y\r\n.\r\n", H1 "x\r\n\r\n..y\r\n.\r\n", ""),
	    B_PASSES(OK)},
	"M250"},
    {"an empty message", {.insert = true},
	{C_PASSES(MAIL RCPT), B_PASSES(OK OK), TO_BODY,
	    C(".\r\n", H1 ".\r\n", ""), B_PASSES(OK)},
	"M250"},
    {"a second transaction, pipelined", {.insert = true},
	{C_PASSES(MAIL RCPT "DATA\r\n"), B_PASSES(OK OK OK_354),
	    C("x\r\n.\r\n" MAIL RCPT "DATA\r\n",
		H1 "x\r\n.\r\n" MAIL RCPT "DATA\r\n", ""),
	    B_PASSES(OK OK OK OK_354), C("y\r\n.\r\n", H2 "y\r\n.\r\n", ""),
	    B_PASSES(OK)},
	"M250 M250"},
    {"one chunk", {.insert = true},
	{C_PASSES(MAIL RCPT), B_PASSES(OK OK),
	    C(HELLO, "BDAT 19 LAST\r\n" H1 "hello", ""), B_PASSES(OK)},
	"M250"},
    {"several chunks", {.insert = true},
	{C_PASSES(MAIL RCPT), B_PASSES(OK OK),
	    C("bdat 008\r\nBDAT 5\r\nBDAT 3\r\n\r\n.BDAT 0 last\r\n",
		"BDAT 22\r\n" H1 "BDAT 5\r\nBDAT 3\r\n\r\n.BDAT 0 last\r\n",
		""),
	    B_PASSES(OK OK OK)},
	"M250"},
    {"an empty chunk", {.insert = true},
	{C_PASSES(MAIL RCPT), B_PASSES(OK OK),
	    C("BDAT 0 LAST\r\n", "BDAT 14 LAST\r\n" H1, ""), B_PASSES(OK)},
	"M250"},
    {"an empty chunk first", {.insert = true},
	{C_PASSES(MAIL RCPT), B_PASSES(OK OK),
	    C("BDAT 0\r\n" HELLO, "BDAT 14\r\n" H1 HELLO, ""), B_PASSES(OK OK)},
	"M250"},
    {"chunks of two messages, pipelined", {.insert = true},
	{C(MAIL RCPT HELLO MAIL RCPT HELLO, MAIL RCPT, ""),
	    B_AND(OK OK, "BDAT 19 LAST\r\n" H1 "hello" MAIL RCPT, OK OK),
	    B_PASSES(OK), B_PASSES(OK),
	    B_AND(OK, "BDAT 19 LAST\r\n" H2 "hello", OK), B_PASSES(OK)},
	"M250 M250"},
    {"DATA refused, then a chunk", {.insert = true},
	{C_PASSES(MAIL RCPT "DATA\r\n"), B_PASSES(OK OK "451 later\r\n"),
	    C(HELLO, "BDAT 19 LAST\r\n" H1 "hello", ""), B_PASSES(OK)},
	"M250"},
    {"DATA refused, then DATA", {.insert = true},
	{C_PASSES(MAIL "DATA\r\n"), B_PASSES(OK "554 no recipients\r\n"),
	    C_PASSES(RCPT "DATA\r\n"), B_PASSES(OK OK_354),
	    C(".\r\n", H1 ".\r\n", ""), B_PASSES(OK)},
	"M250"},
    {"a chunk outside of a transaction", {.insert = true},
	{C("BDAT 12 LAST\r\nMAIL FROM:<>",
	     "BDAT 18 LAST\r\nT: 0\r\n"
	     "MAIL FROM:<>",
	     ""),
	    B_PASSES("503 no MAIL\r\n"), C_PASSES(MAIL RCPT), B_PASSES(OK OK),
	    C(HELLO, "BDAT 19 LAST\r\n" H1 "hello", ""), B_PASSES(OK)},
	"M503 M250"},
    {"refused in the middle of the chunk", {.insert = true},
	{C_PASSES(MAIL RCPT), B_PASSES(OK OK),
	    C("BDAT 5\r\nhe", "BDAT 19\r\n" H1 "he", ""),
	    B_PASSES("452 full\r\n"), C_PASSES("llo" HELLO),
	    B_PASSES("503 I said so\r\n"), C_PASSES(MAIL RCPT), B_PASSES(OK OK),
	    C(HELLO, "BDAT 19 LAST\r\n" H2 "hello", ""), B_PASSES(OK)},
	"M503 M250"},
    {"RSET between chunks", {.insert = true},
	{C_PASSES(MAIL RCPT), B_PASSES(OK OK),
	    C("BDAT 5\r\nhelloRSET\r\n" MAIL RCPT HELLO,
		"BDAT 19\r\n" H1 "helloRSET\r\n" MAIL RCPT, ""),
	    B_AND(OK OK OK OK, "BDAT 19 LAST\r\n" H2 "hello", OK OK OK OK),
	    B_PASSES(OK)},
	"M250"},
    {"MAIL between chunks, refused", {.insert = true},
	{C_PASSES(MAIL RCPT), B_PASSES(OK OK),
	    C("BDAT 5\r\nhello" MAIL HELLO, "BDAT 19\r\n" H1 "hello" MAIL, ""),
	    B_AND(OK "503 nested\r\n", HELLO, OK "503 nested\r\n"),
	    B_PASSES(OK)},
	"M250"},
    {"not asked for", {0},
	{C_PASSES(MAIL RCPT HELLO MAIL RCPT "DATA\r\n"),
	    B_PASSES(OK OK OK OK OK OK_354), C_PASSES(".\r\n"), B_PASSES(OK)},
	"M250 M250"},
    {"lost before the body", {.insert = true},
	{C_PASSES(MAIL RCPT), B_PASSES(OK OK), TO_BODY, LOST(""),
	    C("x\r\n.\r\n", "", LOST_451)},
	""},
    {"lost in the body", {.insert = true},
	{C_PASSES(MAIL RCPT), B_PASSES(OK OK), TO_BODY,
	    C("x\r\n", H1 "x\r\n", ""), LOST(""),
	    C("x\r\n.\r\n", "", LOST_451)},
	""},
    {"lost in a chunk", {.insert = true},
	{C_PASSES(MAIL RCPT), B_PASSES(OK OK),
	    C("BDAT 5 LAST\r\nhe", "BDAT 19 LAST\r\n" H1 "he", ""), LOST(""),
	    C("llo", "", LOST_451)},
	""},
    {"lost while a chunk waits", {.insert = true},
	{C(MAIL RCPT HELLO, MAIL RCPT, ""), LOST(LOST_421)}, "BACKEND_LOST"},
    {"250 before the end of the chunk", {.insert = true},
	{C_PASSES(MAIL RCPT), B_PASSES(OK OK),
	    C("BDAT 5 LAST\r\nhell", "BDAT 19 LAST\r\n" H1 "hell", ""),
	    B(OK, ""), C("o", "", LOST_451)},
	"DROP"},
    {"a chunk that is swallowed", {.insert = true, .no_chunking = true},
	{C(MAIL "BDAT 12 LAST\r\nRSET\r\nRSET\r\nNOOP\r\n", MAIL "NOOP\r\n",
	     ""),
	    B(OK, OK NOT_IMPLEMENTED), B_PASSES(OK)},
	""},
    {"the last count that fits", {.insert = true},
	{C("BDAT 9223372036854771711\r\n",
	    "BDAT 9223372036854771717\r\nT: 0\r\n", "")},
	""},
    {"the first that does not", {.insert = true},
	{C("BDAT 9223372036854771712\r\n", "",
	    "501 5.5.4 Syntax: BDAT count [LAST]\r\n")},
	"CLIENT_BAD_BDAT"},
    {"a count that fits without a header", {0},
	{C_PASSES("BDAT 9223372036854775807\r\n")}, ""},
};

Test(relay, inserts_a_header_at_the_head_of_each_message)
{
	PLAY(inserting);
}

#define OTHER "RCPT TO:<e@f>\r\n"
#define NO    "550 no\r\n"

/* Up to the 354, then a message of nothing but the header. */
#define HEADER(text)                                                          \
	C_PASSES("DATA\r\n"), B_PASSES(OK_354), C(".\r\n", text ".\r\n", ""), \
	    B_PASSES(OK)

static const struct dialogue telling[] = {
    {"two recipients", {.insert = true},
	{C_PASSES(MAIL RCPT OTHER), B_PASSES(OK OK OK), HEADER("T: 1\r\n")},
	"M250"},
    {"the second refused", {.insert = true},
	{C_PASSES(MAIL RCPT OTHER), B_PASSES(OK OK NO), HEADER(H1)}, "M250"},
    {"the first refused, before the second came", {.insert = true},
	{C_PASSES(MAIL RCPT), B_PASSES(OK NO), C_PASSES(OTHER), B_PASSES(OK),
	    HEADER("T: 1 for e@f\r\n")},
	"M250"},
    {"the first refused, behind which the second was not kept",
	{.insert = true},
	{C_PASSES(MAIL RCPT OTHER), B_PASSES(OK NO OK), HEADER("T: 1\r\n")},
	"M250"},
    {"none", {.insert = true},
	{C_PASSES(MAIL RCPT), B_PASSES(OK NO), HEADER("T: 1\r\n")}, "M250"},
    {"of a transaction that was reset", {.insert = true},
	{C_PASSES(MAIL RCPT "RSET\r\n" MAIL OTHER), B_PASSES(OK OK OK OK OK),
	    HEADER("T: 2\r\n")},
	"M250"},
    {"kept while the RSET was under way", {.insert = true},
	{C_PASSES(MAIL RCPT), B_PASSES(OK NO), C_PASSES("RSET\r\n" MAIL OTHER),
	    B_PASSES(OK OK OK), HEADER("T: 2 for e@f\r\n")},
	"M250"},
    {"forgotten with a greeting", {.insert = true},
	{C_PASSES(MAIL RCPT), B_PASSES(OK OK), C_PASSES("EHLO x\r\n"),
	    B(OK, "250 mx.test\r\n"), C_PASSES(MAIL), B_PASSES(OK),
	    HEADER("T: 2\r\n")},
	"M250"},
    {"SMTPUTF8", {.insert = true},
	{C_PASSES("MAIL FROM:<a@b> BODY=8BITMIME smtputf8\r\n"), B_PASSES(OK),
	    HEADER("T: 1 utf8\r\n"), C_PASSES(MAIL), B_PASSES(OK),
	    HEADER("T: 2\r\n")},
	"M250 M250"},
    {"SMTPUTF8 of a MAIL that was refused", {.insert = true},
	{C_PASSES(MAIL "MAIL FROM:<> SMTPUTF8\r\n"), B_PASSES(OK NO),
	    HEADER("T: 1\r\n")},
	"M250"},
    {"AUTH", {.insert = true},
	{C_PASSES("AUTH PLAIN x\r\n"), B_PASSES("235 you are\r\n"),
	    C_PASSES(MAIL), B_PASSES(OK), HEADER("T: 1 auth\r\n")},
	"M250"},
    {"AUTH that failed", {.insert = true},
	{C_PASSES("AUTH PLAIN x\r\n"), B_PASSES("535 are you?\r\n"),
	    C_PASSES(MAIL), B_PASSES(OK), HEADER("T: 1\r\n")},
	"M250"},
};

Test(relay, tells_what_the_header_needs)
{
	PLAY(telling);
}

/* So many that the line is too long. */
#define ZEROS " 000000000000000000000000000000000000000000000000000000000000000"

Test(relay, b13_a_count_that_cannot_be_read_ends_the_session)
{
	static const char *const arguments[] = {"", " ", " -1", " +1", " 1e3",
	    " 0x10", " 1 LAST x", " 1LAST", " 18446744073709551615",
	    " 18446744073709551617", " LAST", " 1 2", " 1 LASTER", " 1\r",
	    " 1\rLAST", ZEROS "1"};
	static struct play play;
	for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++) {
		char line[128];
		int len =
		    snprintf(line, sizeof(line), "BDAT%s\r\n", arguments[i]);
		begin(&play, &(struct setup){0});
		hear(&play, CLIENT, line, (size_t)len);
		expect(&play.to_backend, "", line, "to backend");
		expect(&play.to_client,
		    "501 5.5.4 Syntax: BDAT count [LAST]\r\n", line,
		    "to client");
		cr_assert_str_eq(play.events, "CLIENT_BAD_BDAT");
	}
}

/* Threat 14: a reply that fits nothing is never guessed at. */
static const struct dialogue unfit[] = {
    {"250 to DATA", {0}, {C_PASSES("DATA\r\n"), B(OK, UNEXPECTED_421)},
	"BACKEND_UNEXPECTED"},
    {"334 to DATA", {0}, {C_PASSES("DATA\r\n"), B("334 x\r\n", UNEXPECTED_421)},
	"BACKEND_UNEXPECTED"},
    {"354 to AUTH", {0}, {C_PASSES("AUTH X\r\n"), B(OK_354, UNEXPECTED_421)},
	"BACKEND_UNEXPECTED"},
    {"354 to MAIL", {0}, {C_PASSES(MAIL), B(OK_354, UNEXPECTED_421)},
	"BACKEND_UNEXPECTED"},
    {"354 to an unknown verb", {0},
	{C_PASSES("XEXCH50 4 2\r\n"), B("354-x\r\n", UNEXPECTED_421)},
	"BACKEND_UNEXPECTED"},
    {"334 to an unknown verb", {0},
	{C_PASSES("XAUTH\r\n"), B("334 x\r\n", UNEXPECTED_421)},
	"BACKEND_UNEXPECTED"},
    {"354 to EHLO", {0}, {C_PASSES("EHLO x\r\n"), B(OK_354, UNEXPECTED_421)},
	"BACKEND_UNEXPECTED"},
    {"354 to a message", {0},
	{TO_BODY, C_PASSES(".\r\n"), B(OK_354, UNEXPECTED_421)},
	"BACKEND_UNEXPECTED"},
    {"a reply that nobody asked for", {0}, {B(OK, UNEXPECTED_421)},
	"BACKEND_UNEXPECTED"},
    {"half a reply, and then the command", {0},
	{B("250 o", ""), C_PASSES(MAIL), B("k\r\n", UNEXPECTED_421)},
	"BACKEND_UNEXPECTED"},
    {"half a farewell, and then a command", {0},
	{B("42", ""), C_PASSES("NOOP\r\n"), B("1 bye\r\n", "421 bye\r\n")},
	"BACKEND_CLOSING"},
    {"the first greeting refused for now", {0},
	{C_PASSES("EHLO x\r\n"), B("450-not\r\n450 now\r\n", "")}, "R450"},
    {"the first greeting refused with a farewell", {0},
	{C_PASSES("HELO x\r\n"), B("521 not here\r\n", "")}, "R521"},
    {"the first greeting refused for good", {0},
	{C_PASSES("EHLO x\r\n"), B_PASSES("502 what?\r\n"),
	    C_PASSES("HELO x\r\n"), B_PASSES("421 bye\r\n")},
	"BACKEND_CLOSING"},
    {"a later greeting refused for now", {0},
	{C_PASSES("NOOP\r\n"), B_PASSES(OK), C_PASSES("EHLO x\r\n"),
	    B_PASSES("421 bye\r\n")},
	"BACKEND_CLOSING"},
    {"two replies to one command", {0},
	{C_PASSES(MAIL), B(OK OK, OK UNEXPECTED_421)}, "BACKEND_UNEXPECTED"},
    {"a reply instead of the AUTH response", {0},
	{C_PASSES("AUTH X\r\n"), B("334 \r\n" OK, "334 \r\n" UNEXPECTED_421)},
	"BACKEND_UNEXPECTED"},
    {"codes that differ in one reply", {0},
	{C_PASSES(MAIL), B("250-a\r\n550 b\r\n", MALFORMED_421)},
	"BACKEND_MALFORMED"},
    {"150", {0}, {C_PASSES(MAIL), B("150 wait\r\n", MALFORMED_421)},
	"BACKEND_MALFORMED"},
    {"650", {0}, {C_PASSES(MAIL), B("650 x\r\n", MALFORMED_421)},
	"BACKEND_MALFORMED"},
    {"no code", {0}, {C_PASSES(MAIL), B("Hello\r\n", MALFORMED_421)},
	"BACKEND_MALFORMED"},
    {"a bare LF", {0}, {C_PASSES(MAIL), B("250 a\n250 b\r\n", MALFORMED_421)},
	"BACKEND_MALFORMED"},
};

Test(relay, b14_a_reply_that_does_not_fit_ends_the_session)
{
	PLAY(unfit);
}

/* Threat 14: bytes behind DATA are a body after 354, and nobody knows what they
 * are after a refusal. */
static const struct dialogue premature[] = {
    {"a body with DATA", {0},
	{C("DATA\r\nMAIL\r\n.\r\n", "DATA\r\n", ""),
	    B_AND(OK_354, "MAIL\r\n.\r\n", OK_354), B_PASSES(OK)},
	"IMPROPER M250"},
    {"a body behind DATA, in two", {0},
	{C_PASSES("DATA\r\n"), C("a\r\n", "", ""), C(".\r\n", "", ""),
	    B_AND(OK_354, "a\r\n.\r\n", OK_354), B_PASSES(OK)},
	"IMPROPER M250"},
    {"and DATA is refused", {0},
	{C("DATA\r\nMAIL\r\n.\r\n", "DATA\r\n", ""),
	    B("554 no\r\n", "554 no\r\n" SYNCHRONIZATION)},
	"IMPROPER CLIENT_PIPELINED"},
    {"and it is told once", {0},
	{C("NOOP\r\nNOOP\r\n", "NOOP\r\nNOOP\r\n", ""), B_PASSES(OK OK),
	    C("DATA\r\nx", "DATA\r\n", ""),
	    B("451 no\r\n", "451 no\r\n" SYNCHRONIZATION)},
	"IMPROPER CLIENT_PIPELINED", true},
    {"forbidden, with DATA", {.forbid_pipelining = true},
	{C(MAIL "DATA\r\nx\r\n", MAIL, ""), B(OK, OK SYNCHRONIZATION)},
	"IMPROPER CLIENT_PIPELINED", true},
    {"forbidden, behind DATA", {.forbid_pipelining = true},
	{C_PASSES("DATA\r\n"), C("x\r\n", "", ""), B(OK_354, SYNCHRONIZATION)},
	"IMPROPER CLIENT_PIPELINED"},
    {"forbidden, behind EHLO", {.forbid_pipelining = true},
	{C("EHLO x\r\n" MAIL, "", SYNCHRONIZATION)},
	"IMPROPER CLIENT_PIPELINED", true},
    {"forbidden, without EHLO", {.forbid_pipelining = true, .no_ehlo = true},
	{C(MAIL RCPT, "", SYNCHRONIZATION)}, "IMPROPER CLIENT_PIPELINED", true},
    {"allowed by RFC 2920", {.forbid_pipelining = true},
	{C_PASSES(MAIL RCPT "RSET\r\nETRN x\r\nFOO\r\nDATA\r\n"),
	    B_PASSES(OK OK OK OK OK), B_PASSES(OK_354), C_PASSES(".\r\n" MAIL),
	    B_PASSES(OK OK)},
	"M250"},
    {"held behind EHLO", {0},
	{C("EHLO x\r\nBDAT 3\r\nabc", "EHLO x\r\n", ""),
	    B("250 b\r\n", "250 mx.test\r\n" NOT_IMPLEMENTED)},
	"IMPROPER", true},
};

Test(relay, b14_what_comes_behind_data_is_never_guessed_at)
{
	PLAY(premature);
}

/* Threat 15: what was cut off is no message, and what was lost no success. */
static const struct dialogue losses[] = {
    {"idle", {0}, {LOST(LOST_421)}, "BACKEND_LOST"},
    {"a reply was due", {0},
	{C_PASSES(MAIL RCPT), B_PASSES(OK), LOST(LOST_421)}, "BACKEND_LOST"},
    {"the 354 was due", {0}, {C_PASSES("DATA\r\n"), LOST(LOST_421)},
	"BACKEND_LOST"},
    {"in a body", {0},
	{TO_BODY, C_PASSES("a\r\n"), LOST(""),
	    C(MAIL "\r\n.\r\n", "", LOST_451), C("QUIT\r\n", "", LOST_421)},
	"BACKEND_LOST"},
    {"in the end of a body", {0},
	{TO_BODY, C_PASSES("a\r\n.\r"), LOST(""), C("\n", "", LOST_451)}, ""},
    {"behind a body", {0},
	{TO_BODY, C_PASSES(".\r\n"), LOST(LOST_451), C("\r\n", "", LOST_421)},
	"BACKEND_LOST"},
    {"behind a body, and commands are outstanding", {0},
	{TO_BODY, C(".\r\n\r\n" MAIL, ".\r\n" MAIL, ""),
	    LOST(LOST_451 BAD_SYNTAX LOST_421)},
	"BACKEND_LOST"},
    {"in a chunk", {0},
	{C_PASSES("BDAT 3\r\nabcBDAT 9 LAST\r\nabc"), LOST(LOST_451),
	    C("def", "", ""), C("ghi", "", LOST_451), C(MAIL, "", LOST_421)},
	"BACKEND_LOST"},
    {"behind the last chunk", {0},
	{C_PASSES("BDAT 3 LAST\r\nabc"), LOST(LOST_451)}, ""},
    {"in a chunk, and a command is outstanding", {0},
	{C_PASSES(MAIL "BDAT 9 LAST\r\nabc"), LOST(LOST_421)}, "BACKEND_LOST"},
    {"in a chunk that was refused", {0},
	{C_PASSES("BDAT 9\r\nabc"), B_PASSES("452 full\r\n"), LOST(""),
	    C("defghi", "", ""), C(MAIL, "", LOST_421)},
	"BACKEND_LOST"},
    {"in a chunk that it never saw", {.no_chunking = true},
	{C("BDAT 9\r\nabc", "", ""), LOST(""), C("defghi", "", NOT_IMPLEMENTED),
	    C(MAIL, "", LOST_421)},
	"BACKEND_LOST"},
    {"in its own reply to a message", {0},
	{TO_BODY, C_PASSES(".\r\n"), B("250-half\r\n", ""), LOST(LOST_451)},
	""},
    {"in a dialogue of AUTH", {0},
	{C_PASSES("AUTH X\r\n"), B_PASSES("334 \r\n"), LOST(LOST_421)},
	"BACKEND_LOST"},
    {"behind QUIT", {0}, {C_PASSES("QUIT\r\n"), LOST(LOST_421)},
	"BACKEND_LOST"},
    {"twice", {0},
	{TO_BODY, LOST(""), LOST(""), C(".\r\n", "", LOST_451), LOST("")}, ""},
};

Test(relay, b15_a_loss_is_no_success)
{
	PLAY(losses);
}

/* Threat 16. */
static const struct dialogue identities[] = {
    {"XCLIENT", {0}, {C("XCLIENT ADDR=1.2.3.4\r\n", "", NOT_AUTHORIZED)}, ""},
    {"in any case", {0}, {C("xClient\r\n", "", NOT_AUTHORIZED)}, ""},
    {"with a tab", {0}, {C("XCLIENT\tNAME=a\r\n", "", NOT_AUTHORIZED)}, ""},
    {"with VT", {0}, {C("XCLIENT\vNAME=a\r\n", "", NOT_AUTHORIZED)}, ""},
    {"behind a blank", {0}, {C(" XCLIENT\fa\r\n", "", NOT_AUTHORIZED)}, ""},
    {"with another control", {0}, {C("XCLIENT\037a\r\n", "", BAD_SYNTAX)}, ""},
    {"with NBSP", {0}, {C("XCLIENT\240a\r\n", "", BAD_SYNTAX)}, ""},
    {"XFORWARD", {0}, {C("XFORWARD NAME=a\r\n", "", NOT_AUTHORIZED)}, ""},
};

Test(relay, c16_a_client_does_not_choose_its_address)
{
	PLAY(identities);
}

/* Threat 19. */
#define REQUIRED "250-b\r\n250-SIZE 5\r\n250 REQUIRETLS\r\n"
static const struct dialogue offers[] = {
    {"REQUIRETLS where both legs keep it", {.verified = true},
	{C_PASSES("EHLO x\r\n"),
	    B(REQUIRED, "250-mx.test\r\n250-SIZE 5\r\n250 REQUIRETLS\r\n")},
	""},
    {"REQUIRETLS and a client in clear", {.verified = true, .clear = true},
	{C_PASSES("EHLO x\r\n"), B(REQUIRED, "250-mx.test\r\n250 SIZE 5\r\n")},
	""},
    {"REQUIRETLS and a backend that is anyone", {0},
	{C_PASSES("EHLO x\r\n"), B(REQUIRED, "250-mx.test\r\n250 SIZE 5\r\n")},
	""},
    {"what we do not carry is not offered", {0},
	{C_PASSES("EHLO x\r\n"),
	    B("250-b\r\n250-XCLIENT NAME ADDR\r\n250-XEXCH50\r\n"
	      "250-X-ANONYMOUSTLS\r\n250-STARTTLS\r\n250-SIZE 5\r\n"
	      "250-AUTH PLAIN SCRAM-SHA-256-PLUS\r\n250 XFORWARD NAME\r\n",
		"250-mx.test\r\n250-SIZE 5\r\n250 AUTH PLAIN\r\n")},
	""},
    {"nor AUTH in clear where it needs TLS",
	{.clear = true, .level = SMTP_TLS_MAY, .auth_only = true},
	{C_PASSES("EHLO x\r\n"),
	    B("250-b\r\n250-AUTH PLAIN\r\n250 DSN\r\n",
		"250-mx.test\r\n250-STARTTLS\r\n250 DSN\r\n")},
	""},
    {"a bare LF", {0},
	{C_PASSES("EHLO x\r\n"), B("250-b\n250 DSN\r\n", MALFORMED_421)},
	"BACKEND_MALFORMED"},
    {"codes that differ", {0},
	{C_PASSES("EHLO x\r\n"), B("250-b\r\n550 DSN\r\n", MALFORMED_421)},
	"BACKEND_MALFORMED"},
    {"251", {0}, {C_PASSES("EHLO x\r\n"), B("251 b\r\n", UNEXPECTED_421)},
	"BACKEND_UNEXPECTED"},
};

Test(relay, c19_the_ehlo_reply_is_rewritten)
{
	PLAY(offers);
}

Test(relay, c19_an_ehlo_reply_without_end)
{
	static struct play play;
	begin(&play, &(struct setup){0});
	hear(&play, CLIENT, "EHLO x\r\n", 8);
	for (int i = 0; i < 3000 && !play.over; i++)
		hear(&play, BACKEND, "250-X\r\n", 7);
	expect(&play.to_client, MALFORMED_421, "3000 lines", "to client");
	cr_assert_str_eq(play.events, "BACKEND_MALFORMED");
}

/* Threat 8. */
static const struct dialogue foreigners[] = {
    {"HTTP", {0}, {C("POST / HTTP/1.1\r\nHost: x\r\n", "", GOODBYE)},
	"NOT_SMTP CLIENT_NOT_SMTP"},
    {"a mail header", {0}, {C("Subject: x\r\n" MAIL, "", GOODBYE)},
	"NOT_SMTP CLIENT_NOT_SMTP"},
    {"a body after a refusal that it did not wait for", {0},
	{C(RCPT "Received: x\r\nQUIT\r\n", RCPT, ""),
	    B("550 no\r\n", "550 no\r\n" GOODBYE)},
	"NOT_SMTP CLIENT_NOT_SMTP"},
};

Test(relay, a8_who_does_not_speak_smtp_is_sent_away)
{
	PLAY(foreigners);
}

Test(relay, names_the_offending_line)
{
	static struct play play;
	begin(&play, &(struct setup){0});
	static const char line[] = "\026\003\001 hello\r\n";
	smtp_relay_client_step(&play.relay, &play.client, &play.policy,
	    (const uint8_t *)line, sizeof(line) - 1, &play.step);
	cr_assert_eq(play.step.event, SMTP_RELAY_CLOSE);
	cr_assert_eq((const void *)play.step.offence, (const void *)line);
	cr_assert_eq(play.step.offence_len, sizeof(line) - 3);
}

Test(relay, a_line_without_end_ends_the_session)
{
	static struct play play;
	char bytes[1000];
	memset(bytes, 'a', sizeof(bytes));
	begin(&play, &(struct setup){0});
	for (int i = 0; i < 64; i++)
		hear(&play, CLIENT, bytes, sizeof(bytes));
	cr_assert_not(play.over);
	hear(&play, CLIENT, bytes, sizeof(bytes));
	hear(&play, CLIENT, bytes, sizeof(bytes));
	cr_assert_str_eq(play.events, "CLIENT_ERRORS");
	expect(&play.to_client, "421 4.7.0 mx.test Error: too many errors\r\n",
	    "endless line", "to client");
}

/* 64 commands pass, the others wait, answers of ours among them. */
Test(relay, holds_commands_when_the_queue_is_full)
{
	static struct play play;
	begin(&play, &(struct setup){.errors_max = 100});
	for (int i = 0; i < 70; i++) {
		hear(&play, CLIENT, "RSET\r\n", 6);
		hear(&play, CLIENT, "\r\n", 2);
	}
	cr_assert_eq(play.to_backend.len, 32 * 6);
	cr_assert_eq(play.client_kept.len, 38 * 8);
	for (int i = 0; i < 70; i++)
		hear(&play, BACKEND, OK, sizeof(OK) - 1);
	cr_assert_eq(play.to_backend.len, 70 * 6);
	cr_assert_eq(play.to_client.len, 70 * (sizeof(OK BAD_SYNTAX) - 1));
	cr_assert(smtp_relay_is_idle(&play.relay));
}

Test(relay, holds_a_burst_and_loses_nothing)
{
	static struct play play;
	begin(&play, &(struct setup){0});
	for (int i = 0; i < 500; i++)
		add(&play.client_kept, "RSET\r\n", 6);
	run(&play);
	cr_assert_eq(play.to_backend.len, 64 * 6);
	for (int i = 0; i < 500; i++)
		hear(&play, BACKEND, OK, sizeof(OK) - 1);
	cr_assert_eq(play.to_backend.len, 500 * 6);
	cr_assert_eq(play.to_client.len, 500 * (sizeof(OK) - 1));
	cr_assert(smtp_relay_is_idle(&play.relay));
}

/* More than one step has room for. */
Test(relay, writes_many_long_answers)
{
	static struct play play;
	static char hostname[256];
	memset(hostname, 'h', 255);
	begin(&play, &(struct setup){.errors_max = 60000});
	play.policy.hostname = hostname;
	hear(&play, CLIENT, MAIL, sizeof(MAIL) - 1);
	char line[102];
	memset(line, 'a', 100);
	memcpy(line + 100, "\r\n", 2);
	for (int i = 0; i < 50; i++)
		hear(&play, CLIENT, line, sizeof(line));
	cr_assert_eq(play.to_client.len, 0);
	char reply[2002] = "250 ";
	memset(reply + 4, 'r', 1996);
	memcpy(reply + 2000, "\r\n", 2);
	hear(&play, BACKEND, reply, sizeof(reply));
	size_t answer_len =
	    sizeof("500 5.5.2  Error: command too long\r\n") - 1 + 255;
	cr_assert_eq(play.to_client.len, sizeof(reply) + 50 * answer_len);
}

static void play_pairs(struct play *play, const char *const *pairs)
{
	for (size_t i = 0; pairs[i] != NULL; i++)
		hear(play, i % 2 == 0 ? CLIENT : BACKEND, pairs[i],
		    strlen(pairs[i]));
}

static void expect_counts(const struct play *play, const char *expected)
{
	char text[256];
	smtp_counts_format(&play->client.counts, text, sizeof(text));
	cr_assert_str_eq(text, expected, "%s", text);
}

Test(relay, counts_as_postfix_does)
{
	static struct play play;
	static const char *const pairs[] = {"EHLO x\r\n",
	    "250-b\r\n250 CHUNKING\r\n", "AUTH LOGIN\r\n", "334 \r\n",
	    "eA==\r\n", "334 \r\n", "eQ==\r\n", "235 ok\r\n", MAIL RCPT RCPT,
	    OK "550 no\r\n" OK, "DATA\r\n", OK_354, "a\r\n.\r\n",
	    "451 later\r\n", "DATA\r\n", "503 no\r\n", "BDAT 1\r\na", OK,
	    "BDAT 1 LAST\r\nb", OK, "XCLIENT\r\nFOO\r\nHELP\r\nRSET\r\n",
	    "500 what\r\n214 help\r\n" OK, "NOOP\r\n", OK, "VRFY x\r\n",
	    "252 ok\r\n", "QUIT\r\n", "221 bye\r\n", NULL};
	begin(&play, &(struct setup){.no_ehlo = true});
	play_pairs(&play, pairs);
	expect_counts(&play,
	    "ehlo=1 xclient=0/1 auth=1 mail=1 rcpt=1/2 data=0/2 bdat=2 rset=1 "
	    "noop=1 vrfy=1 quit=1 help=1 unknown=0/1 commands=11/16");
	cr_assert_str_eq(play.events, "M451 M250 CLIENT_QUIT");
	cr_assert_eq(play.relay.messages, 1);
	cr_assert_eq(play.relay.message_octets, 6 + 2);
	cr_assert_eq(play.client.errors, 1);
}

Test(relay, data_is_obeyed_when_the_message_is_accepted)
{
	static struct play play;
	begin(&play, &(struct setup){0});
	hear(&play, CLIENT, "DATA\r\n", 6);
	hear(&play, BACKEND, OK_354, sizeof(OK_354) - 1);
	expect_counts(&play, "data=0/1 commands=0/1");
	hear(&play, CLIENT, ".\r\n", 3);
	expect_counts(&play, "data=0/1 commands=0/1");
	hear(&play, BACKEND, OK, sizeof(OK) - 1);
	expect_counts(&play, "data=1 commands=1");
}

/* What "lost connection after" would say. */
Test(relay, knows_what_was_last)
{
	static struct play play;
	static const struct {
		enum speaker speaker;
		const char *text;
		const char *last;
	} rows[] = {
	    {CLIENT, "", "CONNECT"},
	    {CLIENT, "MAI", "CONNECT"},
	    {CLIENT, "L FROM:<>\r\n", "MAIL"},
	    {CLIENT, "NONSENSE\r\n", "UNKNOWN"},
	    {CLIENT, "DATA\r\n", "DATA"},
	    {BACKEND, OK OK OK_354, "DATA"},
	    {CLIENT, "QUIT\r\n.", "DATA"},
	    {CLIENT, "\r\n", "END-OF-MESSAGE"},
	    {CLIENT, "BDAT 1 LAST\r\n", "BDAT"},
	    {CLIENT, "x", "END-OF-MESSAGE"},
	    {CLIENT, "RSET\r\n", "RSET"},
	};
	begin(&play, &(struct setup){0});
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hear(
		    &play, rows[i].speaker, rows[i].text, strlen(rows[i].text));
		cr_assert_str_eq(
		    smtp_client_last(&play.client), rows[i].last, "row %zu", i);
	}
}

Test(relay, knows_where_a_transaction_begins_and_ends)
{
	static struct play play;
	static const struct {
		const char *client;
		const char *backend;
		bool in_transaction;
	} rows[] = {
	    {MAIL, "550 no\r\n", false},
	    {MAIL, OK, true},
	    {"RSET\r\n", "500 what\r\n", true},
	    {"RSET\r\n", OK, false},
	    {MAIL RCPT, OK "550 no\r\n", true},
	    {"DATA\r\n", "554 no\r\n", true},
	    {"DATA\r\n", OK_354, true},
	    {".\r\n", "451 no\r\n", false},
	    {MAIL, OK, true},
	    {"BDAT 1\r\nx", OK, true},
	    {"BDAT 1 LAST\r\nx", OK, false},
	    {MAIL, OK, true},
	    {"EHLO x\r\n", "550 no\r\n", true},
	    {"EHLO x\r\n", "250 b\r\n", false},
	    {MAIL, OK, true},
	    {"HELO x\r\n", "250 b\r\n", false},
	};
	begin(&play, &(struct setup){0});
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hear(&play, CLIENT, rows[i].client, strlen(rows[i].client));
		hear(&play, BACKEND, rows[i].backend, strlen(rows[i].backend));
		cr_assert_not(play.over);
		cr_assert_eq(play.relay.in_transaction, rows[i].in_transaction,
		    "row %zu", i);
	}
}

Test(relay, tells_what_it_waits_for)
{
	static struct play play;
	static const struct {
		enum speaker speaker;
		const char *text;
		bool idle, awaits_backend, in_body;
	} rows[] = {
	    {CLIENT, "MA", true, false, false},
	    {CLIENT, "IL FROM:<>\r\n", false, true, false},
	    {BACKEND, OK, true, false, false},
	    {CLIENT, "DATA\r\n", false, true, false},
	    {BACKEND, OK_354, false, false, true},
	    {CLIENT, ".\r\n", false, true, false},
	    {BACKEND, OK, true, false, false},
	    {CLIENT, "BDAT 2 LAST\r\n", false, false, true},
	    {CLIENT, "x", false, false, true},
	    {CLIENT, "yBDAT 2 LAST\r\n", false, true, true},
	    {CLIENT, "xy", false, true, false},
	    {BACKEND, OK OK, true, false, false},
	};
	begin(&play, &(struct setup){0});
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hear(
		    &play, rows[i].speaker, rows[i].text, strlen(rows[i].text));
		cr_assert_eq(smtp_relay_is_idle(&play.relay), rows[i].idle,
		    "row %zu", i);
		cr_assert_eq(smtp_relay_awaits_backend(&play.relay),
		    rows[i].awaits_backend, "row %zu", i);
		cr_assert_eq(smtp_relay_in_body(&play.relay), rows[i].in_body,
		    "row %zu", i);
	}
}

Test(relay, keeps_the_greeting_in_force)
{
	static struct play play;
	begin(&play, &(struct setup){.no_ehlo = true});
	static const char *const pairs[] = {"EHLO one\r\n",
	    "250-b\r\n250-SIZE 77\r\n250-STARTTLS\r\n250 DSN\r\n",
	    "HELO two\r\n", "550 no\r\n", NULL};
	play_pairs(&play, pairs);
	cr_assert_eq(play.client.helo_verb, SMTP_VERB_EHLO);
	cr_assert_str_eq(play.client.helo, "one");
	cr_assert_eq(play.client.offered,
	    UINT32_C(1) << SMTP_KEYWORD_SIZE | UINT32_C(1) << SMTP_KEYWORD_DSN);
	cr_assert_eq(play.client.offered_size, 77);
	static const char *const more[] = {
	    "HELO t\033wo\r\n", "250 b\r\n", NULL};
	play_pairs(&play, more);
	cr_assert_eq(play.client.helo_verb, SMTP_VERB_HELO);
	cr_assert_str_eq(play.client.helo, "t?wo");
	cr_assert_eq(play.client.offered, 0);
	cr_assert_eq(play.client.offered_size, 0);
}

Test(relay, cuts_off_a_name_that_is_too_long)
{
	static struct play play;
	char line[5 + 300 + 2 + 1] = "EHLO ";
	begin(&play, &(struct setup){0});
	play.policy.line_size_max = 2048;
	memset(line + 5, 'x', 300);
	memcpy(line + 305, "\r\n", 3);
	const char *const pairs[] = {line, "250 b\r\n", NULL};
	play_pairs(&play, pairs);
	cr_assert_eq(play.to_backend.len, strlen(line));
	cr_assert_eq(strlen(play.client.helo), SMTP_HELO_SIZE - 1);
}

/* After CLOSE nothing that still comes, from anywhere, does anything. */
Test(relay, is_silent_after_the_end)
{
	static struct play play;
	begin(&play, &(struct setup){0});
	hear(&play, CLIENT, "DATA\r\n", 6);
	hear(&play, BACKEND, OK, sizeof(OK) - 1);
	cr_assert_str_eq(play.events, "BACKEND_UNEXPECTED");
	play.over = false;
	play.to_client.len = 0;
	play.to_backend.len = 0;
	hear(&play, BACKEND, OK_354, sizeof(OK_354) - 1);
	hear(&play, CLIENT, "x\r\n.\r\n", 6);
	hear(&play, LOSS, "", 0);
	cr_assert_eq(play.to_client.len, 0);
	cr_assert_eq(play.to_backend.len, 0);
	cr_assert_str_eq(play.events, "BACKEND_UNEXPECTED");
}

static void expect_taken_back(
    const char *said, const char *expected, unsigned came)
{
	static struct play play;
	static const struct setup setup = {0};
	char line[SMTP_RELAY_GREETING_SIZE_MAX];
	size_t len;

	begin(&play, &setup);
	play.policy.line_size_max = 512;
	hear(&play, CLIENT, said, strlen(said));
	len =
	    smtp_relay_take_back(&play.relay, &play.client, line, sizeof(line));
	cr_expect(len == strlen(expected) && memcmp(line, expected, len) == 0,
	    "%s: %.*s", said, (int)len, line);
	cr_expect_eq(smtp_counts_total(&play.client.counts), came, "%s", said);
}

/* The first one, unanswered, and word for word as it came. */
Test(relay, a_greeting_is_taken_back)
{
	char name[300];

	expect_taken_back("EHLO client.test\r\n", "EHLO client.test\r\n", 0);
	expect_taken_back("helo  client.test \r\n", "HELO client.test\r\n", 0);
	expect_taken_back(
	    "STARTTLS\r\nEHLO [192.0.2.1]\r\n", "EHLO [192.0.2.1]\r\n", 1);
	expect_taken_back("EHL", "", 0);
	expect_taken_back("NOOP\r\n", "", 1);
	expect_taken_back("NOOP\r\nEHLO client.test\r\n", "", 2);
	expect_taken_back("EHLO client\x01test\r\n", "", 1);
	snprintf(name, sizeof(name), "EHLO %0256d\r\n", 0);
	expect_taken_back(name, "", 1);
	snprintf(name, sizeof(name), "EHLO %0255d\r\n", 0);
	expect_taken_back(name, name, 0);
}

Test(relay, a_greeting_is_not_taken_back_once_it_is_answered)
{
	static struct play play;
	static const struct setup setup = {0};
	char line[SMTP_RELAY_GREETING_SIZE_MAX];

	begin(&play, &setup);
	hear(&play, CLIENT, "EHLO x\r\n", 8);
	hear(&play, BACKEND, "250 mx.test\r\n", 13);
	hear(&play, CLIENT, "EHLO x\r\n", 8);
	cr_expect_eq(
	    smtp_relay_take_back(&play.relay, &play.client, line, sizeof(line)),
	    0);
}
