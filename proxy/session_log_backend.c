/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/session_log_backend.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "conf/loglevel.h"
#include "tls/client.h"
#include "tls/peer.h"

#define PEER_SIZE SESSION_LOG_BACKEND_PEER_SIZE

static bool tells(const struct flow *flow, unsigned topics)
{
	return (flow->service->backend_tls_log & topics) != 0;
}

__attribute__((format(printf, 4, 5))) static void line(const struct flow *flow,
    const struct flow_environment *env, enum log_level level,
    const char *format, ...)
{
	char name[128], text[2048];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	snprintf(name, sizeof(name), "%s/smtp",
	    flow->service->settings->syslog_name);
	log_line(env->log, level, name, "%s", text);
}

void session_log_backend_tls_begins(
    const struct flow *flow, const struct flow_environment *env)
{
	char peer[PEER_SIZE];
	if (!flow->is_probe && tells(flow, LOGLEVEL_VERBOSE))
		line(flow, env, LOG_LEVEL_INFO,
		    "setting up TLS connection to %s",
		    session_log_backend_peer(flow, peer));
}

static void log_match(
    const struct flow *flow, const struct flow_environment *env)
{
	char peer[PEER_SIZE];
	const char *name = session_log_backend_peer(flow, peer);
	const struct tls_session *tls = flow->backend.tls;
	char text[1024];

	if (!tells(flow, LOGLEVEL_CERTMATCH | LOGLEVEL_VERBOSE))
		return;
	if (tls_client_name_line(tls, name, text, sizeof(text)) > 0)
		line(flow, env, LOG_LEVEL_INFO, "%s", text);
	if (tls_client_match_line(tls, name, text, sizeof(text)) > 0)
		line(flow, env, LOG_LEVEL_INFO, "%s", text);
}

/* That a certificate is not trusted matters where it must match, and is told
 * there at any level. */
static void log_certificate(
    const struct flow *flow, const struct flow_environment *env)
{
	char peer[PEER_SIZE];
	const struct tls_session *tls = flow->backend.tls;
	struct tls_peer certificate;
	char text[1024];

	tls_peer_read(tls, &certificate);
	if (!certificate.is_present)
		return;
	log_match(flow, env);
	if ((tells(flow, LOGLEVEL_UNTRUSTED) || flow->backend_tls.must_match) &&
	    tls_client_verdict_line(tls, session_log_backend_peer(flow, peer),
		text, sizeof(text)) > 0)
		line(flow, env, LOG_LEVEL_INFO, "%s", text);
	if (!tells(flow, LOGLEVEL_PEERCERT | LOGLEVEL_VERBOSE))
		return;
	tls_peer_line(&certificate, session_log_backend_peer(flow, peer), text,
	    sizeof(text));
	line(flow, env, LOG_LEVEL_INFO, "%s", text);
}

/* A health check that fails as the one before it did is no news. */
static bool is_silent(
    const struct flow *flow, const struct flow_environment *env)
{
	struct state_backend seen;

	if (!flow->is_probe)
		return false;
	state_backend_read(
	    &env->state->backends[flow_backend(flow)->state_index], &seen);
	return !seen.up && seen.probes > 0;
}

void session_log_backend_tls(const struct flow *flow,
    const struct flow_environment *env, const struct tls_facts *facts)
{
	char peer[PEER_SIZE];
	char text[512];

	if (is_silent(flow, env) ||
	    (flow->is_probe && tls_client_is_satisfied(flow->backend.tls)))
		return;
	if (facts->resumed && tells(flow, LOGLEVEL_CACHE | LOGLEVEL_VERBOSE))
		line(flow, env, LOG_LEVEL_INFO, "%s: Reusing old session",
		    session_log_backend_peer(flow, peer));
	log_certificate(flow, env);
	if (!tells(flow, LOGLEVEL_SUMMARY))
		return;
	tls_facts_summary(facts, "to", session_log_backend_peer(flow, peer),
	    text, sizeof(text));
	line(flow, env, LOG_LEVEL_INFO, "%s", text);
}

static void log_library_errors(
    const struct flow *flow, const struct flow_environment *env)
{
	const char *error = tls_session_library_errors(flow->backend.tls);

	while (*error != '\0') {
		int len = (int)strcspn(error, "\n");

		line(flow, env, LOG_LEVEL_WARNING, "TLS library problem: %.*s",
		    len, error);
		error += len;
		if (*error == '\n')
			error++;
	}
}

void session_log_backend_tls_failed(const struct flow *flow,
    const struct flow_environment *env, const char *why)
{
	char peer[PEER_SIZE];
	if (is_silent(flow, env))
		return;
	if (why == NULL &&
	    tls_session_fault(flow->backend.tls) == TLS_FAULT_EOF)
		why = "lost connection";
	line(flow, env, LOG_LEVEL_INFO, "SSL_connect error to %s: %s",
	    session_log_backend_peer(flow, peer), why == NULL ? "-1" : why);
	if (why == NULL)
		log_library_errors(flow, env);
}

void session_log_starttls_offer(
    const struct flow *flow, const struct flow_environment *env)
{
	const struct backend *backend = flow_backend(flow);

	if (!flow->is_probe && backend->tls.level == BACKEND_TLS_NONE &&
	    flow->service->settings->smtp_tls_note_starttls_offer)
		line(flow, env, LOG_LEVEL_INFO, "Host offered STARTTLS: [%s]",
		    backend->host);
}

const char *session_log_backend_peer(
    const struct flow *flow, char out[SESSION_LOG_BACKEND_PEER_SIZE])
{
	const struct sockaddr_in6 *v6 = &flow->backend_address;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)v6;
	char text[INET6_ADDRSTRLEN] = "";

	if (!flow_backend(flow)->is_looked_up)
		return flow_backend(flow)->tls.peer;
	inet_ntop(v6->sin6_family,
	    v6->sin6_family == AF_INET ? (const void *)&v4->sin_addr
				       : (const void *)&v6->sin6_addr,
	    text, sizeof(text));
	snprintf(out, SESSION_LOG_BACKEND_PEER_SIZE, "%s[%s]:%u",
	    flow_backend(flow)->host, text, ntohs(v6->sin6_port));
	return out;
}
