/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's io_uring: its set-up, its receive buffers, and submissions that
 * each take one line. Only files named ring* and worker* know liburing. */
#ifndef POSTERN_PROXY_RING_H
#define POSTERN_PROXY_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <liburing.h>

#include "proxy/op.h"

#define RING_BUFFER_SIZE  32768
#define RING_BUFFER_COUNT 32 /* a power of two */
#define RING_BUFFER_GROUP 0

/* What newer kernels than 6.1 can do, as it was found. */
struct ring_features {
	bool accept_poll_first; /* 6.10: no accept is tried before one waits */
};

/* What came back; `flags` are liburing's. */
struct ring_completion {
	uint64_t tag;
	int32_t result; /* or minus an errno */
	uint32_t flags;
};

struct ring {
	struct io_uring uring;
	struct io_uring_buf_ring *provided; /* shared with the kernel */
	uint8_t *memory; /* RING_BUFFER_COUNT times RING_BUFFER_SIZE */
	struct ring_features features;
	bool overflowing;     /* seen, and not over yet */
	uint64_t submissions; /* so far */
};

struct ring_options {
	unsigned completion_queue_size;
	bool baseline; /* use nothing that Linux 6.1 lacks */
	bool watches;  /* ring_watch will be called */
};

/* The ring does what is below and nothing else: the kernel refuses every other
 * kind of submission (EACCES), which no seccomp filter would see.
 *
 * On failure false, and in `why` one line with the cause and the remedy. The
 * process that calls it is the only one that may use the ring. */
bool ring_init(struct ring *ring, const struct ring_options *options, char *why,
    size_t why_size);
void ring_finish(struct ring *ring);

/* Each submission: false when there is no room for it now; come again after the
 * next ring_wait. */
bool ring_accept(struct ring *ring, int fd, struct op op);
/* One connection, if one waits: to be followed by ring_cancel. */
bool ring_accept_one(struct ring *ring, int fd, struct op op);
bool ring_receive(struct ring *ring, int fd, struct op op);
bool ring_receive_into(
    struct ring *ring, int fd, void *data, size_t size, struct op op);
bool ring_send(
    struct ring *ring, int fd, const void *data, size_t len, struct op op);
bool ring_connect(struct ring *ring, int fd, const struct sockaddr *address,
    socklen_t address_len, struct op op);
bool ring_cancel(struct ring *ring, struct op target);
bool ring_close(struct ring *ring, int fd);
/* Completes when there is something to read. */
bool ring_watch(struct ring *ring, int fd, struct op op);

/* Submits, and waits for a completion, at most timeout_us (0: not at all; below
 * 0: for ever). True when completions overflowed since the last call. */
bool ring_wait(struct ring *ring, int64_t timeout_us);

/* Copies out up to `count` completions and hands their places back. */
unsigned ring_completions(
    struct ring *ring, struct ring_completion *completions, unsigned count);

/* The buffer that a receive was given; ours until ring_give_back. */
const uint8_t *ring_buffer(
    const struct ring *ring, const struct ring_completion *completion);
void ring_give_back(
    struct ring *ring, const struct ring_completion *completion);

#endif
