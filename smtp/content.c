/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/content.h"

#include <assert.h>

/* Bytes of a body: to the backend, or nowhere. */
static void carry(struct smtp_turn *turn, size_t used)
{
	if (turn->relay->discarding) {
		smtp_turn_use(turn, used);
		return;
	}
	smtp_turn_forward(turn, used);
	turn->relay->message_octets += used;
}

/* A body or chunk is over, and commands follow. */
static void end_content(struct smtp_turn *turn)
{
	struct smtp_relay *relay = turn->relay;
	smtp_turn_enter(turn, SMTP_RELAY_EXPECT_COMMAND);
	if (!relay->discarding)
		return;
	relay->discarding = false;
	if (relay->discarded_answer != SMTP_ANSWER_NONE)
		smtp_turn_answer(turn, relay->discarded_answer);
}

static void ask_for_header(struct smtp_turn *turn)
{
	turn->relay->trace.insert_due = true;
	turn->step->event = SMTP_RELAY_TRACE;
}

static bool lacks_header(const struct smtp_turn *turn)
{
	return turn->policy->insert_received && !turn->relay->trace.inserted;
}

void smtp_content_take_body(struct smtp_turn *turn)
{
	struct smtp_relay *relay = turn->relay;
	if (turn->input_len == 0)
		return;
	if (!relay->discarding && lacks_header(turn)) {
		ask_for_header(turn);
		return;
	}
	bool end;
	bool passed = !relay->discarding;
	carry(turn,
	    smtp_body_scan(&relay->body, turn->input, turn->input_len, &end));
	if (!end)
		return;
	turn->client->after_message = true;
	if (passed)
		smtp_outstanding_push(
		    &relay->outstanding, SMTP_DUE_END_OF_MESSAGE);
	end_content(turn);
}

static void end_chunk(struct smtp_turn *turn)
{
	turn->client->after_message = turn->relay->chunk_last;
	end_content(turn);
}

void smtp_content_take_chunk(struct smtp_turn *turn)
{
	struct smtp_relay *relay = turn->relay;
	if (turn->input_len == 0)
		return;
	size_t used = turn->input_len;
	if (used > relay->chunk_left)
		used = (size_t)relay->chunk_left;
	carry(turn, used);
	relay->chunk_left -= used;
	if (relay->chunk_left == 0)
		end_chunk(turn);
}

/* The command was used; its octets follow. */
static void begin_chunk(
    struct smtp_turn *turn, const struct smtp_command *command)
{
	struct smtp_relay *relay = turn->relay;
	bool valid = smtp_bdat_parse(command->argument, command->argument_len,
	    &relay->chunk_left, &relay->chunk_last);
	assert(valid); /* the verdict saw to it */
	smtp_turn_enter(turn, SMTP_RELAY_EXPECT_CHUNK);
	if (relay->chunk_left == 0)
		end_chunk(turn);
}

bool smtp_content_bdat_must_wait(const struct smtp_turn *turn)
{
	return turn->policy->insert_received && !turn->relay->trace.in_chunks;
}

void smtp_content_pass_bdat(struct smtp_turn *turn,
    const struct smtp_command *command, size_t used, enum smtp_due due)
{
	bool insert = lacks_header(turn);
	if (insert)
		smtp_turn_use(turn, used);
	else
		smtp_turn_forward(turn, used);
	smtp_outstanding_push(&turn->relay->outstanding, due);
	begin_chunk(turn, command);
	if (insert)
		ask_for_header(turn);
}

/* RFC 3030, 2: the octets of a refused chunk come all the same. They are
 * counted and dropped: as commands they would be whatever the message says. */
void smtp_content_discard_bdat(struct smtp_turn *turn,
    const struct smtp_command *command, size_t used, enum smtp_answer answer)
{
	smtp_turn_use(turn, used);
	turn->relay->discarding = true;
	turn->relay->discarded_answer = answer;
	begin_chunk(turn, command);
}
