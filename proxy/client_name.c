/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/client_name.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SLOT_COUNT 2048 /* a power of two */
/* RFC 2308, 5, would let nothing be kept longer. */
#define KEEP_S_MAX 86400

_Static_assert((SLOT_COUNT & (SLOT_COUNT - 1)) == 0, "a mask picks the slot");

struct slot {
	struct client_address address;
	int64_t until_ms;
	struct client_name name;
};

struct client_name_cache {
	struct slot slots[SLOT_COUNT];
};

void client_address_read(
    const struct sockaddr_in6 *peer, struct client_address *out)
{
	const struct sockaddr_in *ipv4 = (const void *)peer;
	const uint8_t *bytes = peer->sin6_addr.s6_addr;

	*out = (struct client_address){0};
	if (peer->sin6_family == AF_INET) {
		out->len = 4;
		bytes = (const uint8_t *)&ipv4->sin_addr;
	} else if (peer->sin6_family == AF_INET6 &&
		   IN6_IS_ADDR_V4MAPPED(&peer->sin6_addr)) {
		out->len = 4;
		bytes += 12;
	} else if (peer->sin6_family == AF_INET6) {
		out->len = 16;
	}
	memcpy(out->bytes, bytes, out->len);
}

bool client_address_equals(const struct client_address *address,
    const uint8_t *bytes, size_t bytes_len)
{
	return address->len == bytes_len &&
	       memcmp(address->bytes, bytes, bytes_len) == 0;
}

/* FNV-1a. Who finds addresses that share a slot only pushes his own out. */
static size_t slot_of(const struct client_address *address)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < address->len; i++)
		hash = (hash ^ address->bytes[i]) * 16777619u;
	return (hash ^ hash >> 16) & (SLOT_COUNT - 1);
}

struct client_name_cache *client_name_cache_create(void)
{
	return calloc(1, sizeof(struct client_name_cache));
}

void client_name_cache_destroy(struct client_name_cache **cache)
{
	free(*cache);
	*cache = NULL;
}

const struct client_name *client_name_cache_find(
    const struct client_name_cache *cache, const struct client_address *address,
    int64_t now_ms)
{
	const struct slot *slot = &cache->slots[slot_of(address)];

	if (now_ms >= slot->until_ms || !client_address_equals(&slot->address,
					    address->bytes, address->len))
		return NULL;
	return &slot->name;
}

void client_name_cache_put(struct client_name_cache *cache,
    const struct client_address *address, const struct client_name *name,
    int64_t now_ms)
{
	uint32_t keep_s = name->ttl_s < KEEP_S_MAX ? name->ttl_s : KEEP_S_MAX;

	assert(address->len != 0);
	cache->slots[slot_of(address)] = (struct slot){
	    .address = *address,
	    .until_ms = now_ms + (int64_t)keep_s * 1000,
	    .name = *name,
	};
}
