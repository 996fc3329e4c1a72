/* SPDX-License-Identifier: Apache-2.0 */
/* The replies that the relay gives in the backend's place. Pure. */
#ifndef POSTERN_SMTP_ANSWER_H
#define POSTERN_SMTP_ANSWER_H

#include <stddef.h>

#include "smtp/end.h"

/* Longer than the longest: our name has 255 octets at the most. */
#define SMTP_ANSWER_SIZE_MAX 384

enum smtp_answer {
	SMTP_ANSWER_NONE,
#define ANSWER(symbol, end, code, named, text) SMTP_ANSWER_##symbol,
#include "smtp/answer.def"
#undef ANSWER
	SMTP_ANSWER_COUNT
};

/* How the session ends with it; SMTP_END_NONE: it goes on. */
enum smtp_end smtp_answer_end(enum smtp_answer answer);

/* Writes the reply, CRLF included. out_size must be at least
 * SMTP_ANSWER_SIZE_MAX. Returns the length. */
size_t smtp_answer_write(
    enum smtp_answer answer, const char *hostname, char *out, size_t out_size);

#endif
