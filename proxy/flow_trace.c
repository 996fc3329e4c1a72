/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/flow_trace.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "proxy/flow_upstream.h"
#include "proxy/peer.h"
#include "smtp/received.h"
#include "tls/received.h"

/* Each of the comments' lines is folded, with two bytes more than it had. */
#define COMMENTS_LINES_MAX 8

_Static_assert(SMTP_RECEIVED_SIZE_MAX <= SMTP_RELAY_INSERT_LEN_MAX,
    "the relay takes whatever header there is");
_Static_assert(TLS_RECEIVED_SIZE + COMMENTS_LINES_MAX * 2 <=
		   SMTP_RECEIVED_COMMENTS_LEN_MAX,
    "no comment is cut off");

static void read_comments(const struct flow *flow, char *out, size_t out_size)
{
	const struct settings *settings = flow->service->settings;
	bool asked =
	    settings->smtpd_tls_ask_ccert || settings->smtpd_tls_req_ccert;
	struct tls_facts facts;
	struct tls_peer peer;

	out[0] = '\0';
	if (!flow->smtp.tls)
		return;
	tls_facts_read(flow->client.tls, &facts);
	tls_peer_read(flow->client.tls, &peer);
	tls_received_comments(&facts, &peer, asked, out, out_size);
}

/* A clock that is far out of range has no date. */
static void read_time(int64_t now_s, struct tm *out)
{
	time_t now = (time_t)now_s;

	if (localtime_r(&now, out) != NULL)
		return;
	now = 0;
	gmtime_r(&now, out);
}

static size_t write_header(const struct flow *flow,
    const struct flow_environment *env, char *out, size_t out_size)
{
	const struct smtp_trace *trace = &flow->relay.trace;
	char address[PEER_ADDRESS_SIZE];
	char comments[TLS_RECEIVED_SIZE];
	char id[64];
	struct tm time;
	struct smtp_received received = {
	    .helo = flow->smtp.helo,
	    .peer_name = flow_client_name(flow),
	    .peer_address = address,
	    .comments = comments,
	    .hostname = flow->service->policy.hostname,
	    .mail_name = flow->service->settings->mail_name,
	    .id = id,
	    .recipient = smtp_trace_recipient(trace),
	    .time = &time,
	    .extended = flow->smtp.helo_verb == SMTP_VERB_EHLO,
	    .tls = flow->smtp.tls,
	    .authenticated = trace->authenticated,
	    .utf8 = trace->utf8,
	};

	peer_address(&flow->peer, address, sizeof(address));
	read_comments(flow, comments, sizeof(comments));
	read_time(env->now_s, &time);
	/* The session's name in its record, and the number of its transaction:
	 * one leads to the other. */
	snprintf(id, sizeof(id), "%x-%x.%u", (unsigned)getpid(), flow->serial,
	    flow->smtp.transactions);
	return smtp_received_write(&received, out, out_size);
}

void flow_trace_insert(struct flow *flow, struct flow_environment *env)
{
	char header[SMTP_RECEIVED_SIZE_MAX];
	char command[SMTP_RELAY_BDAT_SIZE_MAX];
	size_t header_len = write_header(flow, env, header, sizeof(header));
	size_t command_len = smtp_relay_insert(
	    &flow->relay, header_len, command, sizeof(command));

	leg_write(&flow->backend, &env->buffers, command, command_len);
	leg_write(&flow->backend, &env->buffers, header, header_len);
}
