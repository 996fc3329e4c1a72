/* SPDX-License-Identifier: Apache-2.0 */
/* One visit of `postern probe` to a server: to TLS and, where it comes to it,
 * to QUIT; and what was found. */
#ifndef POSTERN_PROXY_PROBE_VISIT_H
#define POSTERN_PROXY_PROBE_VISIT_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/probe_options.h"
#include "proxy/service.h"
#include "tls/client.h"
#include "tls/facts.h"
#include "tls/peer.h"
#include "tls/peer_certificate.h"

#define PROBE_WHY_SIZE	512
#define PROBE_LINE_SIZE 2048

enum probe_outcome {
	PROBE_TLS,		/* there is a session */
	PROBE_NOT_CONNECTED,	/* nobody there */
	PROBE_LOST,		/* it closed, was too slow, or spoke no SMTP */
	PROBE_TURNED_AWAY,	/* its greeting or its EHLO reply is 4xx or 5xx
				 */
	PROBE_NO_STARTTLS,	/* it does not offer it */
	PROBE_STARTTLS_REFUSED, /* it offers it, and answers 4xx or 5xx */
	PROBE_HANDSHAKE_FAILED,
};

/* "tls", "not_connected"; for programs. */
const char *probe_outcome_word(enum probe_outcome outcome);

struct probe_place {
	const struct probe_options *options;
	struct service_address address;
	char name[PROBE_HOST_SIZE + 80]; /* "mx.example[192.0.2.1]:25" */
	char helo[256];
};

struct probe_visit {
	enum probe_outcome outcome;
	/* Why there is no session, or what went wrong behind the handshake; or
	 * "". With bytes of the server's, as all texts here. */
	char why[PROBE_WHY_SIZE];
	size_t discarded_len; /* in clear, behind the reply to STARTTLS */
	/* HANDSHAKE_FAILED: the server broke off, and did not say that it is
	 * nothing of the offer that it accepts. */
	bool is_unclear;
	/* The rest is there with PROBE_TLS. */
	struct tls_facts facts; /* sni is "" */
	bool is_satisfied;	/* as the level asks for it */
	struct tls_peer peer;
	struct tls_peer_certificate certificate;
	/* As Postfix has them; "" when there is nothing to say. */
	char summary[PROBE_LINE_SIZE], peer_line[PROBE_LINE_SIZE];
	char verdict_line[PROBE_LINE_SIZE], match_line[PROBE_LINE_SIZE];
};

/* What is said goes to standard error where --loglevel asks for it. Large: not
 * for a stack. */
void probe_visit_run(const struct probe_place *place,
    const struct tls_client *client, struct probe_visit *visit_out);

/* To standard error; what a terminal would obey is a '?'. */
void probe_say(const char *mark, const char *text, size_t len);

#endif
