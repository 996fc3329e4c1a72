/* SPDX-License-Identifier: Apache-2.0 */
/* What the log and headers call a client: its name and its address. */
#ifndef POSTERN_PROXY_PEER_H
#define POSTERN_PROXY_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <netinet/in.h>

#define PEER_ADDRESS_SIZE INET6_ADDRSTRLEN

/* Large enough for IPv4, too; of any other family: a client of a Unix socket.
 */
bool peer_is_inet(const struct sockaddr_in6 *peer);

/* "unknown": names are not looked up. "localhost" for a Unix socket. */
const char *peer_name(const struct sockaddr_in6 *peer);

/* "192.0.2.1", "2001:db8::7"; NUL-terminated. out_size must be at least
 * PEER_ADDRESS_SIZE. */
void peer_address(const struct sockaddr_in6 *peer, char *out, size_t out_size);

#endif
