/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/offer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/reply.h"
#include "smtp/sink.h"

/* The sink is asked as any backend is: there is no list of its own to go out of
 * date. */
static void ask_sink(struct smtp_ehlo *ehlo_out)
{
	static const char question[] = "EHLO localhost\r\n";
	struct smtp_sink sink;
	char answer[2 * SMTP_SINK_REPLY_SIZE_MAX];
	size_t answer_len = 0;

	smtp_sink_init(&sink, "localhost", answer, sizeof(answer));
	smtp_sink_step(&sink, "localhost", (const uint8_t *)question,
	    sizeof(question) - 1, answer, sizeof(answer), &answer_len);
	smtp_ehlo_parse((const uint8_t *)answer, answer_len, ehlo_out);
}

bool offers_init(struct offers *offers, const struct services *services)
{
	*offers = (struct offers){.count = services->count};
	offers->of_service =
	    calloc(services->count, sizeof(*offers->of_service));
	if (offers->of_service == NULL)
		return false;
	ask_sink(&offers->sink);
	return true;
}

void offers_finish(struct offers *offers)
{
	free(offers->of_service);
	*offers = (struct offers){0};
}

static uint64_t changes(
    const struct service *service, const struct state *state)
{
	uint64_t sum = 1;

	for (size_t i = 0; i < service->backend_count; i++) {
		const struct backend *backend = &service->backends[i];

		if (backend->kind == BACKEND_SOCKET)
			sum += atomic_load_explicit(
			    &state->backends[backend->state_index].sequence,
			    memory_order_acquire);
	}
	return sum;
}

static void add(struct offer *offer, const struct smtp_ehlo *ehlo)
{
	if (offer->reached)
		smtp_ehlo_intersect(&offer->ehlo, ehlo);
	else
		offer->ehlo = *ehlo;
	offer->reached = true;
}

static void recompute(struct offer *offer, const struct offers *offers,
    const struct service *service, const struct state *state)
{
	offer->reached = false;
	for (size_t i = 0; i < service->backend_count; i++) {
		const struct backend *backend = &service->backends[i];
		struct state_backend seen;

		if (backend->kind == BACKEND_SINK) {
			add(offer, &offers->sink);
			continue;
		}
		state_backend_read(
		    &state->backends[backend->state_index], &seen);
		if (seen.ever_reached)
			add(offer, &seen.ehlo);
	}
}

const struct offer *offers_get(struct offers *offers,
    const struct services *services, size_t index, const struct state *state)
{
	const struct service *service = &services->services[index];
	struct offer *offer = &offers->of_service[index];
	uint64_t seen;

	assert(index < offers->count);
	seen = changes(service, state);
	if (offer->seen != seen) {
		recompute(offer, offers, service, state);
		offer->seen = seen;
	}
	return offer;
}

bool offers_backend_up(const struct backend *backend, const struct state *state)
{
	struct state_backend seen;

	if (backend->kind == BACKEND_SINK)
		return true;
	state_backend_read(&state->backends[backend->state_index], &seen);
	return seen.up;
}
