/* SPDX-License-Identifier: Apache-2.0 */
/* The XCLIENT command of a trusted proxy before us: what it says of its client.
 * Checks and words are Postfix's. Pure. */
#ifndef POSTERN_SMTP_XCLIENT_H
#define POSTERN_SMTP_XCLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/command.h"
#include "smtp/identity.h"

#define SMTP_XCLIENT_VALUE_SIZE 256

/* What the reply to EHLO says of it. */
#define SMTP_XCLIENT_OFFER                                               \
	"XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR " \
	"DESTPORT"

/* An address that was told: AF_INET, AF_INET6, or 0: [UNAVAILABLE]. */
struct smtp_xclient_address {
	int family;
	uint8_t bytes[16]; /* network order; IPv4: the first four */
};

/* Which attributes came stands in `given`, bit 1 << enum smtp_attribute. Texts
 * are "" for [UNAVAILABLE] and [TEMPUNAVAIL], and free of control characters
 * otherwise. */
struct smtp_xclient {
	uint32_t given;
	struct smtp_xclient_address address, server_address;
	uint16_t port, server_port; /* 0: [UNAVAILABLE] */
	bool name_failed;	    /* [TEMPUNAVAIL] */
	enum smtp_verb helo_verb;   /* of PROTO: EHLO or HELO */
	char name[SMTP_XCLIENT_VALUE_SIZE];
	char reverse_name[SMTP_XCLIENT_VALUE_SIZE];
	char helo[SMTP_XCLIENT_VALUE_SIZE];
	char login[SMTP_XCLIENT_VALUE_SIZE];
};

/* Reads the argument of the command. What is wrong is written to `error` (at
 * least 512 bytes) as a reply without CRLF; then it is false. */
bool smtp_xclient_parse(const char *argument, size_t argument_len,
    struct smtp_xclient *xclient_out, char *error, size_t error_size);

#endif
