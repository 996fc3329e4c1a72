/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts a byte stream into SMTP lines. Pure: no I/O, no clock, no allocation.
 * A line ends with CRLF and with nothing else (RFC 5321, 2.3.8): a bare LF is
 * never taken for an end, since two hops that disagree about it can be made
 * to disagree about where a message ends. */
#ifndef POSTERN_SMTP_LINE_H
#define POSTERN_SMTP_LINE_H

#include <stddef.h>
#include <stdint.h>

enum smtp_line_result {
	SMTP_LINE_FOUND,     /* line_out is filled in */
	SMTP_LINE_NEED_MORE, /* no end of line yet: come again with more bytes
			      */
	SMTP_LINE_TOO_LONG,  /* more than line_size_max bytes and no CRLF */
	SMTP_LINE_BARE_LF,   /* a LF without a CR before it; `used` is behind it
			      */
	SMTP_LINE_BAD_BYTE,  /* complete, but it holds a NUL or a bare CR */
};

struct smtp_line {
	const char *text; /* borrowed from the input, without the CRLF */
	size_t len;	  /* of text */
	size_t used;	  /* bytes of input up to and with the CRLF */
};

/* Finds the first line of `input`. line_size_max counts the text without the
 * CRLF. The line is filled in for FOUND and BAD_BYTE; for BARE_LF it holds the
 * bytes before the LF; for TOO_LONG the first line_size_max bytes, and `used`
 * is as many: smtp_line_skip drops the rest. */
enum smtp_line_result smtp_line_find(const uint8_t *input, size_t input_len,
    size_t line_size_max, struct smtp_line *line_out);

/* Drops the rest of a line that was too long: *used_out bytes of `input` are
 * done with. FOUND: the last of them are its CRLF; NEED_MORE: its end is not
 * there yet; BARE_LF: it ended with a LF alone. */
enum smtp_line_result smtp_line_skip(
    const uint8_t *input, size_t input_len, size_t *used_out);

#endif
