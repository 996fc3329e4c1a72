/* SPDX-License-Identifier: Apache-2.0 */
/* At which limit a connection was refused. */
#ifndef POSTERN_PROXY_LIMIT_H
#define POSTERN_PROXY_LIMIT_H

enum limit {
#define LIMIT(symbol, word, text) LIMIT_##symbol,
#include "proxy/limit.def"
#undef LIMIT
	LIMIT_COUNT
};

#endif
