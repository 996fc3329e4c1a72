/* SPDX-License-Identifier: Apache-2.0 */
/* A flow tells its backend who the client is. */
#ifndef POSTERN_PROXY_FLOW_HANDOVER_H
#define POSTERN_PROXY_FLOW_HANDOVER_H

#include "proxy/flow.h"

/* Why a backend can never be told who this client is, and what to set; NULL: it
 * can, or need not. */
const char *flow_handover_fault(
    const struct flow *flow, const struct backend *backend);

/* No backend is left: tells of those that were passed over for such a fault. */
void flow_handover_log_faults(
    const struct flow *flow, const struct flow_environment *env);

/* Whether the present backend gets a PROXY header. */
bool flow_handover_has_header(const struct flow *flow);

/* Writes that header to the backend, which must have room for it. */
void flow_handover_write_header(
    struct flow *flow, struct flow_environment *env);

/* Answers SMTP_OPENING_IDENTIFY. */
void flow_handover_identify(struct flow *flow, struct smtp_opening_step *step);

/* Answers SMTP_RELAY_XFORWARD: writes it to the backend. */
void flow_handover_xforward(struct flow *flow, struct flow_environment *env);

/* What to set where a backend does not let us say it. */
extern const char flow_handover_remedy[];
/* … or takes no address of IPv6. */
extern const char flow_handover_remedy_of_ipv6[];

/* Whether there is one in what is said: the client's, or the one that it
 * connected to. */
bool flow_handover_is_ipv6(const struct flow *flow);

#endif
