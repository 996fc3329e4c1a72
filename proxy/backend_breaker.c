/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/backend_breaker.h"

bool breaker_admits(
    const struct breaker *breaker, int64_t now_ms, int64_t risen_ms)
{
	switch (breaker->state) {
	case BREAKER_CLOSED:
		return true;
	case BREAKER_OPEN:
		return now_ms - breaker->opened_ms >= breaker->open_for_ms ||
		       risen_ms > breaker->opened_ms;
	case BREAKER_TRIAL:
		return false;
	}
	return false;
}

bool breaker_enter(struct breaker *breaker)
{
	if (breaker->state != BREAKER_OPEN)
		return false;
	breaker->state = BREAKER_TRIAL;
	return true;
}

bool breaker_succeeded(struct breaker *breaker, bool is_trial, int64_t now_ms)
{
	if (is_trial) {
		*breaker = (struct breaker){.closed_ms = now_ms};
		return true;
	}
	/* A session of before the opening is no proof that it is over. */
	if (breaker->state == BREAKER_CLOSED)
		breaker->failures = 0;
	return false;
}

bool breaker_failed(struct breaker *breaker, bool is_trial,
    const struct breaker_rules *rules, int64_t now_ms)
{
	int64_t longest_ms = rules->time_ms * BREAKER_GROWTH_MAX;

	if (!is_trial && breaker->state != BREAKER_CLOSED)
		return false;
	breaker->failures++;
	if (rules->failures == 0 ||
	    (!is_trial && breaker->failures < rules->failures))
		return false;
	breaker->open_for_ms =
	    is_trial ? breaker->open_for_ms * 2 : rules->time_ms;
	if (breaker->open_for_ms > longest_ms)
		breaker->open_for_ms = longest_ms;
	breaker->opened_ms = now_ms;
	breaker->state = BREAKER_OPEN;
	return true;
}

/* Its time is up already: the next session is let through. */
void breaker_abandoned(struct breaker *breaker, bool is_trial)
{
	if (is_trial)
		breaker->state = BREAKER_OPEN;
}
