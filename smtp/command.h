/* SPDX-License-Identifier: Apache-2.0 */
/* A line -> verb and argument (RFC 5321, 4.1.1). Pure. */
#ifndef POSTERN_SMTP_COMMAND_H
#define POSTERN_SMTP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum smtp_verb {
#define VERB(symbol, word) SMTP_VERB_##symbol,
#include "smtp/verb.def"
#undef VERB
	SMTP_VERB_COUNT
};

struct smtp_command {
	enum smtp_verb verb;
	const char *word;     /* the verb as typed; borrowed from the line */
	size_t word_len;      /* 0: the line was empty or blank */
	const char *argument; /* behind the verb, blanks at both ends cut off */
	size_t argument_len;
};

/* Parses one line without its CRLF. Never fails: what it does not know is
 * SMTP_VERB_UNKNOWN. Verbs are recognised in any case (RFC 5321, 2.4). */
void smtp_command_parse(
    const char *text, size_t len, struct smtp_command *command_out);

/* The word of a verb in upper case, as the log names it: "MAIL", "UNKNOWN". */
const char *smtp_verb_name(enum smtp_verb verb);

/* Whoever sends it does not speak SMTP: the line of a mail header, a word that
 * does not begin with a letter (a TLS client hello, say), or one of
 * `forbidden`, a list of words. Never true of a verb that we know, nor of an
 * empty line. */
bool smtp_command_is_foreign(
    const struct smtp_command *command, const char *forbidden);

/* RFC 2920, 3.1: nothing may be sent behind it before its reply was seen. */
bool smtp_verb_ends_batch(enum smtp_verb verb);

/* It gets a session nowhere: too many of them are errors
 * (smtpd_junk_command_limit). */
bool smtp_verb_is_junk(enum smtp_verb verb);

/* Parses the argument of BDAT (RFC 3030, 2): decimal octets, then an optional
 * LAST. False when it is anything else or does not fit 63 bits. */
bool smtp_bdat_parse(const char *argument, size_t argument_len,
    uint64_t *size_out, bool *last_out);

#endif
