/* SPDX-License-Identifier: Apache-2.0 */
/* The argument of MAIL or RCPT -> the address in it, and its parameters
 * (RFC 5321, 4.1.2). It reads what another will judge: a path that is not quite
 * regular is not understood, never guessed at. Pure. */
#ifndef POSTERN_SMTP_PATH_H
#define POSTERN_SMTP_PATH_H

#include <stdbool.h>
#include <stddef.h>

struct smtp_path {
	const char *address;	/* without its angle brackets; borrowed */
	size_t address_len;	/* 0: the null path */
	const char *parameters; /* behind it: "SIZE=100 SMTPUTF8"; borrowed */
	size_t parameters_len;
};

/* Parses "FROM:<a@b> SIZE=100", with or without the brackets. An address is
 * made of atoms and quoted strings; bytes beyond ASCII may be in it (RFC 6531),
 * but no control characters, blanks and brackets only where they are quoted.
 * False when it is anything else, a source route among others. */
bool smtp_path_parse(
    const char *argument, size_t argument_len, struct smtp_path *path_out);

/* Whether a parameter without a value is there, in any case of letters. */
bool smtp_path_has(const struct smtp_path *path, const char *parameter);

#endif
