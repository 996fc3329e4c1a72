/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/turn.h"

#include <assert.h>

/* What we have to say to what is outstanding first; NONE: the backend's reply
 * is due, or nothing is. */
static enum smtp_answer due_answer(const struct smtp_relay *relay)
{
	const struct smtp_outstanding *outstanding = &relay->outstanding;
	if (smtp_outstanding_is_empty(outstanding))
		return SMTP_ANSWER_NONE;
	enum smtp_due due = smtp_outstanding_first(outstanding);
	if (due == SMTP_DUE_ANSWER)
		return smtp_outstanding_first_answer(outstanding);
	if (!relay->backend_lost)
		return SMTP_ANSWER_NONE;
	if (due == SMTP_DUE_END_OF_MESSAGE || due == SMTP_DUE_BDAT ||
	    due == SMTP_DUE_BDAT_LAST)
		return SMTP_ANSWER_MESSAGE_LOST;
	return SMTP_ANSWER_BACKEND_LOST;
}

/* Both may go to one buffer, of which only this room is promised. */
static bool has_room(const struct smtp_relay_step *step)
{
	size_t len = step->forward_len + step->reply_len;
	return len <= sizeof(step->reply) - SMTP_ANSWER_SIZE_MAX;
}

/* Not memset: most of a step is room for a reply. */
void smtp_turn_begin(struct smtp_turn *turn)
{
	struct smtp_relay_step *step = turn->step;
	assert(!turn->relay->trace.insert_due);
	step->event = SMTP_RELAY_NEED_MORE;
	step->end = SMTP_END_NONE;
	step->used = 0;
	step->forward = NULL;
	step->forward_len = 0;
	step->reply_len = 0;
	step->reply_code = 0;
	step->reply_text = NULL;
	step->reply_text_len = 0;
	step->improper_pipelining = false;
	step->offence = NULL;
	step->offence_len = 0;
}

void smtp_turn_enter(struct smtp_turn *turn, enum smtp_relay_state state)
{
	assert(turn->relay->state != SMTP_RELAY_EXPECT_END ||
	       state == SMTP_RELAY_EXPECT_END);
	turn->relay->state = state;
}

void smtp_turn_use(struct smtp_turn *turn, size_t used)
{
	assert(used <= turn->input_len);
	turn->step->used = used;
	turn->step->event = SMTP_RELAY_PROGRESS;
}

void smtp_turn_forward(struct smtp_turn *turn, size_t used)
{
	smtp_turn_use(turn, used);
	turn->step->forward = turn->input;
	turn->step->forward_len = used;
}

void smtp_turn_close(struct smtp_turn *turn, enum smtp_end end)
{
	smtp_turn_enter(turn, SMTP_RELAY_EXPECT_END);
	turn->relay->outstanding = (struct smtp_outstanding){0};
	turn->step->event = SMTP_RELAY_CLOSE;
	turn->step->end = end;
}

void smtp_turn_answer_now(struct smtp_turn *turn, enum smtp_answer answer)
{
	struct smtp_relay_step *step = turn->step;
	/* Half a reply of the backend went by. Another code behind it would not
	 * be an answer; that none comes is one, and a client knows it. */
	if (turn->relay->reply_code != 0 &&
	    smtp_answer_end(answer) != SMTP_END_NONE) {
		smtp_turn_close(turn, smtp_answer_end(answer));
		return;
	}
	step->reply_len += smtp_answer_write(answer, turn->policy->hostname,
	    step->reply + step->reply_len,
	    sizeof(step->reply) - step->reply_len);
	if (smtp_answer_end(answer) != SMTP_END_NONE)
		smtp_turn_close(turn, smtp_answer_end(answer));
	else if (step->event == SMTP_RELAY_NEED_MORE)
		step->event = SMTP_RELAY_PROGRESS;
}

void smtp_turn_answer(struct smtp_turn *turn, enum smtp_answer answer)
{
	smtp_outstanding_push_answer(&turn->relay->outstanding, answer);
	if (smtp_answer_end(answer) != SMTP_END_NONE)
		smtp_turn_enter(turn, SMTP_RELAY_EXPECT_END);
}

bool smtp_turn_write_due(struct smtp_turn *turn)
{
	bool any = false;
	struct smtp_outstanding *outstanding = &turn->relay->outstanding;
	/* Nobody waits for the reply to what we asked ourselves. */
	while (turn->relay->backend_lost &&
	       !smtp_outstanding_is_empty(outstanding) &&
	       smtp_outstanding_first(outstanding) == SMTP_DUE_XFORWARD)
		smtp_outstanding_drop_first(outstanding);
	while (turn->step->event != SMTP_RELAY_CLOSE && has_room(turn->step)) {
		enum smtp_answer answer = due_answer(turn->relay);
		if (answer == SMTP_ANSWER_NONE)
			break;
		/* One step cannot tell of both: the end comes with the next. */
		if (turn->step->event == SMTP_RELAY_MESSAGE &&
		    smtp_answer_end(answer) != SMTP_END_NONE)
			break;
		smtp_outstanding_drop_first(&turn->relay->outstanding);
		smtp_turn_answer_now(turn, answer);
		any = true;
	}
	return any;
}
