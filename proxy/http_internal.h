/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of http share: http.c (the server), http_health.c (whether
 * all is well) and http_sessions.c (the list of sessions). */
#ifndef POSTERN_PROXY_HTTP_INTERNAL_H
#define POSTERN_PROXY_HTTP_INTERNAL_H

#include <stdbool.h>

#include <microhttpd.h>

#include "proxy/http.h"

/* Whether sessions can be served; if not, why. */
bool http_is_ready(
    const struct exposition_source *source, char *why_out, size_t why_size);

/* The list of sessions in JSON, made while it is sent. NULL without memory. */
struct MHD_Response *http_sessions(const struct state *state);

#endif
