/* SPDX-License-Identifier: Apache-2.0 */
/* A flow and the pool of backends behind its listener: which one it gets, the
 * place that it takes there, the queue where there is none, and what its
 * success or failure says of the backend. */
#ifndef POSTERN_PROXY_FLOW_POOL_H
#define POSTERN_PROXY_FLOW_POOL_H

#include "proxy/flow.h"

/* False without memory. */
bool flow_pools_init(struct flow_pools *pools, const struct services *services);
void flow_pools_finish(struct flow_pools *pools);

/* The backend that the flow gets, with a place in it taken for the flow; or
 * BACKEND_CHOICE_NONE, or BACKEND_CHOICE_FULL. A probe gets the one that it
 * probes. */
int flow_pool_choose(struct flow *flow, struct flow_environment *env);

/* Into the queue, or still there. False: it has no room either. */
bool flow_pool_wait(struct flow *flow, struct flow_environment *env);
/* Out of it. */
void flow_pool_stop_waiting(struct flow *flow, struct flow_environment *env);
/* There is no place for this session: 421. */
void flow_pool_refuse(struct flow *flow, struct flow_environment *env);

/* What became of the session with the backend that was chosen. */
void flow_pool_opened(struct flow *flow, struct flow_environment *env);
void flow_pool_failed(
    struct flow *flow, struct flow_environment *env, enum backend_phase phase);
/* Neither: the session ended for a reason of its own. */
void flow_pool_abandoned(struct flow *flow, struct flow_environment *env);

/* Its socket is closed, and its place free. */
void flow_pool_leave(struct flow *flow, struct flow_environment *env);

#endif
