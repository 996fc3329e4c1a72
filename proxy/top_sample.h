/* SPDX-License-Identifier: Apache-2.0 */
/* What `postern top` reads out of the shared state at one moment: totals, which
 * become rates when two moments are compared, and the sessions that are open.
 */
#ifndef POSTERN_PROXY_TOP_SAMPLE_H
#define POSTERN_PROXY_TOP_SAMPLE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/state.h"

/* Groups that are told apart; what comes after them counts as the last one. */
#define TOP_GROUPS_MAX 32

enum top_counter {
	TOP_ACCEPTED,
	TOP_REFUSED,
	TOP_MESSAGES,
	TOP_OCTETS_IN,
	TOP_OCTETS_OUT,
	TOP_HANDSHAKES,
	TOP_HANDSHAKES_FAILED,
	TOP_RESUMED,
	TOP_FORWARD_SECRET,
	TOP_POST_QUANTUM,
	TOP_EDH_CPU_US,
	TOP_CPU_US,
	TOP_COUNTER_COUNT
};

/* The buckets of a histogram, without its sum. */
struct top_histogram {
	uint64_t counts[METRIC_BOUNDS_MAX + 1];
};

struct top_group {
	char name[24];
	uint64_t handshakes;
};

struct top_backend {
	char name[STATE_NAME_SIZE];
	bool is_known; /* a health check has ended */
	bool is_up;
	uint64_t sessions, connects, failures;
	struct top_histogram replies;
};

/* Of all processes together. */
struct top_totals {
	int64_t at_us; /* monotonic */
	uint64_t counters[TOP_COUNTER_COUNT];
	struct top_histogram handshakes;
	struct top_group groups[TOP_GROUPS_MAX];
	size_t group_count;
	struct top_backend backends[STATE_BACKENDS_MAX];
	size_t backend_count;
};

struct top_session {
	struct in6_addr address; /* of IPv4 the mapped one */
	bool is_unix;
	int64_t begun_s;
	uint64_t octets;
	uint32_t commands, messages;
	bool in_tls, forward_secret;
	uint8_t flow_state;
	char group[24];			/* "" where there is none */
	const char *listener, *backend; /* borrowed from the state; or "" */
};

struct top_sample {
	struct top_totals totals;
	int64_t now_s, started_s; /* since 1970 */
	pid_t master;
	unsigned generation, workers;
	uint64_t worker_restarts;
	uint64_t sessions_open;
	struct top_session *sessions;
	size_t session_count; /* not more than the live table shows */
	size_t session_size;
};

/* Reads on into a sample that was zeroed, or read into before. False without
 * memory. Sessions are good as long as the state is mapped. */
bool top_sample_read(struct top_sample *sample, const struct state *state);
void top_sample_finish(struct top_sample *sample);

#endif
