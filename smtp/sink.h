/* SPDX-License-Identifier: Apache-2.0 */
/* builtin:sink, a whole SMTP server that accepts everything, counts and
 * discards. It stands behind the quick start, the tests and the benchmark. It
 * obeys RFC 5321 order (503 where a command comes too early), answers
 * pipelined commands in one go, and believes XCLIENT. Pure. */
#ifndef POSTERN_SMTP_SINK_H
#define POSTERN_SMTP_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/body.h"

#define SMTP_SINK_REPLY_SIZE_MAX   512
#define SMTP_SINK_MESSAGE_SIZE_MAX 1073741824 /* what its SIZE says */

enum smtp_sink_state {
	SMTP_SINK_EXPECT_COMMAND,
	SMTP_SINK_EXPECT_BODY,
	SMTP_SINK_EXPECT_CHUNK,
	SMTP_SINK_EXPECT_END,
};

struct smtp_sink {
	enum smtp_sink_state state;
	struct smtp_body body;
	bool helo;	    /* HELO or EHLO was said */
	bool mail;	    /* a transaction is open */
	bool chunked;	    /* its body began to come with BDAT */
	bool chunk_last;    /* of the chunk under way: BDAT … LAST */
	bool chunk_refused; /* its octets are dropped and it is an error */
	uint32_t recipients;
	uint64_t chunk_size, chunk_left;
	uint64_t size;	   /* of the message under way, so far */
	uint64_t messages; /* accepted in this session */
	uint64_t octets;   /* of their bodies */
};

/* Begins a session and writes the greeting, "220 hostname ESMTP sink". Returns
 * its length. out_size: at least SMTP_SINK_REPLY_SIZE_MAX. */
size_t smtp_sink_init(
    struct smtp_sink *sink, const char *hostname, char *out, size_t out_size);

/* Obeys as much of `input` as there is room to answer: it stops when fewer than
 * SMTP_SINK_REPLY_SIZE_MAX bytes are left in `out`, of which *out_len is then
 * filled. Returns the bytes used;
 * what is left is the head of an incomplete line, or waits for room.
 * After QUIT the state is EXPECT_END: close when the reply has left. */
size_t smtp_sink_step(struct smtp_sink *sink, const char *hostname,
    const uint8_t *input, size_t input_len, char *out, size_t out_size,
    size_t *out_len);

#endif
