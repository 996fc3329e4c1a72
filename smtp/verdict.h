/* SPDX-License-Identifier: Apache-2.0 */
/* Judges a client's command before anything is done about it. Of the relay's
 * own use. Changes nothing. */
#ifndef POSTERN_SMTP_VERDICT_H
#define POSTERN_SMTP_VERDICT_H

#include <stdbool.h>

#include "smtp/answer.h"
#include "smtp/command.h"
#include "smtp/turn.h"

/* The answer that refuses the command; SMTP_ANSWER_NONE: it may pass.
 * `improper`: it broke RFC 2920's rule on what may follow it. A BDAT that is
 * refused without ending the session has octets that are still to come. */
enum smtp_answer smtp_verdict(const struct smtp_turn *turn,
    const struct smtp_command *command, bool improper);

#endif
