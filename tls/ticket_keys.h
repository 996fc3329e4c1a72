/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of session tickets, in memory that all processes share: one writer,
 * the master, and many readers, the workers. A ticket opens every session that
 * it stands for, so that forward secrecy reaches no further back than the
 * oldest key that is kept: keys rotate, and are wiped when they go.
 *
 * With a lifetime of T seconds, a key issues tickets for T/2 and is honoured
 * for T/2 more (reference 1.11); so a ticket is good for at least T/2 and at
 * most T. Keys from files (proxy_tls_ticket_key_files) stay until others are
 * named; then they, too, are honoured for T/2 more. */
#ifndef POSTERN_TLS_TICKET_KEYS_H
#define POSTERN_TLS_TICKET_KEYS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/report.h"

#define TLS_TICKET_KEY_FILES_MAX 8
#define TLS_TICKET_KEYS_MAX	 16 /* those, and those that go */
#define TLS_TICKET_LIFETIME_MIN_S \
	120 /* Postfix's; what is less counts as that */
#define TLS_TICKET_KEY_FOR_EVER	    INT64_MAX
#define TLS_TICKET_KEY_MADE_UNKNOWN INT64_MIN

/* One key. */
struct tls_ticket_key {
	uint8_t name[16];   /* in clear in every ticket */
	uint8_t hmac[32];   /* HMAC-SHA256 */
	uint8_t cipher[32]; /* AES-CBC; a shorter key is the head of it */
	/* In seconds of the callers' clock. Nobody knows when keys of files
	 * were made, and they are good for ever. */
	int64_t made_at, issues_until, honoured_until;
};

/* The first issues; the others only open. */
struct tls_ticket_key_set {
	int64_t lifetime_s;
	uint64_t key_count;
	struct tls_ticket_key keys[TLS_TICKET_KEYS_MAX];
};

#define TLS_TICKET_KEY_WORDS \
	(sizeof(struct tls_ticket_key_set) / sizeof(uint64_t))

/* A sequence lock around a set; `version` is odd while it is written. No
 * pointers: it may lie at any address. All zeros is a set without keys. */
struct tls_ticket_keys {
	_Atomic uint64_t version;
	_Atomic uint64_t words[TLS_TICKET_KEY_WORDS];
};

/* What key files hold. Wipe it with tls_ticket_files_finish. */
struct tls_ticket_files {
	size_t count;
	struct tls_ticket_key keys[TLS_TICKET_KEY_FILES_MAX];
};

/* Seconds since the machine was started, whatever becomes of its calendar. */
int64_t tls_ticket_keys_now(void);

/* For the writer, with now from one clock. */

/* The lifetime T (smtpd_tls_session_cache_timeout; 0 wipes all keys), and the
 * keys of files; NULL, or none of them: keys are drawn here. To begin with, and
 * again when the configuration changes: keys that are there go on being
 * honoured. False without random bytes; then the keys are as they were. */
bool tls_ticket_keys_configure(struct tls_ticket_keys *keys, int64_t lifetime_s,
    const struct tls_ticket_files *files, int64_t now);

/* Does what is due. Returns after how many seconds it is to be called again.
 * When that is late, tickets are still issued, and live so much shorter. */
int64_t tls_ticket_keys_rotate(struct tls_ticket_keys *keys, int64_t now);

void tls_ticket_keys_wipe(struct tls_ticket_keys *keys);

/* For anyone. */

/* A copy, to be wiped. False when the writer left it unfinished: without keys
 * then. */
bool tls_ticket_keys_copy(
    const struct tls_ticket_keys *keys, struct tls_ticket_key_set *set_out);

/* How far back whoever steals the memory now can read, in seconds: the age of
 * the oldest key in it. -1: for ever, since there are keys of files, which can
 * be stolen from there, too, and nobody knows for how long they were there. */
int64_t tls_ticket_keys_window(const struct tls_ticket_keys *keys, int64_t now);

/* How old the key is that issues, in seconds. -1: nobody knows, it is of a
 * file. */
#define TLS_TICKET_KEY_NONE (-2) /* there is no key */
int64_t tls_ticket_keys_age(const struct tls_ticket_keys *keys, int64_t now);

/* Files of 80 bytes as nginx takes them: name, HMAC key, cipher key; the first
 * issues. Names separated by blanks or commas. parameter is where the list came
 * from. False, told, when one of them is no such file, is named twice, or can
 * be read by every user. */
bool tls_ticket_files_read(const char *names, const char *parameter,
    const struct tls_report *report, struct tls_ticket_files *files_out);
void tls_ticket_files_finish(struct tls_ticket_files *files);

#endif
