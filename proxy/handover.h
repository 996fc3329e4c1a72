/* SPDX-License-Identifier: Apache-2.0 */
/* How a backend is told who the client is: proxy_backend_handover of its
 * listener, or its own handover= in proxy_backend. */
#ifndef POSTERN_PROXY_HANDOVER_H
#define POSTERN_PROXY_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/report.h"
#include "conf/settings.h"

/* As of proxy_backend_proxy_header_limit: addresses of IPv6 always fit. */
#define HANDOVER_HEADER_LIMIT_MIN 52
#define HANDOVER_HEADER_LIMIT_MAX 2048

enum handover_way {
	HANDOVER_NONE, /* not at all: the operator wrote so */
	HANDOVER_XCLIENT,
	HANDOVER_PROXY1,
	HANDOVER_PROXY2,
	HANDOVER_MISSING, /* nothing was written that does it: no session */
};

struct handover {
	enum handover_way way;
	bool xforward;	     /* for the backend's log, besides */
	uint32_t tlvs;	     /* of proxy2: bit 1 << enum smtp_proxy_tlv */
	size_t header_limit; /* of proxy2, in bytes */
};

/* Where something of it is written, for messages. */
struct handover_source {
	const char *name; /* of what is set */
	const char *place;
	struct report *report; /* what is wrong is told here */
};

/* Reads the parameters of a listener. */
void handover_read(struct handover *handover, const struct settings *settings,
    struct report *report);

/* Reads one of them from its text. False: it was wrong. */
bool handover_read_way(struct handover *handover, const char *text,
    const struct handover_source *source);
bool handover_read_tlvs(struct handover *handover, const char *text,
    const struct handover_source *source);
bool handover_read_header_limit(struct handover *handover, const char *text,
    const struct handover_source *source);

/* Warns if it is of no use; text is what was written. */
void handover_check(const struct handover *handover, const char *text,
    const struct handover_source *source);

/* "none", "xclient", "proxy1", "proxy2" */
const char *handover_word(enum handover_way way);

#endif
