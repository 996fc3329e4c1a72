/* SPDX-License-Identifier: Apache-2.0 */
/* A circuit breaker: a backend at which session after session could not be
 * opened is left alone for a time that grows; then one session is let through,
 * and what becomes of it decides. Each worker has its own for each backend. No
 * clock: times are handed in. */
#ifndef POSTERN_PROXY_BACKEND_BREAKER_H
#define POSTERN_PROXY_BACKEND_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

/* It stays open so many times as long as the first time, at the most. */
#define BREAKER_GROWTH_MAX 60

enum breaker_state {
	BREAKER_CLOSED, /* sessions go through */
	BREAKER_OPEN,	/* none does, until its time is up */
	BREAKER_TRIAL,	/* one did, and is being opened */
};

/* Zeroed: closed, and nothing happened yet. */
struct breaker {
	enum breaker_state state;
	uint32_t failures; /* in a row */
	int64_t opened_ms;
	int64_t open_for_ms;
	int64_t closed_ms; /* for the last time; 0: it was never open */
};

struct breaker_rules {
	uint32_t failures; /* in a row open it; 0: nothing does */
	int64_t time_ms;   /* for which it is open first */
};

/* Whether a session may go through. risen_ms: when the health check found the
 * backend up again for the last time; later than the opening, that ends the
 * wait. */
bool breaker_admits(
    const struct breaker *breaker, int64_t now_ms, int64_t risen_ms);

/* A session that was admitted goes through. True: it is the trial, and must
 * come back with one of the calls that follow. */
bool breaker_enter(struct breaker *breaker) __attribute__((warn_unused_result));

/* The session was opened. True: that closed the breaker. */
bool breaker_succeeded(struct breaker *breaker, bool is_trial, int64_t now_ms);

/* It could not be opened. True: that opened the breaker, for the first time or
 * again. */
bool breaker_failed(struct breaker *breaker, bool is_trial,
    const struct breaker_rules *rules, int64_t now_ms);

/* It ended for another reason, and says nothing of the backend. */
void breaker_abandoned(struct breaker *breaker, bool is_trial);

#endif
