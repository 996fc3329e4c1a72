/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a Received: header (RFC 5321, 4.4) in Postfix's form (reference 3.5).
 * Pure: the time is handed in. What a peer said cannot end the header or begin
 * another: each byte of a value that is not printable ASCII becomes '?', and a
 * line is only ever ended by CRLF with a TAB behind it, or at the very end. */
#ifndef POSTERN_SMTP_RECEIVED_H
#define POSTERN_SMTP_RECEIVED_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* A value is cut off behind so many bytes; all but `comments`. */
#define SMTP_RECEIVED_VALUE_LEN_MAX 255
/* So are comments, with what folds them. */
#define SMTP_RECEIVED_COMMENTS_LEN_MAX 1536
/* No header is longer. */
#define SMTP_RECEIVED_SIZE_MAX 4096

/* Borrowed and NUL-terminated, all of it. */
struct smtp_received {
	const char *helo;	  /* as the client said it; "": it did not */
	const char *peer_name;	  /* "unknown" */
	const char *peer_address; /* "192.0.2.1", "2001:db8::7" */
	/* Comments on TLS and the client's certificate, parentheses and all:
	 * lines, each ended by LF. "": there are none. */
	const char *comments;
	const char *hostname;  /* myhostname */
	const char *mail_name; /* "Postern" */
	const char *id;
	const char *recipient; /* NULL: none is named */
	const struct tm *time; /* with its zone, as localtime_r gives it */
	bool extended;	       /* EHLO was said, not HELO */
	bool tls;
	bool authenticated;
	bool utf8; /* the transaction has SMTPUTF8 (RFC 6531, 4.3) */
};

/* Writes the header, folded with CRLF and TAB, CRLF at its end. out_size must
 * be at least SMTP_RECEIVED_SIZE_MAX. Returns the length; there is no NUL. */
size_t smtp_received_write(
    const struct smtp_received *received, char *out, size_t out_size);

#endif
