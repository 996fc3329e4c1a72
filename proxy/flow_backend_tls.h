/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of a flow with its backend: the client's part of the handshake, in turns
 * like the server's; what comes of it; and at the level may the second try in
 * clear (reference 2.4). */
#ifndef POSTERN_PROXY_FLOW_BACKEND_TLS_H
#define POSTERN_PROXY_FLOW_BACKEND_TLS_H

#include "proxy/flow.h"

/* The dialogue with the chosen backend begins anew, without TLS: what is asked
 * of it is settled now. */
void flow_backend_tls_reset(struct flow *flow, struct flow_environment *env);

/* STARTTLS, as the policy for the chosen backend has it. */
enum smtp_opening_tls flow_backend_tls_plan(const struct flow *flow);

/* The connection is there: with smtp_tls_wrappermode the handshake is due. */
void flow_backend_tls_connected(
    struct flow *flow, struct flow_environment *env);

/* The backend's 220 to STARTTLS was read; what it sent behind it in clear must
 * not be kept. */
void flow_backend_tls_begin(struct flow *flow, struct flow_environment *env);

/* In a handshake: keeps what came for the turn. */
void flow_backend_tls_keep(struct flow *flow, struct flow_environment *env,
    const uint8_t *data, size_t len);

/* Its turn to do asymmetric arithmetic. */
void flow_backend_tls_turn(struct flow *flow, struct flow_environment *env);

/* The handshake came to nothing: `why`, or NULL for what TLS says of it. */
void flow_backend_tls_failed(
    struct flow *flow, struct flow_environment *env, const char *why);

/* STARTTLS is a must, and was not offered (reply_code 0) or was refused. */
void flow_backend_tls_denied(struct flow *flow, struct flow_environment *env,
    const struct smtp_opening_step *step);

/* TLS is up with a backend that had to show who it is, and did. */
bool flow_backend_is_verified(const struct flow *flow);

#endif
