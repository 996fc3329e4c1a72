/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP for whoever looks on: metrics, health, sessions. Read only. It runs on
 * the caller's loop: a call of http_run does what can be done without waiting,
 * and descriptors tell when there is more. */
#ifndef POSTERN_PROXY_HTTP_H
#define POSTERN_PROXY_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "proxy/exposition.h"

struct http; /* opaque */

/* source must live as long; its time is set by the caller. The sockets listen,
 * and stay the caller's. NULL without memory or descriptors. */
struct http *http_create(
    struct exposition_source *source, const int *listening_fds, size_t count);

/* Accepts NULL inside; sets it to NULL. */
void http_destroy(struct http **http);

/* As many as sockets that listen: readable when there is something to do. */
size_t http_watched_count(const struct http *http);
int http_watched(const struct http *http, size_t index);

void http_run(struct http *http);

/* In how many ms there is something to do; -1: nothing. */
int64_t http_wait_ms(const struct http *http);

#endif
