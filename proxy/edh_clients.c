/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/edh_clients.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

/* 16384 clients at once: more than can spend something within a minute. */
#define SET_COUNT 4096
#define SET_WAYS  4

/* Each cell can be written by any worker, at any time. A race between two of
 * them over one cell costs a client's record, or gives it another's; both are
 * as rare as harmless. */
struct client {
	_Atomic uint64_t key;	/* 0: free */
	_Atomic uint64_t spent; /* in µs, and when that was so: see pack() */
	_Atomic int64_t refused_until_ms;
};

struct edh_clients {
	uint64_t secret[2];
	struct client sets[SET_COUNT][SET_WAYS];
};

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "processes share no locks");

static uint64_t pack(uint32_t spent_us, int64_t now_ms)
{
	return (uint64_t)spent_us << 32 | (uint32_t)now_ms;
}

/* What is left at that time of what was spent. */
static uint32_t unpack(uint64_t packed, uint32_t budget_us, int64_t now_ms)
{
	uint32_t spent_us = (uint32_t)(packed >> 32);
	/* Clocks of workers differ by a turn; of old records, by days. */
	int32_t passed_ms = (int32_t)((uint32_t)now_ms - (uint32_t)packed);
	uint64_t back_us;

	if (passed_ms <= 0)
		return passed_ms < -EDH_CLIENT_WINDOW_MS ? 0 : spent_us;
	back_us = (uint64_t)passed_ms * budget_us / EDH_CLIENT_WINDOW_MS;
	return back_us >= spent_us ? 0 : spent_us - (uint32_t)back_us;
}

/* Every bit of the result depends on every bit of both words. */
static uint64_t mix(uint64_t value, uint64_t secret)
{
	value ^= secret;
	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return value ^ value >> 31;
}

static struct client *set_of(const struct edh_clients *clients, uint64_t key)
{
	return (struct client *)clients->sets[key % SET_COUNT];
}

static struct client *find(const struct edh_clients *clients, uint64_t key)
{
	struct client *set = set_of(clients, key);

	for (int i = 0; i < SET_WAYS; i++)
		if (atomic_load(&set[i].key) == key)
			return &set[i];
	return NULL;
}

/* The record that is missed least. */
static struct client *choose_victim(
    struct client *set, uint32_t budget_us, int64_t now_ms)
{
	struct client *victim = NULL;
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < SET_WAYS; i++) {
		bool is_refused =
		    atomic_load(&set[i].refused_until_ms) > now_ms;
		uint64_t worth =
		    unpack(atomic_load(&set[i].spent), budget_us, now_ms);

		if (atomic_load(&set[i].key) == 0)
			return &set[i];
		if (is_refused)
			worth += UINT32_MAX;
		if (worth < least) {
			least = worth;
			victim = &set[i];
		}
	}
	assert(victim != NULL);
	return victim;
}

static struct client *find_or_add(struct edh_clients *clients, uint64_t key,
    uint32_t budget_us, int64_t now_ms)
{
	struct client *client = find(clients, key);

	if (client != NULL)
		return client;
	client = choose_victim(set_of(clients, key), budget_us, now_ms);
	atomic_store(&client->key, key);
	atomic_store(&client->spent, pack(0, now_ms));
	atomic_store(&client->refused_until_ms, 0);
	return client;
}

struct edh_clients *edh_clients_create(void)
{
	struct edh_clients *clients = mmap(NULL, sizeof(*clients),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (clients == MAP_FAILED)
		return NULL;
	if (getrandom(clients->secret, sizeof(clients->secret), 0) !=
	    (ssize_t)sizeof(clients->secret)) {
		munmap(clients, sizeof(*clients));
		return NULL;
	}
	return clients;
}

void edh_clients_destroy(struct edh_clients **clients)
{
	if (*clients != NULL)
		munmap(*clients, sizeof(**clients));
	*clients = NULL;
}

uint64_t edh_clients_key(
    const struct edh_clients *clients, const struct sockaddr_in6 *peer)
{
	const struct sockaddr_in *ipv4 = (const void *)peer;
	uint64_t network = 0;
	uint64_t key;

	if (peer->sin6_family == AF_INET)
		network = ipv4->sin_addr.s_addr;
	else if (peer->sin6_family == AF_INET6 &&
		 IN6_IS_ADDR_V4MAPPED(&peer->sin6_addr))
		memcpy(&network, peer->sin6_addr.s6_addr + 12, 4);
	else if (peer->sin6_family == AF_INET6)
		memcpy(&network, peer->sin6_addr.s6_addr, 8);
	else
		return 0;
	key = mix(mix(network, clients->secret[0]), clients->secret[1]);
	return key == 0 ? 1 : key;
}

uint32_t edh_clients_spent_us(const struct edh_clients *clients, uint64_t key,
    uint32_t budget_us, int64_t now_ms)
{
	const struct client *client = key == 0 ? NULL : find(clients, key);

	if (client == NULL)
		return 0;
	return unpack(atomic_load(&client->spent), budget_us, now_ms);
}

void edh_clients_charge(struct edh_clients *clients, uint64_t key,
    uint32_t spent_us, uint32_t budget_us, int64_t now_ms)
{
	struct client *client;
	uint64_t seen, next;

	if (key == 0)
		return;
	client = find_or_add(clients, key, budget_us, now_ms);
	seen = atomic_load(&client->spent);
	do {
		uint32_t before_us = unpack(seen, budget_us, now_ms);
		uint32_t room_us = UINT32_MAX - before_us;

		next =
		    pack(before_us + (spent_us < room_us ? spent_us : room_us),
			now_ms);
	} while (!atomic_compare_exchange_weak(&client->spent, &seen, next));
}

void edh_clients_refuse(
    struct edh_clients *clients, uint64_t key, int64_t now_ms)
{
	struct client *client;

	if (key == 0)
		return;
	client = find_or_add(clients, key, 0, now_ms);
	atomic_store(&client->refused_until_ms, now_ms + EDH_REFUSAL_MS);
}

bool edh_clients_was_refused(
    const struct edh_clients *clients, uint64_t key, int64_t now_ms)
{
	const struct client *client = key == 0 ? NULL : find(clients, key);

	return client != NULL &&
	       atomic_load(&client->refused_until_ms) > now_ms;
}
