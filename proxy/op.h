/* SPDX-License-Identifier: Apache-2.0 */
/* The 64-bit tag of a submission: what was asked, for which slot, and for which
 * user of that slot. A completion that comes after its connection is over
 * carries an old generation and is seen by it. */
#ifndef POSTERN_PROXY_OP_H
#define POSTERN_PROXY_OP_H

#include <assert.h>
#include <stdint.h>

enum op_kind {
	OP_ACCEPT = 1, /* slot: index of the listener */
	OP_COMMAND,    /* from the master */
	OP_CLIENT_RECV,
	OP_CLIENT_SEND,
	OP_BACKEND_CONNECT,
	OP_BACKEND_RECV,
	OP_BACKEND_SEND,
	OP_CANCEL, /* nobody waits for its completion */
	OP_CLOSE,  /* likewise */
	OP_HTTP,   /* control; slot: index of what can go on */
	OP_NAME,   /* worker_names.c says what the slot is */
	OP_DANE,   /* control: worker_dane.c */
};

#define OP_SLOT_MAX 0xffffffu

struct op {
	enum op_kind kind;
	uint32_t slot;
	uint32_t generation;
};

static inline uint64_t op_pack(struct op op)
{
	assert(op.slot <= OP_SLOT_MAX);
	return (uint64_t)op.kind << 56 | (uint64_t)op.slot << 32 |
	       op.generation;
}

static inline struct op op_unpack(uint64_t tag)
{
	return (struct op){
	    .kind = (enum op_kind)(tag >> 56),
	    .slot = tag >> 32 & OP_SLOT_MAX,
	    .generation = (uint32_t)tag,
	};
}

#endif
