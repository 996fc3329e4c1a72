/* SPDX-License-Identifier: Apache-2.0 */
/* Which backend gets a session. Pure: what is known of each is handed in. */
#ifndef POSTERN_PROXY_BACKEND_CHOICE_H
#define POSTERN_PROXY_BACKEND_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/settings.h"
#include "proxy/service.h"

/* A whole share, in percent, and the least that a slow start leaves of it. */
#define BACKEND_SHARE_WHOLE 100
#define BACKEND_SHARE_LEAST 10

/* A backend as a session sees it that looks for one. */
struct backend_candidate {
	bool usable;	   /* not tried yet by this session, no breaker open */
	bool up;	   /* as the health check has it */
	bool reserve;	   /* for when no other is left */
	bool full;	   /* its limit is reached */
	uint32_t weight;   /* its own, times its share: never 0 */
	uint64_t sessions; /* that it has now */
};

/* Whose turn it is: smooth weighted round robin. Zeroed: nobody had one. */
struct backend_rota {
	int64_t credit[SERVICE_BACKENDS_MAX];
};

enum {
	BACKEND_CHOICE_NONE = -1, /* there is none to try */
	BACKEND_CHOICE_FULL = -2, /* all that would do are full */
};

/* The index of the candidate that gets the session. Those that are up go before
 * those that are not (the last health check may be old), and among either the
 * primary ones before those in reserve; full ones are waited for, and not
 * passed over in favour of a lesser kind. */
int backend_choose(const struct backend_candidate *candidates, size_t count,
    enum settings_balance balance, struct backend_rota *rota);

/* The share, in percent, of a backend that came back at risen_ms (0: it was
 * never away). */
uint32_t backend_share(int64_t risen_ms, int64_t now_ms, int64_t slow_start_ms);

#endif
