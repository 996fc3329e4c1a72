/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/line.h"

#include <stdbool.h>
#include <string.h>

enum smtp_line_result smtp_line_find(const uint8_t *input, size_t input_len,
    size_t line_size_max, struct smtp_line *line_out)
{
	/* The text and its CRLF. What comes after cannot change the answer, so
	 * it is the same however the bytes arrive. */
	size_t window_len = line_size_max + 2;
	if (window_len > input_len)
		window_len = input_len;

	*line_out = (struct smtp_line){.text = (const char *)input};
	const uint8_t *lf =
	    window_len > 0 ? memchr(input, '\n', window_len) : NULL;
	size_t end = lf != NULL ? (size_t)(lf - input) : window_len;
	bool crlf = lf != NULL && end > 0 && input[end - 1] == '\r';

	if (!crlf && end > line_size_max &&
	    (end > line_size_max + 1 || input[line_size_max] != '\r')) {
		line_out->len = line_size_max;
		line_out->used = line_size_max;
		return SMTP_LINE_TOO_LONG;
	}
	if (lf == NULL)
		return SMTP_LINE_NEED_MORE;
	line_out->used = end + 1;
	line_out->len = crlf ? end - 1 : end;
	if (!crlf)
		return SMTP_LINE_BARE_LF;
	if (line_out->len > 0 &&
	    (memchr(input, '\0', line_out->len) != NULL ||
		memchr(input, '\r', line_out->len) != NULL))
		return SMTP_LINE_BAD_BYTE;
	return SMTP_LINE_FOUND;
}

enum smtp_line_result smtp_line_skip(
    const uint8_t *input, size_t input_len, size_t *used_out)
{
	*used_out = 0;
	if (input_len == 0)
		return SMTP_LINE_NEED_MORE;
	const uint8_t *lf = memchr(input, '\n', input_len);
	if (lf != NULL) {
		*used_out = (size_t)(lf - input) + 1;
		return lf > input && lf[-1] == '\r' ? SMTP_LINE_FOUND
						    : SMTP_LINE_BARE_LF;
	}
	/* A CR at the end stays: it may be the first half of the CRLF. */
	*used_out = input[input_len - 1] == '\r' ? input_len - 1 : input_len;
	return SMTP_LINE_NEED_MORE;
}
