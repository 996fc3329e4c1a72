/* SPDX-License-Identifier: Apache-2.0 */
/* What DNS says of a client's name, and a cache of it: as long as the records
 * may be kept, and of a fixed size, whatever addresses come. Pure. */
#ifndef POSTERN_PROXY_CLIENT_NAME_H
#define POSTERN_PROXY_CLIENT_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>

#include "proxy/dns_name.h"

/* An address as DNS knows it: what is mapped into IPv6 is IPv4. */
struct client_address {
	uint8_t len; /* 4 or 16; 0: it has none */
	uint8_t bytes[16];
};

enum client_name_status {
	CLIENT_NAME_UNKNOWN, /* its address has none */
	CLIENT_NAME_FAILED,  /* that could not be found out */
	/* Its address has one, but that leads elsewhere. */
	CLIENT_NAME_UNCONFIRMED,
	/* Where that leads could not be found out. */
	CLIENT_NAME_UNCONFIRMED_YET,
	CLIENT_NAME_CONFIRMED,
};

struct client_name {
	enum client_name_status status;
	uint32_t ttl_s;
	char text[DNS_NAME_SIZE]; /* "" where there is none */
};

struct client_name_cache; /* opaque */

void client_address_read(
    const struct sockaddr_in6 *peer, struct client_address *out);

/* Whether the data of an A or AAAA record is that address. */
bool client_address_equals(const struct client_address *address,
    const uint8_t *bytes, size_t bytes_len);

/* NULL without memory. */
struct client_name_cache *client_name_cache_create(void);
void client_name_cache_destroy(struct client_name_cache **cache);

/* NULL when it is not there, or no more. Good until the next put. */
const struct client_name *client_name_cache_find(
    const struct client_name_cache *cache, const struct client_address *address,
    int64_t now_ms);

/* May push another one out. */
void client_name_cache_put(struct client_name_cache *cache,
    const struct client_address *address, const struct client_name *name,
    int64_t now_ms);

#endif
