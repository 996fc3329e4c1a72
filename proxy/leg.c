/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/leg.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(BUFFER_SIZE > TLS_WIRE_ROOM_MIN,
    "a handshake never stops for want of room");

static size_t wire_room(const struct leg *leg)
{
	return BUFFER_SIZE - leg->out_end;
}

static struct tls_wire wire_of(struct leg *leg, const uint8_t *data, size_t len)
{
	return (struct tls_wire){
	    .in = data,
	    .in_len = len,
	    .in_eof = leg->eof,
	    .out = leg->out + leg->out_end,
	    .out_size = wire_room(leg),
	};
}

/* What TLS wrote counts on every path: on failure it is the alert. */
static void commit(struct leg *leg, const struct tls_wire *wire)
{
	assert(wire->out_len <= wire->out_size);
	leg->out_end += (uint32_t)wire->out_len;
}

static void forget_out(struct leg *leg, struct buffer_pool *pool)
{
	buffer_give(pool, &leg->out);
	leg->out_start = 0;
	leg->out_end = 0;
}

void leg_finish(struct leg *leg, struct buffer_pool *pool)
{
	tls_session_destroy(&leg->tls);
	forget_out(leg, pool);
	leg_drop_held(leg);
	*leg = (struct leg){0};
}

enum leg_result leg_open(struct leg *leg, struct buffer_pool *pool)
{
	if (leg->out != NULL)
		return LEG_OK;
	leg->out = buffer_take(pool);
	return leg->out == NULL ? LEG_NO_BUFFER : LEG_OK;
}

void leg_tidy(struct leg *leg, struct buffer_pool *pool)
{
	if (leg_pending(leg) == 0)
		forget_out(leg, pool);
}

size_t leg_room(const struct leg *leg)
{
	size_t room = wire_room(leg);
	size_t records = room / TLS_RECORD_PLAIN_SIZE_MAX + 1;

	if (leg->broken)
		return 0;
	if (leg->tls == NULL)
		return room;
	if (room <= records * TLS_RECORD_OVERHEAD_MAX)
		return 0;
	return room - records * TLS_RECORD_OVERHEAD_MAX;
}

static enum leg_result encrypt(struct leg *leg, const uint8_t *data, size_t len)
{
	while (len > 0) {
		struct tls_wire wire = wire_of(leg, NULL, 0);
		size_t used = 0;
		enum tls_status status =
		    tls_session_write(leg->tls, &wire, data, len, &used);

		commit(leg, &wire);
		if (status != TLS_DONE || used == 0) {
			leg->broken = true;
			return LEG_BROKEN;
		}
		data += used;
		len -= used;
	}
	return LEG_OK;
}

enum leg_result leg_write(
    struct leg *leg, struct buffer_pool *pool, const void *data, size_t len)
{
	enum leg_result result;

	if (len == 0)
		return LEG_OK;
	if (leg->broken)
		return LEG_BROKEN;
	result = leg_open(leg, pool);
	if (result != LEG_OK)
		return result;
	assert(len <= leg_room(leg));
	if (leg->tls != NULL)
		return encrypt(leg, data, len);
	memcpy(leg->out + leg->out_end, data, len);
	leg->out_end += (uint32_t)len;
	return LEG_OK;
}

void leg_sent(struct leg *leg, struct buffer_pool *pool, size_t len)
{
	assert(len <= leg_pending(leg));
	leg->out_start += (uint32_t)len;
	if (leg->out_start == leg->out_end) {
		forget_out(leg, pool);
		return;
	}
	/* Nothing is being sent at this moment, so the rest may move. */
	memmove(leg->out, leg->out + leg->out_start, leg_pending(leg));
	leg->out_end -= leg->out_start;
	leg->out_start = 0;
}

enum tls_status leg_handshake(
    struct leg *leg, const uint8_t *data, size_t len, size_t *used_out)
{
	struct tls_wire wire = wire_of(leg, data, len);
	enum tls_status status = tls_session_handshake(leg->tls, &wire);

	commit(leg, &wire);
	*used_out = wire.in_used;
	if (status == TLS_FAILED)
		leg->broken = true;
	return status;
}

static bool take_answer(
    struct leg *leg, struct buffer_pool *pool, const struct tls_wire *wire)
{
	if (wire->out_len == 0)
		return true;
	if (leg_open(leg, pool) != LEG_OK || wire_room(leg) < wire->out_len)
		return false;
	memcpy(leg->out + leg->out_end, wire->out, wire->out_len);
	commit(leg, wire);
	return true;
}

enum leg_result leg_decrypt(struct leg *leg, struct buffer_pool *pool,
    const uint8_t *data, size_t len, struct leg_plain *plain)
{
	/* What TLS itself answers: an alert, a KeyUpdate. It is rare, so no
	 * buffer is taken for it before it is there. */
	uint8_t answer[1024];
	size_t at = 0;

	for (;;) {
		struct tls_wire wire = {
		    .in = data + at,
		    .in_len = len - at,
		    .in_eof = leg->eof,
		    .out = answer,
		    .out_size = sizeof(answer),
		};
		size_t read_len = 0;
		enum tls_status status =
		    tls_session_read(leg->tls, &wire, plain->bytes + plain->len,
			plain->size - plain->len, &read_len);

		at += wire.in_used;
		plain->len += read_len;
		if (!take_answer(leg, pool, &wire))
			status = TLS_FAILED;
		switch (status) {
		case TLS_DONE:
			/* The caller's room is for all that one receive can
			 * become, so this ends. */
			assert(plain->len < plain->size);
			break;
		case TLS_WANT_INPUT:
			return LEG_OK;
		case TLS_CLOSED:
			leg->eof = true;
			return LEG_OK;
		case TLS_WANT_ROOM:
		case TLS_FAILED:
		case TLS_WAIT: /* no gate is set */
			leg->broken = true;
			return LEG_BROKEN;
		}
	}
}

void leg_close_tls(struct leg *leg)
{
	struct tls_wire wire = wire_of(leg, NULL, 0);

	if (leg->broken || wire.out_size < TLS_RECORD_OVERHEAD_MAX)
		return;
	tls_session_close(leg->tls, &wire);
	commit(leg, &wire);
}

bool leg_hold(struct leg *leg, const uint8_t *data, size_t len, bool is_wire)
{
	uint8_t *copy = NULL;

	if (len > 0 && data == leg->held && len == leg->held_len)
		return true;
	if (len > 0) {
		copy = malloc(len);
		if (copy == NULL)
			return false;
		memcpy(copy, data, len);
	}
	free(leg->held); /* only now: `data` may lie in it */
	leg->held = copy;
	leg->held_len = (uint32_t)len;
	leg->held_is_wire = is_wire;
	return true;
}

size_t leg_drop_held(struct leg *leg)
{
	size_t len = leg->held_len;

	free(leg->held);
	leg->held = NULL;
	leg->held_len = 0;
	leg->held_is_wire = false;
	return len;
}
