/* SPDX-License-Identifier: Apache-2.0 */
/* What a flow counts, and what it lets be seen of itself. Nothing that a client
 * chooses becomes a label: no name, no address. */
#ifndef POSTERN_PROXY_FLOW_METRICS_H
#define POSTERN_PROXY_FLOW_METRICS_H

#include "proxy/flow.h"
#include "tls/facts.h"

/* The values of the labels LISTENER and BACKEND. */
size_t flow_listener_label(const struct flow *flow);
size_t flow_backend_label(const struct flow *flow);

/* For a family with the label LISTENER alone. */
void flow_count(const struct flow *flow, const struct flow_environment *env,
    enum metric metric, uint64_t amount);
/* Likewise BACKEND. */
void flow_count_backend(const struct flow *flow,
    const struct flow_environment *env, enum metric metric, uint64_t amount);
void flow_count_backend_failed(const struct flow *flow,
    const struct flow_environment *env, enum backend_phase phase);

/* It is ready for the session. */
void flow_count_backend_ready(
    const struct flow *flow, const struct flow_environment *env);

/* A handshake came to its end. */
void flow_count_handshake(struct flow *flow, const struct flow_environment *env,
    const struct tls_facts *facts);
void flow_count_handshake_failed(const struct flow *flow,
    const struct flow_environment *env, enum handshake_failure failure);

/* The same with the backend. */
void flow_count_backend_handshake(const struct flow *flow,
    const struct flow_environment *env, const struct tls_facts *facts);

/* What the dialogue noted of STARTTLS. */
void flow_count_tls_events(
    struct flow *flow, const struct flow_environment *env);

/* The backend was asked something; it answered. */
void flow_backend_asked(struct flow *flow, const struct flow_environment *env);
void flow_backend_answered(
    struct flow *flow, const struct flow_environment *env, enum metric metric);

/* The session is over. */
void flow_count_end(
    const struct flow *flow, const struct flow_environment *env);

/* "relay" */
const char *flow_state_word(enum flow_state state);

/* Whether an observer should look again: it was published in another state, or
 * before another message. */
bool flow_is_to_publish(const struct flow *flow);

/* Into an entry of env->block->sessions. */
void flow_publish(
    struct flow *flow, const struct flow_environment *env, uint32_t index);

#endif
