/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/opening.h"

#define SAYS_MAX 8

/* What the test does of itself when it is asked to. */
#define SECURED	   "(secured)"
#define IDENTIFIED "(identified)"

/* A backend's words, one piece per turn of ours, and what comes of them. */
struct row {
	const char *name;
	enum smtp_verb helo_verb;
	bool probe;
	const char *backend[SAYS_MAX];
	const char *said[SAYS_MAX]; /* after each of them but the last */
	enum smtp_opening_event event;
	int reply_code;
	const char *reply_text;
	int ehlo_keywords; /* of the last one read; -1: none was */
	bool xclient;
	enum smtp_opening_tls tls;
};

#define EHLO_REPLY "250-mx\r\n250-PIPELINING\r\n250 SIZE 5\r\n"
#define KEYWORDS   (1 << SMTP_KEYWORD_PIPELINING | 1 << SMTP_KEYWORD_SIZE)
#define TRUSTING   "250-mx\r\n250 XCLIENT NAME ADDR FROB\r\n"
#define OURS	   "EHLO gate.example\r\n"
#define THEIRS	   "EHLO client.example\r\n"
#define TOLD	   "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.1\r\n"

static const struct row rows[] = {
    {"nothing was said", SMTP_VERB_UNKNOWN, false, {"220 mx ESMTP\r\n"}, {0},
	SMTP_OPENING_READY, 0, NULL, -1},
    {"a greeting of two lines", SMTP_VERB_UNKNOWN, false,
	{"220-mx ESMTP\r\n220 no spam\r\n"}, {0}, SMTP_OPENING_READY, 0, NULL,
	-1},
    {"EHLO again", SMTP_VERB_EHLO, false, {"220 mx\r\n", EHLO_REPLY}, {THEIRS},
	SMTP_OPENING_READY, 0, NULL, KEYWORDS},
    {"HELO again", SMTP_VERB_HELO, false, {"220 mx\r\n", "250 mx\r\n"},
	{"HELO client.example\r\n"}, SMTP_OPENING_READY, 0, NULL, -1},
    {"busy", SMTP_VERB_EHLO, false, {"421 4.3.2 too busy\r\n"}, {0},
	SMTP_OPENING_REFUSED, 421, "4.3.2 too busy", -1},
    {"no service", SMTP_VERB_UNKNOWN, false, {"554-go\r\n554 5.7.1 away\r\n"},
	{0}, SMTP_OPENING_REFUSED, 554, "5.7.1 away", -1},
    {"a greeting that is none", SMTP_VERB_UNKNOWN, false, {"250 Ok\r\n"}, {0},
	SMTP_OPENING_REFUSED, 250, "Ok", -1},
    {"EHLO is refused", SMTP_VERB_EHLO, false, {"220 mx\r\n", "502 what?\r\n"},
	{THEIRS}, SMTP_OPENING_REFUSED, 502, "what?", -1},
    {"EHLO with an odd success", SMTP_VERB_EHLO, false,
	{"220 mx\r\n", "220 mx\r\n"}, {THEIRS}, SMTP_OPENING_REFUSED, 220, "mx",
	-1},
    {"HELO is refused", SMTP_VERB_HELO, false, {"220 mx\r\n", "550 no\r\n"},
	{"HELO client.example\r\n"}, SMTP_OPENING_REFUSED, 550, "no", -1},
    {"no SMTP", SMTP_VERB_UNKNOWN, false, {"SSH-2.0-OpenSSH_9.2\r\n"}, {0},
	SMTP_OPENING_MALFORMED, 0, NULL, -1},
    {"a bare LF", SMTP_VERB_UNKNOWN, false, {"220 mx\n"}, {0},
	SMTP_OPENING_MALFORMED, 0, NULL, -1},
    {"a bare LF in the EHLO reply", SMTP_VERB_EHLO, false,
	{"220 mx\r\n", "250-mx\r\n250-DSN\n250 VRFY\r\n"}, {THEIRS},
	SMTP_OPENING_MALFORMED, 0, NULL, -1},
    {"a probe", SMTP_VERB_UNKNOWN, true,
	{"220 mx\r\n", EHLO_REPLY, "221 bye\r\n"}, {OURS, "QUIT\r\n"},
	SMTP_OPENING_READY, 0, NULL, KEYWORDS},
    {"a probe whose QUIT is refused", SMTP_VERB_UNKNOWN, true,
	{"220 mx\r\n", EHLO_REPLY, "500 stay\r\n"}, {OURS, "QUIT\r\n"},
	SMTP_OPENING_READY, 0, NULL, KEYWORDS},
    {"a probe of a server without extensions", SMTP_VERB_UNKNOWN, true,
	{"220 mx\r\n", "500 what?\r\n", "250 mx\r\n", "221 bye\r\n"},
	{OURS, "HELO gate.example\r\n", "QUIT\r\n"}, SMTP_OPENING_READY, 0,
	NULL, 0},
    {"a probe that is refused both", SMTP_VERB_UNKNOWN, true,
	{"220 mx\r\n", "500 what?\r\n", "550 no\r\n"},
	{OURS, "HELO gate.example\r\n"}, SMTP_OPENING_REFUSED, 550, "no", -1},
    {"a probe that must wait", SMTP_VERB_UNKNOWN, true,
	{"220 mx\r\n", "451 later\r\n"}, {OURS}, SMTP_OPENING_REFUSED, 451,
	"later", -1},
    {"a probe says no XCLIENT", SMTP_VERB_UNKNOWN, true,
	{"220 mx\r\n", TRUSTING, "221 bye\r\n"}, {OURS, "QUIT\r\n"},
	SMTP_OPENING_READY, 0, NULL, 0, .xclient = true},
    {"XCLIENT, then nothing", SMTP_VERB_UNKNOWN, false,
	{"220 mx\r\n", TRUSTING, IDENTIFIED, "220 mx\r\n"}, {OURS, "", TOLD},
	SMTP_OPENING_READY, 0, NULL, 0, .xclient = true},
    {"XCLIENT, then EHLO again", SMTP_VERB_EHLO, false,
	{"220 mx\r\n", TRUSTING, IDENTIFIED, "220 mx\r\n", EHLO_REPLY},
	{OURS, "", "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.1\r\n", THEIRS},
	SMTP_OPENING_READY, 0, NULL, KEYWORDS, .xclient = true},
    {"XCLIENT is not offered", SMTP_VERB_EHLO, false,
	{"220 mx\r\n", EHLO_REPLY}, {OURS}, SMTP_OPENING_NO_XCLIENT, 0, NULL,
	KEYWORDS, .xclient = true},
    {"XCLIENT without ADDR", SMTP_VERB_EHLO, false,
	{"220 mx\r\n", "250-mx\r\n250 XCLIENT NAME PORT\r\n"}, {OURS},
	SMTP_OPENING_NO_XCLIENT, 0, NULL, 0, .xclient = true},
    {"XCLIENT is refused", SMTP_VERB_EHLO, false,
	{"220 mx\r\n", TRUSTING, IDENTIFIED, "550 5.7.0 no\r\n"},
	{OURS, "", TOLD}, SMTP_OPENING_NO_XCLIENT, 550, "5.7.0 no", 0,
	.xclient = true},
    {"XCLIENT has an odd success", SMTP_VERB_EHLO, false,
	{"220 mx\r\n", TRUSTING, IDENTIFIED, "250 Ok\r\n"}, {OURS, "", TOLD},
	SMTP_OPENING_NO_XCLIENT, 250, "Ok", 0, .xclient = true},
    {"a server without extensions cannot be told", SMTP_VERB_HELO, false,
	{"220 mx\r\n", "500 what?\r\n", "250 mx\r\n"},
	{OURS, "HELO gate.example\r\n"}, SMTP_OPENING_NO_XCLIENT, 0, NULL, 0,
	.xclient = true},
    {"STARTTLS", SMTP_VERB_EHLO, false,
	{"220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n", SECURED,
	    EHLO_REPLY, EHLO_REPLY},
	{OURS, "STARTTLS\r\n", "", OURS, THEIRS}, SMTP_OPENING_READY, 0, NULL,
	KEYWORDS, .tls = SMTP_OPENING_TLS_ENCRYPT},
    {"what XCLIENT offers in clear is void in TLS", SMTP_VERB_EHLO, false,
	{"220 mx\r\n", "250-mx\r\n250-XCLIENT NAME ADDR\r\n250 STARTTLS\r\n",
	    "220 go\r\n", SECURED, EHLO_REPLY},
	{OURS, "STARTTLS\r\n", "", OURS}, SMTP_OPENING_NO_XCLIENT, 0, NULL,
	KEYWORDS, .xclient = true, .tls = SMTP_OPENING_TLS_MAY},
    {"STARTTLS, then XCLIENT", SMTP_VERB_UNKNOWN, false,
	{"220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n", SECURED,
	    TRUSTING, IDENTIFIED, "220 mx\r\n"},
	{OURS, "STARTTLS\r\n", "", OURS, "", TOLD}, SMTP_OPENING_READY, 0, NULL,
	0, .xclient = true, .tls = SMTP_OPENING_TLS_MAY},
    {"a probe asks again when STARTTLS is refused", SMTP_VERB_UNKNOWN, true,
	{"220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "454 later\r\n",
	    EHLO_REPLY, "221 bye\r\n"},
	{OURS, "STARTTLS\r\n", OURS, "QUIT\r\n"}, SMTP_OPENING_READY, 0, NULL,
	KEYWORDS, .tls = SMTP_OPENING_TLS_MAY},
    {"STARTTLS may be missing", SMTP_VERB_UNKNOWN, false,
	{"220 mx\r\n", EHLO_REPLY}, {OURS}, SMTP_OPENING_READY, 0, NULL,
	KEYWORDS, .tls = SMTP_OPENING_TLS_MAY},
    {"STARTTLS may be refused", SMTP_VERB_UNKNOWN, false,
	{"220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "454 later\r\n"},
	{OURS, "STARTTLS\r\n"}, SMTP_OPENING_READY, 0, NULL, 0,
	.tls = SMTP_OPENING_TLS_MAY},
    {"STARTTLS must not be missing", SMTP_VERB_UNKNOWN, false,
	{"220 mx\r\n", EHLO_REPLY}, {OURS}, SMTP_OPENING_NO_TLS, 0, NULL,
	KEYWORDS, .tls = SMTP_OPENING_TLS_ENCRYPT},
    {"STARTTLS must not be refused", SMTP_VERB_UNKNOWN, false,
	{"220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "454 later\r\n"},
	{OURS, "STARTTLS\r\n"}, SMTP_OPENING_NO_TLS, 454, "later", 0,
	.tls = SMTP_OPENING_TLS_ENCRYPT},
};

static const struct smtp_identity identity = {.address = "192.0.2.1"};

static struct smtp_opening begin(const struct row *row)
{
	struct smtp_opening opening;
	struct smtp_opening_plan plan = {
	    .hostname = "gate.example",
	    .helo_verb = row->helo_verb,
	    .helo = "client.example",
	    .tls = row->tls,
	    .xclient = row->xclient,
	    .probe = row->probe,
	};
	smtp_opening_init(&opening, &plan);
	return opening;
}

/* Hears what came so far of one piece; nothing of it may be used early. */
static void hear(struct smtp_opening *opening, const char *text, size_t len,
    struct smtp_opening_step *step)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	cr_assert_not_null(copy);
	memcpy(copy, text, len);
	smtp_opening_step(opening, copy, len, step);
	if (step->event == SMTP_OPENING_NEED_MORE)
		cr_assert_eq(step->used, 0);
	if (step->reply_text != NULL) {
		/* Borrowed text: what the caller sees in his own buffer. */
		const uint8_t *reply_text = (const uint8_t *)step->reply_text;
		step->reply_text = text + (reply_text - copy);
	}
	free(copy);
}

static void check_end(
    const struct row *row, const struct smtp_opening_step *step)
{
	cr_assert_eq(step->event, row->event, "%s", row->name);
	cr_assert_eq(step->reply_code, row->reply_code, "%s", row->name);
	if (row->reply_text == NULL)
		return;
	cr_assert_eq(
	    step->reply_text_len, strlen(row->reply_text), "%s", row->name);
	cr_assert_eq(
	    memcmp(step->reply_text, row->reply_text, step->reply_text_len), 0,
	    "%s", row->name);
}

/* What the machine asked for is done. */
static bool act(struct smtp_opening *opening, const char *what,
    struct smtp_opening_step *step)
{
	if (strcmp(what, SECURED) == 0) {
		cr_assert_eq(step->event, SMTP_OPENING_START_TLS);
		smtp_opening_secured(opening, step);
		return true;
	}
	if (strcmp(what, IDENTIFIED) == 0) {
		cr_assert_eq(step->event, SMTP_OPENING_IDENTIFY);
		smtp_opening_identify(opening, &identity, step);
		return true;
	}
	return false;
}

static void check_said(const struct row *row, const char *said, size_t len,
    const struct smtp_opening_step *step)
{
	if (said[0] == '\0')
		return;
	cr_assert_eq(step->event, SMTP_OPENING_SAY, "%s", row->name);
	if (step->used > 0)
		cr_assert_eq(step->used, len, "%s", row->name);
	cr_assert_eq(step->say_len, strlen(said), "%s", row->name);
	cr_assert_eq(
	    memcmp(step->say, said, step->say_len), 0, "%s", row->name);
}

static void play(const struct row *row, unsigned piece_to_cut, size_t cut)
{
	static struct smtp_opening_step step;
	struct smtp_opening opening = begin(row);
	int keywords = -1;
	for (unsigned i = 0; i < SAYS_MAX && row->backend[i] != NULL; i++) {
		const char *text = row->backend[i];
		size_t len = strlen(text);
		bool acted = act(&opening, text, &step);
		if (i == piece_to_cut && !acted)
			hear(&opening, text, cut < len ? cut : len, &step);
		if (!acted &&
		    (i != piece_to_cut || step.event == SMTP_OPENING_NEED_MORE))
			hear(&opening, text, len, &step);
		if (step.ehlo_read)
			keywords = (int)step.ehlo.keywords;
		if (row->said[i] == NULL) {
			check_end(row, &step);
			break;
		}
		check_said(row, row->said[i], len, &step);
	}
	cr_assert_eq(keywords, row->ehlo_keywords, "%s", row->name);
}

Test(opening, goes_the_same_way_at_every_cut)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (unsigned piece = 0; piece < SAYS_MAX; piece++) {
			for (size_t cut = 0; cut < 40; cut++)
				play(&rows[i], piece, cut);
		}
	}
}

/* Nothing may stand behind a reply when it is our turn: it would be taken for
 * the answer to what was not yet asked. */
Test(opening, refuses_answers_to_what_was_not_asked)
{
	static struct smtp_opening_step step;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		for (unsigned last = 0;
		     last < SAYS_MAX && row->backend[last] != NULL; last++) {
			struct smtp_opening opening = begin(row);
			char text[256];
			for (unsigned j = 0; j < last; j++) {
				if (!act(&opening, row->backend[j], &step))
					hear(&opening, row->backend[j],
					    strlen(row->backend[j]), &step);
			}
			if (row->backend[last][0] == '(' ||
			    opening.state == SMTP_OPENING_EXPECT_STARTTLS_REPLY)
				continue;
			strcpy(text, row->backend[last]);
			strcat(text, "2");
			hear(&opening, text, strlen(text), &step);
			cr_assert_eq(step.event, SMTP_OPENING_MALFORMED,
			    "%s, piece %u", row->name, last);
			cr_assert_not(step.ehlo_read);
		}
	}
}

Test(opening, hears_nothing_more_when_done)
{
	static struct smtp_opening_step step;
	struct smtp_opening opening = begin(&rows[0]);
	hear(&opening, "220 mx\r\n", 8, &step);
	cr_assert_eq(step.event, SMTP_OPENING_READY);
	cr_assert_eq(opening.state, SMTP_OPENING_DONE);
	hear(&opening, "250 Ok\r\n", 8, &step);
	cr_assert_eq(step.event, SMTP_OPENING_MALFORMED);
}

Test(opening, bounds_a_greeting)
{
	static struct smtp_opening_step step;
	static char flood[20000];
	struct smtp_opening opening = begin(&rows[0]);
	for (size_t i = 0; i < sizeof(flood) / 10; i++)
		memcpy(flood + 10 * i, "220-xxxx\r\n", 10);
	hear(&opening, flood, 16383, &step);
	cr_assert_eq(step.event, SMTP_OPENING_NEED_MORE);
	hear(&opening, flood, 16384, &step);
	cr_assert_eq(step.event, SMTP_OPENING_MALFORMED);
}

Test(opening, says_the_longest_name)
{
	static struct smtp_opening_step step;
	struct smtp_opening opening;
	char name[256];
	memset(name, 'n', 255);
	name[255] = '\0';
	smtp_opening_init(
	    &opening, &(struct smtp_opening_plan){.hostname = "gate.example",
			  .helo_verb = SMTP_VERB_EHLO,
			  .helo = name});
	hear(&opening, "220 mx\r\n", 8, &step);
	cr_assert_eq(step.say_len, 5 + 255 + 2);
	cr_assert_eq(memcmp(step.say, "EHLO nnn", 8), 0);
	cr_assert_eq(memcmp(step.say + 259, "n\r\n", 3), 0);
}

/* CVE-2021-38371: what stands behind the 220 to STARTTLS is of nobody. */
Test(opening, drops_what_comes_behind_the_reply_to_starttls)
{
	static struct smtp_opening_step step;
	struct smtp_opening opening;
	static const char reply[] = "220 go\r\n250-mx\r\n250 XCLIENT ADDR\r\n";
	smtp_opening_init(
	    &opening, &(struct smtp_opening_plan){.hostname = "gate.example",
			  .helo_verb = SMTP_VERB_UNKNOWN,
			  .helo = "",
			  .tls = SMTP_OPENING_TLS_ENCRYPT,
			  .xclient = true});
	hear(&opening, "220 mx\r\n", 8, &step);
	hear(&opening, "250-mx\r\n250 STARTTLS\r\n", 22, &step);
	hear(&opening, reply, strlen(reply), &step);
	cr_assert_eq(step.event, SMTP_OPENING_START_TLS);
	cr_assert_eq(step.used, strlen(reply));
	/* Not even a word before TLS is up. */
	hear(&opening, "250 mx\r\n", 8, &step);
	cr_assert_eq(step.event, SMTP_OPENING_MALFORMED);
}

/* NAME and HELO of the longest kind make two lines, with ADDR in the last. */
Test(opening, tells_in_two_lines_what_one_cannot_hold)
{
	static struct smtp_opening_step step;
	struct smtp_opening opening;
	char name[256], helo[256];
	memset(name, 'n', 255);
	name[255] = '\0';
	memset(helo, 'h', 255);
	helo[255] = '\0';
	struct smtp_identity long_one = {.address = "2001:db8::7",
	    .name = name,
	    .helo_verb = SMTP_VERB_EHLO,
	    .helo = helo};
	smtp_opening_init(
	    &opening, &(struct smtp_opening_plan){.hostname = "gate.example",
			  .helo_verb = SMTP_VERB_UNKNOWN,
			  .helo = "",
			  .xclient = true});
	hear(&opening, "220 mx\r\n", 8, &step);
	hear(&opening, "250-mx\r\n250 XCLIENT ADDR HELO NAME\r\n", 36, &step);
	cr_assert_eq(step.event, SMTP_OPENING_IDENTIFY);
	smtp_opening_identify(&opening, &long_one, &step);
	cr_assert_eq(step.say_len, 8 + 5 + 255 + 2);
	cr_assert_eq(memcmp(step.say, "XCLIENT HELO=hhh", 16), 0);
	hear(&opening, "220 mx\r\n", 8, &step);
	cr_assert_eq(step.event, SMTP_OPENING_IDENTIFY);
	cr_assert_not(opening.identified);
	smtp_opening_identify(&opening, &long_one, &step);
	cr_assert_eq(memcmp(step.say, "XCLIENT NAME=nnn", 16), 0);
	cr_assert_eq(memcmp(step.say + step.say_len - 24,
			 " ADDR=IPV6:2001:db8::7\r\n", 24),
	    0);
	hear(&opening, "220 mx\r\n", 8, &step);
	cr_assert_eq(step.event, SMTP_OPENING_READY);
	cr_assert(opening.identified);
}
