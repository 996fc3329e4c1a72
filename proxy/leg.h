/* SPDX-License-Identifier: Apache-2.0 */
/* One side of a session: bytes on their way out, in clear or through TLS, and
 * input that could not be used yet. No sockets.
 *
 * The bytes that are being sent do not move: what is written meanwhile goes
 * behind them. */
#ifndef POSTERN_PROXY_LEG_H
#define POSTERN_PROXY_LEG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/buffer.h"
#include "tls/session.h"

struct leg {
	struct tls_session *tls; /* owned; NULL: in clear */
	uint8_t *out;		 /* from the pool, while bytes wait in it */
	uint32_t out_start, out_end;
	/* Input kept for later: the head of a line, or what came while the
	 * session could not go on. Exactly as much memory as there are bytes,
	 * so that a slow peer holds no more than it sent. */
	uint8_t *held;
	uint32_t held_len;
	bool held_is_wire; /* not yet decrypted */
	bool eof;	   /* the peer will send no more */
	bool broken;	   /* its TLS failed: nothing can be written any more */
};

enum leg_result {
	LEG_OK,
	LEG_NO_BUFFER, /* the pool is empty */
	LEG_BROKEN,    /* TLS failed; what is in `out` may be the alert */
};

/* Gives back all that the leg holds. */
void leg_finish(struct leg *leg, struct buffer_pool *pool);

/* Makes sure that the leg has a buffer to write to. */
enum leg_result leg_open(struct leg *leg, struct buffer_pool *pool);

/* Gives an empty buffer back. To be called when no more is written for now, so
 * that an idle session holds none. */
void leg_tidy(struct leg *leg, struct buffer_pool *pool);

/* How many bytes of plaintext leg_write would take now. Without a buffer: what
 * it would take with an empty one. */
size_t leg_room(const struct leg *leg);

/* Takes all of `data`, which must not be more than leg_room(). */
enum leg_result leg_write(
    struct leg *leg, struct buffer_pool *pool, const void *data, size_t len);

/* What waits to be sent. */
static inline size_t leg_pending(const struct leg *leg)
{
	return leg->out_end - leg->out_start;
}

/* `len` bytes were sent; an emptied buffer goes back to the pool. */
void leg_sent(struct leg *leg, struct buffer_pool *pool, size_t len);

/* Goes on with the handshake on `data`; what it did not use is in *used_out.
 * The leg must be open. */
enum tls_status leg_handshake(
    struct leg *leg, const uint8_t *data, size_t len, size_t *used_out);

/* Where decrypted bytes go: behind the `len` that are there. */
struct leg_plain {
	uint8_t *bytes;
	size_t size, len;
};

/* Decrypts all of `data` behind what is in `plain`, whose room must be more
 * than LEG_PLAIN_SIZE_MAX of it. At the end of the peer's stream eof is set. */
#define LEG_PLAIN_SIZE_MAX(data_len) ((data_len) + TLS_RECORD_PLAIN_SIZE_MAX)
enum leg_result leg_decrypt(struct leg *leg, struct buffer_pool *pool,
    const uint8_t *data, size_t len, struct leg_plain *plain);

/* Says close_notify. The leg must be open. */
void leg_close_tls(struct leg *leg);

/* Keeps `len` bytes for later instead of what was held. False without memory.
 */
bool leg_hold(struct leg *leg, const uint8_t *data, size_t len, bool is_wire);

/* Forgets what was held; returns how many bytes it was. */
size_t leg_drop_held(struct leg *leg);

#endif
