/* SPDX-License-Identifier: Apache-2.0 */
/* What is logged of TLS with a backend, in the words of Postfix's SMTP client
 * (reference 2.4, 2.6, 3.3), from "syslog_name/smtp". Health checks are silent
 * unless they fail anew. */
#ifndef POSTERN_PROXY_SESSION_LOG_BACKEND_H
#define POSTERN_PROXY_SESSION_LOG_BACKEND_H

#include "proxy/flow.h"
#include "tls/facts.h"

#define SESSION_LOG_BACKEND_PEER_SIZE 256

/* Postfix's NAME[ADDR]:PORT of the backend, with the address to which this
 * session goes; returns `out` or a text of the service's. */
const char *session_log_backend_peer(
    const struct flow *flow, char out[SESSION_LOG_BACKEND_PEER_SIZE]);

/* "setting up TLS connection to …", at level 2 */
void session_log_backend_tls_begins(
    const struct flow *flow, const struct flow_environment *env);

/* "Trusted TLS connection established to …", and before it what the level asks
 * for, or the policy, of the certificate. */
void session_log_backend_tls(const struct flow *flow,
    const struct flow_environment *env, const struct tls_facts *facts);

/* "SSL_connect error to …: why"; NULL: as OpenSSL says, and all that it left
 * behind. */
void session_log_backend_tls_failed(const struct flow *flow,
    const struct flow_environment *env, const char *why);

/* "Host offered STARTTLS: [host]", where that is wanted */
void session_log_starttls_offer(
    const struct flow *flow, const struct flow_environment *env);

#endif
