/* SPDX-License-Identifier: Apache-2.0 */
/* debug_peer_list: what a session says, for the log, while it goes on. Never a
 * message, and never a credential: of what a client sends only the commands and
 * arguments that cannot hold one are told. */
#ifndef POSTERN_PROXY_FLOW_DEBUG_H
#define POSTERN_PROXY_FLOW_DEBUG_H

#include "proxy/flow.h"

/* The client's address is known: looks whether it is in the list, and passes
 * the probe. */
void flow_debug_begin(struct flow *flow, const struct flow_environment *env);

/* The flow has entered its state. */
void flow_debug_entered(const struct flow *flow);

/* A command, or what was taken for one. `line` may have its end, and more. */
void flow_debug_command(struct flow *flow, const uint8_t *line, size_t len);

/* Around each step of the relay's half of the client: what it used. */
void flow_debug_before_relay(struct flow *flow);
void flow_debug_relayed(struct flow *flow, const uint8_t *input, size_t used);

/* Lines for the client. */
void flow_debug_reply(struct flow *flow, const void *text, size_t len);

/* What of its TLS is to be told: a set of enum loglevel_topic. */
unsigned flow_debug_topics(const struct flow *flow);

#endif
