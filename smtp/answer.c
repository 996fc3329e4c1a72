/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/answer.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>

#define HOSTNAME_SIZE_MAX 255

static const struct {
	enum smtp_end end;
	const char *code;
	bool named;
	const char *text;
} answers[SMTP_ANSWER_COUNT] = {
#define ANSWER(symbol, end, code, named, text) \
	[SMTP_ANSWER_##symbol] = {SMTP_END_##end, code, named, text},
#include "smtp/answer.def"
#undef ANSWER
};

#define ANSWER(symbol, end, code, named, text)                                \
	_Static_assert(sizeof(code) + sizeof(text) + HOSTNAME_SIZE_MAX + 4 <= \
			   SMTP_ANSWER_SIZE_MAX,                              \
	    #symbol);
#include "smtp/answer.def"
#undef ANSWER

enum smtp_end smtp_answer_end(enum smtp_answer answer)
{
	assert(answer < SMTP_ANSWER_COUNT);
	return answers[answer].end;
}

size_t smtp_answer_write(
    enum smtp_answer answer, const char *hostname, char *out, size_t out_size)
{
	assert(answer > SMTP_ANSWER_NONE);
	assert(answer < SMTP_ANSWER_COUNT);
	assert(out_size >= SMTP_ANSWER_SIZE_MAX);

	int len =
	    snprintf(out, out_size, "%s %.*s%s%s\r\n", answers[answer].code,
		HOSTNAME_SIZE_MAX, answers[answer].named ? hostname : "",
		answers[answer].named ? " " : "", answers[answer].text);
	assert(len > 0 && (size_t)len < out_size);
	return (size_t)len;
}
