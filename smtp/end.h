/* SPDX-License-Identifier: Apache-2.0 */
/* Why the SMTP machines end a session. */
#ifndef POSTERN_SMTP_END_H
#define POSTERN_SMTP_END_H

enum smtp_end {
#define END(symbol, text) SMTP_END_##symbol,
#include "smtp/end.def"
#undef END
	SMTP_END_COUNT
};

/* "the client said QUIT" */
const char *smtp_end_text(enum smtp_end end);

#endif
