/* SPDX-License-Identifier: Apache-2.0 */
/* The forward secrecy report, as text, JSON or one page of HTML that needs
 * nothing else. What stands in records is escaped as each form asks for. */
#ifndef POSTERN_PROXY_REPORT_PAGE_H
#define POSTERN_PROXY_REPORT_PAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "proxy/tally.h"

/* Clients that a table shows; JSON has all that are known. */
#define REPORT_PAGE_CLIENTS_MAX 20

struct report_page {
	struct tally tally; /* sorted */
	uint64_t records, broken, other_lines;
	uint64_t outside; /* records that --since and --until leave out */
};

void report_page_text(FILE *out, const struct report_page *page);
/* False without memory. */
bool report_page_json(FILE *out, const struct report_page *page);
void report_page_html(FILE *out, const struct report_page *page);

/* "12.3 %", "-" of nothing; as much as forward secrecy is never rounded to 100
 * nor what there is to 0. */
#define REPORT_SHARE_SIZE 16
void report_page_share(uint64_t part, uint64_t whole, char *out, size_t size);

/* "2026-11-23 15:04:05 UTC" */
#define REPORT_TIME_SIZE 64
void report_page_time(int64_t time_s, char *out, size_t size);

/* What stands behind the rows of a table that are shown. */
struct report_rest {
	struct tally_counts counts; /* no sessions: there is no rest */
	char name[64];		    /* "others (12)", "others (more than 12)" */
};

/* How many rows of a table are shown. */
size_t report_page_shown(const struct report_page *page, enum tally_table table,
    struct report_rest *rest_out);

#endif
