/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of one thread of the load, and its ring. For the files
 * ring_*.c alone.
 *
 * A slot has one operation under way at the most. */
#ifndef POSTERN_BENCH_RING_SLOT_H
#define POSTERN_BENCH_RING_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include <liburing.h>

#include "bench/dialogue.h"
#include "bench/load.h"
#include "bench/tls_client.h"

#define RING_IN_SIZE  32768
#define RING_OUT_SIZE 65536

enum slot_state {
	SLOT_FREE,
	SLOT_CONNECTING,
	SLOT_TALKING,
	SLOT_READY, /* waits for its next unit to be due */
	SLOT_HELD,
	SLOT_ENDING,
};

/* Lent to a session from its beginning until it is held or over. */
struct ring_buffer {
	struct ring_buffer *next;
	uint8_t in[RING_IN_SIZE];
	uint8_t out[RING_OUT_SIZE];
};

struct slot {
	struct ring_thread *ring;
	struct job *job;
	struct slot *next; /* in the list of its state: free or ready */
	enum slot_state state;
	int fd;
	uint64_t connected_ns, unit_ns, progress_ns;
	long units_left; /* of this session */
	bool unit_assigned;
	bool priming;
	bool timed_out;
	bool secured, half_closed;
	struct ring_buffer *buffer;
	struct tls_client_wire wire;
	size_t out_sent;
	struct tls_connection *tls;
	struct tls_ticket *ticket;
	struct dialogue dialogue;
};

struct job {
	const struct options_job *options;
	const struct dialogue_plan *plan;
	struct load_tally *tally;
	struct slot *slots, *free, *ready;
	long slot_count, opening, held, active;
	long units_left;    /* of --count; negative: without end */
	uint64_t due_count; /* units that an open loop has begun */
	double due_every_ns;
};

struct ring_thread {
	struct load_thread *thread;
	struct load *load;
	struct io_uring ring;
	struct job jobs[OPTIONS_JOBS_MAX];
	struct ring_buffer *buffers;
	enum load_phase phase; /* as this thread has seen it */
	long active;	       /* slots that are not free */
	uint64_t now_ns, scanned_ns;
	unsigned source; /* the next of --sources */
};

/* ring_slot.c: a session from connect to close. */
void slot_start(struct slot *slot);
void slot_completed(struct slot *slot, int result);
void slot_talk(struct slot *slot);
void slot_cancel(struct slot *slot);
void slot_fail(struct slot *slot, enum load_error error, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

/* ring_io.c: sockets and operations. */
bool slot_open(struct slot *slot);
void slot_arm_connect(struct slot *slot);
void slot_arm_send(struct slot *slot);
void slot_arm_recv(struct slot *slot);
void slot_arm_watch(struct slot *slot);
bool slot_borrow_buffer(struct slot *slot);
void slot_return_buffer(struct slot *slot);

/* ring_thread.c: the jobs. */
bool job_take_unit(struct slot *slot);
void job_primed(struct slot *slot);
bool job_is_open_loop(const struct job *job);

#endif
