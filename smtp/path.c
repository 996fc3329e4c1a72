/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/path.h"

#include <string.h>
#include <strings.h>

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static bool is_letter(char byte)
{
	return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

/* RFC 5322, 3.2.3 and RFC 6531, 3.3, and what joins atoms to addresses. */
static bool is_address_byte(char byte)
{
	return is_letter(byte) || (byte >= '0' && byte <= '9') ||
	       (unsigned char)byte >= 0x80 ||
	       (byte != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.@[]:", byte));
}

static bool is_quotable(char byte)
{
	return (byte >= ' ' && byte <= '~') || (unsigned char)byte >= 0x80;
}

/* Of a quoted string with its quotes; 0: it has no end, or is none. */
static size_t quoted_len(const char *text, size_t len)
{
	for (size_t i = 1; i < len && is_quotable(text[i]); i++) {
		if (text[i] == '"')
			return i + 1;
		if (text[i] != '\\')
			continue;
		i++;
		if (i < len && !is_quotable(text[i]))
			return 0;
	}
	return 0;
}

static size_t address_len(const char *text, size_t len)
{
	size_t at = 0;
	while (at < len) {
		size_t piece_len = text[at] == '"'
				       ? quoted_len(text + at, len - at)
				       : is_address_byte(text[at]);
		if (piece_len == 0)
			break;
		at += piece_len;
	}
	return at;
}

static size_t blanks_len(const char *text, size_t len)
{
	size_t at = 0;
	while (at < len && is_blank(text[at]))
		at++;
	return at;
}

bool smtp_path_parse(
    const char *argument, size_t argument_len, struct smtp_path *path_out)
{
	size_t at = 0;
	while (at < argument_len && is_letter(argument[at]))
		at++;
	if (at == argument_len || argument[at] != ':')
		return false;
	at++;
	at += blanks_len(argument + at, argument_len - at);
	bool bracketed = at < argument_len && argument[at] == '<';
	at += bracketed;
	path_out->address = argument + at;
	path_out->address_len = address_len(argument + at, argument_len - at);
	at += path_out->address_len;
	if (bracketed && (at == argument_len || argument[at] != '>'))
		return false;
	at += bracketed;
	if (at < argument_len && !is_blank(argument[at]))
		return false;
	at += blanks_len(argument + at, argument_len - at);
	path_out->parameters = argument + at;
	path_out->parameters_len = argument_len - at;
	return bracketed || path_out->address_len > 0;
}

bool smtp_path_has(const struct smtp_path *path, const char *parameter)
{
	const char *text = path->parameters;
	size_t left = path->parameters_len;
	size_t parameter_len = strlen(parameter);
	while (left > 0) {
		size_t len = 0;
		while (len < left && !is_blank(text[len]))
			len++;
		if (len == parameter_len &&
		    strncasecmp(text, parameter, len) == 0)
			return true;
		len += blanks_len(text + len, left - len);
		text += len;
		left -= len;
	}
	return false;
}
