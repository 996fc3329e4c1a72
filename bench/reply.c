/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/reply.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The line is whole. RFC 5321, 4.2: three digits, then a space, a hyphen in all
 * lines but the last, or nothing. */
static enum reply_status judge(struct reply *reply)
{
	const char *text = reply->text;

	if (reply->text_len < 3 || !is_digit(text[0]) || !is_digit(text[1]) ||
	    !is_digit(text[2]))
		return REPLY_BAD;
	reply->code =
	    (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
	if (reply->text_len == 3 || text[3] == ' ')
		return REPLY_DONE;
	return text[3] == '-' ? REPLY_NEED_MORE : REPLY_BAD;
}

enum reply_status reply_read(
    struct reply *reply, const char *data, size_t len, size_t *used_out)
{
	enum reply_status status;

	for (size_t i = 0; i < len; i++) {
		if (reply->ended)
			reply->text_len = 0;
		reply->ended = data[i] == '\n';
		if (!reply->ended) {
			if (data[i] != '\r' &&
			    reply->text_len < REPLY_TEXT_SIZE - 1)
				reply->text[reply->text_len++] = data[i];
			reply->text[reply->text_len] = '\0';
			continue;
		}
		status = judge(reply);
		if (status != REPLY_NEED_MORE) {
			*used_out = i + 1;
			return status;
		}
	}
	*used_out = len;
	return REPLY_NEED_MORE;
}
