/* SPDX-License-Identifier: Apache-2.0 */
/* proxy_backend_handover: how the backends of a listener are told who the
 * client is. */
#ifndef POSTERN_PROXY_HANDOVER_H
#define POSTERN_PROXY_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/report.h"
#include "conf/settings.h"

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

/* Reads the parameters of a listener; what is wrong is told in report. */
void handover_read(struct handover *handover, const struct settings *settings,
    struct report *report);

/* "none", "xclient", "proxy1", "proxy2" */
const char *handover_word(enum handover_way way);

#endif
