/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/close_reason.h"

#include <assert.h>

static const char *const names[] = {
#define CLOSE_REASON(symbol, text) #symbol,
#include "proxy/close_reason.def"
#undef CLOSE_REASON
};

static const char *const texts[] = {
#define CLOSE_REASON(symbol, text) text,
#include "proxy/close_reason.def"
#undef CLOSE_REASON
};

const char *close_reason_name(enum close_reason reason)
{
	assert(reason < CLOSE_REASON_COUNT);
	return names[reason];
}

const char *close_reason_text(enum close_reason reason)
{
	assert(reason < CLOSE_REASON_COUNT);
	return texts[reason];
}

enum close_reason close_reason_of_smtp(enum smtp_end end)
{
	static const enum close_reason reasons[] = {
	    [SMTP_END_NONE] = CLOSE_NONE,
	    [SMTP_END_CLIENT_QUIT] = CLOSE_CLIENT_QUIT,
	    [SMTP_END_CLIENT_ERRORS] = CLOSE_CLIENT_ERRORS,
	    [SMTP_END_CLIENT_NOT_SMTP] = CLOSE_CLIENT_NOT_SMTP,
	    [SMTP_END_CLIENT_BARE_LF] = CLOSE_CLIENT_BARE_LF,
	    [SMTP_END_CLIENT_PIPELINED] = CLOSE_CLIENT_PIPELINED,
	    [SMTP_END_CLIENT_BAD_BDAT] = CLOSE_CLIENT_BAD_BDAT,
	    [SMTP_END_BACKEND_CLOSING] = CLOSE_BACKEND_CLOSING,
	    [SMTP_END_BACKEND_LOST] = CLOSE_BACKEND_LOST,
	    [SMTP_END_BACKEND_MALFORMED] = CLOSE_BACKEND_MALFORMED,
	    [SMTP_END_BACKEND_UNEXPECTED] = CLOSE_BACKEND_UNEXPECTED,
	};

	_Static_assert(sizeof(reasons) / sizeof(reasons[0]) == SMTP_END_COUNT,
	    "every end of the SMTP machines has a reason");
	assert(end < SMTP_END_COUNT);
	return reasons[end];
}
