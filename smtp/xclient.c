/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/xclient.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* One attribute under way. */
struct item {
	struct smtp_xclient *xclient;
	enum smtp_attribute attribute;
	const char *name; /* as it was sent */
	int name_len;
	char value[SMTP_XCLIENT_VALUE_SIZE]; /* decoded */
	char *error;
	size_t error_size;
};

__attribute__((format(printf, 3, 4))) static bool complain(
    char *error, size_t error_size, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(error, error_size, format, arguments);
	va_end(arguments);
	return false;
}

/* What is shown of a value is printable, whatever was sent. */
static bool complain_of_value(const struct item *item)
{
	char shown[SMTP_XCLIENT_VALUE_SIZE];
	size_t len = strlen(item->value);
	for (size_t i = 0; i <= len; i++) {
		char byte = item->value[i];
		bool odd = i < len && (byte < ' ' || byte > '~');
		shown[i] = odd ? '?' : byte;
	}
	return complain(item->error, item->error_size,
	    "501 5.5.4 Bad %.*s syntax: %s", item->name_len, item->name, shown);
}

static int hex_digit(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if (byte >= 'A' && byte <= 'F')
		return byte - 'A' + 10;
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	return -1;
}

/* RFC 3461, 4. A control character becomes `?`, so that none gets any further.
 */
static bool decode(const char *text, size_t len, char *out)
{
	size_t at = 0;
	if (len >= SMTP_XCLIENT_VALUE_SIZE)
		return false;
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = (uint8_t)text[i];
		if (byte == '+') {
			int high = i + 1 < len ? hex_digit(text[i + 1]) : -1;
			int low = i + 2 < len ? hex_digit(text[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			byte = (uint8_t)(high << 4 | low);
			i += 2;
		}
		out[at++] = byte < ' ' || byte == 0x7f ? '?' : (char)byte;
	}
	out[at] = '\0';
	return true;
}

static bool is_tag(const struct item *item, const char *tag)
{
	return strcasecmp(item->value, tag) == 0;
}

static bool is_unavailable(const struct item *item)
{
	return is_tag(item, "[UNAVAILABLE]");
}

static void copy(char *out, const char *text)
{
	snprintf(out, SMTP_XCLIENT_VALUE_SIZE, "%s", text);
}

static bool take_name(struct item *item, char *out)
{
	bool failed = is_tag(item, "[TEMPUNAVAIL]");
	out[0] = '\0';
	if (item->attribute == SMTP_ATTRIBUTE_NAME)
		item->xclient->name_failed = failed;
	if (failed || is_unavailable(item))
		return true;
	if (!smtp_identity_is_host_name(item->value))
		return complain_of_value(item);
	copy(out, item->value);
	return true;
}

static bool take_address(struct item *item, struct smtp_xclient_address *out)
{
	static const char prefix[] = "IPV6:";
	size_t prefix_len = sizeof(prefix) - 1;
	const char *text = item->value;
	*out = (struct smtp_xclient_address){.family = AF_INET};
	if (is_unavailable(item)) {
		out->family = 0;
		return true;
	}
	if (strncasecmp(text, prefix, prefix_len) == 0) {
		text += prefix_len;
		out->family = AF_INET6;
	}
	if (inet_pton(out->family, text, out->bytes) == 1)
		return true;
	return complain_of_value(item);
}

static bool take_port(struct item *item, uint16_t *port_out)
{
	unsigned port = 0;
	const char *text = item->value;
	*port_out = 0;
	if (is_unavailable(item))
		return true;
	if (text[0] == '\0')
		return complain_of_value(item);
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return complain_of_value(item);
		port = port * 10 + (unsigned)(*text - '0');
		if (port > UINT16_MAX)
			return complain_of_value(item);
	}
	*port_out = (uint16_t)port;
	return true;
}

static bool take_protocol(struct item *item)
{
	if (is_tag(item, "ESMTP"))
		item->xclient->helo_verb = SMTP_VERB_EHLO;
	else if (is_tag(item, "SMTP"))
		item->xclient->helo_verb = SMTP_VERB_HELO;
	else
		return complain_of_value(item);
	return true;
}

static bool take_text(struct item *item, char *out)
{
	copy(out, is_unavailable(item) ? "" : item->value);
	return true;
}

static bool take_value(struct item *item)
{
	struct smtp_xclient *xclient = item->xclient;
	switch (item->attribute) {
	case SMTP_ATTRIBUTE_NAME:
		return take_name(item, xclient->name);
	case SMTP_ATTRIBUTE_REVERSE_NAME:
		return take_name(item, xclient->reverse_name);
	case SMTP_ATTRIBUTE_ADDR:
		return take_address(item, &xclient->address);
	case SMTP_ATTRIBUTE_DESTADDR:
		return take_address(item, &xclient->server_address);
	case SMTP_ATTRIBUTE_PORT:
		return take_port(item, &xclient->port);
	case SMTP_ATTRIBUTE_DESTPORT:
		return take_port(item, &xclient->server_port);
	case SMTP_ATTRIBUTE_PROTO:
		return take_protocol(item);
	case SMTP_ATTRIBUTE_HELO:
		return take_text(item, xclient->helo);
	case SMTP_ATTRIBUTE_LOGIN:
		return take_text(item, xclient->login);
	case SMTP_ATTRIBUTE_DESTNAME:
	case SMTP_ATTRIBUTE_SESSION:
	case SMTP_ATTRIBUTE_CLIENT_TRANSPORT:
	case SMTP_ATTRIBUTE_TTL:
	case SMTP_ATTRIBUTE_TIMEOUT:
	case SMTP_ATTRIBUTE_FORWARD:
	case SMTP_ATTRIBUTE_SOURCE:
	case SMTP_ATTRIBUTE_IDENT:
	case SMTP_ATTRIBUTE_COUNT:
		break;
	}
	return complain(item->error, item->error_size,
	    "501 5.5.4 Bad XCLIENT attribute name: %.*s", item->name_len,
	    item->name);
}

/* The only attribute in a list of one word; COUNT when it is unknown. */
static enum smtp_attribute find(const char *word, size_t len)
{
	uint32_t set = smtp_attributes_read(word, len);
	unsigned i = 0;
	while (i < SMTP_ATTRIBUTE_COUNT && (set >> i & 1) == 0)
		i++;
	return (enum smtp_attribute)i;
}

static bool take_word(struct item *item, const char *word, size_t len)
{
	const char *equals = memchr(word, '=', len);
	if (equals == NULL || equals == word)
		return complain(item->error, item->error_size,
		    "501 5.5.4 Error: attribute=value expected");
	item->name = word;
	item->name_len = (int)(equals - word < 32 ? equals - word : 32);
	if (!decode(equals + 1, len - (size_t)(equals + 1 - word), item->value))
		return complain(item->error, item->error_size,
		    "501 5.5.4 Error: attribute value too long");
	item->attribute = find(word, (size_t)(equals - word));
	if (!take_value(item))
		return false;
	item->xclient->given |= UINT32_C(1) << item->attribute;
	return true;
}

bool smtp_xclient_parse(const char *argument, size_t argument_len,
    struct smtp_xclient *xclient_out, char *error, size_t error_size)
{
	struct item item = {
	    .xclient = xclient_out, .error = error, .error_size = error_size};
	assert(error_size >= 512);
	*xclient_out = (struct smtp_xclient){.helo_verb = SMTP_VERB_UNKNOWN};
	if (argument_len == 0)
		return complain(error, error_size,
		    "501 5.5.4 Syntax: XCLIENT attribute=value...");
	while (argument_len > 0) {
		const char *blank = memchr(argument, ' ', argument_len);
		size_t len =
		    blank != NULL ? (size_t)(blank - argument) : argument_len;
		if (len > 0 && !take_word(&item, argument, len))
			return false;
		if (blank != NULL)
			len++;
		argument += len;
		argument_len -= len;
	}
	return true;
}
