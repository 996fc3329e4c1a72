/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/gate.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "smtp/line.h"

/* RFC 5321, 4.5.3.1.5, with the code and CRLF around it. */
#define BANNER_SIZE_MAX 500

/* One step under way. */
struct turn {
	struct smtp_client *client;
	const struct smtp_policy *policy;
	const struct smtp_ehlo *offer;
	struct smtp_gate_step *step;
	struct smtp_command command;
	bool more; /* input follows the command */
};

__attribute__((format(printf, 2, 3))) static void reply(
    struct turn *turn, const char *format, ...)
{
	struct smtp_gate_step *step = turn->step;
	va_list arguments;
	va_start(arguments, format);
	/* Room for the CRLF is kept: only a hostname could be too long. */
	int len =
	    vsnprintf(step->reply, sizeof(step->reply) - 2, format, arguments);
	va_end(arguments);
	assert(len > 0);
	step->reply_len = (size_t)len;
	if (step->reply_len > sizeof(step->reply) - 3)
		step->reply_len = sizeof(step->reply) - 3;
	memcpy(step->reply + step->reply_len, "\r\n", 3);
	step->reply_len += 2;
	step->event = SMTP_GATE_REPLY;
}

static void close_because(struct turn *turn, enum smtp_end end)
{
	turn->step->event = SMTP_GATE_CLOSE;
	turn->step->end = end;
}

static void count_error(struct smtp_client *client)
{
	if (client->errors < UINT16_MAX)
		client->errors++;
}

static void came(struct smtp_client *client, enum smtp_verb verb)
{
	smtp_counts_came(&client->counts, verb);
	client->last = verb;
	client->spoke = true;
	client->after_message = false;
}

/* RFC 4954, 4: where TLS is asked for, AUTH does not exist before it. */
static uint32_t discarded_of(const struct turn *turn)
{
	return turn->policy->discarded_keywords | turn->client->discarded;
}

static bool discards_starttls(const struct turn *turn)
{
	return turn->policy->tls_level == SMTP_TLS_NONE ||
	       (discarded_of(turn) >> SMTP_KEYWORD_STARTTLS & 1) != 0;
}

static struct smtp_ehlo_view view_of(const struct turn *turn)
{
	return (struct smtp_ehlo_view){
	    .hostname = turn->policy->hostname,
	    .offer_starttls = !turn->client->tls && !discards_starttls(turn),
	    .hide_auth = smtp_client_hides_auth(turn->client, turn->policy),
	    .discarded = discarded_of(turn),
	    .offer_xclient = turn->client->may_xclient,
	};
}

static bool greet(struct turn *turn)
{
	const struct smtp_command *command = &turn->command;
	struct smtp_client *client = turn->client;
	if (command->argument_len == 0) {
		reply(turn, "501 Syntax: %s hostname",
		    smtp_verb_name(command->verb));
		return false;
	}
	if (command->argument_len >= SMTP_HELO_SIZE) {
		reply(turn, "501 5.5.4 Error: hostname too long");
		return false;
	}
	smtp_client_keep_helo(client, command->argument, command->argument_len);
	client->helo_verb = command->verb;
	if (command->verb == SMTP_VERB_HELO) {
		client->offered = 0;
		client->offered_size = 0;
		reply(turn, "250 %s", turn->policy->hostname);
		return true;
	}
	struct smtp_ehlo_view view = view_of(turn);
	if (view.offer_starttls)
		client->tls_events.offered++;
	client->offered = smtp_ehlo_shown(turn->offer, &view);
	client->offered_size = (client->offered >> SMTP_KEYWORD_SIZE & 1) != 0
				   ? smtp_ehlo_size(turn->offer)
				   : 0;
	turn->step->event = SMTP_GATE_REPLY;
	turn->step->reply_len = smtp_ehlo_write(
	    turn->offer, &view, turn->step->reply, sizeof(turn->step->reply));
	return true;
}

/* In the order of Postfix's own checks. */
static bool start_tls(struct turn *turn)
{
	if (turn->command.argument_len > 0) {
		reply(turn, "501 5.5.4 Syntax: STARTTLS");
		return false;
	}
	if (turn->client->tls) {
		turn->client->tls_events.repeated++;
		reply(turn, "554 5.5.1 Error: TLS already active");
		return false;
	}
	if (discards_starttls(turn)) {
		reply(turn, "502 5.5.1 Error: command not implemented");
		return false;
	}
	reply(turn, "220 2.0.0 Ready to start TLS");
	turn->step->event = SMTP_GATE_START_TLS;
	return true;
}

static bool reset(struct turn *turn)
{
	if (turn->command.argument_len > 0) {
		reply(turn, "501 5.5.4 Syntax: RSET");
		return false;
	}
	reply(turn, "250 2.0.0 Ok");
	return true;
}

static void help(struct turn *turn)
{
	struct smtp_ehlo_view view = view_of(turn);
	uint32_t shown = smtp_ehlo_shown(turn->offer, &view);
	bool auth = (shown >> SMTP_KEYWORD_AUTH & 1) != 0;
	reply(turn,
	    "214 2.0.0 Commands: %sBDAT DATA EHLO ETRN HELO HELP MAIL NOOP "
	    "QUIT RCPT RSET STARTTLS VRFY XCLIENT XFORWARD",
	    auth ? "AUTH " : "");
}

/* Whoever may send it chooses his own address. The reply is a new greeting, and
 * nothing that was said before it holds any more. */
static bool take_xclient(struct turn *turn)
{
	const struct smtp_command *command = &turn->command;
	struct smtp_xclient *xclient = &turn->step->xclient;
	char error[512];
	if (!turn->client->may_xclient) {
		reply(turn, "550 5.7.0 Error: insufficient authorization");
		return false;
	}
	if (!smtp_xclient_parse(command->argument, command->argument_len,
		xclient, error, sizeof(error))) {
		reply(turn, "%s", error);
		return false;
	}
	smtp_client_xclient(turn->client, xclient->helo_verb, xclient->helo);
	reply(turn, "220 %.*s", BANNER_SIZE_MAX, turn->policy->banner);
	turn->step->event = SMTP_GATE_XCLIENT;
	return true;
}

/* Returns whether the reply is a success. */
static bool obey(struct turn *turn)
{
	switch (turn->command.verb) {
	case SMTP_VERB_HELO:
	case SMTP_VERB_EHLO:
		return greet(turn);
	case SMTP_VERB_STARTTLS:
		return start_tls(turn);
	case SMTP_VERB_RSET:
		return reset(turn);
	case SMTP_VERB_NOOP:
		reply(turn, "250 2.0.0 Ok");
		return true;
	case SMTP_VERB_HELP:
		help(turn);
		return true;
	case SMTP_VERB_QUIT:
		reply(turn, "221 2.0.0 Bye");
		close_because(turn, SMTP_END_CLIENT_QUIT);
		return true;
	case SMTP_VERB_XCLIENT:
		return take_xclient(turn);
	case SMTP_VERB_XFORWARD:
		reply(turn, "550 5.7.0 Error: insufficient authorization");
		return false;
	case SMTP_VERB_AUTH:
		reply(turn, "503 5.5.1 Error: authentication not enabled");
		return false;
	case SMTP_VERB_MAIL:
	case SMTP_VERB_RCPT:
	case SMTP_VERB_DATA:
	case SMTP_VERB_BDAT:
	case SMTP_VERB_VRFY:
	case SMTP_VERB_ETRN:
	case SMTP_VERB_UNKNOWN:
	case SMTP_VERB_COUNT:
		break;
	}
	assert(false); /* obey_line() keeps the backend's commands out */
	return false;
}

/* RFC 3207, 4: what goes before TLS where TLS is a must. HELP and XCLIENT are
 * Postfix's addition. */
static bool precedes_tls(enum smtp_verb verb)
{
	return verb == SMTP_VERB_HELO || verb == SMTP_VERB_EHLO ||
	       verb == SMTP_VERB_XCLIENT || verb == SMTP_VERB_STARTTLS ||
	       verb == SMTP_VERB_NOOP || verb == SMTP_VERB_QUIT ||
	       verb == SMTP_VERB_HELP;
}

static bool needs_backend(const struct turn *turn)
{
	enum smtp_verb verb = turn->command.verb;
	bool greeting = verb == SMTP_VERB_EHLO || verb == SMTP_VERB_HELO;
	/* Who is to be handed over may be said yet, or there is nobody. */
	if (greeting && (turn->client->may_xclient || turn->client->is_local))
		return false;
	if (turn->client->tls)
		return verb != SMTP_VERB_NOOP && verb != SMTP_VERB_QUIT &&
		       verb != SMTP_VERB_STARTTLS &&
		       verb != SMTP_VERB_XCLIENT && verb != SMTP_VERB_XFORWARD;
	if (turn->policy->tls_level == SMTP_TLS_ENCRYPT)
		return false;
	if (verb == SMTP_VERB_AUTH)
		return !smtp_client_hides_auth(turn->client, turn->policy);
	return verb == SMTP_VERB_MAIL || verb == SMTP_VERB_RCPT ||
	       verb == SMTP_VERB_DATA || verb == SMTP_VERB_BDAT ||
	       verb == SMTP_VERB_VRFY || verb == SMTP_VERB_ETRN;
}

/* RFC 3207, 4.2: behind STARTTLS comes EHLO, once more. */
static bool forgets_ehlo(const struct turn *turn)
{
	enum smtp_verb verb = turn->command.verb;
	return turn->client->tls && verb != SMTP_VERB_EHLO &&
	       verb != SMTP_VERB_HELO &&
	       turn->client->counts.ok[SMTP_VERB_STARTTLS] > 0;
}

/* RFC 2920, 3.1. Without EHLO there is no right to pipeline at all. Returns
 * whether the session must end. */
static bool pipelines_improperly(struct turn *turn)
{
	struct smtp_client *client = turn->client;
	if (!turn->more || (client->helo_verb == SMTP_VERB_EHLO &&
			       !smtp_verb_ends_batch(turn->command.verb)))
		return false;
	turn->step->improper_pipelining = !client->improper;
	client->improper = true;
	if (!turn->policy->forbid_pipelining)
		return false;
	reply(turn, "554 5.5.0 Error: SMTP protocol synchronization");
	close_because(turn, SMTP_END_CLIENT_PIPELINED);
	return true;
}

/* RFC 3030, 2: the octets of a chunk follow its command whatever the answer is.
 * What is no command must not be read as one. */
static bool brings_octets(const struct smtp_command *command)
{
	uint64_t size;
	bool last;
	return command->verb == SMTP_VERB_BDAT &&
	       smtp_bdat_parse(
		   command->argument, command->argument_len, &size, &last) &&
	       size > 0;
}

/* The backend may be told of it before it hears it. */
static void note_helo_to_come(struct turn *turn)
{
	const struct smtp_command *command = &turn->command;
	if ((command->verb != SMTP_VERB_EHLO &&
		command->verb != SMTP_VERB_HELO) ||
	    command->argument_len == 0 ||
	    command->argument_len >= SMTP_HELO_SIZE)
		return;
	smtp_client_keep_helo(
	    turn->client, command->argument, command->argument_len);
	turn->client->helo_to_come = command->verb;
}

static void break_off_foreigner(struct turn *turn, const struct smtp_line *line)
{
	came(turn->client, SMTP_VERB_UNKNOWN);
	turn->step->offence = line->text;
	turn->step->offence_len = line->len;
	reply(turn, "221 2.7.0 Error: I can break rules, too. Goodbye.");
	close_because(turn, SMTP_END_CLIENT_NOT_SMTP);
}

/* A health check of the proxy before us, which brings no mail. */
static void refuse_local(struct turn *turn)
{
	count_error(turn->client);
	reply(
	    turn, "451 4.3.0 Error: no mail is taken from a LOCAL connection");
	if (brings_octets(&turn->command))
		close_because(turn, SMTP_END_CLIENT_BAD_BDAT);
}

static void obey_line(struct turn *turn)
{
	struct smtp_client *client = turn->client;
	enum smtp_verb verb = turn->command.verb;
	if (turn->command.word_len == 0) {
		count_error(client);
		reply(turn, "500 5.5.2 Error: bad syntax");
		return;
	}
	if (verb == SMTP_VERB_MAIL && !client->tls && client->tls_refused) {
		came(client, verb);
		count_error(client);
		reply(turn, "451 4.7.0 TLS temporarily unavailable, try again "
			    "later");
		return;
	}
	if (needs_backend(turn) && client->is_local) {
		came(client, verb);
		refuse_local(turn);
		return;
	}
	if (needs_backend(turn)) {
		note_helo_to_come(turn);
		if (forgets_ehlo(turn))
			client->tls_events.ehlo_missing++;
		turn->step->event = SMTP_GATE_BACKEND;
		turn->step->used = 0;
		return;
	}
	came(client, verb);
	if (verb == SMTP_VERB_UNKNOWN) {
		count_error(client);
		reply(turn, "500 5.5.2 Error: command not recognized");
		return;
	}
	if (!client->tls && turn->policy->tls_level == SMTP_TLS_ENCRYPT &&
	    !precedes_tls(verb)) {
		count_error(client);
		client->tls_events.refused++;
		reply(turn, "530 5.7.0 Must issue a STARTTLS command first");
		if (brings_octets(&turn->command))
			close_because(turn, SMTP_END_CLIENT_BAD_BDAT);
		return;
	}
	if (pipelines_improperly(turn))
		return;
	if (obey(turn))
		smtp_counts_obeyed(&client->counts, verb);
	else
		count_error(client);
	if (!smtp_verb_is_junk(verb))
		return;
	if (client->junk >= turn->policy->junk_command_limit)
		count_error(client);
	else
		client->junk++;
}

static void refuse_bare_lf(struct turn *turn)
{
	reply(turn, "550 5.5.2 %s Error: bare <LF> received",
	    turn->policy->hostname);
	close_because(turn, SMTP_END_CLIENT_BARE_LF);
}

/* Drops what is left of a line that was too long, and answers at its end. */
static void skip_line(struct turn *turn, const uint8_t *input, size_t input_len)
{
	struct smtp_client *client = turn->client;
	size_t used;
	enum smtp_line_result result = smtp_line_skip(input, input_len, &used);
	turn->step->used += used;
	if (used > SMTP_SKIPPED_MAX - client->skipped) {
		reply(turn, "421 4.7.0 %s Error: too many errors",
		    turn->policy->hostname);
		close_because(turn, SMTP_END_CLIENT_ERRORS);
		return;
	}
	client->skipped += (uint32_t)used;
	if (result == SMTP_LINE_NEED_MORE)
		return;
	client->skipping_line = false;
	if (result == SMTP_LINE_BARE_LF) {
		refuse_bare_lf(turn);
		return;
	}
	count_error(client);
	reply(turn, "500 5.5.2 %s Error: command too long",
	    turn->policy->hostname);
}

static void take_line(struct turn *turn, const uint8_t *input, size_t input_len)
{
	struct smtp_client *client = turn->client;
	const struct smtp_policy *policy = turn->policy;
	struct smtp_line line;
	enum smtp_line_result result =
	    smtp_line_find(input, input_len, policy->line_size_max, &line);
	if (result == SMTP_LINE_NEED_MORE)
		return;
	turn->step->used = line.used;
	turn->more = input_len > line.used;
	smtp_command_parse(line.text, line.len, &turn->command);
	if (smtp_command_is_foreign(
		&turn->command, policy->forbidden_commands)) {
		break_off_foreigner(turn, &line);
		return;
	}
	switch (result) {
	case SMTP_LINE_NEED_MORE:
		return;
	case SMTP_LINE_FOUND:
		obey_line(turn);
		return;
	case SMTP_LINE_BAD_BYTE:
		count_error(client);
		reply(turn, "500 5.5.2 Error: bad syntax");
		return;
	case SMTP_LINE_TOO_LONG:
		client->skipping_line = true;
		client->skipped = 0;
		skip_line(turn, input + line.used, input_len - line.used);
		return;
	case SMTP_LINE_BARE_LF:
		refuse_bare_lf(turn);
		return;
	}
}

size_t smtp_gate_greeting(
    const struct smtp_policy *policy, char *out, size_t out_size)
{
	int len = snprintf(
	    out, out_size, "220 %.*s\r\n", BANNER_SIZE_MAX, policy->banner);
	assert(len > 0);
	assert((size_t)len < out_size);
	return (size_t)len;
}

void smtp_gate_step(struct smtp_client *client,
    const struct smtp_policy *policy, const struct smtp_ehlo *offer,
    const uint8_t *input, size_t input_len, struct smtp_gate_step *step_out)
{
	step_out->event = SMTP_GATE_NEED_MORE;
	step_out->end = SMTP_END_NONE;
	step_out->used = 0;
	step_out->reply_len = 0;
	step_out->improper_pipelining = false;
	step_out->offence = NULL;
	step_out->offence_len = 0;
	struct turn turn = {.client = client,
	    .policy = policy,
	    .offer = offer,
	    .step = step_out};
	if (client->errors >= policy->hard_error_limit) {
		reply(&turn, "421 4.7.0 %s Error: too many errors",
		    policy->hostname);
		close_because(&turn, SMTP_END_CLIENT_ERRORS);
		return;
	}
	if (client->skipping_line)
		skip_line(&turn, input, input_len);
	else
		take_line(&turn, input, input_len);
}
