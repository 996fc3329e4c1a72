/* SPDX-License-Identifier: Apache-2.0 */
/* What a client sends of a message: the body behind DATA, and the chunks of
 * BDAT. Of the relay's own use. */
#ifndef POSTERN_SMTP_CONTENT_H
#define POSTERN_SMTP_CONTENT_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp/command.h"
#include "smtp/turn.h"

/* In EXPECT_BODY and EXPECT_CHUNK. */
void smtp_content_take_body(struct smtp_turn *turn);
void smtp_content_take_chunk(struct smtp_turn *turn);

/* A chunk that may begin a message is not passed before all that is outstanding
 * has its reply: only then is known what the header must tell. */
bool smtp_content_bdat_must_wait(const struct smtp_turn *turn);

/* A BDAT that the verdict let through. */
void smtp_content_pass_bdat(struct smtp_turn *turn,
    const struct smtp_command *command, size_t used, enum smtp_due due);

/* A BDAT that it did not, but whose octets follow: they are dropped, and then
 * the answer is given. */
void smtp_content_discard_bdat(struct smtp_turn *turn,
    const struct smtp_command *command, size_t used, enum smtp_answer answer);

#endif
