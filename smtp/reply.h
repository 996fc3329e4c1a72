/* SPDX-License-Identifier: Apache-2.0 */
/* Reply lines of a backend (RFC 5321, 4.2). Pure. */
#ifndef POSTERN_SMTP_REPLY_H
#define POSTERN_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 5321, 4.5.3.1.5 says 512; real servers send longer ones. */
#define SMTP_REPLY_LINE_SIZE_MAX 2048
/* A whole multi-line reply that we must hold: greeting, EHLO. */
#define SMTP_REPLY_SIZE_MAX 16384

enum smtp_reply_result {
	SMTP_REPLY_FOUND,
	SMTP_REPLY_NEED_MORE,
	SMTP_REPLY_TOO_LONG,  /* the line or the whole reply is beyond its limit
			       */
	SMTP_REPLY_MALFORMED, /* not `NNN[ -]text CRLF`, code not 2yz to 5yz, or
			       * the lines of one reply differ in their code */
};

struct smtp_reply {
	int code;	  /* 200 to 599 */
	bool last;	  /* of smtp_reply_line: no further line follows */
	const char *text; /* behind code and separator; borrowed */
	size_t text_len;
	size_t used; /* bytes of input, up to and with the CRLF */
};

/* The first line of `input`. */
enum smtp_reply_result smtp_reply_line(
    const uint8_t *input, size_t input_len, struct smtp_reply *line_out);

/* The first whole reply of `input`, however many lines it has: code and text of
 * its last line, `used` over all lines. NEED_MORE until the last line is
 * there; never more than SMTP_REPLY_SIZE_MAX bytes. */
enum smtp_reply_result smtp_reply_find(
    const uint8_t *input, size_t input_len, struct smtp_reply *reply_out);

#endif
