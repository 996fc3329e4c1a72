/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and networks of the Internet, as tables and lists name them. Pure.
 */
#ifndef POSTERN_CONF_NET_H
#define POSTERN_CONF_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/arena.h"

struct net_address {
	int family;	   /* AF_INET, AF_INET6 */
	uint8_t bytes[16]; /* 4 of them for AF_INET */
};

struct net {
	struct net_address address;
	unsigned prefix_len;
};

/* "192.0.2.1", "2001:db8::1", either of them in brackets. What is mapped into
 * IPv6 (::ffff:192.0.2.1) is the IPv4 address. */
bool net_address_parse(
    const char *text, size_t len, struct net_address *address_out);

/* An address, or "192.0.2.0/24", "2001:db8::/32", "[2001:db8::]/32",
 * "[2001:db8::/32]". NULL when it is one; otherwise what is wrong with it, in
 * the arena. */
const char *net_parse(
    struct arena *arena, const char *text, size_t len, struct net *net_out);

bool net_contains(const struct net *net, const struct net_address *address);

#endif
