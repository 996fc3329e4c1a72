/* SPDX-License-Identifier: Apache-2.0 */
/* What the processes share: one file in the runtime directory, mapped by all.
 * Every cell has one writer. The master writes the head, control the backends,
 * and each worker its own block, the only part that it has mapped writable.
 * `postern status` maps it read-only, so it works whatever the others do. There
 * is never more than one control process: at a reload the old one is gone
 * before the new one is forked. */
#ifndef POSTERN_PROXY_STATE_H
#define POSTERN_PROXY_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "smtp/ehlo.h"

#define STATE_LISTENERS_MAX 64
#define STATE_BACKENDS_MAX  256
#define STATE_BLOCKS_MAX    1024 /* processes of all generations at once */
#define STATE_NAME_SIZE	    128
/* What one process may write starts and ends with a page. Where the pages of a
 * machine are larger, neighbours in a page stay writable. */
#define STATE_PAGE_SIZE 4096

enum metric {
#define COUNTER(name, help) METRIC_##name,
#define GAUGE(name, help)   METRIC_##name,
#include "proxy/metrics.def"
#undef COUNTER
#undef GAUGE
	METRIC_COUNT
};

enum state_role { STATE_FREE, STATE_WORKER, STATE_CONTROL };

/* One process. Written by it alone while it lives; the master claims the block
 * before the fork and clears pid, role and gauges after the death. */
struct state_block {
	_Alignas(STATE_PAGE_SIZE) _Atomic uint32_t role; /* enum state_role */
	_Atomic uint32_t generation;
	_Atomic uint32_t index; /* of the worker in its generation */
	_Atomic int32_t pid;
	_Atomic uint64_t accepting; /* bit i: listener i is being accepted on */
	_Atomic uint64_t metrics[METRIC_COUNT];
	_Atomic uint32_t sessions[STATE_LISTENERS_MAX]; /* open, by listener */
};

/* One backend as the health check last saw it. */
struct state_backend {
	_Alignas(
	    128) _Atomic uint32_t sequence; /* seqlock: odd while written */
	char
	    name[STATE_NAME_SIZE]; /* "inet:127.0.0.1:25"; "" is a free entry */
	uint32_t probes;	   /* that have ended, in whatever way */
	bool ever_reached;
	bool up;
	struct smtp_ehlo ehlo; /* valid if ever_reached */
};

struct state {
	uint64_t magic;
	uint32_t layout; /* size of this struct: another build differs */
	_Atomic int32_t master_pid;
	_Atomic uint32_t generation;
	_Atomic uint64_t worker_restarts;
	_Atomic uint64_t reloads;
	_Atomic uint64_t reloads_failed;
	_Atomic uint32_t block_count; /* blocks[] beyond were never claimed */
	int read_only_fd; /* of this file, in the master and its children */
	_Alignas(
	    STATE_PAGE_SIZE) struct state_backend backends[STATE_BACKENDS_MAX];
	struct state_block blocks[STATE_BLOCKS_MAX];
};

/* Creates the file anew and maps it writable: the master, once. NULL with
 * errno. The mapping is inherited by fork. */
struct state *state_create(const char *path);

/* Maps an existing file read-only: NULL with errno, EPROTO when another build
 * wrote it. */
const struct state *state_open(const char *path);

/* Ends either mapping. Accepts NULL inside; sets it to NULL. */
void state_close(const struct state **state);

/* In a child after fork: makes all of `state` read-only but the block given
 * (and, for control, the backends). Blocks are whole pages for this. The
 * process cannot take it back: the pages are mapped from a read-only
 * descriptor, which this closes. */
bool state_confine(struct state *state, struct state_block *own,
    bool backends_writable) __attribute__((warn_unused_result));

/* Claims a free block for a process that is about to be forked; NULL when all
 * are taken. Counters go on from whoever had it before. Master only. */
struct state_block *state_block_claim(struct state *state, enum state_role role,
    uint32_t generation, uint32_t index);

/* After that process's death: clears what it had open. Master only. */
void state_block_release(struct state_block *block);

/* The index of the backend of that name, claimed if it is new; -1 when the
 * table is full. Master only. */
int state_backend_claim(struct state *state, const char *name);

/* Gives the entry back, once no process is left that knows it. Master only. */
void state_backend_release(struct state *state, int index);

/* After the death of control, which may have been in the middle of publishing:
 * lets readers see what is there instead of waiting for its end. Master only.
 */
void state_backends_mend(struct state *state);

/* Consistent copy of a backend's cells. A writer that died in the middle is
 * waited for until the master has seen its death, but not for ever: then the
 * copy says that the backend was never reached. */
void state_backend_read(
    const struct state_backend *backend, struct state_backend *copy_out);

/* Control: publishes what a probe found. ehlo NULL: it was not reached. */
void state_backend_publish(
    struct state_backend *backend, const struct smtp_ehlo *ehlo);

static inline void metric_add(
    struct state_block *block, enum metric metric, uint64_t amount)
{
	/* One writer: no locked instruction is needed. */
	atomic_store_explicit(&block->metrics[metric],
	    atomic_load_explicit(
		&block->metrics[metric], memory_order_relaxed) +
		amount,
	    memory_order_relaxed);
}

/* Sum over all blocks. */
uint64_t state_metric_total(const struct state *state, enum metric metric);
const char *metric_name(enum metric metric);
const char *metric_help(enum metric metric);
bool metric_is_gauge(enum metric metric);

#endif
