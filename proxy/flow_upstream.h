/* SPDX-License-Identifier: Apache-2.0 */
/* What a trusted proxy before us tells a flow of its client: with a PROXY
 * header, or with XCLIENT. */
#ifndef POSTERN_PROXY_FLOW_UPSTREAM_H
#define POSTERN_PROXY_FLOW_UPSTREAM_H

#include "proxy/flow.h"
#include "smtp/xclient.h"

/* What is known of the client beyond its address, from a proxy before us or
 * from DNS; "" where nothing is. */
struct flow_claims {
	char name[SMTP_XCLIENT_VALUE_SIZE];
	char reverse_name[SMTP_XCLIENT_VALUE_SIZE];
	char login[SMTP_XCLIENT_VALUE_SIZE];
	bool name_failed;
};

/* In UPSTREAM: bytes of the header, and what stands behind it. */
void flow_upstream_received(struct flow *flow, struct flow_environment *env,
    const uint8_t *data, size_t len);

/* The header does not come, or is none: the end. `why` is for the log. */
void flow_upstream_failed(struct flow *flow, struct flow_environment *env,
    enum close_reason reason, const char *why);

/* What logs and headers call the client. */
const char *flow_client_name(const struct flow *flow);

/* DNS was asked. Without memory the client has no name. */
void flow_upstream_name(struct flow *flow, const struct client_name *name);

/* The gate believed an XCLIENT. */
void flow_upstream_xclient(struct flow *flow, struct flow_environment *env,
    const struct smtp_xclient *xclient);

#endif
