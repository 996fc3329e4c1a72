/* SPDX-License-Identifier: Apache-2.0 */
/* The Received: header that a flow puts at the head of a message, made of what
 * is known of the session (smtpd_tls_received_header). */
#ifndef POSTERN_PROXY_FLOW_TRACE_H
#define POSTERN_PROXY_FLOW_TRACE_H

#include "proxy/flow.h"

/* The relay asked for it (SMTP_RELAY_TRACE): writes it to the backend, for whom
 * there is room, behind the BDAT that it may have held back. */
void flow_trace_insert(struct flow *flow, struct flow_environment *env);

#endif
