/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/session_log.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf/loglevel.h"
#include "proxy/flow_debug.h"
#include "proxy/flow_upstream.h"
#include "proxy/peer.h"
#include "proxy/session_record.h"
#include "tls/debug.h"
#include "tls/facts.h"
#include "tls/peer.h"
#include "tls/sni.h"

/* A name, an address and a port. */
#define PEER_SIZE 384

static unsigned port_of(const struct sockaddr_in6 *peer)
{
	/* The port stands at the same place for both families. */
	return ntohs(peer->sin6_port);
}

/* Postfix's X: name[address], and the port where the listener says so. */
static const char *peer_of(const struct flow *flow, char out[PEER_SIZE])
{
	char address[PEER_ADDRESS_SIZE];

	peer_address(&flow->peer, address, sizeof(address));
	if (peer_is_inet(&flow->peer) &&
	    flow->service->settings->smtpd_client_port_logging)
		snprintf(out, PEER_SIZE, "%s[%s]:%u", flow_client_name(flow),
		    address, port_of(&flow->peer));
	else
		snprintf(
		    out, PEER_SIZE, "%s[%s]", flow_client_name(flow), address);
	return out;
}

/* As Postfix escapes what a client sent: C's escapes, then octal. */
static void escape(const uint8_t *text, size_t len, char *out, size_t out_size)
{
	static const char plain[] = "\a\b\f\n\r\t\v\\";
	static const char letters[] = "abfnrtv\\";
	size_t at = 0;

	for (size_t i = 0; i < len && at + 5 < out_size; i++) {
		const char *found =
		    text[i] == '\0' ? NULL
				    : memchr(plain, text[i], sizeof(plain) - 1);

		if (found != NULL)
			at += (size_t)sprintf(
			    out + at, "\\%c", letters[found - plain]);
		else if (text[i] < ' ' || text[i] > '~')
			at += (size_t)sprintf(out + at, "\\%03o", text[i]);
		else
			out[at++] = (char)text[i];
	}
	out[at] = '\0';
}

void session_log_begin(const struct services *services, struct log *log)
{
	for (size_t i = 0; i < services->count; i++) {
		const struct service *service = &services->services[i];

		if (service->tls != NULL &&
		    (service->tls_log & LOGLEVEL_VERBOSE) != 0)
			log_line(log, LOG_LEVEL_INFO, service->log_name,
			    "initializing the server-side TLS engine");
	}
}

void session_log_connect(
    const struct flow *flow, const struct flow_environment *env)
{
	char peer[PEER_SIZE];

	log_line(env->log, LOG_LEVEL_INFO, flow->service->log_name,
	    "connect from %s", peer_of(flow, peer));
}

static void tell(void *argument, const char *line)
{
	const struct flow *flow = argument;

	log_line(flow->edh.env->log, LOG_LEVEL_INFO, flow->service->log_name,
	    "%s", line);
}

/* Of its listener, and what debug_peer_level adds for this client. */
static unsigned topics_of(const struct flow *flow)
{
	return flow->service->tls_log | flow_debug_topics(flow);
}

static unsigned debug_topics(unsigned topics)
{
	static const struct {
		unsigned asked, told;
	} rows[] = {
	    {LOGLEVEL_VERBOSE, TLS_DEBUG_VERBOSE},
	    {LOGLEVEL_CACHE, TLS_DEBUG_CACHE},
	    {LOGLEVEL_STATES, TLS_DEBUG_STATES},
	    {LOGLEVEL_HANDSHAKE_BYTES, TLS_DEBUG_HANDSHAKE_BYTES},
	    {LOGLEVEL_SESSION_BYTES, TLS_DEBUG_SESSION_BYTES},
	};
	unsigned told = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if ((topics & rows[i].asked) != 0)
			told |= rows[i].told;
	return told;
}

void session_log_tls_begins(
    struct flow *flow, const struct flow_environment *env)
{
	char peer[PEER_SIZE];
	struct tls_debug_options options = {
	    .topics = debug_topics(topics_of(flow)),
	    .peer = peer_of(flow, peer),
	    .number = (uint64_t)getpid() << 32 | flow->serial,
	    .tell = tell,
	    .argument = flow,
	};

	if ((topics_of(flow) & LOGLEVEL_VERBOSE) != 0)
		log_line(env->log, LOG_LEVEL_INFO, flow->service->log_name,
		    "setting up TLS connection from %s", peer);
	tls_debug_begin(flow->client.tls, &options);
}

/* Postfix tells of names that it cannot serve whatever the level. */
static void log_sni(const struct flow *flow, const struct flow_environment *env)
{
	char peer[PEER_SIZE];
	char line[512];
	enum tls_sni_note note = tls_sni_note(
	    flow->client.tls, peer_of(flow, peer), line, sizeof(line));

	if (note != TLS_SNI_NOTE_NONE)
		log_line(env->log,
		    note == TLS_SNI_NOTE_WARNING ? LOG_LEVEL_WARNING
						 : LOG_LEVEL_INFO,
		    flow->service->log_name, "%s", line);
}

/* That a certificate is not trusted matters where one is required, and is told
 * there whatever the level. */
static bool tells_verdict(const struct flow *flow)
{
	return (topics_of(flow) & LOGLEVEL_UNTRUSTED) != 0 ||
	       (flow->service->settings->smtpd_tls_req_ccert &&
		   flow->service->policy.tls_level == SMTP_TLS_ENCRYPT);
}

static void log_names(
    const struct flow *flow, const struct flow_environment *env)
{
	const char *name = flow->service->log_name;
	char subject[TLS_PEER_NAME_SIZE], issuer[TLS_PEER_NAME_SIZE];

	tls_peer_names(flow->client.tls, subject, issuer);
	log_line(env->log, LOG_LEVEL_INFO, name, "subject=%s", subject);
	log_line(env->log, LOG_LEVEL_INFO, name, "issuer=%s", issuer);
}

static void log_certificate(
    const struct flow *flow, const struct flow_environment *env)
{
	const char *name = flow->service->log_name;
	unsigned topics = topics_of(flow);
	struct tls_peer certificate;
	char peer[PEER_SIZE];
	char line[1024];

	tls_peer_read(flow->client.tls, &certificate);
	if (!certificate.is_present)
		return;
	peer_of(flow, peer);
	if ((topics & LOGLEVEL_VERBOSE) != 0)
		log_names(flow, env);
	if ((topics & (LOGLEVEL_VERBOSE | LOGLEVEL_PEERCERT)) != 0) {
		tls_peer_line(&certificate, peer, line, sizeof(line));
		log_line(env->log, LOG_LEVEL_INFO, name, "%s", line);
	}
	if (tells_verdict(flow) && tls_peer_verdict_line(flow->client.tls, peer,
				       line, sizeof(line)) > 0)
		log_line(env->log, LOG_LEVEL_INFO, name, "%s", line);
}

void session_log_tls(
    const struct flow *flow, const struct flow_environment *env)
{
	const char *name = flow->service->log_name;
	unsigned topics = topics_of(flow);
	struct tls_facts facts;
	char peer[PEER_SIZE];
	char line[512];

	log_sni(flow, env);
	tls_facts_read(flow->client.tls, &facts);
	peer_of(flow, peer);
	if (facts.resumed && (topics & LOGLEVEL_CACHE) != 0)
		log_line(env->log, LOG_LEVEL_INFO, name,
		    "%s: Reusing old session (RFC 5077 session ticket)", peer);
	log_certificate(flow, env);
	if ((topics & LOGLEVEL_SUMMARY) == 0)
		return;
	tls_facts_summary(&facts, "from", peer, line, sizeof(line));
	log_line(env->log, LOG_LEVEL_INFO, name, "%s", line);
}

void session_log_edh_refused(
    const struct flow *flow, const struct flow_environment *env)
{
	char peer[PEER_SIZE];

	log_line(env->log, LOG_LEVEL_WARNING, flow->service->log_name,
	    "EDH refused to %s, which offers nothing else with forward "
	    "secrecy: its budget is used up",
	    peer_of(flow, peer));
}

void session_log_abort(const struct flow *flow,
    const struct flow_environment *env, const char *why)
{
	char peer[PEER_SIZE];

	log_line(env->log, LOG_LEVEL_INFO, flow->service->log_name,
	    "NOQUEUE: abort: TLS from %s: %s", peer_of(flow, peer), why);
}

static void log_library_errors(
    const struct flow *flow, const struct flow_environment *env)
{
	const char *line = tls_session_library_errors(flow->client.tls);

	while (*line != '\0') {
		int len = (int)strcspn(line, "\n");

		log_line(env->log, LOG_LEVEL_WARNING, flow->service->log_name,
		    "TLS library problem: %.*s", len, line);
		line += len;
		if (*line == '\n')
			line++;
	}
}

void session_log_tls_failed(const struct flow *flow,
    const struct flow_environment *env, const char *why)
{
	char peer[PEER_SIZE];

	log_sni(flow, env);
	if (why == NULL && tls_session_fault(flow->client.tls) == TLS_FAULT_EOF)
		why = "lost connection";
	log_line(env->log, LOG_LEVEL_INFO, flow->service->log_name,
	    "SSL_accept error from %s: %s", peer_of(flow, peer),
	    why == NULL ? "-1" : why);
	if (why == NULL)
		log_library_errors(flow, env);
}

void session_log_improper(const struct flow *flow,
    const struct flow_environment *env, const uint8_t *tail, size_t tail_len)
{
	char peer[PEER_SIZE];
	char text[512];

	escape(tail, tail_len, text, sizeof(text));
	log_line(env->log, LOG_LEVEL_INFO, flow->service->log_name,
	    "improper command pipelining after %s from %s: %s",
	    smtp_client_last(&flow->smtp), peer_of(flow, peer), text);
}

void session_log_not_smtp(const struct flow *flow,
    const struct flow_environment *env, const char *line, size_t line_len)
{
	char peer[PEER_SIZE];
	char text[512];

	escape((const uint8_t *)line, line_len < 100 ? line_len : 100, text,
	    sizeof(text));
	log_line(env->log, LOG_LEVEL_WARNING, flow->service->log_name,
	    "non-SMTP command from %s: %s", peer_of(flow, peer), text);
}

void session_log_backend(const struct flow *flow,
    const struct flow_environment *env, const char *what)
{
	log_line(env->log, LOG_LEVEL_WARNING,
	    flow->is_probe ? NULL : flow->service->log_name, "backend %s: %s",
	    flow_backend(flow)->name, what);
}

void session_log_warning(const struct flow *flow,
    const struct flow_environment *env, const char *what)
{
	char peer[PEER_SIZE];

	log_line(env->log, LOG_LEVEL_WARNING, flow->service->log_name,
	    "session from %s: %s", peer_of(flow, peer), what);
}

/* "lost connection after DATA (11 bytes)": so much of the body had come. */
static void octets_of_body(const struct flow *flow, char *out, size_t out_size)
{
	out[0] = '\0';
	if (flow->had_relay && smtp_relay_in_body(&flow->relay))
		snprintf(out, out_size, " (%" PRIu64 " bytes)",
		    flow->relay.message_octets - flow->octets_answered);
}

static const char *prefix_of(const struct flow *flow)
{
	enum close_reason reason = flow->reason;

	/* A client that goes when its message was taken is no trouble. */
	if (reason == CLOSE_CLIENT_LOST && flow->smtp.after_message)
		return NULL;
	if (reason == CLOSE_CLIENT_LOST || reason == CLOSE_TLS_BROKEN ||
	    reason == CLOSE_HANDSHAKE_FAILED)
		return "lost connection";
	if (reason == CLOSE_TIMED_OUT)
		return "timeout";
	if (reason == CLOSE_CLIENT_ERRORS)
		return "too many errors";
	return NULL;
}

static void log_record(
    const struct flow *flow, const struct flow_environment *env)
{
	struct record record;
	char line[RECORD_LINE_SIZE];
	char fields[RECORD_FIELDS_SIZE] = "";

	session_record_fill(flow, env, &record);
	switch ((enum settings_log_format)
		    flow->service->settings->proxy_log_format) {
	case SETTINGS_LOG_TEXT:
		record_write_text(&record, line, sizeof(line));
		break;
	case SETTINGS_LOG_JSON:
		record_write_json(&record, line, sizeof(line));
		break;
	}
	if (log_takes_fields(env->log))
		record_write_fields(&record, fields, sizeof(fields));
	log_line_with_fields(env->log, flow->service->log_name, fields, line);
}

void session_log_end(
    const struct flow *flow, const struct flow_environment *env)
{
	const char *prefix = prefix_of(flow);
	const char *name = flow->service->log_name;
	char octets[64];
	char counts[512];
	char peer[PEER_SIZE];

	peer_of(flow, peer);
	octets_of_body(flow, octets, sizeof(octets));
	if (prefix != NULL)
		log_line(env->log, LOG_LEVEL_INFO, name,
		    "%s after %s%s from %s", prefix,
		    smtp_client_last(&flow->smtp), octets, peer);
	smtp_counts_format(&flow->smtp.counts, counts, sizeof(counts));
	log_line(env->log, LOG_LEVEL_INFO, name, "disconnect from %s %s", peer,
	    counts);
	log_record(flow, env);
}
