/* SPDX-License-Identifier: Apache-2.0 */
/* The half of the relay that takes the backend's bytes. */
#include "smtp/relay.h"

#include <stdio.h>
#include <string.h>

#include "smtp/reply.h"
#include "smtp/turn.h"

static bool is_success(int code)
{
	return code / 100 == 2;
}

/* RFC 5321, 3.8, and RFC 7504, 3: the connection goes with it. */
static bool is_farewell(int code)
{
	return code == 421 || code == 521;
}

/* The reply to a message or chunk that went wrong on our side is given at the
 * end of what is still to come of it, and not before. */
static void discard_rest(struct smtp_relay *relay)
{
	if (relay->discarding)
		return;
	relay->discarding = true;
	relay->discarded_answer = SMTP_ANSWER_MESSAGE_LOST;
	if (relay->state == SMTP_RELAY_EXPECT_BODY)
		return;
	/* Of a chunk the reply is outstanding, unless a refusal came early. */
	if (smtp_outstanding_is_empty(&relay->outstanding))
		relay->discarded_answer = SMTP_ANSWER_NONE;
	else
		smtp_outstanding_drop_last(&relay->outstanding);
}

static void lose_backend(struct smtp_turn *turn)
{
	struct smtp_relay *relay = turn->relay;
	bool in_body = smtp_relay_in_body(relay);
	relay->backend_lost = true;
	/* Also when half a reply went by: a 451 would look like its other half.
	 */
	if (relay->reply_code != 0 ||
	    (!in_body && smtp_outstanding_is_empty(&relay->outstanding))) {
		smtp_turn_answer_now(turn, SMTP_ANSWER_BACKEND_LOST);
		return;
	}
	if (in_body)
		discard_rest(relay);
	smtp_turn_write_due(turn);
}

/* It answered a body of which it had not seen the end. So it found an end where
 * there is none, and would take the rest for commands: the smuggling of
 * CVE-2023-51764 and its kin. It shall not see the rest. */
static void drop_backend(struct smtp_turn *turn)
{
	smtp_turn_use(turn, turn->input_len);
	lose_backend(turn);
	if (turn->step->event == SMTP_RELAY_CLOSE)
		return;
	turn->step->event = SMTP_RELAY_DROP_BACKEND;
	turn->step->end = SMTP_END_BACKEND_UNEXPECTED;
}

/* A chunk is under way, and what is outstanding first is its own reply. */
static bool is_chunk_due(const struct smtp_relay *relay)
{
	return relay->state == SMTP_RELAY_EXPECT_CHUNK && !relay->discarding &&
	       relay->outstanding.count == 1;
}

/* Whether a reply with this code may come now. */
static bool fits(const struct smtp_relay *relay, int code)
{
	if (relay->unasked)
		return code == 421;
	enum smtp_due due = smtp_outstanding_first(&relay->outstanding);
	if (code / 100 == 3)
		return (due == SMTP_DUE_DATA && code == 354) ||
		       (due == SMTP_DUE_AUTH && code == 334);
	if (due == SMTP_DUE_EHLO || due == SMTP_DUE_HELO)
		return code == 250 || code >= 400;
	return due != SMTP_DUE_DATA || code >= 400;
}

static bool offers_starttls(const struct smtp_turn *turn)
{
	return !turn->client->tls && turn->policy->tls_level != SMTP_TLS_NONE;
}

static void answer_ehlo(struct smtp_turn *turn, size_t reply_len)
{
	struct smtp_client *client = turn->client;
	struct smtp_relay_step *step = turn->step;
	struct smtp_ehlo ehlo;
	smtp_ehlo_parse(turn->input, reply_len, &ehlo);
	const struct smtp_ehlo_view view = {
	    .hostname = turn->policy->hostname,
	    .offer_starttls = offers_starttls(turn),
	    .hide_auth = smtp_client_hides_auth(client, turn->policy),
	    .discarded = turn->policy->discarded_keywords | client->discarded,
	    .keeps_requiretls = client->tls && turn->relay->backend_is_verified,
	};
	if (view.offer_starttls)
		client->tls_events.offered++;
	client->offered = smtp_ehlo_shown(&ehlo, &view);
	client->offered_size = (client->offered >> SMTP_KEYWORD_SIZE & 1) != 0
				   ? smtp_ehlo_size(&ehlo)
				   : 0;
	turn->relay->backend_chunking =
	    smtp_ehlo_has(&ehlo, SMTP_KEYWORD_CHUNKING);
	turn->relay->xforward = ehlo.xforward;
	step->reply_len =
	    smtp_ehlo_write(&ehlo, &view, step->reply, sizeof(step->reply));
}

/* Without EHLO there are no extensions. */
static void answer_helo(struct smtp_turn *turn)
{
	struct smtp_relay_step *step = turn->step;
	turn->client->offered = 0;
	turn->client->offered_size = 0;
	turn->relay->backend_chunking = false;
	turn->relay->xforward = 0;
	int len = snprintf(step->reply, sizeof(step->reply), "250 %.*s\r\n",
	    SMTP_HELO_SIZE - 1, turn->policy->hostname);
	step->reply_len = (size_t)len;
}

static void end_transaction(struct smtp_relay *relay)
{
	relay->in_transaction = false;
	smtp_trace_end(&relay->trace);
}

/* RFC 5321, 4.1.4: a new greeting begins all anew. */
static void finish_greeting(
    struct smtp_turn *turn, enum smtp_due due, const struct smtp_reply *reply)
{
	struct smtp_client *client = turn->client;
	smtp_turn_use(turn, reply->used);
	client->helo_verb =
	    due == SMTP_DUE_EHLO ? SMTP_VERB_EHLO : SMTP_VERB_HELO;
	memcpy(client->helo, turn->relay->helo, sizeof(client->helo));
	end_transaction(turn->relay);
	smtp_counts_obeyed(&client->counts, client->helo_verb);
	if (due == SMTP_DUE_EHLO)
		answer_ehlo(turn, reply->used);
	else
		answer_helo(turn);
}

/* As in its greeting: another backend may serve the client. */
static void refuse_session(
    struct smtp_turn *turn, const struct smtp_reply *reply)
{
	turn->step->event = SMTP_RELAY_REFUSED;
	turn->step->reply_code = reply->code;
	turn->step->reply_text = reply->text;
	turn->step->reply_text_len = reply->text_len;
}

/* The reply to EHLO or HELO, held until it is whole. */
static void take_greeting(struct smtp_turn *turn, enum smtp_due due)
{
	struct smtp_reply reply;
	switch (smtp_reply_find(turn->input, turn->input_len, &reply)) {
	case SMTP_REPLY_NEED_MORE:
		return;
	case SMTP_REPLY_TOO_LONG:
	case SMTP_REPLY_MALFORMED:
		smtp_turn_answer_now(turn, SMTP_ANSWER_BACKEND_MALFORMED);
		return;
	case SMTP_REPLY_FOUND:
		break;
	}
	if (!fits(turn->relay, reply.code)) {
		smtp_turn_answer_now(turn, SMTP_ANSWER_BACKEND_UNEXPECTED);
		return;
	}
	if (turn->relay->greets_first &&
	    (reply.code / 100 == 4 || is_farewell(reply.code))) {
		refuse_session(turn, &reply);
		return;
	}
	smtp_outstanding_drop_first(&turn->relay->outstanding);
	smtp_turn_enter(turn, SMTP_RELAY_EXPECT_COMMAND);
	if (is_success(reply.code)) {
		finish_greeting(turn, due, &reply);
		return;
	}
	smtp_turn_forward(turn, reply.used);
	if (is_farewell(reply.code))
		smtp_turn_close(turn, SMTP_END_BACKEND_CLOSING);
}

/* Whatever the reply is, the transaction is over: RFC 5321, 4.1.1.4. */
static void finish_message(
    struct smtp_turn *turn, enum smtp_verb verb, int code)
{
	end_transaction(turn->relay);
	turn->step->event = SMTP_RELAY_MESSAGE;
	turn->step->reply_code = code;
	if (!is_success(code))
		return;
	turn->relay->messages++;
	smtp_counts_obeyed(&turn->client->counts, verb);
}

static void finish_data(struct smtp_turn *turn, int code)
{
	struct smtp_relay *relay = turn->relay;
	if (code == 354) {
		smtp_body_init(&relay->body);
		smtp_turn_enter(turn, SMTP_RELAY_EXPECT_BODY);
		return;
	}
	smtp_turn_enter(turn, SMTP_RELAY_EXPECT_COMMAND);
	/* What came behind DATA may be a body or commands: nobody can know. */
	if (relay->data_premature)
		smtp_turn_answer_now(turn, SMTP_ANSWER_PIPELINED);
}

static void finish_auth(struct smtp_turn *turn, int code)
{
	smtp_turn_enter(turn, code == 334 ? SMTP_RELAY_EXPECT_AUTH_RESPONSE
					  : SMTP_RELAY_EXPECT_COMMAND);
	if (!is_success(code))
		return;
	smtp_counts_obeyed(&turn->client->counts, SMTP_VERB_AUTH);
	turn->relay->trace.authenticated = true;
}

static void finish_mail(struct smtp_turn *turn, bool utf8, int code)
{
	if (!is_success(code))
		return;
	smtp_counts_obeyed(&turn->client->counts, SMTP_VERB_MAIL);
	turn->client->transactions++;
	turn->relay->in_transaction = true;
	smtp_trace_begin(&turn->relay->trace, utf8);
}

/* A command whose reply changes no more than what is noted here. */
static void finish_command(
    struct smtp_turn *turn, enum smtp_verb verb, int code)
{
	if (!is_success(code))
		return;
	smtp_counts_obeyed(&turn->client->counts, verb);
	if (verb == SMTP_VERB_RSET)
		end_transaction(turn->relay);
}

/* The last line of a reply went by. */
static void finish_reply(struct smtp_turn *turn, enum smtp_due due, int code)
{
	switch (due) {
	case SMTP_DUE_DATA:
		finish_data(turn, code);
		return;
	case SMTP_DUE_AUTH:
		finish_auth(turn, code);
		return;
	case SMTP_DUE_END_OF_MESSAGE:
		finish_message(turn, SMTP_VERB_DATA, code);
		return;
	case SMTP_DUE_BDAT_LAST:
		finish_message(turn, SMTP_VERB_BDAT, code);
		return;
	case SMTP_DUE_QUIT:
		finish_command(turn, SMTP_VERB_QUIT, code);
		smtp_turn_close(turn, SMTP_END_CLIENT_QUIT);
		return;
	case SMTP_DUE_MAIL:
	case SMTP_DUE_MAIL_UTF8:
		finish_mail(turn, due == SMTP_DUE_MAIL_UTF8, code);
		return;
	case SMTP_DUE_RCPT:
		smtp_trace_rcpt_reply(&turn->relay->trace, is_success(code));
		finish_command(turn, SMTP_VERB_RCPT, code);
		return;
	case SMTP_DUE_HELO:
	case SMTP_DUE_EHLO:
	case SMTP_DUE_XCLIENT:
	case SMTP_DUE_STARTTLS:
	case SMTP_DUE_BDAT:
	case SMTP_DUE_RSET:
	case SMTP_DUE_NOOP:
	case SMTP_DUE_VRFY:
	case SMTP_DUE_ETRN:
	case SMTP_DUE_HELP:
	case SMTP_DUE_UNKNOWN:
		finish_command(turn, (enum smtp_verb)due, code);
		return;
	case SMTP_DUE_XFORWARD: /* ours: the client did not say it */
	case SMTP_DUE_ANSWER:
		return;
	}
}

/* The client did not ask for it, unless it is the end. */
static bool is_for_nobody(
    const struct smtp_relay *relay, const struct smtp_reply *line)
{
	return !relay->unasked && !is_farewell(line->code) &&
	       smtp_outstanding_first(&relay->outstanding) == SMTP_DUE_XFORWARD;
}

static void pass_line(struct smtp_turn *turn, const struct smtp_reply *line)
{
	struct smtp_relay *relay = turn->relay;
	if (is_for_nobody(relay, line))
		smtp_turn_use(turn, line->used);
	else
		smtp_turn_forward(turn, line->used);
	relay->reply_code = line->last ? 0 : line->code;
	if (!line->last)
		return;
	if (!smtp_outstanding_is_empty(&relay->outstanding)) {
		enum smtp_due due = smtp_outstanding_first(&relay->outstanding);
		smtp_outstanding_drop_first(&relay->outstanding);
		if (!is_farewell(line->code)) {
			finish_reply(turn, due, line->code);
			return;
		}
		if (due == SMTP_DUE_END_OF_MESSAGE || due == SMTP_DUE_BDAT_LAST)
			turn->step->reply_code = line->code;
	}
	smtp_turn_close(turn, SMTP_END_BACKEND_CLOSING);
}

/* A reply begins. Nothing of it is told before all of it is there: were the
 * backend lost in between, any line of ours would end the reply, and some
 * clients look at its first code alone. What is longer than all that is usual
 * passes line by line. */
static void begin_reply(struct smtp_turn *turn, const struct smtp_reply *line)
{
	struct smtp_reply whole;
	switch (smtp_reply_find(turn->input, turn->input_len, &whole)) {
	case SMTP_REPLY_NEED_MORE:
		return;
	case SMTP_REPLY_MALFORMED:
		smtp_turn_answer_now(turn, SMTP_ANSWER_BACKEND_MALFORMED);
		return;
	case SMTP_REPLY_TOO_LONG:
	case SMTP_REPLY_FOUND:
		pass_line(turn, line);
		return;
	}
}

static void judge_line(struct smtp_turn *turn, const struct smtp_reply *line)
{
	const struct smtp_relay *relay = turn->relay;
	if (relay->reply_code != 0 && line->code != relay->reply_code) {
		smtp_turn_answer_now(turn, SMTP_ANSWER_BACKEND_MALFORMED);
		return;
	}
	if (!fits(relay, line->code)) {
		smtp_turn_answer_now(turn, SMTP_ANSWER_BACKEND_UNEXPECTED);
		return;
	}
	/* It says that it has a message which was not all sent to it. */
	if (is_chunk_due(relay) && is_success(line->code)) {
		drop_backend(turn);
		return;
	}
	if (line->code == 354 && relay->data_premature &&
	    turn->policy->forbid_pipelining) {
		smtp_turn_answer_now(turn, SMTP_ANSWER_PIPELINED);
		return;
	}
	if (relay->reply_code == 0 && !line->last)
		begin_reply(turn, line);
	else
		pass_line(turn, line);
}

/* A line of any other reply: it passes as it is. */
static void take_reply_line(struct smtp_turn *turn)
{
	struct smtp_reply line;
	switch (smtp_reply_line(turn->input, turn->input_len, &line)) {
	case SMTP_REPLY_NEED_MORE:
		return;
	case SMTP_REPLY_TOO_LONG:
	case SMTP_REPLY_MALFORMED:
		smtp_turn_answer_now(turn, SMTP_ANSWER_BACKEND_MALFORMED);
		return;
	case SMTP_REPLY_FOUND:
		judge_line(turn, &line);
		return;
	}
}

static void take_reply(struct smtp_turn *turn)
{
	struct smtp_relay *relay = turn->relay;
	if (smtp_outstanding_is_empty(&relay->outstanding) && !relay->unasked) {
		if (smtp_relay_in_body(relay)) {
			drop_backend(turn);
			return;
		}
		/* Even half a reply: it can answer no command that comes now.
		 */
		relay->unasked = true;
	}
	if (relay->unasked) {
		take_reply_line(turn);
		return;
	}
	enum smtp_due due = smtp_outstanding_first(&relay->outstanding);
	if (due == SMTP_DUE_EHLO || due == SMTP_DUE_HELO)
		take_greeting(turn, due);
	else
		take_reply_line(turn);
}

static bool is_over(const struct smtp_relay *relay)
{
	return relay->backend_lost ||
	       (relay->state == SMTP_RELAY_EXPECT_END &&
		   smtp_outstanding_is_empty(&relay->outstanding));
}

void smtp_relay_backend_step(struct smtp_relay *relay,
    struct smtp_client *client, const struct smtp_policy *policy,
    const uint8_t *input, size_t input_len, struct smtp_relay_step *step_out)
{
	struct smtp_turn turn = {
	    relay, client, policy, input, input_len, step_out};
	smtp_turn_begin(&turn);
	if (smtp_turn_write_due(&turn) || input_len == 0)
		return;
	if (is_over(relay)) {
		smtp_turn_use(&turn, input_len);
		return;
	}
	take_reply(&turn);
	smtp_turn_write_due(&turn);
}

void smtp_relay_backend_lost(struct smtp_relay *relay,
    struct smtp_client *client, const struct smtp_policy *policy,
    struct smtp_relay_step *step_out)
{
	struct smtp_turn turn = {relay, client, policy, NULL, 0, step_out};
	smtp_turn_begin(&turn);
	if (!is_over(relay))
		lose_backend(&turn);
}
