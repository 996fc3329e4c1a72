/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/probe_link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t now_in_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum probe_link_status fail(struct probe_link *link, int error)
{
	link->error = error;
	return error == ETIMEDOUT ? PROBE_LINK_TIMED_OUT : PROBE_LINK_FAILED;
}

/* Until the socket is ready for it, or there is no time left. */
static enum probe_link_status wait_for(struct probe_link *link, short events)
{
	struct pollfd server = {.fd = link->fd, .events = events};

	for (;;) {
		int64_t left_ms = link->until_ms - now_in_ms();
		int count;

		if (left_ms <= 0)
			return PROBE_LINK_TIMED_OUT;
		count = poll(&server, 1, (int)left_ms);
		if (count > 0)
			return PROBE_LINK_DONE;
		if (count < 0 && errno != EINTR)
			return fail(link, errno);
	}
}

/* What there is, at least a byte unless the stream ended. */
static enum probe_link_status receive(
    struct probe_link *link, uint8_t *out, size_t size, size_t *len_out)
{
	*len_out = 0;
	for (;;) {
		enum probe_link_status status = wait_for(link, POLLIN);
		ssize_t len;

		if (status != PROBE_LINK_DONE)
			return status;
		len = recv(link->fd, out, size, MSG_DONTWAIT);
		if (len >= 0) {
			*len_out = (size_t)len;
			link->has_ended = len == 0;
			return PROBE_LINK_DONE;
		}
		if (errno != EAGAIN && errno != EINTR)
			return fail(link, errno);
	}
}

static enum probe_link_status send_all(
    struct probe_link *link, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t sent =
		    send(link->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent > 0) {
			bytes += sent;
			len -= (size_t)sent;
			continue;
		}
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return fail(link, errno);
		enum probe_link_status status = wait_for(link, POLLOUT);
		if (status != PROBE_LINK_DONE)
			return status;
	}
	return PROBE_LINK_DONE;
}

static struct tls_wire lend(struct probe_link *link)
{
	return (struct tls_wire){
	    .in = link->in,
	    .in_len = link->in_len,
	    .in_eof = link->has_ended,
	    .out = link->out,
	    .out_size = sizeof(link->out),
	};
}

static enum probe_link_status take_back(
    struct probe_link *link, const struct tls_wire *wire)
{
	memmove(
	    link->in, link->in + wire->in_used, link->in_len - wire->in_used);
	link->in_len -= wire->in_used;
	return send_all(link, link->out, wire->out_len);
}

static enum probe_link_status receive_more(struct probe_link *link)
{
	enum probe_link_status status;
	size_t len;

	/* TLS takes all that it is given; but the server chose what. */
	if (link->in_len == sizeof(link->in))
		return fail(link, ENOBUFS);
	status = receive(link, link->in + link->in_len,
	    sizeof(link->in) - link->in_len, &len);
	link->in_len += len;
	return status;
}

/* Adds to what was heard. */
static enum probe_link_status hear_tls(struct probe_link *link)
{
	for (;;) {
		struct tls_wire wire = lend(link);
		size_t len = 0;
		enum tls_status got = tls_session_read(link->session, &wire,
		    link->heard + link->heard_len,
		    sizeof(link->heard) - link->heard_len, &len);
		enum probe_link_status status = take_back(link, &wire);

		link->heard_len += len;
		if (status != PROBE_LINK_DONE || len > 0)
			return status;
		if (got == TLS_CLOSED)
			return PROBE_LINK_CLOSED;
		if (got == TLS_FAILED)
			return tls_session_fault(link->session) == TLS_FAULT_EOF
				   ? PROBE_LINK_CLOSED
				   : PROBE_LINK_TLS_FAILED;
		status = receive_more(link);
		if (status != PROBE_LINK_DONE)
			return status;
	}
}

static enum probe_link_status hear(struct probe_link *link)
{
	enum probe_link_status status;
	size_t len;

	if (link->session != NULL)
		return hear_tls(link);
	status = receive(link, link->heard + link->heard_len,
	    sizeof(link->heard) - link->heard_len, &len);
	link->heard_len += len;
	if (status == PROBE_LINK_DONE && link->has_ended)
		return PROBE_LINK_CLOSED;
	return status;
}

static void forget_heard(struct probe_link *link)
{
	memmove(link->heard, link->heard + link->heard_used,
	    link->heard_len - link->heard_used);
	link->heard_len -= link->heard_used;
	link->heard_used = 0;
}

/* An end of an attempt is writable, too. */
static enum probe_link_status await_connect(struct probe_link *link)
{
	enum probe_link_status status = wait_for(link, POLLOUT);
	int error = 0;
	socklen_t len = sizeof(error);

	if (status != PROBE_LINK_DONE)
		return status;
	if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	return error == 0 ? PROBE_LINK_DONE : fail(link, error);
}

enum probe_link_status probe_link_connect(struct probe_link *link,
    const struct service_address *address, long timeout_s)
{
	const int on = 1;

	memset(link, 0, sizeof(*link));
	link->until_ms = now_in_ms() + (int64_t)timeout_s * 1000;
	link->fd = socket(address->address.ss_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (link->fd == -1)
		return fail(link, errno);
	setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(link->fd, (const struct sockaddr *)&address->address,
		address->address_len) == 0)
		return PROBE_LINK_DONE;
	if (errno != EINPROGRESS)
		return fail(link, errno);
	return await_connect(link);
}

/* Servers forget a session that ended without it, as if it had failed. */
static void close_tls(struct probe_link *link)
{
	struct tls_wire wire = lend(link);

	tls_session_close(link->session, &wire);
	if (wire.out_len > 0)
		send(link->fd, link->out, wire.out_len,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
}

void probe_link_finish(struct probe_link *link)
{
	if (link->session != NULL)
		close_tls(link);
	tls_session_destroy(&link->session);
	if (link->fd != -1)
		close(link->fd);
	link->fd = -1;
}

enum probe_link_status probe_link_reply(
    struct probe_link *link, struct smtp_reply *reply_out)
{
	forget_heard(link);
	for (;;) {
		enum probe_link_status status;

		switch (
		    smtp_reply_find(link->heard, link->heard_len, reply_out)) {
		case SMTP_REPLY_FOUND:
			link->heard_used = reply_out->used;
			return PROBE_LINK_DONE;
		case SMTP_REPLY_TOO_LONG:
		case SMTP_REPLY_MALFORMED:
			return PROBE_LINK_NOT_SMTP;
		case SMTP_REPLY_NEED_MORE:
			break;
		}
		/* A full buffer is too long, so there is room. */
		status = hear(link);
		if (status != PROBE_LINK_DONE)
			return status;
	}
}

enum probe_link_status probe_link_say(
    struct probe_link *link, const char *command)
{
	const uint8_t *bytes = (const uint8_t *)command;
	size_t len = strlen(command);
	struct tls_wire wire;
	size_t used;

	if (link->session == NULL)
		return send_all(link, bytes, len);
	wire = lend(link);
	if (tls_session_write(link->session, &wire, bytes, len, &used) !=
	    TLS_DONE)
		return PROBE_LINK_TLS_FAILED;
	return take_back(link, &wire);
}

size_t probe_link_discard(struct probe_link *link)
{
	size_t len = link->heard_len - link->heard_used;
	ssize_t more = recv(link->fd, link->in, sizeof(link->in), MSG_DONTWAIT);

	link->heard_len = 0;
	link->heard_used = 0;
	if (more == 0)
		link->has_ended = true;
	return len + (more > 0 ? (size_t)more : 0);
}

enum probe_link_status probe_link_start_tls(
    struct probe_link *link, const struct tls_client *client)
{
	link->session = tls_client_session_create(client);
	if (link->session == NULL)
		return fail(link, ENOMEM);
	for (;;) {
		struct tls_wire wire = lend(link);
		enum tls_status got =
		    tls_session_handshake(link->session, &wire);
		enum probe_link_status status = take_back(link, &wire);

		if (got == TLS_FAILED)
			return PROBE_LINK_TLS_FAILED;
		if (status != PROBE_LINK_DONE || got == TLS_DONE)
			return status;
		status = receive_more(link);
		if (status != PROBE_LINK_DONE)
			return status;
	}
}
