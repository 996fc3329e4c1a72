/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/backend_choice.h"

#include <assert.h>

/* What is searched: one kind of backends after the other. */
struct kind {
	bool up, reserve;
};

static bool is_of(
    const struct backend_candidate *candidate, const struct kind *kind)
{
	return candidate->usable && candidate->up == kind->up &&
	       candidate->reserve == kind->reserve;
}

/* Whether a session more would load `one` less than `other`, each for its
 * weight. */
static bool is_less_loaded(
    const struct backend_candidate *one, const struct backend_candidate *other)
{
	return (one->sessions + 1) * other->weight <
	       (other->sessions + 1) * one->weight;
}

/* The one with the least sessions for its weight; -1: all are full. */
static int least_loaded(const struct backend_candidate *candidates,
    size_t count, const struct kind *kind)
{
	int best = -1;

	for (size_t i = 0; i < count; i++) {
		if (!is_of(&candidates[i], kind) || candidates[i].full)
			continue;
		if (best == -1 ||
		    is_less_loaded(&candidates[i], &candidates[best]))
			best = (int)i;
	}
	return best;
}

/* Each earns its weight, and who has most pays for all: over a round each gets
 * its share, spread evenly. */
static int take_turn(const bool *takes_part,
    const struct backend_candidate *candidates, size_t count,
    struct backend_rota *rota)
{
	int64_t sum = 0;
	int best = -1;

	for (size_t i = 0; i < count; i++) {
		if (!takes_part[i])
			continue;
		rota->credit[i] += candidates[i].weight;
		sum += candidates[i].weight;
		if (best == -1 || rota->credit[i] > rota->credit[best])
			best = (int)i;
	}
	assert(best != -1);
	rota->credit[best] -= sum;
	return best;
}

static int choose_of(const struct backend_candidate *candidates, size_t count,
    enum settings_balance balance, const struct kind *kind,
    struct backend_rota *rota)
{
	bool takes_part[SERVICE_BACKENDS_MAX] = {false};
	int least = least_loaded(candidates, count, kind);

	if (least == -1)
		return BACKEND_CHOICE_FULL;
	for (size_t i = 0; i < count; i++)
		takes_part[i] =
		    is_of(&candidates[i], kind) && !candidates[i].full &&
		    (balance == SETTINGS_BALANCE_ROUND_ROBIN ||
			!is_less_loaded(&candidates[least], &candidates[i]));
	return take_turn(takes_part, candidates, count, rota);
}

uint32_t backend_share(int64_t risen_ms, int64_t now_ms, int64_t slow_start_ms)
{
	int64_t share;

	if (risen_ms == 0 || now_ms - risen_ms >= slow_start_ms)
		return BACKEND_SHARE_WHOLE;
	share = (now_ms - risen_ms) * BACKEND_SHARE_WHOLE / slow_start_ms;
	return share > BACKEND_SHARE_LEAST ? (uint32_t)share
					   : BACKEND_SHARE_LEAST;
}

int backend_choose(const struct backend_candidate *candidates, size_t count,
    enum settings_balance balance, struct backend_rota *rota)
{
	static const struct kind kinds[] = {
	    {.up = true, .reserve = false},
	    {.up = true, .reserve = true},
	    {.up = false, .reserve = false},
	    {.up = false, .reserve = true},
	};

	assert(count <= SERVICE_BACKENDS_MAX);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (size_t j = 0; j < count; j++)
			if (is_of(&candidates[j], &kinds[i]))
				return choose_of(candidates, count, balance,
				    &kinds[i], rota);
	return BACKEND_CHOICE_NONE;
}
