/* SPDX-License-Identifier: Apache-2.0 */
/* The words behind `postern probe` -> what is asked of which server. Pure, but
 * for names of ports. */
#ifndef POSTERN_PROXY_PROBE_OPTIONS_H
#define POSTERN_PROXY_PROBE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/client.h"

#define PROBE_HOST_SIZE	     256
#define PROBE_MATCHES_MAX    32
#define PROBE_TIMEOUT_S	     30
#define PROBE_TIMEOUT_S_MAX  3600
#define PROBE_LOGLEVEL_LINES 1 /* Postfix's lines about TLS */
#define PROBE_LOGLEVEL_TALK  2 /* and what is said in SMTP */

/* Texts are borrowed from the command line. */
struct probe_options {
	char host[PROBE_HOST_SIZE]; /* without brackets */
	uint16_t port;
	bool wrappermode;
	bool is_level_given;
	enum tls_client_level level;
	/* Names or fingerprints that the level asks for; with none it is the
	 * host. */
	const char *matches[PROBE_MATCHES_MAX];
	size_t match_count;
	const char *ca_file, *ca_path, *trust_anchor_file;
	const char *digest;
	const char *servername;		 /* "": none is sent */
	const char *helo;		 /* NULL: the name of this machine */
	const char *protocols, *ciphers; /* NULL: all that are of use */
	unsigned families;		 /* of ADDRESS_…; 0: any */
	long timeout_s;			 /* of each connection */
	long loglevel;
	bool all, json;
};

/* words ends with NULL. False with a line for the user in `why`: what is wrong
 * and what would be right. */
bool probe_options_parse(char *const *words, struct probe_options *options_out,
    char *why, size_t why_size);

#endif
