/* SPDX-License-Identifier: Apache-2.0 */
/* What a server accepts, found out by offering it everything, then everything
 * but what it chose, until it refuses: versions, suites, groups, primes,
 * certificates. Each answer costs a connection. */
#ifndef POSTERN_PROXY_PROBE_SURVEY_H
#define POSTERN_PROXY_PROBE_SURVEY_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/probe_strength.h"
#include "proxy/probe_visit.h"

#define PROBE_VERSIONS_COUNT   4
#define PROBE_SUITES_MAX       128
#define PROBE_GROUPS_MAX       32
#define PROBE_CERTIFICATES_MAX 8
#define PROBE_WORD_SIZE	       64

struct probe_suite {
	char name[PROBE_WORD_SIZE];
	int bits;
	bool is_forward_secret;
	char group[PROBE_WORD_SIZE]; /* "X25519", "DHE-2048", "none" */
	struct probe_strength strength;
};

struct probe_group {
	char name[PROBE_WORD_SIZE]; /* "X25519", "DHE-2048" */
	struct probe_strength strength;
};

struct probe_version {
	const char *word; /* "TLSv1.2"; static */
	bool is_accepted;
	struct probe_suite suites[PROBE_SUITES_MAX]; /* as it chose them */
	size_t suite_count;
	/* As it chose them. Only of TLS 1.3 and of the newest version below,
	 * of which those of the others are. */
	struct probe_group groups[PROBE_GROUPS_MAX];
	size_t group_count;
};

struct probe_certificate {
	struct tls_peer_certificate text;
	char fingerprint[TLS_PEER_FINGERPRINT_SIZE];
	char public_key_fingerprint[TLS_PEER_FINGERPRINT_SIZE];
};

struct probe_survey {
	struct probe_version versions[PROBE_VERSIONS_COUNT]; /* newest first */
	struct probe_certificate certificates[PROBE_CERTIFICATES_MAX];
	size_t certificate_count;
	unsigned visit_count;
	bool is_complete;
	char why[PROBE_WHY_SIZE]; /* it is not */
};

/* What resuming a session of one version came to. */
struct probe_resumption {
	const char *version; /* "TLSv1.2" */
	enum probe_outcome first, second;
	struct tls_client_memory memory; /* what the first one left */
	bool is_resumed;
	bool has_fresh_exchange; /* so that it is forward secret */
	char group[PROBE_WORD_SIZE];
};

/* Large: not for a stack. */
void probe_survey_run(
    const struct probe_place *place, struct probe_survey *survey_out);

/* With TLS 1.2 or with 1.3. */
void probe_resumption_run(const struct probe_place *place, bool with_13,
    struct probe_resumption *resumption_out);

#endif
