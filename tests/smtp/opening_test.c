/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/opening.h"

#define SAYS_MAX 4

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
	int ehlo_keywords; /* -1: no EHLO reply was read */
};

#define EHLO_REPLY "250-mx\r\n250-PIPELINING\r\n250 SIZE 5\r\n"
#define KEYWORDS   (1 << SMTP_KEYWORD_PIPELINING | 1 << SMTP_KEYWORD_SIZE)

static const struct row rows[] = {
    {"nothing was said", SMTP_VERB_UNKNOWN, false, {"220 mx ESMTP\r\n"}, {0},
	SMTP_OPENING_READY, 0, NULL, -1},
    {"a greeting of two lines", SMTP_VERB_UNKNOWN, false,
	{"220-mx ESMTP\r\n220 no spam\r\n"}, {0}, SMTP_OPENING_READY, 0, NULL,
	-1},
    {"EHLO again", SMTP_VERB_EHLO, false, {"220 mx\r\n", EHLO_REPLY},
	{"EHLO client.example\r\n"}, SMTP_OPENING_READY, 0, NULL, KEYWORDS},
    {"HELO again", SMTP_VERB_HELO, false, {"220 mx\r\n", "250 mx\r\n"},
	{"HELO client.example\r\n"}, SMTP_OPENING_READY, 0, NULL, -1},
    {"busy", SMTP_VERB_EHLO, false, {"421 4.3.2 too busy\r\n"}, {0},
	SMTP_OPENING_REFUSED, 421, "4.3.2 too busy", -1},
    {"no service", SMTP_VERB_UNKNOWN, false, {"554-go\r\n554 5.7.1 away\r\n"},
	{0}, SMTP_OPENING_REFUSED, 554, "5.7.1 away", -1},
    {"a greeting that is none", SMTP_VERB_UNKNOWN, false, {"250 Ok\r\n"}, {0},
	SMTP_OPENING_REFUSED, 250, "Ok", -1},
    {"EHLO is refused", SMTP_VERB_EHLO, false, {"220 mx\r\n", "502 what?\r\n"},
	{"EHLO client.example\r\n"}, SMTP_OPENING_REFUSED, 502, "what?", -1},
    {"EHLO with an odd success", SMTP_VERB_EHLO, false,
	{"220 mx\r\n", "220 mx\r\n"}, {"EHLO client.example\r\n"},
	SMTP_OPENING_REFUSED, 220, "mx", -1},
    {"HELO is refused", SMTP_VERB_HELO, false, {"220 mx\r\n", "550 no\r\n"},
	{"HELO client.example\r\n"}, SMTP_OPENING_REFUSED, 550, "no", -1},
    {"no SMTP", SMTP_VERB_UNKNOWN, false, {"SSH-2.0-OpenSSH_9.2\r\n"}, {0},
	SMTP_OPENING_MALFORMED, 0, NULL, -1},
    {"a bare LF", SMTP_VERB_UNKNOWN, false, {"220 mx\n"}, {0},
	SMTP_OPENING_MALFORMED, 0, NULL, -1},
    {"a bare LF in the EHLO reply", SMTP_VERB_EHLO, false,
	{"220 mx\r\n", "250-mx\r\n250-DSN\n250 VRFY\r\n"},
	{"EHLO client.example\r\n"}, SMTP_OPENING_MALFORMED, 0, NULL, -1},
    {"a probe", SMTP_VERB_EHLO, true, {"220 mx\r\n", EHLO_REPLY, "221 bye\r\n"},
	{"EHLO client.example\r\n", "QUIT\r\n"}, SMTP_OPENING_READY, 0, NULL,
	KEYWORDS},
    {"a probe whose QUIT is refused", SMTP_VERB_EHLO, true,
	{"220 mx\r\n", EHLO_REPLY, "500 stay\r\n"},
	{"EHLO client.example\r\n", "QUIT\r\n"}, SMTP_OPENING_READY, 0, NULL,
	KEYWORDS},
    {"a probe of a server without extensions", SMTP_VERB_EHLO, true,
	{"220 mx\r\n", "500 what?\r\n", "250 mx\r\n", "221 bye\r\n"},
	{"EHLO client.example\r\n", "HELO client.example\r\n", "QUIT\r\n"},
	SMTP_OPENING_READY, 0, NULL, 0},
    {"a probe that is refused both", SMTP_VERB_EHLO, true,
	{"220 mx\r\n", "500 what?\r\n", "550 no\r\n"},
	{"EHLO client.example\r\n", "HELO client.example\r\n"},
	SMTP_OPENING_REFUSED, 550, "no", -1},
    {"a probe that must wait", SMTP_VERB_EHLO, true,
	{"220 mx\r\n", "451 later\r\n"}, {"EHLO client.example\r\n"},
	SMTP_OPENING_REFUSED, 451, "later", -1},
};

static struct smtp_opening begin(const struct row *row)
{
	struct smtp_opening opening;
	if (row->probe)
		smtp_opening_init_probe(&opening, "client.example");
	else
		smtp_opening_init(&opening, row->helo_verb, "client.example");
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
	if (step->event == SMTP_OPENING_REFUSED) {
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

static void play(const struct row *row, unsigned piece_to_cut, size_t cut)
{
	static struct smtp_opening_step step;
	struct smtp_opening opening = begin(row);
	int keywords = -1;
	for (unsigned i = 0; i < SAYS_MAX && row->backend[i] != NULL; i++) {
		const char *text = row->backend[i];
		size_t len = strlen(text);
		if (i == piece_to_cut)
			hear(&opening, text, cut < len ? cut : len, &step);
		if (i != piece_to_cut || step.event == SMTP_OPENING_NEED_MORE)
			hear(&opening, text, len, &step);
		if (step.ehlo_read)
			keywords = (int)step.ehlo.keywords;
		if (row->said[i] == NULL) {
			check_end(row, &step);
			break;
		}
		cr_assert_eq(step.event, SMTP_OPENING_SAY, "%s", row->name);
		cr_assert_eq(step.used, len, "%s", row->name);
		cr_assert_eq(step.say_len, strlen(row->said[i]));
		cr_assert_eq(memcmp(step.say, row->said[i], step.say_len), 0);
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
			for (unsigned j = 0; j < last; j++)
				hear(&opening, row->backend[j],
				    strlen(row->backend[j]), &step);
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
	smtp_opening_init(&opening, SMTP_VERB_EHLO, name);
	hear(&opening, "220 mx\r\n", 8, &step);
	cr_assert_eq(step.say_len, 5 + 255 + 2);
	cr_assert_eq(memcmp(step.say, "EHLO nnn", 8), 0);
	cr_assert_eq(memcmp(step.say + 259, "n\r\n", 3), 0);
}
