/* SPDX-License-Identifier: Apache-2.0 */
/* The lines that a session leaves behind: Postfix's, byte for byte (fail2ban
 * and exporters live on them), and our own record at its end. */
#ifndef POSTERN_PROXY_SESSION_LOG_H
#define POSTERN_PROXY_SESSION_LOG_H

#include "proxy/flow.h"

/* A worker begins: "initializing the server-side TLS engine", for each listener
 * that asks for it. */
void session_log_begin(const struct services *services, struct log *log);
void session_log_connect(
    const struct flow *flow, const struct flow_environment *env);
/* "setting up TLS connection from …", and, while the session goes on, what else
 * the level asks for. */
void session_log_tls_begins(
    struct flow *flow, const struct flow_environment *env);
/* "EDH refused to …: its budget is used up" */
void session_log_edh_refused(
    const struct flow *flow, const struct flow_environment *env);
/* "NOQUEUE: abort: TLS from …: why" */
void session_log_abort(const struct flow *flow,
    const struct flow_environment *env, const char *why);
/* "Anonymous TLS connection established from …", and before it what the level
 * asks for of the client's name, its certificate and its ticket. */
void session_log_tls(
    const struct flow *flow, const struct flow_environment *env);
/* "SSL_accept error from …: why"; NULL: as OpenSSL says, and all that it left
 * behind. */
void session_log_tls_failed(const struct flow *flow,
    const struct flow_environment *env, const char *why);
/* "improper command pipelining after CMD from …: tail" */
void session_log_improper(const struct flow *flow,
    const struct flow_environment *env, const uint8_t *tail, size_t tail_len);
/* "warning: non-SMTP command from …: line" */
void session_log_not_smtp(const struct flow *flow,
    const struct flow_environment *env, const char *line, size_t line_len);
void session_log_backend(const struct flow *flow,
    const struct flow_environment *env, const char *what);

/* What the operator should see to, with the client's name in front. */
void session_log_warning(const struct flow *flow,
    const struct flow_environment *env, const char *what);
/* "lost connection after", "timeout after", "too many errors after", where the
 * reason is one of these; then "disconnect from …" and the session's record. */
void session_log_end(
    const struct flow *flow, const struct flow_environment *env);

#endif
