/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/body.h"

#include <string.h>

static const uint8_t end_marker[] = {'\r', '\n', '.', '\r', '\n'};

/* How many bytes of the marker the stream ends with after one more byte. Only
 * its first byte can begin it anew, so nothing shorter has to be tried. */
static uint8_t match(uint8_t matched, uint8_t byte)
{
	if (byte == end_marker[matched])
		return (uint8_t)(matched + 1);
	return byte == end_marker[0] ? 1 : 0;
}

/* How many bytes of the marker `input` ends with, where no dot is in it. */
static uint8_t match_tail(const uint8_t *input, size_t input_len)
{
	if (input_len > 0 && input[input_len - 1] == '\r')
		return 1;
	if (input_len > 1 && input[input_len - 1] == '\n' &&
	    input[input_len - 2] == '\r')
		return 2;
	return 0;
}

void smtp_body_init(struct smtp_body *body)
{
	body->matched = 2;
}

size_t smtp_body_scan(struct smtp_body *body, const uint8_t *input,
    size_t input_len, bool *end_out)
{
	uint8_t matched = body->matched;
	size_t at = 0;
	*end_out = false;
	while (at < input_len) {
		while (matched > 0 && matched < sizeof(end_marker) &&
		       at < input_len)
			matched = match(matched, input[at++]);
		if (matched == sizeof(end_marker)) {
			*end_out = true;
			matched = 0;
			break;
		}
		if (matched > 0 || at == input_len)
			break;
		/* No byte before `at` can be of the marker. The search is for
		 * its dot, since dots are rarer than ends of lines: base64, and
		 * so most of what is large, has none. */
		const uint8_t *dot = memchr(input + at, '.', input_len - at);
		size_t stop = dot != NULL ? (size_t)(dot - input) : input_len;
		matched = match_tail(input + at, stop - at);
		at = stop;
		if (dot != NULL)
			matched = match(matched, input[at++]);
	}
	body->matched = matched;
	return at;
}
