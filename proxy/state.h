/* SPDX-License-Identifier: Apache-2.0 */
/* What the processes share: one file in the runtime directory, mapped by all.
 * Every cell has one writer. The master writes the head, control the backends,
 * and each worker its own block, the only part that it has mapped writable.
 * `postern status` maps it read-only, so it works whatever the others do. There
 * is never more than one control process: at a reload the old one is gone
 * before the new one is forked. */
#ifndef POSTERN_PROXY_STATE_H
#define POSTERN_PROXY_STATE_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <netinet/in.h>

#include "proxy/metric.h"
#include "proxy/state_dane.h"
#include "smtp/ehlo.h"

#define STATE_LISTENERS_MAX 64 /* of one process */
#define STATE_BACKENDS_MAX  METRIC_BACKENDS_MAX
#define STATE_BLOCKS_MAX    1024 /* processes of all generations at once */
#define STATE_NAME_SIZE	    128
/* Sessions of one worker that can be looked at; it may have more. */
#define STATE_SESSIONS_MAX 4096
/* Kinds of handshakes that one process tells apart; the others count as one. */
#define STATE_ROWS_MAX 512
/* What one process may write starts and ends with a page. Where the pages of a
 * machine are larger, neighbours in a page stay writable. */
#define STATE_PAGE_SIZE 4096

enum state_role { STATE_FREE, STATE_WORKER, STATE_CONTROL };

/* What a handshake came to: words of TLS and of ours alone. No padding between
 * the members: rows are compared as bytes. */
struct state_row_key {
	int16_t listener; /* in state->listeners */
	bool resumed, forward_secret, post_quantum;
	char protocol[11];
	char cipher[40];
	char group[24];
	char signature[32];
	char forward_secrecy_reason[32];
};

/* Written once, from then on only `count` changes; never given back. The first
 * is for all that do not fit, and has no key. */
struct state_row {
	_Atomic uint64_t count;
	struct state_row_key key;
};

/* A session as it was at its last change of state or end of a transaction. */
struct state_session {
	_Alignas(64) _Atomic uint32_t sequence; /* seqlock: odd while written */
	uint32_t serial; /* with the process, its id in the log; 0: none */
	int64_t begun_s; /* since 1970 */
	uint64_t octets_in, octets_out;
	uint32_t commands, messages;
	struct sockaddr_in6 peer; /* large enough for IPv4; family 0: none */
	int16_t listener;	  /* in state->listeners */
	int16_t backend;    /* in state->backends; -1: none, or the sink */
	int16_t row;	    /* in the block's rows; -1: no TLS */
	uint8_t flow_state; /* enum flow_state */
	bool in_transaction;
};

/* One process. Written by it alone while it lives; the master claims the block
 * before the fork and clears pid, role, gauges and sessions after the death. */
struct state_block {
	_Alignas(STATE_PAGE_SIZE) _Atomic uint32_t role; /* enum state_role */
	_Atomic uint32_t generation;
	_Atomic uint32_t index; /* of the worker in its generation */
	_Atomic int32_t pid;
	_Atomic uint64_t accepting; /* bit i: listener i is being accepted on */
	_Atomic uint32_t row_count; /* rows[] beyond are not whole; or 0 */
	_Atomic uint32_t session_count; /* sessions[] beyond were not used */
	_Atomic uint64_t cells[METRIC_CELL_COUNT];
	struct state_row rows[STATE_ROWS_MAX];
	/* The last one: control has no use for it, nor memory. */
	struct state_session sessions[STATE_SESSIONS_MAX];
};

/* One backend as the health check last saw it. */
struct state_backend {
	_Alignas(
	    128) _Atomic uint32_t sequence; /* seqlock: odd while written */
	char
	    name[STATE_NAME_SIZE]; /* "inet:127.0.0.1:25"; "" is a free entry */
	uint32_t probes;	   /* that have ended, in whatever way */
	uint32_t streak;  /* of the last ones, those that spoke against `up` */
	int64_t risen_ms; /* CLOCK_MONOTONIC: when it last came up again, having
			   * been down; 0: never */
	bool ever_reached;
	bool up;
	struct smtp_ehlo ehlo; /* valid if ever_reached */
	/* Of one that is looked up in DNS; large enough for IPv4. Family 0: it
	 * has none, or is not looked up. */
	struct sockaddr_in6 address;
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
	/* Of this file, in the master; children have the first until they are
	 * confined. -1: memory of a test. */
	int read_only_fd, writable_fd;
	int64_t started_s; /* since 1970 */
	/* Listeners by name, "" being a free one: the master's, as those of
	 * backends[]. The index is good as long as some generation has it. */
	char listeners[METRIC_LISTENERS_MAX][STATE_NAME_SIZE];
	_Alignas(
	    STATE_PAGE_SIZE) struct state_backend backends[STATE_BACKENDS_MAX];
	struct state_dane danes[STATE_BACKENDS_MAX]; /* of these */
	struct state_block blocks[STATE_BLOCKS_MAX];
};

/* Creates the file anew and maps it writable: the master, once. NULL with
 * errno. The mapping is inherited by fork. The file has holes where blocks were
 * never claimed. */
struct state *state_create(const char *path);

/* Maps an existing file read-only: NULL with errno, EPROTO when another build
 * wrote it. */
const struct state *state_open(const char *path);

/* Ends either mapping. Accepts NULL inside; sets it to NULL. */
void state_close(const struct state **state);

/* In a child after fork: makes all of `state` read-only but the block given
 * (and, for control, the backends with what DNS says of them). Blocks are whole
 * pages for this. The process cannot take it back: the pages are mapped from a
 * read-only descriptor, which this closes. */
bool state_confine(struct state *state, struct state_block *own,
    bool backends_writable) __attribute__((warn_unused_result));

/* Claims a free block for a process that is about to be forked; NULL with errno
 * when all are taken or the file system is full. Counters go on from whoever
 * had it before. Master only. */
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

/* What a probe found, and how many in a row it takes to change `up`. */
struct state_probe {
	const struct smtp_ehlo *ehlo; /* NULL: it was not reached */
	uint32_t rise, fall;
	int64_t now_ms;
};

/* Control: publishes it. */
void state_backend_publish(
    struct state_backend *backend, const struct state_probe *probe);

/* Control: the backend is at another address, of which nothing is known yet; or
 * at none (family 0), and then it is down. */
void state_backend_move(struct state_backend *backend,
    const struct sockaddr_in6 *address, int64_t now_ms);

/* Whether it is kept for one more address of a name, which has none for it now:
 * nothing to be seen. */
bool state_backend_is_spare(const struct state_backend *backend);

/* Likewise for the listener of that name, but for control and health. */
int state_listener_claim(struct state *state, const char *name);
void state_listener_release(struct state *state, int index);

/* The value of the only cell of a family, or of one of its labels; for a
 * histogram the first of its cells. */
static inline _Atomic uint64_t *metric_cell(
    struct state_block *block, enum metric metric, size_t first, size_t second)
{
	const struct metric_family *family = &metric_families[metric];
	size_t index = first * family->values[1] + second;

	assert(first < family->values[0]);
	assert(second < family->values[1]);
	return &block->cells[family->first_cell + index * family->cells];
}

/* One writer: no locked instruction is needed. */
static inline void metric_raise(_Atomic uint64_t *cell, uint64_t amount)
{
	atomic_store_explicit(cell,
	    atomic_load_explicit(cell, memory_order_relaxed) + amount,
	    memory_order_relaxed);
}

/* For families without labels. Gauges go down with (uint64_t)-1. */
static inline void metric_add(
    struct state_block *block, enum metric metric, uint64_t amount)
{
	metric_raise(metric_cell(block, metric, 0, 0), amount);
}

/* With the value of the first label, or of both. */
static inline void metric_add_for(struct state_block *block, enum metric metric,
    size_t first, uint64_t amount)
{
	metric_raise(metric_cell(block, metric, first, 0), amount);
}

static inline void metric_add_for_both(struct state_block *block,
    enum metric metric, size_t first, size_t second, uint64_t amount)
{
	metric_raise(metric_cell(block, metric, first, second), amount);
}

static inline void metric_set_for(
    struct state_block *block, enum metric metric, size_t first, uint64_t value)
{
	atomic_store_explicit(
	    metric_cell(block, metric, first, 0), value, memory_order_relaxed);
}

/* Into a histogram: microseconds, bytes or a number, as its buckets have it.
 */
void metric_observe(struct state_block *block, enum metric metric, size_t first,
    uint64_t value);

/* One more handshake of that kind. The key must be zeroed before it is filled.
 * Returns the row. */
int metric_count_row(
    struct state_block *block, const struct state_row_key *key);

/* Publishes what a session has become in entry `index`; beyond
 * STATE_SESSIONS_MAX nothing happens. serial 0: it is over. */
void state_session_publish(struct state_block *block, uint32_t index,
    const struct state_session *session);

/* A consistent copy; false when there is none, or it changes all the time. */
bool state_session_read(
    const struct state_session *session, struct state_session *copy_out);

/* Sums over all blocks: of a family (of a histogram how often something was
 * observed), and of one cell. */
uint64_t state_metric_total(const struct state *state, enum metric metric);
uint64_t state_cell_total(const struct state *state, size_t cell);

#endif
