/* SPDX-License-Identifier: Apache-2.0 */
/* The levels dane and dane-only: what DNS says of the chosen backend's
 * certificate, as control has published it, decides on how it is spoken to
 * (reference 2.2). */
#ifndef POSTERN_PROXY_FLOW_BACKEND_DANE_H
#define POSTERN_PROXY_FLOW_BACKEND_DANE_H

#include "proxy/flow.h"

/* Sets the level, the client, and perhaps a fault, in flow->backend_tls. */
void flow_backend_dane_decide(struct flow *flow, struct flow_environment *env);

/* There is a fault: the backend gets nothing. */
void flow_backend_dane_refuse(struct flow *flow, struct flow_environment *env);

/* A session in which the records of now must match. NULL without any, or
 * without memory. */
struct tls_session *flow_backend_dane_session(
    const struct flow *flow, const struct flow_environment *env);

#endif
