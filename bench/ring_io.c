/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ring_slot.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOURCE_FIRST 0x7f000101U /* 127.0.1.1 */

static struct io_uring_sqe *get_sqe(struct ring_thread *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->ring);

	if (sqe != NULL)
		return sqe;
	io_uring_submit(&ring->ring);
	sqe = io_uring_get_sqe(&ring->ring);
	assert(sqe != NULL); /* a submission empties the queue */
	return sqe;
}

/* Client addresses in turn: for limits of the server that go by address. */
static bool bind_source(struct slot *slot)
{
	struct ring_thread *ring = slot->ring;
	long source_count = ring->load->options->sources;
	struct sockaddr_in address = {.sin_family = AF_INET};
	int yes = 1;

	if (source_count == 0)
		return true;
	address.sin_addr.s_addr =
	    htonl(SOURCE_FIRST + ring->source++ % (unsigned)source_count);
	setsockopt(
	    slot->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
	return bind(slot->fd, (struct sockaddr *)&address, sizeof(address)) ==
	       0;
}

bool slot_open(struct slot *slot)
{
	const struct load *load = slot->ring->load;
	int yes = 1;

	slot->fd = socket(
	    load->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	if (slot->fd < 0)
		return false;
	/* Latency is to be the server's, not Nagle's. */
	setsockopt(slot->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	if (bind_source(slot))
		return true;
	close(slot->fd);
	return false;
}

void slot_arm_connect(struct slot *slot)
{
	struct io_uring_sqe *sqe = get_sqe(slot->ring);
	const struct load *load = slot->ring->load;

	io_uring_prep_connect(sqe, slot->fd,
	    (const struct sockaddr *)&load->address, load->address_len);
	io_uring_sqe_set_data(sqe, slot);
}

void slot_arm_send(struct slot *slot)
{
	struct io_uring_sqe *sqe = get_sqe(slot->ring);

	io_uring_prep_send(sqe, slot->fd, slot->buffer->out + slot->out_sent,
	    slot->wire.out_len - slot->out_sent, MSG_NOSIGNAL);
	io_uring_sqe_set_data(sqe, slot);
}

void slot_arm_recv(struct slot *slot)
{
	struct io_uring_sqe *sqe = get_sqe(slot->ring);

	io_uring_prep_recv(
	    sqe, slot->fd, slot->buffer->in, sizeof(slot->buffer->in), 0);
	io_uring_sqe_set_data(sqe, slot);
}

/* Completes when the server closes. Not for input: tickets may come late. */
void slot_arm_watch(struct slot *slot)
{
	struct io_uring_sqe *sqe = get_sqe(slot->ring);

	io_uring_prep_poll_add(sqe, slot->fd, POLLRDHUP);
	io_uring_sqe_set_data(sqe, slot);
}

/* The operation that is under way completes with ECANCELED. */
void slot_cancel(struct slot *slot)
{
	struct io_uring_sqe *sqe = get_sqe(slot->ring);

	io_uring_prep_cancel(sqe, slot, 0);
	io_uring_sqe_set_data(sqe, NULL);
}

bool slot_borrow_buffer(struct slot *slot)
{
	struct ring_thread *ring = slot->ring;

	if (ring->buffers == NULL) {
		ring->buffers = malloc(sizeof(*ring->buffers));
		if (ring->buffers == NULL)
			return false;
		ring->buffers->next = NULL;
	}
	slot->buffer = ring->buffers;
	ring->buffers = slot->buffer->next;
	slot->out_sent = 0;
	slot->wire = (struct tls_client_wire){
	    .in = slot->buffer->in,
	    .out = slot->buffer->out,
	    .out_size = sizeof(slot->buffer->out),
	};
	return true;
}

void slot_return_buffer(struct slot *slot)
{
	if (slot->buffer == NULL)
		return;
	slot->buffer->next = slot->ring->buffers;
	slot->ring->buffers = slot->buffer;
	slot->buffer = NULL;
}
