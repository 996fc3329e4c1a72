/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps what DNS says of the certificates of backends at the levels dane and
 * dane-only: asked at the start, and again when its time to live is over. In
 * the control process alone; it publishes to state->danes. */
#ifndef POSTERN_PROXY_DANE_WATCH_H
#define POSTERN_PROXY_DANE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/log.h"
#include "proxy/service.h"
#include "proxy/state.h"

struct dane_watch; /* opaque */

/* What is borrowed must outlive it. */
struct dane_watch_options {
	const struct services *services;
	struct state *state;
	struct log *log;
};

/* Before the sandbox. NULL when no backend needs it (then *why_out is NULL,
 * too), or with a static text. */
struct dane_watch *dane_watch_create(
    const struct dane_watch_options *options, const char **why_out);
void dane_watch_destroy(struct dane_watch **watch);

/* To be watched; when it is readable, dane_watch_run. */
int dane_watch_fd(const struct dane_watch *watch);
void dane_watch_run(struct dane_watch *watch, int64_t now_ms);
/* When to call it at the latest. */
int64_t dane_watch_next_ms(const struct dane_watch *watch);

/* Whether the first answer for that backend is still to come. */
bool dane_watch_is_waiting(const struct dane_watch *watch, int state_index);

#endif
