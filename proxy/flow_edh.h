/* SPDX-License-Identifier: Apache-2.0 */
/* EDH in a flow's handshake: asks the budget whether the client may have it,
 * and accounts for what it costs (proxy/edh_budget.h). */
#ifndef POSTERN_PROXY_FLOW_EDH_H
#define POSTERN_PROXY_FLOW_EDH_H

#include "proxy/flow.h"

/* Before the handshake. */
void flow_edh_begin(struct flow *flow, struct flow_environment *env);

/* The handshake was told to wait. */
void flow_edh_wait(struct flow *flow);

/* The wait is over: the budget is to be asked again. False when there is none.
 */
bool flow_edh_wake(struct flow *flow);

/* A turn of the handshake took so long. */
void flow_edh_charge(
    struct flow *flow, struct flow_environment *env, int64_t spent_us);

/* Whether a handshake of this client was refused lately where it may also send
 * in clear: then it must not be driven there. */
bool flow_edh_was_refused(
    const struct flow *flow, const struct flow_environment *env);

#endif
