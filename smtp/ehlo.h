/* SPDX-License-Identifier: Apache-2.0 */
/* What a server offers in its EHLO reply, and the reply that a client may see.
 * Only keywords that Postern knows how to carry are kept: one that it does not
 * know could change what bytes mean. Pure, and free of pointers, so that a set
 * can lie in memory shared between processes. */
#ifndef POSTERN_SMTP_EHLO_H
#define POSTERN_SMTP_EHLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMTP_EHLO_ARGUMENTS_SIZE 1024
/* The longest reply that smtp_ehlo_write makes. */
#define SMTP_EHLO_REPLY_SIZE_MAX 4096

/* KEYWORD rows in smtp/keyword.def, in the order of Postfix's reply. */
enum smtp_keyword {
#define KEYWORD(symbol, word, argument) SMTP_KEYWORD_##symbol,
#include "smtp/keyword.def"
#undef KEYWORD
	SMTP_KEYWORD_COUNT
};

/* An offered set. Zeroed: nothing is offered. */
struct smtp_ehlo {
	uint32_t keywords; /* bit 1 << enum smtp_keyword */
	/* Where each keyword's argument lies in arguments[]; len 0: none. */
	uint16_t argument_at[SMTP_KEYWORD_COUNT];
	uint16_t argument_len[SMTP_KEYWORD_COUNT];
	uint16_t arguments_len;
	char arguments[SMTP_EHLO_ARGUMENTS_SIZE];
	/* What it offers to us alone, and no client is ever shown. */
	bool starttls;
	uint32_t xclient, xforward; /* bit 1 << enum smtp_attribute */
};

/* How smtp_ehlo_write shows a set to a client. */
struct smtp_ehlo_view {
	const char *hostname; /* the first word of the reply: our myhostname */
	bool offer_starttls;
	bool hide_auth;	    /* in clear, where smtpd_tls_auth_only says so */
	uint32_t discarded; /* smtpd_discard_ehlo_keywords, as a bit set */
	bool offer_xclient; /* to a trusted proxy */
	/* Both legs are in TLS, and the backend has shown who it is: a promise
	 * that the message goes no other way can be kept (RFC 8689, 4). */
	bool keeps_requiretls;
};

static inline bool smtp_ehlo_has(
    const struct smtp_ehlo *ehlo, enum smtp_keyword keyword)
{
	return (ehlo->keywords >> keyword & 1) != 0;
}

/* Reads a complete EHLO reply (code 250, as smtp_reply_find delimits it). What
 * Postern does not carry is no keyword: unknown ones, STARTTLS (ours to
 * offer), XCLIENT and XFORWARD (ours to say), SCRAM-…-PLUS mechanisms (channel
 * binding cannot survive that TLS ends here), a keyword whose argument does not
 * fit. Never fails. */
void smtp_ehlo_parse(
    const uint8_t *reply, size_t reply_len, struct smtp_ehlo *ehlo_out);

/* Keeps in `ehlo` what `other` offers too: SIZE becomes the smaller one (0 and
 * none mean no limit), AUTH the mechanisms of both, any other argument must be
 * the same or the keyword goes. */
void smtp_ehlo_intersect(struct smtp_ehlo *ehlo, const struct smtp_ehlo *other);

/* The first keyword of `offered` that `ehlo` lacks, or offers less of (a
 * smaller SIZE, fewer AUTH mechanisms); SMTP_KEYWORD_COUNT when all is there.
 * `view` is what was shown of `offered`: what was not shown is not missed. */
enum smtp_keyword smtp_ehlo_missing(const struct smtp_ehlo *ehlo,
    const struct smtp_ehlo *offered, const struct smtp_ehlo_view *view);

/* The keywords of `ehlo` that smtp_ehlo_write shows, but for STARTTLS. */
uint32_t smtp_ehlo_shown(
    const struct smtp_ehlo *ehlo, const struct smtp_ehlo_view *view);

/* The limit that SIZE names; 0: none. */
uint64_t smtp_ehlo_size(const struct smtp_ehlo *ehlo);

/* Writes the multi-line 250 reply, CRLF included. out_size must be at least
 * SMTP_EHLO_REPLY_SIZE_MAX. Returns the length. */
size_t smtp_ehlo_write(const struct smtp_ehlo *ehlo,
    const struct smtp_ehlo_view *view, char *out, size_t out_size);

/* "CHUNKING" */
const char *smtp_keyword_name(enum smtp_keyword keyword);

/* The keyword of that name in any case; SMTP_KEYWORD_COUNT when unknown. */
enum smtp_keyword smtp_keyword_find(const char *name, size_t name_len);

#endif
