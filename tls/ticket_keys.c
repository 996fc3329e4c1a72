/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/ticket_keys.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

/* A writer is done in a microsecond. When it is not, since it lost its
 * processor or died, a handshake without resumption is better than waiting. */
#define COPY_TRIES 64

#define RETRY_S 1 /* when there were no random bytes */

_Static_assert(sizeof(struct tls_ticket_key_set) % sizeof(uint64_t) == 0,
    "a set must be a whole number of words");

int64_t tls_ticket_keys_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

/* The writer reads what it wrote itself. */
static void load(
    const struct tls_ticket_keys *keys, struct tls_ticket_key_set *set_out)
{
	uint64_t words[TLS_TICKET_KEY_WORDS];

	for (size_t i = 0; i < TLS_TICKET_KEY_WORDS; i++)
		words[i] =
		    atomic_load_explicit(&keys->words[i], memory_order_relaxed);
	memcpy(set_out, words, sizeof(*set_out));
	OPENSSL_cleanse(words, sizeof(words));
}

static void store(
    struct tls_ticket_keys *keys, const struct tls_ticket_key_set *set)
{
	uint64_t words[TLS_TICKET_KEY_WORDS];
	/* It is odd already if the writer before us died while it wrote. */
	uint64_t version =
	    atomic_load_explicit(&keys->version, memory_order_relaxed) | 1;

	memcpy(words, set, sizeof(words));
	atomic_store_explicit(&keys->version, version, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < TLS_TICKET_KEY_WORDS; i++)
		atomic_store_explicit(
		    &keys->words[i], words[i], memory_order_relaxed);
	atomic_store_explicit(
	    &keys->version, version + 1, memory_order_release);
	OPENSSL_cleanse(words, sizeof(words));
}

/* Adds a key at the end; when there is no room, the oldest has to go. */
static void append(
    struct tls_ticket_key_set *set, const struct tls_ticket_key *key)
{
	if (set->key_count < TLS_TICKET_KEYS_MAX)
		set->keys[set->key_count++] = *key;
}

static bool has_name(
    const struct tls_ticket_key_set *set, const struct tls_ticket_key *key)
{
	for (size_t i = 0; i < set->key_count; i++)
		if (memcmp(set->keys[i].name, key->name, sizeof(key->name)) ==
		    0)
			return true;
	return false;
}

/* Half of the lifetime, in which a key that issues no more is honoured. */
static int64_t half(const struct tls_ticket_key_set *set)
{
	return set->lifetime_s - set->lifetime_s / 2;
}

static bool make_key(const struct tls_ticket_key_set *set, int64_t now,
    struct tls_ticket_key *key_out)
{
	*key_out = (struct tls_ticket_key){
	    .made_at = now,
	    .issues_until = now + set->lifetime_s / 2,
	    .honoured_until = now + set->lifetime_s,
	};
	return RAND_bytes(key_out->name, sizeof(key_out->name)) == 1 &&
	       RAND_priv_bytes(key_out->hmac, sizeof(key_out->hmac)) == 1 &&
	       RAND_priv_bytes(key_out->cipher, sizeof(key_out->cipher)) == 1;
}

/* Adds to `set` those keys of `old` that are good for a while. */
static void keep(struct tls_ticket_key_set *set,
    const struct tls_ticket_key_set *old, int64_t now)
{
	for (size_t i = 0; i < old->key_count; i++) {
		struct tls_ticket_key key = old->keys[i];

		if (key.honoured_until > now && !has_name(set, &key))
			append(set, &key);
		OPENSSL_cleanse(&key, sizeof(key));
	}
}

/* Brings a set up to date, into set_out; false without random bytes. */
static bool renew(const struct tls_ticket_key_set *set, int64_t now,
    struct tls_ticket_key_set *set_out)
{
	struct tls_ticket_key key;
	bool fine = true;

	*set_out = (struct tls_ticket_key_set){.lifetime_s = set->lifetime_s};
	if (set->key_count == 0 || set->keys[0].issues_until <= now) {
		fine = make_key(set, now, &key);
		append(set_out, &key);
		OPENSSL_cleanse(&key, sizeof(key));
	}
	keep(set_out, set, now);
	return fine;
}

/* 0: it is due. */
static int64_t next_change_s(const struct tls_ticket_key_set *set, int64_t now)
{
	int64_t next = set->keys[0].issues_until;

	for (size_t i = 1; i < set->key_count; i++)
		if (set->keys[i].honoured_until < next)
			next = set->keys[i].honoured_until;
	return next > now ? next - now : 0;
}

int64_t tls_ticket_keys_rotate(struct tls_ticket_keys *keys, int64_t now)
{
	struct tls_ticket_key_set set;
	struct tls_ticket_key_set renewed;
	int64_t next_s = RETRY_S;

	load(keys, &set);
	if (set.lifetime_s == 0)
		return TLS_TICKET_KEY_FOR_EVER;
	if (next_change_s(&set, now) > 0) {
		next_s = next_change_s(&set, now);
	} else if (renew(&set, now, &renewed)) {
		store(keys, &renewed);
		next_s = next_change_s(&renewed, now);
	}
	OPENSSL_cleanse(&renewed, sizeof(renewed));
	OPENSSL_cleanse(&set, sizeof(set));
	return next_s;
}

/* What a change of the configuration makes of a key that was in force. */
static void adapt(struct tls_ticket_key *key,
    const struct tls_ticket_key_set *set, bool goes_on, int64_t now)
{
	/* A shorter lifetime holds for keys that are there already. */
	if (key->honoured_until != TLS_TICKET_KEY_FOR_EVER &&
	    key->honoured_until > key->made_at + set->lifetime_s)
		key->honoured_until = key->made_at + set->lifetime_s;
	if (goes_on)
		return;
	key->issues_until = now;
	if (key->honoured_until > now + half(set))
		key->honoured_until = now + half(set);
}

/* The keys of files, and behind them what is in force. */
static void combine(struct tls_ticket_key_set *set,
    const struct tls_ticket_files *files, struct tls_ticket_key_set *old,
    int64_t now)
{
	bool has_files = files != NULL && files->count > 0;

	for (size_t i = 0; has_files && i < files->count; i++)
		append(set, &files->keys[i]);
	for (size_t i = 0; i < old->key_count; i++) {
		bool is_of_file =
		    old->keys[i].honoured_until == TLS_TICKET_KEY_FOR_EVER;

		adapt(&old->keys[i], set, !has_files && !is_of_file, now);
	}
	keep(set, old, now);
}

bool tls_ticket_keys_configure(struct tls_ticket_keys *keys, int64_t lifetime_s,
    const struct tls_ticket_files *files, int64_t now)
{
	struct tls_ticket_key_set old;
	struct tls_ticket_key_set set = {.lifetime_s = lifetime_s};
	struct tls_ticket_key_set renewed;
	bool fine;

	assert(lifetime_s >= 0);
	if (lifetime_s == 0) {
		tls_ticket_keys_wipe(keys);
		return true;
	}
	if (lifetime_s < TLS_TICKET_LIFETIME_MIN_S)
		set.lifetime_s = TLS_TICKET_LIFETIME_MIN_S;
	load(keys, &old);
	combine(&set, files, &old, now);
	fine = renew(&set, now, &renewed);
	if (fine)
		store(keys, &renewed);
	OPENSSL_cleanse(&old, sizeof(old));
	OPENSSL_cleanse(&set, sizeof(set));
	OPENSSL_cleanse(&renewed, sizeof(renewed));
	return fine;
}

void tls_ticket_keys_wipe(struct tls_ticket_keys *keys)
{
	static const struct tls_ticket_key_set empty;

	store(keys, &empty);
}

bool tls_ticket_keys_copy(
    const struct tls_ticket_keys *keys, struct tls_ticket_key_set *set_out)
{
	for (int i = 0; i < COPY_TRIES; i++) {
		uint64_t before =
		    atomic_load_explicit(&keys->version, memory_order_acquire);

		if (before % 2 != 0)
			continue;
		load(keys, set_out);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(
			&keys->version, memory_order_relaxed) == before)
			return true;
	}
	OPENSSL_cleanse(set_out, sizeof(*set_out));
	return false;
}

int64_t tls_ticket_keys_window(const struct tls_ticket_keys *keys, int64_t now)
{
	struct tls_ticket_key_set set;
	int64_t window_s = 0;

	tls_ticket_keys_copy(keys, &set);
	for (size_t i = 0; i < set.key_count; i++) {
		const struct tls_ticket_key *key = &set.keys[i];

		if (key->made_at == TLS_TICKET_KEY_MADE_UNKNOWN) {
			window_s = -1;
			break;
		}
		if (now - key->made_at > window_s)
			window_s = now - key->made_at;
	}
	OPENSSL_cleanse(&set, sizeof(set));
	return window_s;
}

int64_t tls_ticket_keys_age(const struct tls_ticket_keys *keys, int64_t now)
{
	struct tls_ticket_key_set set;
	int64_t age_s = TLS_TICKET_KEY_NONE;

	if (!tls_ticket_keys_copy(keys, &set))
		return age_s;
	if (set.key_count > 0)
		age_s = set.keys[0].made_at == TLS_TICKET_KEY_MADE_UNKNOWN
			    ? -1
			    : now - set.keys[0].made_at;
	OPENSSL_cleanse(&set, sizeof(set));
	return age_s;
}
