/* SPDX-License-Identifier: Apache-2.0 */
/* What the gate may offer for a service: what all of its backends that were
 * ever reached can do, as their health checks saw it last. Recomputed only when
 * one of them changed. */
#ifndef POSTERN_PROXY_OFFER_H
#define POSTERN_PROXY_OFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/service.h"
#include "proxy/state.h"
#include "smtp/ehlo.h"

struct offer {
	bool reached;  /* one backend at least was reached once */
	uint64_t seen; /* sum of the backends' sequence numbers, plus one */
	struct smtp_ehlo ehlo;
};

struct offers {
	struct offer *of_service;
	size_t count;
	struct smtp_ehlo sink; /* what builtin:sink says of itself */
};

/* False without memory. */
bool offers_init(struct offers *offers, const struct services *services);
void offers_finish(struct offers *offers);

/* The offer for services->services[index]; borrowed until the next call. */
const struct offer *offers_get(struct offers *offers,
    const struct services *services, size_t index, const struct state *state);

/* Whether the health check last reached this backend; the sink always. */
bool offers_backend_up(
    const struct backend *backend, const struct state *state);

#endif
