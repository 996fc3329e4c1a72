/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/end.h"

#include <assert.h>

static const char *const texts[SMTP_END_COUNT] = {
#define END(symbol, text) text,
#include "smtp/end.def"
#undef END
};

const char *smtp_end_text(enum smtp_end end)
{
	assert(end < SMTP_END_COUNT);
	return texts[end];
}
