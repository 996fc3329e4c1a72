/* SPDX-License-Identifier: Apache-2.0 */
/* Why a session ended. */
#ifndef POSTERN_PROXY_CLOSE_REASON_H
#define POSTERN_PROXY_CLOSE_REASON_H

#include "smtp/end.h"

enum close_reason {
#define CLOSE_REASON(symbol, text) CLOSE_##symbol,
#include "proxy/close_reason.def"
#undef CLOSE_REASON
	CLOSE_REASON_COUNT
};

/* "CLIENT_QUIT" */
const char *close_reason_name(enum close_reason reason);

/* "The client said QUIT" */
const char *close_reason_text(enum close_reason reason);

/* What the SMTP machines say, in the words of a session. */
enum close_reason close_reason_of_smtp(enum smtp_end end);

#endif
