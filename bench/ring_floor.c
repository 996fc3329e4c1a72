/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ring_floor.h"

#include <assert.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENT_COUNT 8
#define QUEUE_SIZE   256
#define BUFFER_SIZE  16384
#define DESCRIPTORS  65536
#define TAG_ACCEPT   UINT64_MAX
#define WAIT_NS	     50000000

struct session {
	size_t step, received;
	bool sending;
	char buffer[BUFFER_SIZE];
};

struct floor {
	const struct ring_floor_step *steps;
	size_t step_count;
	struct sockaddr_in address;
	_Atomic long left;   /* sessions that clients have still to begin */
	_Atomic int running; /* clients */
	struct io_uring ring;
	int listener;
	struct session *sessions[DESCRIPTORS];
	long done;
};

static const char zeros[BUFFER_SIZE];

static bool transfer(int fd, size_t len, bool is_send)
{
	char buffer[BUFFER_SIZE];

	while (len > 0) {
		size_t part = len < BUFFER_SIZE ? len : BUFFER_SIZE;
		ssize_t done = is_send ? send(fd, zeros, part, MSG_NOSIGNAL)
				       : recv(fd, buffer, part, 0);

		if (done <= 0)
			return false;
		len -= (size_t)done;
	}
	return true;
}

static void run_session(struct floor *floor)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int yes = 1;
	bool fine = fd >= 0;

	if (!fine)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	fine = connect(fd, (struct sockaddr *)&floor->address,
		   sizeof(floor->address)) == 0;
	for (size_t i = 0; i < floor->step_count && fine; i++)
		fine = transfer(fd, floor->steps[i].client_len, true) &&
		       transfer(fd, floor->steps[i].server_len, false);
	shutdown(fd, SHUT_WR);
	transfer(fd, 1, false); /* until the server closes */
	close(fd);
}

static void *run_client(void *argument)
{
	struct floor *floor = argument;

	while (atomic_fetch_sub(&floor->left, 1) > 0)
		run_session(floor);
	atomic_fetch_sub(&floor->running, 1);
	return NULL;
}

static struct io_uring_sqe *get_sqe(struct floor *floor)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&floor->ring);

	if (sqe != NULL)
		return sqe;
	io_uring_submit(&floor->ring);
	sqe = io_uring_get_sqe(&floor->ring);
	assert(sqe != NULL); /* a submission empties the queue */
	return sqe;
}

static void arm_accept(struct floor *floor)
{
	struct io_uring_sqe *sqe = get_sqe(floor);

	io_uring_prep_multishot_accept(sqe, floor->listener, NULL, NULL, 0);
	sqe->user_data = TAG_ACCEPT;
}

/* Answers while nothing more has to come first, then receives. */
static void go_on(struct floor *floor, int fd)
{
	struct session *session = floor->sessions[fd];
	const struct ring_floor_step *step = &floor->steps[session->step];
	bool answers = session->step < floor->step_count &&
		       session->received >= step->client_len;
	struct io_uring_sqe *sqe = get_sqe(floor);

	session->sending = answers && step->server_len > 0;
	if (session->sending)
		io_uring_prep_send(
		    sqe, fd, zeros, step->server_len, MSG_NOSIGNAL);
	else
		io_uring_prep_recv(
		    sqe, fd, session->buffer, sizeof(session->buffer), 0);
	sqe->user_data = (uint64_t)fd;
	if (!answers)
		return;
	session->received -= step->client_len;
	session->step++;
}

static void accepted(struct floor *floor, int fd)
{
	int yes = 1;

	if (fd < 0)
		return;
	if (fd >= DESCRIPTORS) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	if (floor->sessions[fd] == NULL)
		floor->sessions[fd] = malloc(sizeof(struct session));
	if (floor->sessions[fd] == NULL) {
		close(fd);
		return;
	}
	floor->sessions[fd]->step = 0;
	floor->sessions[fd]->received = 0;
	go_on(floor, fd);
}

static void completed(struct floor *floor, uint64_t tag, int result)
{
	int fd = (int)tag;

	if (tag == TAG_ACCEPT) {
		accepted(floor, result);
		return;
	}
	if (result <= 0) {
		close(fd);
		floor->done++;
		return;
	}
	if (!floor->sessions[fd]->sending)
		floor->sessions[fd]->received += (size_t)result;
	go_on(floor, fd);
}

static double serve(struct floor *floor)
{
	struct __kernel_timespec timeout = {.tv_nsec = WAIT_NS};
	struct io_uring_cqe *cqes[QUEUE_SIZE];
	struct timespec begin, end;
	unsigned count;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	arm_accept(floor);
	while (atomic_load(&floor->running) > 0) {
		io_uring_submit_and_wait_timeout(
		    &floor->ring, cqes, 1, &timeout, NULL);
		count = io_uring_peek_batch_cqe(&floor->ring, cqes, QUEUE_SIZE);
		for (unsigned i = 0; i < count; i++) {
			bool again = cqes[i]->user_data == TAG_ACCEPT &&
				     !(cqes[i]->flags & IORING_CQE_F_MORE);

			completed(floor, cqes[i]->user_data, cqes[i]->res);
			if (again)
				arm_accept(floor);
		}
		io_uring_cq_advance(&floor->ring, count);
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	if (floor->done == 0)
		return -1;
	return ((double)(end.tv_sec - begin.tv_sec) * 1e6 +
		   (double)(end.tv_nsec - begin.tv_nsec) / 1e3) /
	       (double)floor->done;
}

static bool listen_somewhere(struct floor *floor)
{
	socklen_t len = sizeof(floor->address);

	floor->listener = socket(AF_INET, SOCK_STREAM, 0);
	floor->address.sin_family = AF_INET;
	floor->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return floor->listener >= 0 &&
	       bind(floor->listener, (struct sockaddr *)&floor->address, len) ==
		   0 &&
	       listen(floor->listener, 1024) == 0 &&
	       getsockname(floor->listener, (struct sockaddr *)&floor->address,
		   &len) == 0;
}

static double run(struct floor *floor)
{
	struct io_uring_params parameters = {
	    .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
	pthread_t clients[CLIENT_COUNT];
	int count = 0;
	double us;

	if (io_uring_queue_init_params(QUEUE_SIZE, &floor->ring, &parameters) <
	    0)
		return -1;
	atomic_store(&floor->running, CLIENT_COUNT);
	while (count < CLIENT_COUNT &&
	       pthread_create(&clients[count], NULL, run_client, floor) == 0)
		count++;
	atomic_fetch_sub(&floor->running, CLIENT_COUNT - count);
	us = serve(floor);
	for (int i = 0; i < count; i++)
		pthread_join(clients[i], NULL);
	io_uring_queue_exit(&floor->ring);
	return us;
}

double ring_floor_measure(
    const struct ring_floor_step *steps, size_t step_count, long session_count)
{
	struct floor *floor = calloc(1, sizeof(*floor));
	double us = -1;

	if (floor == NULL)
		return -1;
	floor->steps = steps;
	floor->step_count = step_count;
	atomic_store(&floor->left, session_count);
	if (listen_somewhere(floor))
		us = run(floor);
	close(floor->listener);
	for (size_t i = 0; i < DESCRIPTORS; i++)
		free(floor->sessions[i]);
	free(floor);
	return us;
}
