/* SPDX-License-Identifier: Apache-2.0 */
/* What `postern top` shows: rates between two samples, shares, latencies, the
 * busiest clients; as JSON, or as the lines of a screen of some size. No
 * terminal here. */
#ifndef POSTERN_PROXY_TOP_VIEW_H
#define POSTERN_PROXY_TOP_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "proxy/top_sample.h"

#define TOP_FILTER_SIZE	   64
#define TOP_COLUMNS_MAX	   200
#define TOP_LINES_MAX	   200
#define TOP_COLUMNS_NORMAL 80

enum top_sort {
	TOP_BY_SESSIONS,
	TOP_BY_OCTETS,
	TOP_BY_MESSAGES,
	TOP_BY_AGE, /* the oldest session first */
	TOP_SORT_COUNT
};

struct top_client {
	char address[INET6_ADDRSTRLEN]; /* "local": a Unix socket */
	uint64_t sessions, in_clear, not_secret;
	uint64_t octets, messages, commands;
	int64_t oldest_s;	      /* since 1970 */
	const char *listener, *state; /* of its oldest session */
};

struct top_group_rate {
	char name[24];
	double rate; /* handshakes in a second */
	uint64_t total;
};

struct top_view {
	const struct top_sample *now; /* borrowed */
	double elapsed_s;	      /* since the sample that was compared */
	double rates[TOP_COUNTER_COUNT];
	/* Of the handshakes meanwhile; without any, of all since the start.
	 * Negative: there never was one. */
	double forward_secrecy, post_quantum, resumed;
	double handshake_p50_s, handshake_p95_s; /* negative: none meanwhile */
	struct top_group_rate groups[TOP_GROUPS_MAX]; /* the most used first */
	size_t group_count;
	double reply_p50_s[STATE_BACKENDS_MAX], reply_p95_s[STATE_BACKENDS_MAX];
	double connect_rates[STATE_BACKENDS_MAX];
	struct top_client *clients; /* sorted */
	size_t client_count;
	size_t matched; /* sessions that the filter left */
	enum top_sort sort;
	char filter[TOP_FILTER_SIZE];
};

/* Compares `now` with what was before (or with nothing: NULL). filter: only
 * sessions in whose address, listener, backend, state or group it stands; "" is
 * all. False without memory. */
bool top_view_make(struct top_view *view, const struct top_sample *now,
    const struct top_totals *before, enum top_sort sort, const char *filter);
void top_view_finish(struct top_view *view);

/* "sessions", "bytes", "messages", "age"; TOP_SORT_COUNT: it is none. */
const char *top_sort_word(enum top_sort sort);
enum top_sort top_sort_find(const char *word);

bool top_view_json(FILE *out, const struct top_view *view);

struct top_page {
	size_t count;
	struct {
		bool is_heading;
		char text[TOP_COLUMNS_MAX + 1]; /* printable ASCII */
	} lines[TOP_LINES_MAX];
};

/* At most `rows` lines of at most `columns` each. */
void top_view_page(const struct top_view *view, size_t columns, size_t rows,
    struct top_page *page_out);

#endif
