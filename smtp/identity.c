/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/identity.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Postfix takes no longer one, before and after decoding. */
#define VALUE_LEN_MAX 255

/* " ADDR=IPV6:", and the longest address. */
#define ADDR_SIZE_MAX (11 + INET6_ADDRSTRLEN)

static const char unavailable[] = "[UNAVAILABLE]";
static const char try_later[] = "[TEMPUNAVAIL]";

static const struct {
	const char *word;
	size_t word_len;
} attributes[SMTP_ATTRIBUTE_COUNT] = {
#define ATTRIBUTE(symbol, word) {word, sizeof(word) - 1},
#include "smtp/attribute.def"
#undef ATTRIBUTE
};
_Static_assert(SMTP_ATTRIBUTE_COUNT <= 32, "a set of attributes has 32 bits");

/* A value as it stands on the line; len 0: nothing is said. */
struct value {
	char text[VALUE_LEN_MAX + 1];
	size_t len;
};

static void set(struct value *value, const char *prefix, const char *text)
{
	int len =
	    snprintf(value->text, sizeof(value->text), "%s%s", prefix, text);
	assert(len >= 0);
	value->len = (size_t)len < sizeof(value->text) ? (size_t)len : 0;
}

/* RFC 3461, 4: xtext. It can bring no blank, no CR and no LF into the line. */
static void set_xtext(struct value *value, const char *text)
{
	size_t len = 0;
	for (; *text != '\0'; text++) {
		uint8_t byte = (uint8_t)*text;
		bool plain =
		    byte > ' ' && byte <= '~' && byte != '+' && byte != '=';
		size_t size = plain ? 1 : 3;
		if (size > VALUE_LEN_MAX - len)
			return;
		if (plain)
			value->text[len] = *text;
		else
			snprintf(value->text + len, 4, "+%02X", byte);
		len += size;
	}
	value->text[len] = '\0';
	value->len = len;
}

/* RFC 4648, 4 */
static void set_base64(struct value *value, const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij"
				     "klmnopqrstuvwxyz0123456789+/";
	size_t text_len = strlen(text);
	char encoded[VALUE_LEN_MAX + 1];
	size_t len = 0;
	if ((text_len + 2) / 3 * 4 > VALUE_LEN_MAX)
		return;
	for (size_t i = 0; i < text_len; i += 3) {
		size_t left = text_len - i;
		uint32_t bits = (uint32_t)(uint8_t)text[i] << 16;
		if (left > 1)
			bits |= (uint32_t)(uint8_t)text[i + 1] << 8;
		if (left > 2)
			bits |= (uint8_t)text[i + 2];
		encoded[len++] = digits[bits >> 18];
		encoded[len++] = digits[bits >> 12 & 63];
		encoded[len++] = left > 1 ? digits[bits >> 6 & 63] : '=';
		encoded[len++] = left > 2 ? digits[bits & 63] : '=';
	}
	encoded[len] = '\0';
	set_xtext(value, encoded);
}

static void set_number(struct value *value, uint32_t number)
{
	char text[16];
	snprintf(text, sizeof(text), "%u", number);
	if (number != 0)
		set(value, "", text);
}

/* RFC 5321, 4.1.3 */
static bool is_address_literal(const char *text)
{
	static const char prefix[] = "[IPv6:";
	size_t prefix_len = sizeof(prefix) - 1;
	bool ipv6 = strncasecmp(text, prefix, prefix_len) == 0;
	size_t start = ipv6 ? prefix_len : 1;
	size_t len = strlen(text);
	char address[INET6_ADDRSTRLEN];
	uint8_t bytes[16];
	if (text[0] != '[' || len < start + 1 || text[len - 1] != ']' ||
	    len - start > sizeof(address))
		return false;
	snprintf(address, sizeof(address), "%.*s", (int)(len - 1 - start),
	    text + start);
	return inet_pton(ipv6 ? AF_INET6 : AF_INET, address, bytes) == 1;
}

static void set_name(struct value *value, const char *name, bool failed)
{
	if (name != NULL)
		set_xtext(value, name);
	if (value->len == 0)
		set(value, "", failed ? try_later : unavailable);
}

static void set_address(struct value *value, const char *address)
{
	if (address == NULL)
		set(value, "", unavailable);
	else
		set(value,
		    strchr(address, ':') == NULL ? "" : "IPV6:", address);
}

static void set_port(struct value *value, const char *address, uint16_t port)
{
	char digits[8];
	snprintf(digits, sizeof(digits), "%u", port);
	set(value, "", address == NULL ? unavailable : digits);
}

static void set_if_known(struct value *value, const char *text)
{
	if (text != NULL)
		set_xtext(value, text);
}

static void read_value(enum smtp_attribute attribute,
    const struct smtp_identity *identity, struct value *value)
{
	bool greeted = identity->helo_verb != SMTP_VERB_UNKNOWN;
	value->len = 0;
	switch (attribute) {
	case SMTP_ATTRIBUTE_DESTADDR:
		set_address(value, identity->server_address);
		break;
	case SMTP_ATTRIBUTE_DESTPORT:
		set_port(
		    value, identity->server_address, identity->server_port);
		break;
	case SMTP_ATTRIBUTE_DESTNAME:
		if (identity->sni != NULL &&
		    smtp_identity_is_host_name(identity->sni))
			set_xtext(value, identity->sni);
		break;
	case SMTP_ATTRIBUTE_SESSION:
	case SMTP_ATTRIBUTE_IDENT:
		set_if_known(value, identity->session);
		break;
	case SMTP_ATTRIBUTE_CLIENT_TRANSPORT:
		set(value, "", identity->tls ? "TLS" : "insecure");
		break;
	case SMTP_ATTRIBUTE_TTL:
		set_number(value, identity->ttl);
		break;
	case SMTP_ATTRIBUTE_TIMEOUT:
		set_number(value, identity->timeout_s);
		break;
	case SMTP_ATTRIBUTE_FORWARD:
		if (identity->facts != NULL)
			set_base64(value, identity->facts);
		break;
	case SMTP_ATTRIBUTE_SOURCE:
		set(value, "", identity->address == NULL ? "LOCAL" : "REMOTE");
		break;
	case SMTP_ATTRIBUTE_HELO:
		if (greeted && (smtp_identity_is_host_name(identity->helo) ||
				   is_address_literal(identity->helo)))
			set_xtext(value, identity->helo);
		break;
	case SMTP_ATTRIBUTE_PROTO:
		if (greeted)
			set(value, "",
			    identity->helo_verb == SMTP_VERB_EHLO ? "ESMTP"
								  : "SMTP");
		break;
	case SMTP_ATTRIBUTE_REVERSE_NAME:
		set_name(value,
		    identity->reverse_name != NULL ? identity->reverse_name
						   : identity->name,
		    identity->name_failed);
		break;
	case SMTP_ATTRIBUTE_NAME:
		set_name(value, identity->name, identity->name_failed);
		break;
	case SMTP_ATTRIBUTE_PORT:
		set_port(value, identity->address, identity->port);
		break;
	case SMTP_ATTRIBUTE_LOGIN:
		set_if_known(value, identity->login);
		break;
	case SMTP_ATTRIBUTE_ADDR:
		set_address(value, identity->address);
		break;
	case SMTP_ATTRIBUTE_COUNT:
		break;
	}
}

/* Postfix forgets LOGIN at the next XCLIENT: ADDR, the last, goes with it. */
static size_t room_behind(uint32_t pending, unsigned attribute)
{
	bool joined = attribute == SMTP_ATTRIBUTE_LOGIN &&
		      (pending >> SMTP_ATTRIBUTE_ADDR & 1) != 0;
	return joined ? ADDR_SIZE_MAX : 0;
}

static size_t write_line(const char *verb, uint32_t *pending,
    const struct smtp_identity *identity, char *out, size_t out_size)
{
	assert(out_size >= SMTP_IDENTITY_LINE_SIZE);
	size_t verb_len = strlen(verb);
	size_t len = verb_len;
	memcpy(out, verb, verb_len);
	for (unsigned i = 0; i < SMTP_ATTRIBUTE_COUNT; i++) {
		struct value value;
		if ((*pending >> i & 1) == 0)
			continue;
		read_value((enum smtp_attribute)i, identity, &value);
		size_t size = 1 + attributes[i].word_len + 1 + value.len;
		if (value.len > 0 && size + room_behind(*pending, i) >
					 SMTP_IDENTITY_LINE_SIZE - 2 - len)
			break;
		*pending &= ~(UINT32_C(1) << i);
		if (value.len == 0)
			continue;
		out[len] = ' ';
		memcpy(
		    out + len + 1, attributes[i].word, attributes[i].word_len);
		out[len + 1 + attributes[i].word_len] = '=';
		memcpy(out + len + size - value.len, value.text, value.len);
		len += size;
	}
	if (len == verb_len)
		return 0;
	memcpy(out + len, "\r\n", 2);
	return len + 2;
}

bool smtp_identity_is_host_name(const char *text)
{
	bool label = false;
	for (; *text != '\0'; text++) {
		char byte = *text;
		bool plain = (byte >= 'a' && byte <= 'z') ||
			     (byte >= 'A' && byte <= 'Z') ||
			     (byte >= '0' && byte <= '9') || byte == '-' ||
			     byte == '_';
		if (!plain && (byte != '.' || !label))
			return false;
		label = plain;
	}
	return label;
}

uint32_t smtp_attributes_read(const char *words, size_t words_len)
{
	uint32_t set = 0;
	while (words_len > 0) {
		const char *blank = memchr(words, ' ', words_len);
		size_t len =
		    blank != NULL ? (size_t)(blank - words) : words_len;
		for (unsigned i = 0; i < SMTP_ATTRIBUTE_COUNT; i++) {
			if (len == attributes[i].word_len &&
			    strncasecmp(words, attributes[i].word, len) == 0)
				set |= UINT32_C(1) << i;
		}
		if (blank != NULL)
			len++;
		words += len;
		words_len -= len;
	}
	return set;
}

size_t smtp_xclient_write(uint32_t *pending,
    const struct smtp_identity *identity, char *out, size_t out_size)
{
	return write_line("XCLIENT", pending, identity, out, out_size);
}

size_t smtp_xforward_write(uint32_t *pending,
    const struct smtp_identity *identity, char *out, size_t out_size)
{
	return write_line("XFORWARD", pending, identity, out, out_size);
}
