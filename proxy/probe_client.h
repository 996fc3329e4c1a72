/* SPDX-License-Identifier: Apache-2.0 */
/* What `postern probe` offers to a server in one TLS handshake. */
#ifndef POSTERN_PROXY_PROBE_CLIENT_H
#define POSTERN_PROXY_PROBE_CLIENT_H

#include <stdbool.h>

#include "proxy/probe_options.h"
#include "tls/client.h"

struct probe_offer {
	const char *protocols; /* as smtp_tls_protocols */
	const char *suites;    /* OpenSSL's list; of TLS 1.2 and older */
	const char *excluded;  /* from that */
	const char *suites_13; /* names; "": all */
	const char *groups;
	const char *signatures; /* algorithms; NULL: all */
	bool resumes;
	/* Only what the handshake comes to counts: nothing is verified, and
	 * what OpenSSL does not know is no fault of the user's. */
	bool is_trial;
};

/* What a mail server would offer, as far as the user does not say otherwise. */
struct probe_offer probe_offer_usual(const struct probe_options *options);

/* NULL: nothing is left to offer, or it is told on standard error. */
struct tls_client *probe_client_create(
    const struct probe_options *options, const struct probe_offer *offer);

#endif
