/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/peer.h"

#include <arpa/inet.h>
#include <stdio.h>

bool peer_is_inet(const struct sockaddr_in6 *peer)
{
	return peer->sin6_family == AF_INET || peer->sin6_family == AF_INET6;
}

const char *peer_name(const struct sockaddr_in6 *peer)
{
	return peer_is_inet(peer) ? "unknown" : "localhost";
}

void peer_address(const struct sockaddr_in6 *peer, char *out, size_t out_size)
{
	const struct sockaddr_in *ipv4 = (const void *)peer;

	if (peer->sin6_family == AF_INET)
		inet_ntop(AF_INET, &ipv4->sin_addr, out, (socklen_t)out_size);
	else if (peer->sin6_family == AF_INET6)
		inet_ntop(AF_INET6, &peer->sin6_addr, out, (socklen_t)out_size);
	else /* it has none; Postfix writes this for it */
		snprintf(out, out_size, "127.0.0.1");
}
