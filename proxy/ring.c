/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/ring.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "proxy/poison.h"
#include "proxy/worker.h"

#define SUBMISSION_QUEUE_SIZE 1024

/* Not in the headers of liburing 2.3. */
#define FEATURE_OF_6_10	  (1u << 14) /* IORING_FEAT_RECVSEND_BUNDLE */
#define ACCEPT_POLL_FIRST (1u << 2)

#define SETUP_FLAGS                                                \
	(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | \
	    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |        \
	    IORING_SETUP_R_DISABLED)

_Static_assert((RING_BUFFER_COUNT & (RING_BUFFER_COUNT - 1)) == 0,
    "the kernel wants a power of two");

static int disabled_setting(void)
{
	FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
	int value = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%d", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

static bool seccomp_filters(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	bool filters = false;

	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "Seccomp:\t2", 10) == 0)
			filters = true;
	fclose(file);
	return filters;
}

static bool kernel_is_old(char *release, size_t release_size)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	snprintf(release, release_size, "%.60s", name.release);
	return sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
	       (major < 6 || (major == 6 && minor < 1));
}

static void explain(int error, char *why, size_t why_size)
{
	int disabled = disabled_setting();
	char release[64];

	if (kernel_is_old(release, sizeof(release)))
		snprintf(why, why_size,
		    "io_uring: Linux %s is too old: 6.1 or newer is needed",
		    release);
	else if (error == EPERM && disabled == 2)
		snprintf(why, why_size,
		    "io_uring is switched off: kernel.io_uring_disabled = 2; "
		    "set it to 0 with sysctl");
	else if (error == EPERM && disabled == 1)
		snprintf(why, why_size,
		    "io_uring is kept from this user: "
		    "kernel.io_uring_disabled = 1; set it to 0 with sysctl, or "
		    "put the group of mail_owner into kernel.io_uring_group");
	else if ((error == EPERM || error == ENOSYS || error == EACCES) &&
		 seccomp_filters())
		snprintf(why, why_size,
		    "io_uring is forbidden by a seccomp filter (%s), as "
		    "containers set it: allow io_uring_setup, io_uring_enter "
		    "and io_uring_register in the profile",
		    strerror(error));
	else if (error == ENOSYS)
		snprintf(why, why_size,
		    "io_uring is not in this kernel (%s): it needs "
		    "CONFIG_IO_URING",
		    release);
	else if (error == ENOMEM)
		snprintf(why, why_size,
		    "io_uring: not enough memory may be locked: raise "
		    "RLIMIT_MEMLOCK (ulimit -l; LimitMEMLOCK= in systemd)");
	else
		snprintf(why, why_size, "io_uring cannot be set up: %s",
		    strerror(error));
}

static int provide_buffers(struct ring *ring)
{
	struct io_uring_buf_reg registration = {
	    .ring_entries = RING_BUFFER_COUNT,
	    .bgid = RING_BUFFER_GROUP,
	};
	size_t ring_size = RING_BUFFER_COUNT * sizeof(struct io_uring_buf);
	size_t size = (size_t)RING_BUFFER_COUNT * RING_BUFFER_SIZE;
	int error;

	ring->memory = malloc(size);
	ring->provided = mmap(NULL, ring_size, PROT_READ | PROT_WRITE,
	    MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	if (ring->provided == MAP_FAILED)
		ring->provided = NULL;
	if (ring->memory == NULL || ring->provided == NULL)
		return -ENOMEM;
	registration.ring_addr = (uintptr_t)ring->provided;
	error = io_uring_register_buf_ring(&ring->uring, &registration, 0);
	if (error < 0)
		return error;
	io_uring_buf_ring_init(ring->provided);
	for (unsigned i = 0; i < RING_BUFFER_COUNT; i++)
		io_uring_buf_ring_add(ring->provided,
		    ring->memory + (size_t)i * RING_BUFFER_SIZE,
		    RING_BUFFER_SIZE, (unsigned short)i,
		    io_uring_buf_ring_mask(RING_BUFFER_COUNT), (int)i);
	io_uring_buf_ring_advance(ring->provided, RING_BUFFER_COUNT);
	poison(ring->memory, size);
	return 0;
}

/* The library of liburing 2.3 has no such functions, though its header does. */
static int call_register(
    struct ring *ring, unsigned opcode, const void *argument, unsigned count)
{
	long result = syscall(SYS_io_uring_register, ring->uring.ring_fd,
	    opcode, argument, count);

	return result == -1 ? -errno : 0;
}

static int restrict_to(struct ring *ring, const uint8_t *kinds, size_t count)
{
	struct io_uring_restriction rules[16] = {0};
	unsigned number = 0;

	assert(count + 1 <= sizeof(rules) / sizeof(rules[0]));
	for (size_t i = 0; i < count; i++)
		rules[number++] = (struct io_uring_restriction){
		    .opcode = IORING_RESTRICTION_SQE_OP,
		    .sqe_op = kinds[i],
		};
	rules[number++] = (struct io_uring_restriction){
	    .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
	    .sqe_flags = IOSQE_BUFFER_SELECT,
	};
	return call_register(ring, IORING_REGISTER_RESTRICTIONS, rules, number);
}

/* The ring was made disabled, the only state in which it takes restrictions.
 * For good: no later call can lift them. */
static int enable(struct ring *ring, const struct ring_options *options)
{
	/* The last is not for those who talk to strangers. */
	static const uint8_t kinds[] = {IORING_OP_ACCEPT, IORING_OP_RECV,
	    IORING_OP_SEND, IORING_OP_CONNECT, IORING_OP_ASYNC_CANCEL,
	    IORING_OP_CLOSE, IORING_OP_POLL_ADD};
	int error = restrict_to(
	    ring, kinds, options->watches ? sizeof(kinds) : sizeof(kinds) - 1);

	return error < 0
		   ? error
		   : call_register(ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

bool ring_init(struct ring *ring, const struct ring_options *options, char *why,
    size_t why_size)
{
	struct io_uring_params parameters = {
	    .flags = SETUP_FLAGS,
	    .cq_entries = options->completion_queue_size,
	};
	unsigned entries = SUBMISSION_QUEUE_SIZE;
	int error;

	/* The kernel refuses fewer completions than submissions. */
	if (entries > options->completion_queue_size)
		entries = options->completion_queue_size;
	*ring = (struct ring){.uring = {.ring_fd = -1}};
	error = io_uring_queue_init_params(entries, &ring->uring, &parameters);
	if (error < 0) {
		ring->uring.ring_fd = -1;
		explain(-error, why, why_size);
		return false;
	}
	error = provide_buffers(ring);
	if (error == 0)
		error = enable(ring, options);
	if (error < 0) {
		explain(-error, why, why_size);
		ring_finish(ring);
		return false;
	}
	if (!options->baseline)
		ring->features.accept_poll_first =
		    (parameters.features & FEATURE_OF_6_10) != 0;
	return true;
}

void ring_finish(struct ring *ring)
{
	if (ring->uring.ring_fd < 0)
		return;
	io_uring_queue_exit(&ring->uring);
	if (ring->memory != NULL)
		unpoison(
		    ring->memory, (size_t)RING_BUFFER_COUNT * RING_BUFFER_SIZE);
	free(ring->memory);
	if (ring->provided != NULL)
		munmap(ring->provided,
		    RING_BUFFER_COUNT * sizeof(struct io_uring_buf));
	*ring = (struct ring){.uring = {.ring_fd = -1}};
}

static struct io_uring_sqe *take(struct ring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	if (sqe != NULL)
		return sqe;
	/* May fail for a while (EAGAIN, EBUSY): then there is no room now. */
	io_uring_submit(&ring->uring);
	return io_uring_get_sqe(&ring->uring);
}

/* Preparing clears the tag, so it is set last. */
static bool tag(struct ring *ring, struct io_uring_sqe *sqe, struct op op)
{
	io_uring_sqe_set_data64(sqe, op_pack(op));
	ring->submissions++;
	return true;
}

bool ring_accept(struct ring *ring, int fd, struct op op)
{
	struct io_uring_sqe *sqe = take(ring);

	if (sqe == NULL)
		return false;
	/* Its address buffer would be one for all connections that wait, and
	 * hold the last one's: the address is asked for afterwards. */
	io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
	if (ring->features.accept_poll_first)
		sqe->ioprio |= ACCEPT_POLL_FIRST;
	return tag(ring, sqe, op);
}

bool ring_accept_one(struct ring *ring, int fd, struct op op)
{
	struct io_uring_sqe *sqe = take(ring);

	if (sqe == NULL)
		return false;
	io_uring_prep_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
	return tag(ring, sqe, op);
}

bool ring_receive(struct ring *ring, int fd, struct op op)
{
	struct io_uring_sqe *sqe = take(ring);

	if (sqe == NULL)
		return false;
	io_uring_prep_recv(sqe, fd, NULL, RING_BUFFER_SIZE, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = RING_BUFFER_GROUP;
	return tag(ring, sqe, op);
}

bool ring_receive_into(
    struct ring *ring, int fd, void *data, size_t size, struct op op)
{
	struct io_uring_sqe *sqe = take(ring);

	if (sqe == NULL)
		return false;
	io_uring_prep_recv(sqe, fd, data, size, 0);
	return tag(ring, sqe, op);
}

bool ring_send(
    struct ring *ring, int fd, const void *data, size_t len, struct op op)
{
	struct io_uring_sqe *sqe = take(ring);

	if (sqe == NULL)
		return false;
	io_uring_prep_send(sqe, fd, data, len, MSG_NOSIGNAL);
	return tag(ring, sqe, op);
}

bool ring_connect(struct ring *ring, int fd, const struct sockaddr *address,
    socklen_t address_len, struct op op)
{
	struct io_uring_sqe *sqe = take(ring);

	if (sqe == NULL)
		return false;
	io_uring_prep_connect(sqe, fd, address, address_len);
	return tag(ring, sqe, op);
}

bool ring_cancel(struct ring *ring, struct op target)
{
	struct io_uring_sqe *sqe = take(ring);
	struct op op = target;

	if (sqe == NULL)
		return false;
	io_uring_prep_cancel64(sqe, op_pack(target), 0);
	op.kind = OP_CANCEL;
	return tag(ring, sqe, op);
}

bool ring_close(struct ring *ring, int fd)
{
	struct io_uring_sqe *sqe = take(ring);

	if (sqe == NULL)
		return false;
	io_uring_prep_close(sqe, fd);
	return tag(ring, sqe, (struct op){.kind = OP_CLOSE});
}

bool ring_watch(struct ring *ring, int fd, struct op op)
{
	struct io_uring_sqe *sqe = take(ring);

	if (sqe == NULL)
		return false;
	io_uring_prep_poll_add(sqe, fd, POLLIN);
	return tag(ring, sqe, op);
}

static bool overflow_began(struct ring *ring)
{
	bool overflows = io_uring_cq_has_overflow(&ring->uring);
	bool began = overflows && !ring->overflowing;

	ring->overflowing = overflows;
	return began;
}

bool ring_wait(struct ring *ring, int64_t timeout_us)
{
	struct __kernel_timespec limit = {
	    .tv_sec = timeout_us / 1000000,
	    .tv_nsec = timeout_us % 1000000 * 1000,
	};
	struct io_uring_cqe *first;

	/* -ETIME, -EINTR, -EAGAIN and -EBUSY all mean: look at what is there.
	 */
	io_uring_submit_and_wait_timeout(
	    &ring->uring, &first, 1, timeout_us < 0 ? NULL : &limit, NULL);
	return overflow_began(ring);
}

unsigned ring_completions(
    struct ring *ring, struct ring_completion *completions, unsigned count)
{
	struct io_uring_cqe *queued[256];
	unsigned taken;

	if (count > sizeof(queued) / sizeof(queued[0]))
		count = sizeof(queued) / sizeof(queued[0]);
	taken = io_uring_peek_batch_cqe(&ring->uring, queued, count);
	for (unsigned i = 0; i < taken; i++)
		completions[i] = (struct ring_completion){
		    .tag = io_uring_cqe_get_data64(queued[i]),
		    .result = queued[i]->res,
		    .flags = queued[i]->flags,
		};
	io_uring_cq_advance(&ring->uring, taken);
	return taken;
}

static uint8_t *buffer_of(
    const struct ring *ring, const struct ring_completion *completion)
{
	unsigned number = completion->flags >> IORING_CQE_BUFFER_SHIFT;

	assert((completion->flags & IORING_CQE_F_BUFFER) != 0);
	assert(number < RING_BUFFER_COUNT);
	return ring->memory + (size_t)number * RING_BUFFER_SIZE;
}

const uint8_t *ring_buffer(
    const struct ring *ring, const struct ring_completion *completion)
{
	uint8_t *buffer = buffer_of(ring, completion);

	unpoison(buffer, RING_BUFFER_SIZE);
	return buffer;
}

void ring_give_back(struct ring *ring, const struct ring_completion *completion)
{
	uint8_t *buffer = buffer_of(ring, completion);

	poison(buffer, RING_BUFFER_SIZE);
	io_uring_buf_ring_add(ring->provided, buffer, RING_BUFFER_SIZE,
	    (unsigned short)(completion->flags >> IORING_CQE_BUFFER_SHIFT),
	    io_uring_buf_ring_mask(RING_BUFFER_COUNT), 0);
	io_uring_buf_ring_advance(ring->provided, 1);
}

bool worker_ring_available(char *why_out, size_t why_size)
{
	struct ring_options options = {.completion_queue_size = 64};
	struct ring ring;

	if (!ring_init(&ring, &options, why_out, why_size))
		return false;
	ring_finish(&ring);
	return true;
}

const char *worker_liburing_version(void)
{
	return POSTERN_LIBURING_VERSION;
}
