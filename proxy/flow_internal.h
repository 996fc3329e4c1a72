/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of flow share: flow.c (facts, wants, the end), flow_begin.c,
 * flow_upstream.c (who the client is), flow_client.c
 * (the client's side), flow_backend.c and flow_opening.c (the backend's). */
#ifndef POSTERN_PROXY_FLOW_INTERNAL_H
#define POSTERN_PROXY_FLOW_INTERNAL_H

#include "proxy/flow.h"

/* The only way from one state to another: forward. */
void flow_enter(struct flow *flow, enum flow_state state);

/* Whom a relay waits for: the backend to take or to answer, else the client. */
bool flow_waits_for_backend(const struct flow *flow);

/* Starts the present wait anew, with the limit that the state has. */
void flow_restart_limit(struct flow *flow);

/* After every fact: lets everything move that can, then looks whether the
 * session is over. */
void flow_settle(struct flow *flow, struct flow_environment *env);

/* Ends the session for this reason: what was written still leaves. */
void flow_end(
    struct flow *flow, struct flow_environment *env, enum close_reason reason);

/* Whether a reply of ours can be written now; if not, what came is kept until
 * it can. */
bool flow_can_reply(struct flow *flow, struct flow_environment *env);

/* Writes to the client, for whom there is room. */
void flow_reply(struct flow *flow, struct flow_environment *env,
    const void *text, size_t len);
void flow_reply_format(struct flow *flow, struct flow_environment *env,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* STARTTLS after the session already used a backend; `input_left` bytes came in
 * clear behind it. The 220 is written. */
void flow_restart_tls(
    struct flow *flow, struct flow_environment *env, size_t input_left);

/* Wire bytes, in clear or past the handshake: decrypts them behind what was
 * kept, obeys what it can, keeps the rest. */
void flow_take(struct flow *flow, struct flow_environment *env,
    const uint8_t *data, size_t len);

/* Ends the session with 421 for what is wrong with the client's certificate. */
void flow_refuse_certificate(struct flow *flow, struct flow_environment *env);

/* Begins a TLS handshake with the client. */
void flow_begin_handshake(struct flow *flow, struct flow_environment *env);

/* It came to nothing: the client went away, or took too long. */
void flow_handshake_lost(struct flow *flow, struct flow_environment *env);
void flow_handshake_timed_out(struct flow *flow, struct flow_environment *env);

/* Obeys as much of the client's plaintext as it can. Returns what it used, and
 * sets client_waits when it stopped for another reason than the end of what
 * there was. */
size_t flow_client_input(struct flow *flow, struct flow_environment *env,
    const uint8_t *input, size_t input_len);

/* The same on the backend's side, past its handshake. */
void flow_take_from_backend(struct flow *flow, struct flow_environment *env,
    const uint8_t *data, size_t len);

/* Likewise for the backend's plaintext. */
size_t flow_backend_input(struct flow *flow, struct flow_environment *env,
    const uint8_t *input, size_t input_len);

/* Chooses a backend that was not tried yet; without one the session is refused
 * (or the probe fails). */
void flow_open_backend(struct flow *flow, struct flow_environment *env);

/* Lets go of the backend's connection. */
void flow_drop_backend(struct flow *flow, struct flow_environment *env);

/* It could not be connected to. */
void flow_backend_unreachable(
    struct flow *flow, struct flow_environment *env, const char *why);

/* The client is known by its address, and served from now on. */
void flow_admit(struct flow *flow, struct flow_environment *env);

/* What hangs on the client's address is looked up (again). */
void flow_learn_client(struct flow *flow);

/* Something is to be said of a client before its name is known: it has none
 * then that could be found out. */
void flow_give_up_name(struct flow *flow, struct flow_environment *env);

/* Whether the next turn of the handshake must wait for the client's name, since
 * it may leave lines in the log. */
bool flow_handshake_awaits_name(const struct flow *flow);

/* The greeting, or what stands for it, when there is room for it. */
void flow_greet_if_due(struct flow *flow, struct flow_environment *env);

/* This backend cannot serve the session: the next one is tried as soon as its
 * connection is closed. */
void flow_try_next_backend(struct flow *flow, struct flow_environment *env,
    enum backend_phase phase, const char *why);

/* The dialogue with the chosen backend begins anew. */
void flow_opening_begin(struct flow *flow, struct flow_environment *env);

/* Writes the PROXY header if one is due. False: there is no buffer for it. */
bool flow_opening_write_header(struct flow *flow, struct flow_environment *env);

/* The backend's words in this dialogue. Returns the bytes used; *more_out: go
 * on. */
size_t flow_opening_input(struct flow *flow, struct flow_environment *env,
    const uint8_t *input, size_t input_len, bool *more_out);

/* TLS is up: goes on with what is said then. */
void flow_opening_secured(struct flow *flow, struct flow_environment *env);

/* What a health check found; NULL: the backend was not reached. */
void flow_publish_probe(struct flow *flow, struct flow_environment *env,
    const struct smtp_ehlo *ehlo);

/* Publishes that one came to nothing, and counts it. */
void flow_finish_probe(struct flow *flow, struct flow_environment *env);

/* The backend's stream ended or broke, or its answer did not come in time. */
void flow_backend_lost(
    struct flow *flow, struct flow_environment *env, bool is_late);

/* Hands what was written for builtin:sink to it, and its answer back. True when
 * anything moved. */
bool flow_pump_sink(struct flow *flow, struct flow_environment *env);

static inline bool flow_backend_is_sink(const struct flow *flow)
{
	return flow_backend(flow)->kind == BACKEND_SINK;
}

#endif
