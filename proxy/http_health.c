/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "proxy/http_internal.h"
#include "proxy/offer.h"

/* A worker of the generation in force that accepts. */
static bool has_worker(const struct state *state)
{
	uint32_t count = atomic_load(&state->block_count);
	uint32_t generation = atomic_load(&state->generation);

	for (uint32_t i = 0; i < count && i < STATE_BLOCKS_MAX; i++) {
		const struct state_block *block = &state->blocks[i];

		if (atomic_load(&block->role) == STATE_WORKER &&
		    atomic_load(&block->generation) == generation &&
		    atomic_load(&block->accepting) != 0)
			return true;
	}
	return false;
}

static bool has_backend(const struct exposition_source *source)
{
	for (size_t i = 0; i < source->services->count; i++) {
		const struct service *service = &source->services->services[i];

		for (size_t j = 0; j < service->backend_count; j++)
			if (offers_backend_up(
				&service->backends[j], source->state))
				return true;
	}
	return false;
}

bool http_is_ready(
    const struct exposition_source *source, char *why_out, size_t why_size)
{
	bool worker = has_worker(source->state);
	bool backend = has_backend(source);

	snprintf(why_out, why_size, "not ready: %s%s%s\n",
	    worker ? "" : "no worker accepts connections",
	    worker || backend ? "" : "; ", backend ? "" : "no backend is up");
	return worker && backend;
}
