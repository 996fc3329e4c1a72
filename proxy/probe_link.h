/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of `postern probe` to a server: commands out, replies in, in
 * clear or over TLS. Each call waits, but none beyond the moment at which all
 * of it must be over, however slowly bytes come, and no reply is longer than
 * SMTP_REPLY_SIZE_MAX. */
#ifndef POSTERN_PROXY_PROBE_LINK_H
#define POSTERN_PROXY_PROBE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/service.h"
#include "smtp/reply.h"
#include "tls/client.h"

enum probe_link_status {
	PROBE_LINK_DONE,
	PROBE_LINK_CLOSED, /* by the server */
	PROBE_LINK_TIMED_OUT,
	PROBE_LINK_NOT_SMTP,   /* what came is no reply, or has no end */
	PROBE_LINK_FAILED,     /* `error` has an errno */
	PROBE_LINK_TLS_FAILED, /* see the session's fault */
};

struct probe_link {
	int fd;
	int error;
	int64_t until_ms;
	struct tls_session *session; /* NULL: in clear */
	bool has_ended;		     /* nothing more comes */
	uint8_t in[TLS_WIRE_ROOM_MIN], out[TLS_WIRE_ROOM_MIN];
	size_t in_len;
	uint8_t heard[SMTP_REPLY_SIZE_MAX];
	size_t heard_len;
	size_t heard_used; /* of the reply that was given out last */
};

/* Large: not for a stack. Always to be finished. */
enum probe_link_status probe_link_connect(struct probe_link *link,
    const struct service_address *address, long timeout_s);
void probe_link_finish(struct probe_link *link);

/* The next reply; its lines are the first reply->used bytes of link->heard.
 * Good until the next call. */
enum probe_link_status probe_link_reply(
    struct probe_link *link, struct smtp_reply *reply_out);

/* A whole command with its CRLF. */
enum probe_link_status probe_link_say(
    struct probe_link *link, const char *command);

/* What came behind the reply to STARTTLS came in clear, from anyone on the
 * path: it is thrown away (RFC 3207, 4.2). Returns how many bytes that was. */
size_t probe_link_discard(struct probe_link *link);

/* The session is there afterwards, also when it failed. */
enum probe_link_status probe_link_start_tls(
    struct probe_link *link, const struct tls_client *client);

#endif
