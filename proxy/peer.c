/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/peer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdint.h>
#include <stdio.h>

bool peer_is_inet(const struct sockaddr_in6 *peer)
{
	return peer->sin6_family == AF_INET || peer->sin6_family == AF_INET6;
}

const char *peer_name(const struct sockaddr_in6 *peer)
{
	return peer_is_inet(peer) ? "unknown" : "localhost";
}

/* inet_ntop(3) calls sprintf(3), several times for each session. */
static void write_ipv4(const struct in_addr *address, char *out)
{
	const uint8_t *bytes = (const uint8_t *)&address->s_addr;

	for (int i = 0; i < 4; i++) {
		unsigned byte = bytes[i];

		if (i > 0)
			*out++ = '.';
		if (byte >= 100)
			*out++ = (char)('0' + byte / 100);
		if (byte >= 10)
			*out++ = (char)('0' + byte / 10 % 10);
		*out++ = (char)('0' + byte % 10);
	}
	*out = '\0';
}

void peer_address(const struct sockaddr_in6 *peer, char *out, size_t out_size)
{
	const struct sockaddr_in *ipv4 = (const void *)peer;

	assert(out_size >= INET_ADDRSTRLEN);
	if (peer->sin6_family == AF_INET)
		write_ipv4(&ipv4->sin_addr, out);
	else if (peer->sin6_family == AF_INET6)
		inet_ntop(AF_INET6, &peer->sin6_addr, out, (socklen_t)out_size);
	else /* it has none; Postfix writes this for it */
		snprintf(out, out_size, "127.0.0.1");
}
