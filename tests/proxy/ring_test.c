/* SPDX-License-Identifier: Apache-2.0 */
/* Against the kernel's own io_uring, where there is one. */
#include "proxy/ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "caught.h"
#include "proxy/worker.h"

#define WAIT_US 5000000

static struct ring ring;

static void open_ring(unsigned completion_queue_size)
{
	struct ring_options options = {
	    .completion_queue_size = completion_queue_size,
	};
	char why[512];

	if (!ring_init(&ring, &options, why, sizeof(why)))
		cr_skip("%s", why);
}

static void init(void)
{
	open_ring(256);
}

static void fini(void)
{
	ring_finish(&ring);
}

TestSuite(ring, .init = init, .fini = fini, .timeout = 60);
/* Each opens one of its own kind. */
TestSuite(ring_options, .fini = fini, .timeout = 60);

static struct op op_of(enum op_kind kind, uint32_t slot)
{
	return (struct op){.kind = kind, .slot = slot, .generation = 77};
}

static struct ring_completion next(void)
{
	struct ring_completion completion;

	while (ring_completions(&ring, &completion, 1) == 0)
		ring_wait(&ring, WAIT_US);
	return completion;
}

static struct ring_completion next_of(enum op_kind kind, uint32_t slot)
{
	struct ring_completion completion = next();
	struct op op = op_unpack(completion.tag);

	cr_assert_eq(op.kind, kind, "%d", op.kind);
	cr_assert_eq(op.slot, slot);
	return completion;
}

static void open_pair(int ends[2])
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static void says(int fd, const char *text)
{
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

Test(ring, a_receive_brings_bytes_in_a_buffer_of_ours)
{
	struct ring_completion completion;
	int ends[2];

	open_pair(ends);
	cr_assert(ring_receive(&ring, ends[0], op_of(OP_CLIENT_RECV, 5)));
	says(ends[1], "hello");
	completion = next_of(OP_CLIENT_RECV, 5);
	cr_assert_eq(op_unpack(completion.tag).generation, 77);
	cr_assert_eq(completion.result, 5);
	cr_assert_neq(completion.flags & IORING_CQE_F_BUFFER, 0);
	cr_assert_eq(memcmp(ring_buffer(&ring, &completion), "hello", 5), 0);
	ring_give_back(&ring, &completion);
}

Test(ring, the_end_of_a_stream_is_no_bytes)
{
	struct ring_completion completion;
	int ends[2];

	open_pair(ends);
	cr_assert(ring_receive(&ring, ends[0], op_of(OP_CLIENT_RECV, 5)));
	close(ends[1]);
	completion = next_of(OP_CLIENT_RECV, 5);
	cr_assert_eq(completion.result, 0);
	if ((completion.flags & IORING_CQE_F_BUFFER) != 0)
		ring_give_back(&ring, &completion);
}

Test(ring, buffers_that_are_given_back_are_used_again)
{
	int ends[2];

	open_pair(ends);
	for (int i = 0; i < 5 * RING_BUFFER_COUNT; i++) {
		struct ring_completion completion;

		says(ends[1], "hello");
		cr_assert(
		    ring_receive(&ring, ends[0], op_of(OP_BACKEND_RECV, 1)));
		completion = next_of(OP_BACKEND_RECV, 1);
		cr_assert_eq(
		    completion.result, 5, "%d at %d", completion.result, i);
		cr_assert_eq(
		    memcmp(ring_buffer(&ring, &completion), "hello", 5), 0);
		ring_give_back(&ring, &completion);
	}
}

Test(ring, without_a_buffer_a_receive_says_so_and_can_be_armed_again)
{
	struct ring_completion held[RING_BUFFER_COUNT], completion;
	int ends[2];

	open_pair(ends);
	for (int i = 0; i < RING_BUFFER_COUNT; i++) {
		says(ends[1], "hello");
		ring_receive(&ring, ends[0], op_of(OP_CLIENT_RECV, 1));
		held[i] = next_of(OP_CLIENT_RECV, 1);
		cr_assert_eq(held[i].result, 5);
	}
	says(ends[1], "again");
	ring_receive(&ring, ends[0], op_of(OP_CLIENT_RECV, 1));
	completion = next_of(OP_CLIENT_RECV, 1);
	cr_assert_eq(completion.result, -ENOBUFS);
	cr_assert_eq(completion.flags & IORING_CQE_F_BUFFER, 0);
	ring_buffer(&ring, &held[17]);
	ring_give_back(&ring, &held[17]);
	ring_receive(&ring, ends[0], op_of(OP_CLIENT_RECV, 1));
	completion = next_of(OP_CLIENT_RECV, 1);
	cr_assert_eq(completion.result, 5);
	cr_assert_eq(memcmp(ring_buffer(&ring, &completion), "again", 5), 0);
}

Test(ring, a_receive_into_memory_of_ours)
{
	char text[16] = "";
	int ends[2];

	open_pair(ends);
	says(ends[1], "order");
	cr_assert(ring_receive_into(
	    &ring, ends[0], text, sizeof(text), op_of(OP_COMMAND, 0)));
	cr_assert_eq(next_of(OP_COMMAND, 0).result, 5);
	cr_assert_str_eq(text, "order");
}

Test(ring, a_send_tells_how_much_was_taken)
{
	char text[16] = "";
	int ends[2];

	open_pair(ends);
	cr_assert(
	    ring_send(&ring, ends[0], "hello", 5, op_of(OP_CLIENT_SEND, 9)));
	cr_assert_eq(next_of(OP_CLIENT_SEND, 9).result, 5);
	cr_assert_eq(read(ends[1], text, sizeof(text)), 5);
	cr_assert_str_eq(text, "hello");
}

Test(ring, a_send_to_who_is_gone_is_an_error_and_no_signal)
{
	int ends[2];

	open_pair(ends);
	close(ends[1]);
	ring_send(&ring, ends[0], "hello", 5, op_of(OP_CLIENT_SEND, 9));
	cr_assert_eq(next_of(OP_CLIENT_SEND, 9).result, -EPIPE);
}

static int listen_somewhere(struct sockaddr_in *address)
{
	socklen_t len = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){
	    .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	cr_assert_eq(
	    bind(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
	cr_assert_eq(listen(fd, 16), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)address, &len), 0);
	return fd;
}

Test(ring, one_accept_brings_many_connections)
{
	struct sockaddr_in address;
	int listener = listen_somewhere(&address);

	cr_assert(ring_accept(&ring, listener, op_of(OP_ACCEPT, 2)));
	for (int i = 0; i < 3; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		struct ring_completion completion;

		cr_assert_eq(connect(fd, (const struct sockaddr *)&address,
				 sizeof(address)),
		    0);
		completion = next_of(OP_ACCEPT, 2);
		cr_assert_geq(completion.result, 0);
		cr_assert_neq(completion.flags & IORING_CQE_F_MORE, 0);
		cr_assert_neq(
		    fcntl(completion.result, F_GETFD) & FD_CLOEXEC, 0);
	}
	cr_assert(ring_cancel(&ring, op_of(OP_ACCEPT, 2)));
	for (int i = 0; i < 2; i++) {
		struct ring_completion completion = next();

		if (op_unpack(completion.tag).kind == OP_CANCEL)
			continue;
		cr_assert_eq(completion.result, -ECANCELED);
		cr_assert_eq(completion.flags & IORING_CQE_F_MORE, 0);
	}
}

Test(ring, a_connect_completes)
{
	struct sockaddr_in address;
	int listener = listen_somewhere(&address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert(ring_connect(&ring, fd, (const struct sockaddr *)&address,
	    sizeof(address), op_of(OP_BACKEND_CONNECT, 3)));
	cr_assert_eq(next_of(OP_BACKEND_CONNECT, 3).result, 0);
	close(fd);
	close(listener);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ring_connect(&ring, fd, (const struct sockaddr *)&address,
	    sizeof(address), op_of(OP_BACKEND_CONNECT, 4));
	cr_assert_eq(next_of(OP_BACKEND_CONNECT, 4).result, -ECONNREFUSED);
}

Test(ring, what_is_cancelled_comes_back)
{
	bool cancelled = false, came = false;
	int ends[2];

	open_pair(ends);
	ring_receive(&ring, ends[0], op_of(OP_CLIENT_RECV, 8));
	cr_assert(ring_cancel(&ring, op_of(OP_CLIENT_RECV, 8)));
	while (!cancelled || !came) {
		struct ring_completion completion = next();

		cr_assert_eq(op_unpack(completion.tag).slot, 8);
		if (op_unpack(completion.tag).kind == OP_CANCEL) {
			cr_assert_eq(completion.result, 0);
			cancelled = true;
		} else {
			cr_assert_eq(completion.result, -ECANCELED);
			came = true;
		}
	}
}

Test(ring, cancelling_what_is_not_there_does_no_harm)
{
	ring_cancel(&ring, op_of(OP_BACKEND_CONNECT, 8));
	cr_assert_eq(next_of(OP_CANCEL, 8).result, -ENOENT);
}

Test(ring, what_is_closed_is_closed)
{
	int ends[2];

	open_pair(ends);
	cr_assert(ring_close(&ring, ends[0]));
	cr_assert_eq(next_of(OP_CLOSE, 0).result, 0);
	cr_assert_eq(fcntl(ends[0], F_GETFD), -1);
	cr_assert_eq(errno, EBADF);
}

Test(ring, a_wait_ends_when_nothing_comes)
{
	struct ring_completion completion;

	cr_assert_not(ring_wait(&ring, 0));
	cr_assert_not(ring_wait(&ring, 5000));
	cr_assert_eq(ring_completions(&ring, &completion, 1), 0);
}

/* Submits as many sends as there is room for; returns how many it were. */
static uint32_t submit_sends(int fd, uint32_t from, uint32_t until)
{
	while (from < until &&
	       ring_send(&ring, fd, "x", 1, op_of(OP_CLIENT_SEND, from)))
		from++;
	return from;
}

/* The kernel keeps what does not fit, and says so; nothing is lost. */
Test(ring_options, a_completion_queue_that_is_too_small_loses_nothing)
{
	enum { COUNT = 200 };
	bool came[COUNT] = {false};
	uint32_t submitted = 0, completed = 0;
	unsigned overflows = 0;
	int ends[2];

	open_ring(8);
	open_pair(ends);
	while (completed < COUNT) {
		struct ring_completion batch[8];
		unsigned count;

		submitted = submit_sends(ends[0], submitted, COUNT);
		overflows += ring_wait(&ring, WAIT_US);
		count = ring_completions(&ring, batch, 8);
		for (unsigned i = 0; i < count; i++) {
			uint32_t slot = op_unpack(batch[i].tag).slot;

			cr_assert_eq(batch[i].result, 1);
			cr_assert_lt(slot, COUNT);
			cr_assert_not(came[slot], "%u came twice", slot);
			came[slot] = true;
			completed++;
		}
	}
	cr_assert_geq(overflows, 1);
	cr_assert_leq(overflows, COUNT / 8, "once each, not per completion");
	cr_assert_not(ring_wait(&ring, 0), "it is over");
}

Test(ring, who_touches_a_receive_buffer_out_of_turn_is_caught)
{
	struct ring_completion completion;
	const uint8_t *buffer;
	int ends[2];

	skip_without_sanitizer();
	cr_assert(is_caught(ring.memory), "it is the kernel's");
	open_pair(ends);
	ring_receive(&ring, ends[0], op_of(OP_CLIENT_RECV, 5));
	says(ends[1], "hello");
	completion = next_of(OP_CLIENT_RECV, 5);
	buffer = ring_buffer(&ring, &completion);
	cr_assert_not(is_caught(buffer), "it is ours");
	ring_give_back(&ring, &completion);
	cr_assert(is_caught(buffer));
	cr_assert(is_caught(buffer + RING_BUFFER_SIZE - 1));
}

Test(ring, a_completion_without_a_buffer_has_none, .signal = SIGABRT)
{
	struct ring_completion completion = {.result = -ENOBUFS};

	ring_buffer(&ring, &completion);
}

Test(ring, one_that_was_finished_can_be_finished_again)
{
	ring_finish(&ring);
	ring_finish(&ring);
}

Test(ring, that_there_is_one_can_be_asked)
{
	char why[512] = "";

	cr_assert(worker_ring_available(why, sizeof(why)), "%s", why);
	cr_assert_str_eq(why, "");
	cr_assert_gt(strlen(worker_liburing_version()), 2);
}

/* Later features are probed, and a switch turns every probe off. */
Test(ring_options, the_baseline_uses_no_later_feature)
{
	struct ring_options options = {
	    .completion_queue_size = 64,
	    .baseline = true,
	};
	char why[512];

	if (!ring_init(&ring, &options, why, sizeof(why)))
		cr_skip("%s", why);
	cr_assert_not(ring.features.accept_poll_first);
}

static struct io_uring_sqe *submission(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring.uring);

	cr_assert_not_null(sqe);
	if (sqe == NULL)
		abort();
	return sqe;
}

Test(ring_options, only_who_watches_may_watch)
{
	struct ring_options options = {
	    .completion_queue_size = 64, .watches = true};
	struct ring_completion completion;
	char why[512];
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	open_ring(64);
	cr_assert(ring_watch(&ring, ends[0], op_of(OP_HTTP, 3)));
	cr_assert_eq(next().result, -EACCES);
	ring_finish(&ring);
	cr_assert(ring_init(&ring, &options, why, sizeof(why)), "%s", why);
	cr_assert(ring_watch(&ring, ends[0], op_of(OP_HTTP, 3)));
	ring_wait(&ring, 0);
	cr_assert_eq(ring_completions(&ring, &completion, 1), 0);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	completion = next();
	cr_assert_gt(completion.result, 0);
	cr_assert_eq(op_unpack(completion.tag).slot, 3);
	close(ends[0]);
	close(ends[1]);
}

/* A seccomp filter does not see what goes through a ring. */
Test(ring, it_does_nothing_but_what_it_was_made_for)
{
	struct io_uring_sqe *sqe = submission();

	io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
	cr_assert_eq(next().result, -EACCES);
	io_uring_prep_socket(submission(), AF_INET, SOCK_STREAM, 0, 0);
	cr_assert_eq(next().result, -EACCES);
	sqe = submission();
	io_uring_prep_close(sqe, -1);
	sqe->flags |= IOSQE_IO_LINK;
	cr_assert_eq(next().result, -EACCES);
	cr_assert_lt(io_uring_register_files_sparse(&ring.uring, 1), 0);
}

Test(ring_options, why_there_is_none_is_one_line)
{
	struct ring_options options = {.completion_queue_size = 1u << 30};
	char why[512] = "";

	cr_assert_not(ring_init(&ring, &options, why, sizeof(why)));
	cr_assert_eq(strncmp(why, "io_uring", 8), 0, "%s", why);
	cr_assert_null(strchr(why, '\n'));
	cr_assert_eq(ring.uring.ring_fd, -1);
}
