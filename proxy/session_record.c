/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/session_record.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#include "proxy/handover.h"
#include "proxy/peer.h"
#include "tls/facts.h"
#include "tls/hello.h"

static void set_address(struct record *record, enum record_field field,
    const struct sockaddr_in6 *peer)
{
	char address[PEER_ADDRESS_SIZE];
	char text[PEER_ADDRESS_SIZE + 16];

	peer_address(peer, address, sizeof(address));
	/* The port stands at the same place for both families. */
	snprintf(
	    text, sizeof(text), "[%s]:%u", address, ntohs(peer->sin6_port));
	record_set_text(record, field, text);
}

static void set_client(const struct flow *flow, struct record *record)
{
	set_address(record, RECORD_client, &flow->peer);
	if (flow->proxy.sin6_family != 0)
		set_address(record, RECORD_proxy_source, &flow->proxy);
	else
		record_set_text(record, RECORD_proxy_source, NULL);
}

static void set_algorithms(const struct tls_facts *facts, struct record *record)
{
	const char *exchange = facts->key_exchange.name;
	char word[64];

	record_set_word(record, RECORD_key_exchange,
	    exchange[0] == '\0' ? "unknown" : exchange);
	tls_facts_group_word(facts, word, sizeof(word));
	record_set_word(record, RECORD_group, word);
	tls_facts_signature_word(facts, word, sizeof(word));
	record_set_word(record, RECORD_signature, word);
}

static void set_facts(const struct flow *flow, struct record *record)
{
	struct tls_facts facts;

	tls_facts_read(flow->client.tls, &facts);
	record_set_word(record, RECORD_tls, facts.protocol);
	record_set_word(record, RECORD_cipher, facts.cipher);
	set_algorithms(&facts, record);
	record_set_flag(record, RECORD_resumed, facts.resumed);
	record_set_flag(record, RECORD_forward_secrecy, facts.forward_secret);
	record_set_word(record, RECORD_forward_secrecy_reason,
	    facts.forward_secrecy_reason);
	record_set_word(record, RECORD_trust, tls_trust_word(facts.trust));
}

static void set_no_secrecy(struct record *record, const char *why)
{
	record_set_flag(record, RECORD_forward_secrecy, false);
	record_set_word(record, RECORD_forward_secrecy_reason, why);
}

/* What is known of the client also when the handshake came to nothing. */
static void set_hello(const struct flow *flow, struct record *record)
{
	const struct tls_session *tls = flow->client.tls;
	const struct tls_client_offer *offer = tls_session_client_offer(tls);
	const char *name = tls_session_asked_name(tls);

	if (tls_session_fault(tls) != TLS_FAULT_NONE)
		record_set_word(record, RECORD_tls_fault,
		    tls_fault_word(tls_session_fault(tls)));
	if (!offer->is_known)
		return;
	/* No label of a host name begins with a hyphen. */
	record_set_text(record, RECORD_sni, name == NULL ? "-invalid-" : name);
	record_set_word(record, RECORD_client_version, offer->version);
	record_set_flag(record, RECORD_client_eecdh, offer->eecdh);
	record_set_flag(record, RECORD_client_edh, offer->edh);
	record_set_flag(record, RECORD_client_rsa, offer->rsa);
	record_set_flag(record, RECORD_client_hybrid, offer->hybrid);
}

static void set_tls(const struct flow *flow, struct record *record)
{
	if (flow->client.tls == NULL) {
		set_no_secrecy(record, "no_tls");
		return;
	}
	set_hello(flow, record);
	if (flow->smtp.tls)
		set_facts(flow, record);
	else
		set_no_secrecy(record, "handshake_failed");
	if (flow->handshake_ms >= 0)
		record_set_number(
		    record, RECORD_handshake_ms, (uint64_t)flow->handshake_ms);
}

static void set_backend(const struct flow *flow, struct record *record)
{
	if (flow->had_relay)
		record_set_text(
		    record, RECORD_backend, flow_backend(flow)->name);
	record_set_word(record, RECORD_handover,
	    flow->handed_over ? handover_word(flow_backend(flow)->handover.way)
			      : NULL);
	record_set_word(record, RECORD_backend_tls,
	    flow->had_relay ? flow->backend_tls.protocol : NULL);
}

void session_record_fill(const struct flow *flow,
    const struct flow_environment *env, struct record *record)
{
	char session[32];

	record_init(record);
	snprintf(session, sizeof(session), "%x-%x", (unsigned)getpid(),
	    flow->serial);
	record_set_word(record, RECORD_session, session);
	record_set_time(record, RECORD_time, env->now_s);
	record_set_text(
	    record, RECORD_listener, flow->service->listener->service);
	set_client(flow, record);
	record_set_word(record, RECORD_reason, close_reason_name(flow->reason));
	set_tls(flow, record);
	set_backend(flow, record);
	record_set_number(
	    record, RECORD_commands, smtp_counts_total(&flow->smtp.counts));
	record_set_number(record, RECORD_messages, flow->messages);
	record_set_number(record, RECORD_in, flow->octets_in);
	record_set_number(record, RECORD_out, flow->octets_out);
	record_set_number(
	    record, RECORD_ms, (uint64_t)(env->now_ms - flow->begun_ms));
}
