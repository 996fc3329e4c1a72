/* SPDX-License-Identifier: Apache-2.0 */
/* Replies: the same answer at every cut, and one that a byte-by-byte reading of
 * RFC 5321, 4.2 gives too. */
#include <stdlib.h>
#include <string.h>

#include "smtp/reply.h"

#define CUT_SIZE_MAX                                             \
	256 /* every cut is tried up to here: the work is square \
	     */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len);

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static bool is_digit(uint8_t byte, uint8_t low, uint8_t high)
{
	return byte >= low && byte <= high;
}

static enum smtp_reply_result find(
    const uint8_t *input, size_t input_len, struct smtp_reply *reply_out)
{
	/* A copy without a byte to spare, so that ASan sees a read too far. */
	uint8_t *copy = malloc(input_len > 0 ? input_len : 1);
	expect(copy != NULL);
	memcpy(copy, input, input_len);
	enum smtp_reply_result result =
	    smtp_reply_find(copy, input_len, reply_out);
	if (result == SMTP_REPLY_FOUND) {
		const uint8_t *text = (const uint8_t *)reply_out->text;
		expect(text >= copy + 3);
		expect(
		    text + reply_out->text_len + 2 == copy + reply_out->used);
	}
	free(copy);
	return result;
}

/* Reads a reply again that was found. */
static void check_found(const uint8_t *input, const struct smtp_reply *reply)
{
	size_t at = 0;
	expect(reply->used <= SMTP_REPLY_SIZE_MAX);
	while (at < reply->used) {
		expect(is_digit(input[at], '2', '5'));
		expect(is_digit(input[at + 1], '0', '9'));
		expect(is_digit(input[at + 2], '0', '9'));
		expect((input[at] - '0') * 100 + (input[at + 1] - '0') * 10 +
			   input[at + 2] - '0' ==
		       reply->code);
		size_t line_at = at;
		while (input[at] != '\r') {
			expect(input[at] != '\0');
			expect(input[at] != '\n');
			at++;
		}
		expect(at - line_at <= SMTP_REPLY_LINE_SIZE_MAX);
		expect(input[at + 1] == '\n');
		at += 2;
		uint8_t mark = input[line_at + 3];
		expect(mark == ' ' || mark == '\r' || mark == '-');
		expect((at < reply->used) == (mark == '-'));
	}
	expect(at == reply->used);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len)
{
	struct smtp_reply whole, part;
	enum smtp_reply_result result = find(input, input_len, &whole);
	if (result == SMTP_REPLY_FOUND)
		check_found(input, &whole);
	if (input_len >= SMTP_REPLY_SIZE_MAX)
		expect(result != SMTP_REPLY_NEED_MORE);
	for (size_t len = 0; len < input_len && len < CUT_SIZE_MAX; len++) {
		enum smtp_reply_result early = find(input, len, &part);
		if (early == SMTP_REPLY_NEED_MORE)
			continue;
		expect(early == result);
		if (early == SMTP_REPLY_FOUND)
			expect(part.used == whole.used);
	}
	return 0;
}
