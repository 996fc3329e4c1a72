/* SPDX-License-Identifier: Apache-2.0 */
/* Who a client is, and how a server behind us is told: the commands XCLIENT and
 * XFORWARD. Only what the server offered to hear is said. Pure. */
#ifndef POSTERN_SMTP_IDENTITY_H
#define POSTERN_SMTP_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/command.h"

/* RFC 5321, 4.5.3.1.4 */
#define SMTP_IDENTITY_LINE_SIZE 512

/* ATTRIBUTE rows in smtp/attribute.def */
enum smtp_attribute {
#define ATTRIBUTE(symbol, word) SMTP_ATTRIBUTE_##symbol,
#include "smtp/attribute.def"
#undef ATTRIBUTE
	SMTP_ATTRIBUTE_COUNT
};

/* Texts are borrowed, and NULL where nothing is known. Addresses are numeric,
 * IPv6 without a prefix. */
struct smtp_identity {
	const char *address; /* NULL: a client of a Unix socket */
	uint16_t port;
	const char *server_address; /* that it connected to */
	uint16_t server_port;
	const char *name;	  /* confirmed; NULL: unknown */
	const char *reverse_name; /* as its address claims */
	bool name_failed;	  /* unknown for a reason that may pass */
	enum smtp_verb helo_verb; /* EHLO, HELO, or UNKNOWN: said neither */
	const char *helo;
	const char *login;   /* what a trusted proxy before us said of it */
	const char *session; /* our name for the session */
	const char *sni;     /* the name that it asked for in TLS */
	bool tls;
	uint32_t ttl;	    /* of proxies behind us, at the most; 0: not said */
	uint32_t timeout_s; /* that a reply may take; 0: not said */
	/* More facts, for whoever knows what they mean: "KEY=VALUE", with TAB
	 * between them, and without one inside. */
	const char *facts;
};

/* Whether it is letters, digits, "-" and "_" with a dot between labels. */
bool smtp_identity_is_host_name(const char *text);

/* The attributes in a list of words, as a bit set; unknown ones are passed
 * over. */
uint32_t smtp_attributes_read(const char *words, size_t words_len);

/* Writes "XCLIENT …" with as many of the attributes in *pending as fit one line
 * of 512 octets, and takes those out of it, as well as those of which nothing
 * is to be said. To be called again after each success, until it returns 0. A
 * value that no line could hold is left out, as is one for which Dovecot would
 * refuse the whole command: HELO and DESTNAME must be names or an address; NAME
 * and REVERSE_NAME never are: without them the server would keep our own name.
 */
size_t smtp_xclient_write(uint32_t *pending,
    const struct smtp_identity *identity, char *out, size_t out_size);

/* As smtp_xclient_write. */
size_t smtp_xforward_write(uint32_t *pending,
    const struct smtp_identity *identity, char *out, size_t out_size);

#endif
