/* SPDX-License-Identifier: Apache-2.0 */
/* One call of a relay's step: what it works on, and what both of its halves,
 * smtp/relay_client.c and smtp/relay_backend.c, do alike. Of the relay's own
 * use. */
#ifndef POSTERN_SMTP_TURN_H
#define POSTERN_SMTP_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/answer.h"
#include "smtp/relay.h"

struct smtp_turn {
	struct smtp_relay *relay;
	struct smtp_client *client;
	const struct smtp_policy *policy;
	const uint8_t *input;
	size_t input_len;
	struct smtp_relay_step *step;
};

/* Empties the step: NEED_MORE, nothing used, nothing to be sent. */
void smtp_turn_begin(struct smtp_turn *turn);

/* The only way from one state of the relay to another. */
void smtp_turn_enter(struct smtp_turn *turn, enum smtp_relay_state state);

/* The first `used` bytes of the input are done with: PROGRESS. */
void smtp_turn_use(struct smtp_turn *turn, size_t used);

/* As smtp_turn_use, and they go to the other side. */
void smtp_turn_forward(struct smtp_turn *turn, size_t used);

/* The session ends here: CLOSE. */
void smtp_turn_close(struct smtp_turn *turn, enum smtp_end end);

/* Answers now, before all that is outstanding. */
void smtp_turn_answer_now(struct smtp_turn *turn, enum smtp_answer answer);

/* Answers when all that is outstanding was answered. After an answer that ends
 * the session, nothing more of the client is obeyed. */
void smtp_turn_answer(struct smtp_turn *turn, enum smtp_answer answer);

/* Writes those answers of ours whose turn has come; once the backend is lost,
 * that is all. Returns whether there were any. */
bool smtp_turn_write_due(struct smtp_turn *turn);

#endif
