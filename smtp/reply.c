/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/reply.h"

#include "smtp/line.h"

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* RFC 5321, 4.2: a code alone, without blank and text, is a reply too. */
static enum smtp_reply_result parse_line(
    const struct smtp_line *line, struct smtp_reply *line_out)
{
	const char *text = line->text;
	if (line->len < 3 || text[0] < '2' || text[0] > '5' ||
	    !is_digit(text[1]) || !is_digit(text[2]))
		return SMTP_REPLY_MALFORMED;
	if (line->len > 3 && text[3] != ' ' && text[3] != '-')
		return SMTP_REPLY_MALFORMED;
	size_t head_len = line->len > 3 ? 4 : 3;
	*line_out = (struct smtp_reply){
	    .code =
		(text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0'),
	    .last = line->len == 3 || text[3] == ' ',
	    .text = text + head_len,
	    .text_len = line->len - head_len,
	    .used = line->used,
	};
	return SMTP_REPLY_FOUND;
}

enum smtp_reply_result smtp_reply_line(
    const uint8_t *input, size_t input_len, struct smtp_reply *line_out)
{
	struct smtp_line line;
	*line_out = (struct smtp_reply){0};
	switch (
	    smtp_line_find(input, input_len, SMTP_REPLY_LINE_SIZE_MAX, &line)) {
	case SMTP_LINE_FOUND:
		return parse_line(&line, line_out);
	case SMTP_LINE_NEED_MORE:
		return SMTP_REPLY_NEED_MORE;
	case SMTP_LINE_TOO_LONG:
		return SMTP_REPLY_TOO_LONG;
	case SMTP_LINE_BARE_LF:
	case SMTP_LINE_BAD_BYTE:
		/* Another reader might see two replies in it, and be one reply
		 * ahead of us from then on. */
		break;
	}
	return SMTP_REPLY_MALFORMED;
}

enum smtp_reply_result smtp_reply_find(
    const uint8_t *input, size_t input_len, struct smtp_reply *reply_out)
{
	size_t used = 0;
	int code = 0;
	if (input_len > SMTP_REPLY_SIZE_MAX)
		input_len = SMTP_REPLY_SIZE_MAX;
	for (;;) {
		struct smtp_reply line;
		enum smtp_reply_result result =
		    smtp_reply_line(input + used, input_len - used, &line);
		if (result == SMTP_REPLY_NEED_MORE &&
		    input_len == SMTP_REPLY_SIZE_MAX)
			return SMTP_REPLY_TOO_LONG;
		if (result != SMTP_REPLY_FOUND)
			return result;
		if (code != 0 && line.code != code)
			return SMTP_REPLY_MALFORMED;
		code = line.code;
		used += line.used;
		if (line.last) {
			*reply_out = line;
			reply_out->used = used;
			return SMTP_REPLY_FOUND;
		}
	}
}
