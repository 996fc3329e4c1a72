/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/dns_name.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define LABEL_LEN_MAX 63

static bool is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

/* No locale has a say in it. */
static bool is_letter(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_label(const uint8_t *label, size_t len)
{
	if (label[0] == '-' || label[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_letter(label[i]) && !is_digit(label[i]) &&
		    label[i] != '-' && label[i] != '_')
			return false;
	return true;
}

static bool is_numeric(const char *name)
{
	return name[strspn(name, "0123456789.")] == '\0';
}

static void append_label(
    char *out, size_t *len, const uint8_t *label, size_t label_len)
{
	if (*len > 0)
		out[(*len)++] = '.';
	for (size_t i = 0; i < label_len; i++)
		out[(*len)++] =
		    (char)(label[i] >= 'A' && label[i] <= 'Z' ? label[i] | 0x20
							      : label[i]);
}

bool dns_name_read(
    const uint8_t *data, size_t data_len, char out[DNS_NAME_SIZE])
{
	size_t at = 0, len = 0;

	out[0] = '\0';
	for (;;) {
		size_t label_len;

		if (at == data_len)
			return false; /* it does not end */
		label_len = data[at++];
		if (label_len == 0)
			break;
		if (label_len > LABEL_LEN_MAX || label_len > data_len - at ||
		    len + 1 + label_len >= DNS_NAME_SIZE ||
		    !is_label(data + at, label_len))
			return false;
		append_label(out, &len, data + at, label_len);
		at += label_len;
	}
	out[len] = '\0';
	return at == data_len && len > 0 && !is_numeric(out);
}

bool dns_name_is_host(const char *text)
{
	const char *at = text;

	if (strlen(text) >= DNS_NAME_SIZE || text[0] == '\0' ||
	    is_numeric(text))
		return false;
	while (*at != '\0') {
		size_t len = strcspn(at, ".");

		if (len == 0 || len > LABEL_LEN_MAX ||
		    !is_label((const uint8_t *)at, len))
			return false;
		at += len;
		at += *at == '.';
	}
	return true;
}

void dns_name_reverse(
    const uint8_t *address, size_t address_len, char out[DNS_NAME_SIZE])
{
	size_t len = 0;

	assert(address_len == 4 || address_len == 16);
	if (address_len == 4) {
		snprintf(out, DNS_NAME_SIZE, "%u.%u.%u.%u.in-addr.arpa",
		    address[3], address[2], address[1], address[0]);
		return;
	}
	for (size_t i = 16; i-- > 0;)
		len += (size_t)snprintf(out + len, DNS_NAME_SIZE - len,
		    "%x.%x.", address[i] & 15, address[i] >> 4);
	snprintf(out + len, DNS_NAME_SIZE - len, "ip6.arpa");
}
