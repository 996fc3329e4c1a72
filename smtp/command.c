/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/command.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *word;
	size_t word_len;
	const char *name;
} verbs[SMTP_VERB_COUNT] = {
#define VERB(symbol, text) {text, sizeof(text) - 1, #symbol},
#include "smtp/verb.def"
#undef VERB
};

/* All that isspace() knows but CR and LF. Postfix splits words with isspace():
 * were `XCLIENT VT NAME=…` one unknown word here, it would pass for one and be
 * obeyed there. */
static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\v' || byte == '\f';
}

static bool is_letter(char byte)
{
	return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

static enum smtp_verb find_verb(const char *word, size_t word_len)
{
	for (unsigned i = 0; i < SMTP_VERB_COUNT; i++) {
		if (verbs[i].word_len == word_len &&
		    strncasecmp(verbs[i].word, word, word_len) == 0)
			return (enum smtp_verb)i;
	}
	return SMTP_VERB_UNKNOWN;
}

void smtp_command_parse(
    const char *text, size_t len, struct smtp_command *command_out)
{
	const char *end = text + len;
	while (end > text && is_blank(end[-1]))
		end--;
	while (text < end && is_blank(*text))
		text++;
	const char *word = text;
	while (text < end && !is_blank(*text))
		text++;
	size_t word_len = (size_t)(text - word);
	while (text < end && is_blank(*text))
		text++;

	*command_out = (struct smtp_command){
	    .verb = find_verb(word, word_len),
	    .word = word,
	    .word_len = word_len,
	    .argument = text,
	    .argument_len = (size_t)(end - text),
	};
}

const char *smtp_verb_name(enum smtp_verb verb)
{
	assert(verb < SMTP_VERB_COUNT);
	return verbs[verb].name;
}

bool smtp_command_is_foreign(
    const struct smtp_command *command, const char *forbidden)
{
	if (command->verb != SMTP_VERB_UNKNOWN || command->word_len == 0)
		return false;
	if (!is_letter(command->word[0]) ||
	    memchr(command->word, ':', command->word_len) != NULL)
		return true;
	static const char separators[] = " ,\t\r\n";
	while (*forbidden != '\0') {
		size_t len = strcspn(forbidden, separators);
		if (len == command->word_len &&
		    strncasecmp(forbidden, command->word, len) == 0)
			return true;
		forbidden += len;
		forbidden += strspn(forbidden, separators);
	}
	return false;
}

bool smtp_verb_ends_batch(enum smtp_verb verb)
{
	return verb == SMTP_VERB_HELO || verb == SMTP_VERB_EHLO ||
	       verb == SMTP_VERB_DATA || verb == SMTP_VERB_NOOP ||
	       verb == SMTP_VERB_VRFY;
}

bool smtp_verb_is_junk(enum smtp_verb verb)
{
	return verb == SMTP_VERB_HELO || verb == SMTP_VERB_EHLO ||
	       verb == SMTP_VERB_RSET || verb == SMTP_VERB_NOOP ||
	       verb == SMTP_VERB_VRFY || verb == SMTP_VERB_ETRN;
}

bool smtp_bdat_parse(const char *argument, size_t argument_len,
    uint64_t *size_out, bool *last_out)
{
	uint64_t size = 0;
	size_t i = 0;
	while (i < argument_len && argument[i] >= '0' && argument[i] <= '9') {
		unsigned digit = (unsigned)(argument[i++] - '0');
		if (size > ((uint64_t)INT64_MAX - digit) / 10)
			return false;
		size = size * 10 + digit;
	}
	if (i == 0)
		return false;
	size_t digits_len = i;
	while (i < argument_len && (argument[i] == ' ' || argument[i] == '\t'))
		i++;
	bool last = argument_len - i == 4 && i > digits_len &&
		    strncasecmp(argument + i, "LAST", 4) == 0;
	/* A guess here would let octets of the message be read as commands. */
	if (!last && argument_len != digits_len)
		return false;
	*size_out = size;
	*last_out = last;
	return true;
}
