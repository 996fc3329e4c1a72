/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts a server's bytes into SMTP replies. Pure: no I/O, no allocation. */
#ifndef POSTERN_BENCH_REPLY_H
#define POSTERN_BENCH_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#define REPLY_TEXT_SIZE 128

enum reply_status {
	REPLY_NEED_MORE,
	REPLY_DONE, /* code and text are those of its last line */
	REPLY_BAD,  /* no SMTP reply; text is how it began */
};

/* All zero before the first byte. */
struct reply {
	int code;
	char text[REPLY_TEXT_SIZE]; /* the line without its end, cut */
	size_t text_len;
	bool ended; /* the next byte begins another line */
};

/* Reads up to the end of one reply; *used_out is how many octets that was. */
enum reply_status reply_read(
    struct reply *reply, const char *data, size_t len, size_t *used_out);

#endif
