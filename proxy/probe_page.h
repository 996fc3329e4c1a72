/* SPDX-License-Identifier: Apache-2.0 */
/* What `postern probe` found, as text or JSON. What the server chose is shown
 * without anything that a terminal would obey. */
#ifndef POSTERN_PROXY_PROBE_PAGE_H
#define POSTERN_PROXY_PROBE_PAGE_H

#include <stdbool.h>
#include <stdio.h>

#include "proxy/probe_strength.h"
#include "proxy/probe_survey.h"
#include "proxy/probe_visit.h"

/* Exit statuses. They are an interface: see postern(8). */
enum probe_status {
	PROBE_STATUS_GOOD = 0,	 /* forward secret, and verified as asked */
	PROBE_STATUS_BROKEN = 1, /* nothing could be asked */
	PROBE_STATUS_NO_TLS = 2, /* not offered, or refused */
	PROBE_STATUS_NO_HANDSHAKE = 3,
	PROBE_STATUS_NOT_SECRET = 4,
	PROBE_STATUS_NOT_VERIFIED = 5,
	PROBE_STATUS_NO_SESSION = 6, /* of SMTP */
	PROBE_STATUS_INJECTED = 7,   /* bytes in clear behind STARTTLS */
};

#define PROBE_RESUMPTIONS_COUNT 2

struct probe_result {
	const struct probe_place *place;
	struct probe_visit visit;
	struct probe_strength strength;
	bool has_resumptions;
	struct probe_resumption resumptions[PROBE_RESUMPTIONS_COUNT];
	bool has_survey;
	struct probe_survey survey;
	int64_t now_s;
};

enum probe_status probe_result_status(const struct probe_result *result);

/* "forward secret, and the certificate is verified"; static */
const char *probe_status_text(
    enum probe_status status, const struct probe_result *result);

void probe_page_text(FILE *out, const struct probe_result *result);
/* False without memory. */
bool probe_page_json(FILE *out, const struct probe_result *result);

/* "2026-11-23T15:04:05Z" */
#define PROBE_TIME_SIZE 32
void probe_page_time(int64_t time_s, char out[PROBE_TIME_SIZE]);

/* "resumed", "not_resumed", "nothing_to_resume", "handshake_failed" */
const char *probe_resumption_word(const struct probe_resumption *resumption);

#endif
