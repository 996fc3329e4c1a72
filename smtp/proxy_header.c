/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/proxy_header.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#define V1_SIGNATURE "PROXY "
#define V2_HEAD_LEN  16 /* signature, version and command, family, length */
#define V2_LOCAL     0x20
#define V2_PROXY     0x21
#define V2_TCP4	     0x11
#define V2_TCP6	     0x21

static const uint8_t v2_signature[12] = {
    '\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

/* A word of the v1 line, NUL-terminated. */
struct word {
	char text[INET6_ADDRSTRLEN];
};

/* Whether `text` is `word` with anything behind it, or the head of it. */
static bool begins(const char *text, size_t len, const char *word)
{
	size_t word_len = strlen(word);
	return memcmp(text, word, len < word_len ? len : word_len) == 0;
}

/* Cuts one word off *text, and the single blank behind it unless `last`. */
static bool take_word(
    const char **text, const char *end, bool last, struct word *word_out)
{
	const char *stop = memchr(*text, ' ', (size_t)(end - *text));
	if (last != (stop == NULL))
		return false;
	if (last)
		stop = end;
	size_t len = (size_t)(stop - *text);
	if (len == 0 || len >= sizeof(word_out->text) ||
	    memchr(*text, '\0', len) != NULL)
		return false;
	memcpy(word_out->text, *text, len);
	word_out->text[len] = '\0';
	*text = last ? end : stop + 1;
	return true;
}

/* Decimal, 0 to 65535, no leading zeros. */
static bool parse_port(const char *text, uint16_t *port_out)
{
	unsigned port = 0;
	if (text[0] == '0' && text[1] != '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		port = port * 10 + (unsigned)(*text - '0');
		if (port > UINT16_MAX)
			return false;
	}
	*port_out = (uint16_t)port;
	return true;
}

/* inet_pton is strict: no octal, no short form, no leading zeros in IPv4. */
static bool parse_address(
    enum smtp_proxy_family family, const char *text, uint8_t address_out[16])
{
	int af = family == SMTP_PROXY_IPV4 ? AF_INET : AF_INET6;
	return inet_pton(af, text, address_out) == 1;
}

/* The line without its CRLF. */
static enum smtp_proxy_result parse_v1_line(
    const char *text, const char *end, struct smtp_proxy_header *header)
{
	struct word protocol, source, destination, source_port, port;
	text += sizeof(V1_SIGNATURE) - 1;
	/* Whatever stands behind UNKNOWN must be ignored. */
	static const char unknown[] = "UNKNOWN";
	size_t unknown_len = sizeof(unknown) - 1;
	size_t len = (size_t)(end - text);
	if (len >= unknown_len && memcmp(text, unknown, unknown_len) == 0 &&
	    (len == unknown_len || text[unknown_len] == ' '))
		return SMTP_PROXY_UNSUPPORTED;
	if (!take_word(&text, end, false, &protocol))
		return SMTP_PROXY_MALFORMED;
	if (strcmp(protocol.text, "TCP4") == 0)
		header->family = SMTP_PROXY_IPV4;
	else if (strcmp(protocol.text, "TCP6") == 0)
		header->family = SMTP_PROXY_IPV6;
	else
		return SMTP_PROXY_MALFORMED;
	if (!take_word(&text, end, false, &source) ||
	    !take_word(&text, end, false, &destination) ||
	    !take_word(&text, end, false, &source_port) ||
	    !take_word(&text, end, true, &port))
		return SMTP_PROXY_MALFORMED;
	if (!parse_address(header->family, source.text, header->source) ||
	    !parse_address(
		header->family, destination.text, header->destination) ||
	    !parse_port(source_port.text, &header->source_port) ||
	    !parse_port(port.text, &header->destination_port))
		return SMTP_PROXY_MALFORMED;
	return SMTP_PROXY_FOUND;
}

/* Whether a v1 line can begin like this: who does not speak the protocol is not
 * waited for. */
static bool is_plausible(const char *text, size_t len)
{
	size_t head_len = sizeof(V1_SIGNATURE) - 1;
	if (len <= head_len)
		return true;
	text += head_len;
	len -= head_len;
	if (begins(text, len, "UNKNOWN"))
		return true;
	if (!begins(text, len, "TCP4 ") && !begins(text, len, "TCP6 "))
		return false;
	for (size_t i = sizeof("TCP4 ") - 1; i < len; i++) {
		if (text[i] == '\0' ||
		    strchr("0123456789abcdefABCDEF.: ", text[i]) == NULL)
			return false;
	}
	return true;
}

static enum smtp_proxy_result parse_v1(const uint8_t *input, size_t input_len,
    struct smtp_proxy_header *header, size_t *used_out)
{
	header->version = 1;
	/* A CR further on comes too late: the answer is the same without it. */
	size_t window_len = input_len < SMTP_PROXY_V1_SIZE_MAX - 1
				? input_len
				: SMTP_PROXY_V1_SIZE_MAX - 1;
	const uint8_t *cr = memchr(input, '\r', window_len);
	size_t text_len = cr != NULL ? (size_t)(cr - input) : window_len;
	if (!is_plausible((const char *)input, text_len))
		return SMTP_PROXY_MALFORMED;
	if (text_len + 2 > SMTP_PROXY_V1_SIZE_MAX)
		return SMTP_PROXY_TOO_LONG;
	if (text_len + 2 > input_len)
		return SMTP_PROXY_NEED_MORE;
	if (input[text_len + 1] != '\n')
		return SMTP_PROXY_MALFORMED;
	*used_out = text_len + 2;
	return parse_v1_line(
	    (const char *)input, (const char *)input + text_len, header);
}

/* Type, length in two bytes, value; to the last byte. */
static bool are_tlvs_whole(const uint8_t *tlvs, size_t tlvs_len)
{
	size_t at = 0;
	while (at < tlvs_len) {
		if (tlvs_len - at < 3)
			return false;
		size_t len = (size_t)tlvs[at + 1] << 8 | tlvs[at + 2];
		at += 3;
		if (len > tlvs_len - at)
			return false;
		at += len;
	}
	return true;
}

/* Of the addresses that a family byte announces; SIZE_MAX when it announces
 * what does not exist. */
static size_t addresses_len(uint8_t family)
{
	static const size_t lens[] = {
	    0, 12, 36, 216}; /* UNSPEC IPv4 IPv6 UNIX */
	if (family >> 4 > 3 || (family & 0x0f) > 2)
		return SIZE_MAX;
	return lens[family >> 4];
}

static void read_addresses(
    const uint8_t *block, struct smtp_proxy_header *header)
{
	size_t size = header->family == SMTP_PROXY_IPV4 ? 4 : 16;
	const uint8_t *ports = block + 2 * size;
	memcpy(header->source, block, size);
	memcpy(header->destination, block + size, size);
	header->source_port = (uint16_t)(ports[0] << 8 | ports[1]);
	header->destination_port = (uint16_t)(ports[2] << 8 | ports[3]);
}

static enum smtp_proxy_result parse_v2(const uint8_t *input, size_t input_len,
    struct smtp_proxy_header *header, size_t *used_out)
{
	if (input_len > 12 && input[12] != V2_LOCAL && input[12] != V2_PROXY)
		return SMTP_PROXY_MALFORMED;
	if (input_len < V2_HEAD_LEN)
		return SMTP_PROXY_NEED_MORE;
	header->version = 2;
	bool local = input[12] == V2_LOCAL;
	uint8_t family = input[13];
	size_t len = (size_t)input[14] << 8 | input[15];
	/* With LOCAL all that follows is to be dropped, whatever it says. */
	size_t head_len = local ? 0 : addresses_len(family);
	if (head_len > len)
		return SMTP_PROXY_MALFORMED;
	if (V2_HEAD_LEN + len > SMTP_PROXY_V2_SIZE_MAX)
		return SMTP_PROXY_TOO_LONG;
	if (input_len < V2_HEAD_LEN + len)
		return SMTP_PROXY_NEED_MORE;
	const uint8_t *block = input + V2_HEAD_LEN;
	*used_out = V2_HEAD_LEN + len;
	header->local = local;
	if (local)
		return SMTP_PROXY_FOUND;
	if (!are_tlvs_whole(block + head_len, len - head_len))
		return SMTP_PROXY_MALFORMED;
	if (family != V2_TCP4 && family != V2_TCP6)
		return SMTP_PROXY_UNSUPPORTED;
	header->family = family == V2_TCP4 ? SMTP_PROXY_IPV4 : SMTP_PROXY_IPV6;
	read_addresses(block, header);
	header->tlvs = block + head_len;
	header->tlvs_len = len - head_len;
	return SMTP_PROXY_FOUND;
}

static size_t write_v1(
    const struct smtp_proxy_header *header, uint8_t *out, size_t out_size)
{
	bool ipv4 = header->family == SMTP_PROXY_IPV4;
	int af = ipv4 ? AF_INET : AF_INET6;
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
	char line[SMTP_PROXY_V1_SIZE_MAX + 1];
	if (inet_ntop(af, header->source, source, sizeof(source)) == NULL ||
	    inet_ntop(af, header->destination, destination,
		sizeof(destination)) == NULL)
		return 0;
	int len = header->local
		      ? snprintf(line, sizeof(line), V1_SIGNATURE "UNKNOWN\r\n")
		      : snprintf(line, sizeof(line),
			    V1_SIGNATURE "%s %s %s %u %u\r\n",
			    ipv4 ? "TCP4" : "TCP6", source, destination,
			    header->source_port, header->destination_port);
	assert(len > 0);
	assert((size_t)len < sizeof(line));
	if ((size_t)len > out_size)
		return 0;
	memcpy(out, line, (size_t)len);
	return (size_t)len;
}

static size_t write_v2(
    const struct smtp_proxy_header *header, uint8_t *out, size_t out_size)
{
	size_t size = header->family == SMTP_PROXY_IPV4 ? 4 : 16;
	size_t head_len = header->local ? 0 : 2 * size + 4;
	size_t len = head_len + header->tlvs_len;
	if (len > UINT16_MAX || V2_HEAD_LEN + len > out_size)
		return 0;
	memcpy(out, v2_signature, sizeof(v2_signature));
	out[12] = header->local ? V2_LOCAL : V2_PROXY;
	out[13] = header->local ? 0 : size == 4 ? V2_TCP4 : V2_TCP6;
	out[14] = (uint8_t)(len >> 8);
	out[15] = (uint8_t)len;
	out += V2_HEAD_LEN;
	if (!header->local) {
		memcpy(out, header->source, size);
		memcpy(out + size, header->destination, size);
		out += 2 * size;
		*out++ = (uint8_t)(header->source_port >> 8);
		*out++ = (uint8_t)header->source_port;
		*out++ = (uint8_t)(header->destination_port >> 8);
		*out++ = (uint8_t)header->destination_port;
	}
	if (header->tlvs_len > 0)
		memcpy(out, header->tlvs, header->tlvs_len);
	return V2_HEAD_LEN + len;
}

enum smtp_proxy_result smtp_proxy_header_parse(const uint8_t *input,
    size_t input_len, struct smtp_proxy_header *header_out, size_t *used_out)
{
	*header_out = (struct smtp_proxy_header){0};
	*used_out = 0;
	if (input_len == 0)
		return SMTP_PROXY_NEED_MORE;
	enum smtp_proxy_result result = SMTP_PROXY_MALFORMED;
	size_t used = 0;
	size_t len =
	    input_len < sizeof(v2_signature) ? input_len : sizeof(v2_signature);
	if (memcmp(input, v2_signature, len) == 0)
		result = parse_v2(input, input_len, header_out, &used);
	else if (begins((const char *)input, input_len, V1_SIGNATURE))
		result = parse_v1(input, input_len, header_out, &used);
	if (result == SMTP_PROXY_FOUND || result == SMTP_PROXY_UNSUPPORTED)
		*used_out = used;
	return result;
}

size_t smtp_proxy_header_write(
    const struct smtp_proxy_header *header, uint8_t *out, size_t out_size)
{
	assert(header->version == 1 || header->version == 2);
	return header->version == 1 ? write_v1(header, out, out_size)
				    : write_v2(header, out, out_size);
}
