/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/net.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

/* Of IPv4 addresses in IPv6: RFC 4291, 2.5.5.2. */
static const uint8_t mapped_prefix[12] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};

static bool parse_plain(
    const char *text, size_t len, struct net_address *address_out)
{
	char copy[INET6_ADDRSTRLEN];
	if (len == 0 || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	*address_out = (struct net_address){.family = AF_INET};
	if (strlen(copy) != len)
		return false;
	if (inet_pton(AF_INET, copy, address_out->bytes) == 1)
		return true;
	address_out->family = AF_INET6;
	return inet_pton(AF_INET6, copy, address_out->bytes) == 1;
}

static void strip_brackets(const char **text, size_t *len)
{
	if (*len >= 2 && (*text)[0] == '[' && (*text)[*len - 1] == ']') {
		*text += 1;
		*len -= 2;
	}
}

bool net_address_parse(
    const char *text, size_t len, struct net_address *address_out)
{
	strip_brackets(&text, &len);
	if (!parse_plain(text, len, address_out))
		return false;
	if (address_out->family == AF_INET6 &&
	    memcmp(address_out->bytes, mapped_prefix, sizeof(mapped_prefix)) ==
		0) {
		address_out->family = AF_INET;
		memmove(address_out->bytes, address_out->bytes + 12, 4);
		memset(address_out->bytes + 4, 0, 12);
	}
	return true;
}

static unsigned bits_of(const struct net_address *address)
{
	return address->family == AF_INET ? 32 : 128;
}

/* -1: it is no number of bits. */
static int parse_prefix_len(const char *text, size_t len)
{
	int value = 0;
	if (len == 0 || len > 3)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

static void clear_host_bits(struct net *net)
{
	unsigned bits = bits_of(&net->address);
	for (unsigned bit = net->prefix_len; bit < bits; bit++)
		net->address.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
}

/* Postfix's words: it refuses the list, since nobody knows which net was meant.
 */
static const char *check_host_bits(
    struct arena *arena, const char *text, size_t len, const struct net *net)
{
	struct net right = *net;
	char plain[INET6_ADDRSTRLEN];
	clear_host_bits(&right);
	if (memcmp(&right.address, &net->address, sizeof(right.address)) == 0)
		return NULL;
	inet_ntop(
	    net->address.family, right.address.bytes, plain, sizeof(plain));
	bool has_brackets = text[0] == '[';
	bool is_all_in_brackets = has_brackets && text[len - 1] == ']';
	return arena_printf(arena,
	    "non-null host address bits in \"%.*s\", perhaps you should use "
	    "\"%s%s%s/%u%s\" instead",
	    (int)len, text, has_brackets ? "[" : "", plain,
	    has_brackets && !is_all_in_brackets ? "]" : "", net->prefix_len,
	    is_all_in_brackets ? "]" : "");
}

static const char *complain(struct arena *arena, const char *text, size_t len)
{
	return arena_printf(arena,
	    "\"%.*s\" is no address and no net: must be such as 192.0.2.1, "
	    "192.0.2.0/24, [2001:db8::1] or [2001:db8::]/32",
	    len < 200 ? (int)len : 200, text);
}

const char *net_parse(
    struct arena *arena, const char *text, size_t len, struct net *net_out)
{
	const char *at = text;
	size_t left = len;
	const char *slash = memchr(text, '/', len);
	if (slash != NULL)
		strip_brackets(&at, &left);
	size_t address_len = slash == NULL ? left : (size_t)(slash - at);
	const char *address = at;
	if (slash == NULL || at == text)
		strip_brackets(&address, &address_len);
	if (!parse_plain(address, address_len, &net_out->address))
		return complain(arena, text, len);
	net_out->prefix_len = bits_of(&net_out->address);
	if (slash == NULL)
		return NULL;
	int prefix_len =
	    parse_prefix_len(slash + 1, left - (size_t)(slash + 1 - at));
	if (prefix_len < 0 || (unsigned)prefix_len > net_out->prefix_len)
		return arena_printf(arena,
		    "\"%.*s\" has no good prefix length: must be from 0 to %u",
		    (int)len, text, net_out->prefix_len);
	net_out->prefix_len = (unsigned)prefix_len;
	return check_host_bits(arena, text, len, net_out);
}

bool net_contains(const struct net *net, const struct net_address *address)
{
	if (net->address.family != address->family)
		return false;
	unsigned bytes = net->prefix_len / 8;
	unsigned bits = net->prefix_len % 8;
	if (memcmp(net->address.bytes, address->bytes, bytes) != 0)
		return false;
	if (bits == 0)
		return true;
	uint8_t mask = (uint8_t)(0xff00u >> bits);
	return ((net->address.bytes[bytes] ^ address->bytes[bytes]) & mask) ==
	       0;
}
