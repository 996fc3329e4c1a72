/* SPDX-License-Identifier: Apache-2.0 */
/* Lines and commands: the same line at every cut; words that lie in the line
 * and lose nothing but blanks; BDAT against a model in 128 bits. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "smtp/command.h"
#include "smtp/line.h"

#define INPUT_SIZE_MAX 512
#define LINE_SIZE_MAX  64

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len);

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\v' || byte == '\f';
}

static void check_command(const char *text, size_t len)
{
	struct smtp_command command;
	smtp_command_parse(text, len, &command);
	expect(command.verb < SMTP_VERB_COUNT);
	expect(command.word >= text);
	expect(command.argument >= command.word + command.word_len);
	expect(command.argument + command.argument_len <= text + len);
	/* What is in neither of them is blank. */
	for (const char *at = text; at < text + len; at++) {
		bool in_word =
		    at >= command.word && at < command.word + command.word_len;
		bool in_argument = at >= command.argument &&
				   at < command.argument + command.argument_len;
		expect(in_word || in_argument || is_blank(*at));
		expect(!in_word || !is_blank(*at));
	}
	if (command.argument_len > 0) {
		expect(!is_blank(command.argument[0]));
		expect(!is_blank(command.argument[command.argument_len - 1]));
	}
	if (command.verb != SMTP_VERB_UNKNOWN) {
		const char *name = smtp_verb_name(command.verb);
		expect(strlen(name) == command.word_len);
		expect(strncasecmp(name, command.word, command.word_len) == 0);
		expect(!smtp_command_is_foreign(&command, name));
	}
}

static void check_bdat(const char *text, size_t len)
{
	uint64_t size = 0;
	bool last = false;
	if (!smtp_bdat_parse(text, len, &size, &last))
		return;
	expect(size <= INT64_MAX);
	unsigned __int128 model = 0;
	size_t i = 0;
	for (; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
		model = model * 10 + (unsigned)(text[i] - '0');
		expect(model <= INT64_MAX);
	}
	expect(i > 0);
	expect(size == (uint64_t)model);
	expect(last == (i < len));
	if (last)
		expect(strncasecmp(text + len - 4, "LAST", 4) == 0);
}

static enum smtp_line_result model_line(
    const uint8_t *input, size_t input_len, size_t *used_out)
{
	for (size_t i = 0; i < input_len; i++) {
		bool crlf = i > 0 && input[i] == '\n' && input[i - 1] == '\r';
		*used_out = i + 1;
		if (crlf) {
			bool bad = memchr(input, '\0', i - 1) != NULL ||
				   memchr(input, '\r', i - 1) != NULL;
			return bad ? SMTP_LINE_BAD_BYTE : SMTP_LINE_FOUND;
		}
		if (input[i] == '\n' && i <= LINE_SIZE_MAX)
			return SMTP_LINE_BARE_LF;
		bool may_end = i == LINE_SIZE_MAX && input[i] == '\r';
		if (i >= LINE_SIZE_MAX && !may_end) {
			*used_out = LINE_SIZE_MAX;
			return SMTP_LINE_TOO_LONG;
		}
	}
	return SMTP_LINE_NEED_MORE;
}

static void check_line(const uint8_t *input, size_t input_len)
{
	struct smtp_line line;
	size_t used = 0;
	enum smtp_line_result model = model_line(input, input_len, &used);
	enum smtp_line_result result =
	    smtp_line_find(input, input_len, LINE_SIZE_MAX, &line);
	expect(result == model);
	if (result == SMTP_LINE_NEED_MORE)
		return;
	expect(line.used == used);
	expect(line.len <= LINE_SIZE_MAX);
	check_command(line.text, line.len);
	check_bdat(line.text, line.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len)
{
	if (input_len > INPUT_SIZE_MAX)
		return -1;
	for (size_t len = 0; len <= input_len; len++) {
		uint8_t *copy = malloc(len > 0 ? len : 1);
		expect(copy != NULL);
		memcpy(copy, input, len);
		check_line(copy, len);
		free(copy);
	}
	return 0;
}
