/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/edh_budget.h"

/* A client has used little when it is below this part of its budget. */
#define LITTLE_DIVISOR 4

/* The µs that a share is of ms of a worker's time. */
static uint64_t share_us(const struct edh_limits *limits, int64_t time_ms)
{
	return (uint64_t)time_ms * 1000 * limits->share_percent / 100;
}

static uint64_t spent_us(const struct edh_account *account,
    const struct edh_limits *limits, int64_t now_ms)
{
	uint64_t back_us;

	if (now_ms <= account->at_ms)
		return account->spent_us;
	back_us = share_us(limits, now_ms - account->at_ms);
	return back_us >= account->spent_us ? 0 : account->spent_us - back_us;
}

static bool is_unlimited(const struct edh_limits *limits)
{
	return limits->share_percent >= 100;
}

/* Whether the listener has time left, for this client. */
static bool has_time(const struct edh_question *question, uint32_t client_us)
{
	const struct edh_limits *limits = &question->limits;
	uint64_t whole_us = share_us(limits, EDH_LISTENER_WINDOW_MS);
	bool is_reserved_for = !question->has_choice &&
			       client_us < limits->client_us / LITTLE_DIVISOR;
	uint64_t limit_us = is_reserved_for ? whole_us : whole_us / 4 * 3;

	if (is_unlimited(limits))
		return true;
	return spent_us(question->account, limits, question->now_ms) < limit_us;
}

enum edh_verdict edh_budget_ask(const struct edh_question *question)
{
	const struct edh_limits *limits = &question->limits;
	uint32_t client_us = edh_clients_spent_us(question->clients,
	    question->client, limits->client_us, question->now_ms);
	bool may = client_us < limits->client_us;

	if (may && has_time(question, client_us))
		return EDH_ALLOWED;
	if (question->has_choice)
		return EDH_AVOIDED;
	/* With a share of nothing no waiting helps. */
	if (!may || limits->share_percent == 0 ||
	    question->waited_ms >= EDH_WAIT_MAX_MS)
		return EDH_REFUSED;
	return EDH_DELAYED;
}

void edh_account_charge(struct edh_account *account,
    const struct edh_limits *limits, uint32_t spent, int64_t now_ms)
{
	account->spent_us = spent_us(account, limits, now_ms) + spent;
	account->at_ms = now_ms;
}
