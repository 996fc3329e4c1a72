/* SPDX-License-Identifier: Apache-2.0 */
/* The half of the relay that takes the client's bytes. */
#include "smtp/relay.h"

#include <assert.h>

#include "smtp/command.h"
#include "smtp/content.h"
#include "smtp/line.h"
#include "smtp/turn.h"
#include "smtp/verdict.h"

/* What is done with a command that nothing speaks against. */
enum course {
	COURSE_PASS,
	COURSE_GREET,
	COURSE_START_TLS,
	COURSE_AUTH,
	COURSE_DATA,
	COURSE_BDAT,
	COURSE_QUIT,
	COURSE_NONE, /* the verdict lets none through */
};

static const enum course courses[SMTP_VERB_COUNT] = {
    [SMTP_VERB_HELO] = COURSE_GREET,
    [SMTP_VERB_EHLO] = COURSE_GREET,
    [SMTP_VERB_XCLIENT] = COURSE_NONE,
    [SMTP_VERB_XFORWARD] = COURSE_NONE,
    [SMTP_VERB_STARTTLS] = COURSE_START_TLS,
    [SMTP_VERB_AUTH] = COURSE_AUTH,
    [SMTP_VERB_MAIL] = COURSE_PASS,
    [SMTP_VERB_RCPT] = COURSE_PASS,
    [SMTP_VERB_DATA] = COURSE_DATA,
    [SMTP_VERB_BDAT] = COURSE_BDAT,
    [SMTP_VERB_RSET] = COURSE_PASS,
    [SMTP_VERB_NOOP] = COURSE_PASS,
    [SMTP_VERB_VRFY] = COURSE_PASS,
    [SMTP_VERB_ETRN] = COURSE_PASS,
    [SMTP_VERB_QUIT] = COURSE_QUIT,
    [SMTP_VERB_HELP] = COURSE_PASS,
    [SMTP_VERB_UNKNOWN] = COURSE_PASS,
};

static void note_command(struct smtp_client *client, enum smtp_verb verb)
{
	smtp_counts_came(&client->counts, verb);
	client->last = verb;
	client->spoke = true;
	client->after_message = false;
}

static void note_error(struct smtp_client *client)
{
	if (client->errors < UINT16_MAX)
		client->errors++;
}

static void note_improper_pipelining(struct smtp_turn *turn)
{
	turn->step->improper_pipelining = !turn->client->improper;
	turn->client->improper = true;
}

static void refuse(struct smtp_turn *turn, size_t used, enum smtp_answer answer)
{
	struct smtp_tls_events *events = &turn->client->tls_events;
	if (answer == SMTP_ANSWER_STARTTLS_ACTIVE)
		events->repeated++;
	if (answer == SMTP_ANSWER_STARTTLS_FIRST)
		events->refused++;
	note_error(turn->client);
	smtp_turn_use(turn, used);
	smtp_turn_answer(turn, answer);
}

static void pass(struct smtp_turn *turn, size_t used, enum smtp_due due)
{
	smtp_turn_forward(turn, used);
	smtp_outstanding_push(&turn->relay->outstanding, due);
	turn->relay->has_passed = true;
}

static void refuse_bdat(struct smtp_turn *turn,
    const struct smtp_command *command, size_t used, enum smtp_answer answer)
{
	if (answer == SMTP_ANSWER_STARTTLS_FIRST)
		turn->client->tls_events.refused++;
	note_error(turn->client);
	smtp_content_discard_bdat(turn, command, used, answer);
}

/* Whoever handles the name next must not find a control character in it. */
static void keep_helo(
    struct smtp_relay *relay, const struct smtp_command *command)
{
	size_t len = command->argument_len;
	relay->greets_first = !relay->has_passed && len > 0;
	if (len >= sizeof(relay->helo)) {
		len = sizeof(relay->helo) - 1;
		relay->greets_first = false;
	}
	for (size_t i = 0; i < len; i++) {
		char byte = command->argument[i];
		bool shown = byte >= ' ' && byte <= '~';
		relay->helo[i] = shown ? byte : '?';
		if (!shown)
			relay->greets_first = false;
	}
	relay->helo[len] = '\0';
}

/* Nothing is outstanding. What was learnt in clear is void, and so is every
 * byte behind the command: RFC 3207, 4.2; CVE-2011-0411. */
static void start_tls(struct smtp_turn *turn, size_t used)
{
	assert(smtp_outstanding_is_empty(&turn->relay->outstanding));
	smtp_counts_obeyed(&turn->client->counts, SMTP_VERB_STARTTLS);
	smtp_turn_use(turn, used);
	smtp_turn_answer_now(turn, SMTP_ANSWER_STARTTLS_READY);
	smtp_turn_enter(turn, SMTP_RELAY_EXPECT_END);
	turn->step->event = SMTP_RELAY_START_TLS;
}

static void obey(
    struct smtp_turn *turn, const struct smtp_command *command, size_t used)
{
	enum smtp_due due = smtp_trace_command(&turn->relay->trace, command);
	assert(courses[command->verb] != COURSE_NONE);
	switch (courses[command->verb]) {
	case COURSE_PASS:
		turn->relay->xforward_said = false;
		pass(turn, used, due);
		return;
	case COURSE_GREET:
		keep_helo(turn->relay, command);
		pass(turn, used, due);
		smtp_turn_enter(turn, SMTP_RELAY_EXPECT_HELO_REPLY);
		return;
	case COURSE_START_TLS:
		start_tls(turn, used);
		return;
	case COURSE_AUTH:
		pass(turn, used, due);
		smtp_turn_enter(turn, SMTP_RELAY_EXPECT_AUTH_REPLY);
		return;
	case COURSE_DATA:
		pass(turn, used, due);
		turn->relay->data_premature = used < turn->input_len;
		smtp_turn_enter(turn, SMTP_RELAY_EXPECT_DATA_REPLY);
		return;
	case COURSE_BDAT:
		smtp_content_pass_bdat(turn, command, used, due);
		return;
	case COURSE_QUIT:
		pass(turn, used, due);
		smtp_turn_enter(turn, SMTP_RELAY_EXPECT_END);
		return;
	case COURSE_NONE:
		return;
	}
}

/* RFC 2920, 3.1: nothing may follow some commands before their reply was seen,
 * and without EHLO there is no right to pipeline at all. */
static bool pipelines_improperly(
    const struct smtp_turn *turn, enum smtp_verb verb, size_t used)
{
	if (used == turn->input_len || verb == SMTP_VERB_UNKNOWN)
		return false;
	return turn->client->helo_verb != SMTP_VERB_EHLO ||
	       smtp_verb_ends_batch(verb);
}

/* What is sent behind it hangs on its reply, so when the reply is ours the
 * client has to be told before more of it is read. With STARTTLS the 220 is the
 * last that is said in clear. */
static bool must_be_answered_first(
    const struct smtp_turn *turn, enum smtp_verb verb, enum smtp_answer answer)
{
	if (verb == SMTP_VERB_STARTTLS)
		return true;
	if (verb == SMTP_VERB_BDAT && answer == SMTP_ANSWER_NONE)
		return smtp_content_bdat_must_wait(turn);
	return answer != SMTP_ANSWER_NONE &&
	       (verb == SMTP_VERB_DATA || verb == SMTP_VERB_AUTH);
}

/* It is good for one transaction, and a greeting or RSET undoes it, so it goes
 * right before each MAIL. */
static bool is_xforward_due(
    const struct smtp_turn *turn, const struct smtp_command *command)
{
	return turn->relay->says_xforward && turn->relay->xforward != 0 &&
	       !turn->relay->xforward_said && command->verb == SMTP_VERB_MAIL;
}

static void ask_for_xforward(struct smtp_turn *turn)
{
	unsigned due = turn->relay->outstanding.count;
	turn->step->event =
	    due + SMTP_RELAY_XFORWARD_MAX + 1 > SMTP_OUTSTANDING_MAX
		? SMTP_RELAY_WAIT
		: SMTP_RELAY_XFORWARD;
}

static void take_line(
    struct smtp_turn *turn, const struct smtp_command *command, size_t used)
{
	bool improper = pipelines_improperly(turn, command->verb, used);
	enum smtp_answer answer = smtp_verdict(turn, command, improper);
	if (must_be_answered_first(turn, command->verb, answer) &&
	    !smtp_outstanding_is_empty(&turn->relay->outstanding)) {
		turn->step->event = SMTP_RELAY_WAIT;
		return;
	}
	if (answer == SMTP_ANSWER_NONE && is_xforward_due(turn, command)) {
		ask_for_xforward(turn);
		return;
	}
	if (improper)
		note_improper_pipelining(turn);
	if (command->word_len > 0)
		note_command(turn->client, command->verb);

	if (answer == SMTP_ANSWER_NONE)
		obey(turn, command, used);
	else if (command->verb == SMTP_VERB_BDAT &&
		 smtp_answer_end(answer) == SMTP_END_NONE)
		refuse_bdat(turn, command, used, answer);
	else
		refuse(turn, used, answer);
}

/* After these, bytes follow that are not to be taken for commands. */
static bool opens_what_is_no_command(enum smtp_verb verb)
{
	return verb == SMTP_VERB_BDAT || verb == SMTP_VERB_DATA ||
	       verb == SMTP_VERB_AUTH;
}

static void refuse_unreadable(
    struct smtp_turn *turn, enum smtp_verb verb, size_t used)
{
	if (verb == SMTP_VERB_BDAT)
		refuse(turn, used, SMTP_ANSWER_BDAT_SYNTAX);
	else if (opens_what_is_no_command(verb))
		refuse(turn, used, SMTP_ANSWER_UNREADABLE);
	else
		refuse(turn, used, SMTP_ANSWER_BAD_SYNTAX);
}

/* The rest of it is dropped as it comes, and answered at its end. Behind blanks
 * the verb itself may be in the rest. */
static void refuse_long_line(struct smtp_turn *turn,
    const struct smtp_line *line, const struct smtp_command *command)
{
	if (command->word_len == 0 || command->word != line->text) {
		refuse(turn, line->used, SMTP_ANSWER_UNREADABLE);
		return;
	}
	if (opens_what_is_no_command(command->verb)) {
		refuse_unreadable(turn, command->verb, line->used);
		return;
	}
	turn->client->skipping_line = true;
	turn->client->skipped = 0;
	smtp_turn_use(turn, line->used);
}

static void refuse_foreigner(
    struct smtp_turn *turn, const struct smtp_line *line)
{
	note_command(turn->client, SMTP_VERB_UNKNOWN);
	turn->step->offence = line->text;
	turn->step->offence_len = line->len;
	refuse(turn, line->used, SMTP_ANSWER_NOT_SMTP);
}

/* Drops what is left of a line that was too long, and answers at its end. */
static void skip_line(struct smtp_turn *turn)
{
	struct smtp_client *client = turn->client;
	size_t used;
	enum smtp_line_result result =
	    smtp_line_skip(turn->input, turn->input_len, &used);
	if (used > SMTP_SKIPPED_MAX - client->skipped) {
		refuse(turn, used, SMTP_ANSWER_TOO_MANY_ERRORS);
		return;
	}
	client->skipped += (uint32_t)used;
	if (result == SMTP_LINE_NEED_MORE) {
		if (used > 0)
			smtp_turn_use(turn, used);
		return;
	}
	client->skipping_line = false;
	refuse(turn, used,
	    result == SMTP_LINE_BARE_LF ? SMTP_ANSWER_BARE_LF
					: SMTP_ANSWER_TOO_LONG);
}

/* Only the credentials of an AUTH make a line longer than line_length_limit. */
static enum smtp_line_result find_line(const struct smtp_turn *turn,
    struct smtp_line *line, struct smtp_command *command)
{
	enum smtp_line_result result = smtp_line_find(
	    turn->input, turn->input_len, turn->policy->line_size_max, line);
	if (result == SMTP_LINE_NEED_MORE)
		return result;
	smtp_command_parse(line->text, line->len, command);
	if (result != SMTP_LINE_TOO_LONG || command->verb != SMTP_VERB_AUTH ||
	    turn->policy->auth_line_size_max <= turn->policy->line_size_max)
		return result;
	result = smtp_line_find(turn->input, turn->input_len,
	    turn->policy->auth_line_size_max, line);
	if (result != SMTP_LINE_NEED_MORE)
		smtp_command_parse(line->text, line->len, command);
	return result;
}

static void take_command(struct smtp_turn *turn)
{
	struct smtp_line line;
	struct smtp_command command;
	enum smtp_line_result result = find_line(turn, &line, &command);
	if (result == SMTP_LINE_NEED_MORE)
		return;
	if (turn->relay->backend_lost) {
		refuse(turn, line.used, SMTP_ANSWER_BACKEND_LOST);
		return;
	}
	if (smtp_command_is_foreign(
		&command, turn->policy->forbidden_commands)) {
		refuse_foreigner(turn, &line);
		return;
	}
	switch (result) {
	case SMTP_LINE_NEED_MORE:
		return;
	case SMTP_LINE_FOUND:
		take_line(turn, &command, line.used);
		return;
	case SMTP_LINE_TOO_LONG:
		refuse_long_line(turn, &line, &command);
		return;
	case SMTP_LINE_BARE_LF:
		refuse(turn, line.used, SMTP_ANSWER_BARE_LF);
		return;
	case SMTP_LINE_BAD_BYTE:
		refuse_unreadable(turn, command.verb, line.used);
		return;
	}
}

static void expect_command(struct smtp_turn *turn)
{
	if (smtp_outstanding_is_full(&turn->relay->outstanding)) {
		turn->step->event = SMTP_RELAY_WAIT;
		return;
	}
	if (turn->client->errors >= turn->policy->hard_error_limit) {
		smtp_turn_use(turn, 0);
		smtp_turn_answer(turn, SMTP_ANSWER_TOO_MANY_ERRORS);
		return;
	}
	if (turn->client->skipping_line)
		skip_line(turn);
	else
		take_command(turn);
}

/* RFC 2920, 3.1: nothing may follow DATA before its reply was seen. */
static void expect_data_reply(struct smtp_turn *turn)
{
	turn->step->event = SMTP_RELAY_WAIT;
	if (turn->input_len == 0)
		return;
	turn->relay->data_premature = true;
	note_improper_pipelining(turn);
}

/* RFC 4954, 4. What it says is a secret: it is never an offence for the log. */
static void expect_auth_response(struct smtp_turn *turn)
{
	struct smtp_line line;
	switch (smtp_line_find(turn->input, turn->input_len,
	    turn->policy->auth_line_size_max, &line)) {
	case SMTP_LINE_NEED_MORE:
		return;
	case SMTP_LINE_FOUND:
		pass(turn, line.used, SMTP_DUE_AUTH);
		smtp_turn_enter(turn, SMTP_RELAY_EXPECT_AUTH_REPLY);
		return;
	case SMTP_LINE_TOO_LONG:
		refuse(turn, line.used, SMTP_ANSWER_AUTH_TOO_LONG);
		return;
	case SMTP_LINE_BARE_LF:
		refuse(turn, line.used, SMTP_ANSWER_BARE_LF);
		return;
	case SMTP_LINE_BAD_BYTE:
		refuse(turn, line.used, SMTP_ANSWER_AUTH_SYNTAX);
		return;
	}
}

void smtp_relay_client_step(struct smtp_relay *relay,
    struct smtp_client *client, const struct smtp_policy *policy,
    const uint8_t *input, size_t input_len, struct smtp_relay_step *step_out)
{
	struct smtp_turn turn = {
	    relay, client, policy, input, input_len, step_out};
	smtp_turn_begin(&turn);
	if (smtp_turn_write_due(&turn))
		return;
	switch (relay->state) {
	case SMTP_RELAY_EXPECT_COMMAND:
		expect_command(&turn);
		break;
	case SMTP_RELAY_EXPECT_HELO_REPLY:
	case SMTP_RELAY_EXPECT_AUTH_REPLY:
		step_out->event = SMTP_RELAY_WAIT;
		break;
	case SMTP_RELAY_EXPECT_DATA_REPLY:
		expect_data_reply(&turn);
		break;
	case SMTP_RELAY_EXPECT_BODY:
		smtp_content_take_body(&turn);
		break;
	case SMTP_RELAY_EXPECT_CHUNK:
		smtp_content_take_chunk(&turn);
		break;
	case SMTP_RELAY_EXPECT_AUTH_RESPONSE:
		expect_auth_response(&turn);
		break;
	case SMTP_RELAY_EXPECT_END:
		if (input_len > 0)
			smtp_turn_use(&turn, input_len);
		break;
	}
	smtp_turn_write_due(&turn);
}
