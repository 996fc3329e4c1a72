/* SPDX-License-Identifier: Apache-2.0 */
/* The replies that a client is still owed, in the order of what it sent: most
 * are the backend's to give, some ours. A ring of fixed size. Pure. */
#ifndef POSTERN_SMTP_OUTSTANDING_H
#define POSTERN_SMTP_OUTSTANDING_H

#include <stdbool.h>
#include <stdint.h>

#include "smtp/answer.h"
#include "smtp/command.h"

/* When as many are due, the client has to wait. */
#define SMTP_OUTSTANDING_MAX 64

/* What a reply answers. */
enum smtp_due {
/* A command, in the order of enum smtp_verb. SMTP_DUE_DATA: the reply
 * before the body; SMTP_DUE_BDAT: a chunk that is not the last. */
#define VERB(symbol, word) SMTP_DUE_##symbol,
#include "smtp/verb.def"
#undef VERB
	SMTP_DUE_MAIL_UTF8,	 /* MAIL with SMTPUTF8 */
	SMTP_DUE_END_OF_MESSAGE, /* a body sent with DATA */
	SMTP_DUE_BDAT_LAST,
	SMTP_DUE_ANSWER, /* ours: see smtp_outstanding_first_answer */
};

/* Zeroed: nothing is outstanding. */
struct smtp_outstanding {
	uint8_t first;
	uint8_t count;
	uint8_t ring[SMTP_OUTSTANDING_MAX];
};

bool smtp_outstanding_is_empty(const struct smtp_outstanding *outstanding);
bool smtp_outstanding_is_full(const struct smtp_outstanding *outstanding);

/* Adds behind all others. It must not be full. */
void smtp_outstanding_push(
    struct smtp_outstanding *outstanding, enum smtp_due due);
void smtp_outstanding_push_answer(
    struct smtp_outstanding *outstanding, enum smtp_answer answer);

/* None of these when it is empty. */
enum smtp_due smtp_outstanding_first(
    const struct smtp_outstanding *outstanding);
enum smtp_answer smtp_outstanding_first_answer(
    const struct smtp_outstanding *outstanding);
void smtp_outstanding_drop_first(struct smtp_outstanding *outstanding);
void smtp_outstanding_drop_last(struct smtp_outstanding *outstanding);

#endif
