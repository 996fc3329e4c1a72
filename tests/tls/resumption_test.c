/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets: who may resume what, and what is told of it. */
#include "tls/session.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tls/facts.h"
#include "tls/fixture.h"
#include "tls/handles.h"

TestSuite(resumption, .init = fixture_init, .fini = fixture_fini);

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
#define VERSION_COUNT (sizeof(versions) / sizeof(versions[0]))

static unsigned ticket_count;

static int count_ticket(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	(void)session;
	ticket_count++;
	return 0;
}

static SSL_CTX *client_ctx_of(int version)
{
	SSL_CTX *ctx = fixture_client_ctx(version, version);

	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(ctx, count_ticket);
	ticket_count = 0;
	return ctx;
}

/* A handshake that offers `session` (or NULL). Returns the client's session
 * afterwards; free it with SSL_SESSION_free. */
static SSL_SESSION *connect_with(struct tls_context *context,
    SSL_CTX *client_ctx, SSL_SESSION *session, struct tls_facts *facts_out)
{
	struct link link;
	SSL_SESSION *next;
	char byte;

	link_open(&link, context, client_ctx);
	if (session != NULL)
		cr_assert_eq(SSL_set_session(link.client, session), 1);
	cr_assert(link_handshake(&link), "%s",
	    tls_session_library_errors(link.server));
	/* The ticket of TLS 1.3 comes behind the handshake. */
	cr_assert_eq(SSL_read(link.client, &byte, 1), -1);
	tls_facts_read(link.server, facts_out);
	next = SSL_get1_session(link.client);
	SSL_shutdown(link.client);
	link_close(&link);
	return next;
}

static struct tls_context *context_of(const char *service, const char *key)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain(key));
	struct tls_context *context;

	options.service = service;
	context = tls_context_create(&options, &fixture_report);
	cr_assert_not_null(context, "%s", fixture_findings);
	return context;
}

/* Where listeners share ticket keys, only the session id context keeps their
 * sessions apart. */
static void share_ticket_keys(
    const struct tls_context *from, const struct tls_context *to)
{
	unsigned char keys[80];

	cr_assert_eq(SSL_CTX_get_tlsext_ticket_keys(
			 tls_context_handle(from), keys, sizeof(keys)),
	    1);
	cr_assert_eq(SSL_CTX_set_tlsext_ticket_keys(
			 tls_context_handle(to), keys, sizeof(keys)),
	    1);
}

Test(resumption, by_ticket)
{
	static const struct {
		const char *key;
		int version;
		const char *line;
		bool is_forward_secret;
		const char *reason;
	} rows[] = {
	    {"rsa", TLS1_3_VERSION,
		"Anonymous TLS connection established from unknown[127.0.0.1]: "
		"TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) "
		"key-exchange X25519 server-signature RSA-PSS (2048 bits)",
		true, "ecdhe"},
	    {"rsa", TLS1_2_VERSION,
		"Anonymous TLS connection established from unknown[127.0.0.1]: "
		"TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 "
		"bits)",
		false, "resumed_without_exchange"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context *context = context_of("a:25", rows[i].key);
		SSL_CTX *client_ctx = client_ctx_of(rows[i].version);
		struct tls_facts facts;
		SSL_SESSION *first =
		    connect_with(context, client_ctx, NULL, &facts);
		SSL_SESSION *second;
		char line[512];

		cr_expect_not(facts.resumed);
		cr_expect(facts.forward_secret);
		cr_expect_eq(ticket_count, 1);
		cr_expect_eq(SSL_SESSION_get_ticket_lifetime_hint(first), 3600);
		second = connect_with(context, client_ctx, first, &facts);
		cr_expect(facts.resumed);
		cr_expect_eq(facts.forward_secret, rows[i].is_forward_secret);
		cr_expect_str_eq(facts.forward_secrecy_reason, rows[i].reason);
		tls_facts_summary(
		    &facts, "from", "unknown[127.0.0.1]", line, sizeof(line));
		cr_expect_str_eq(line, rows[i].line);
		SSL_SESSION_free(first);
		SSL_SESSION_free(second);
		SSL_CTX_free(client_ctx);
		tls_context_destroy(&context);
	}
}

/* CVE-2025-23419 and its kind: a ticket of one listener or of one certificate
 * does not open another. It makes a whole handshake, and no failure. */
Test(resumption, not_across_listeners_or_certificates)
{
	static const struct {
		const char *service, *key;
		bool resumes;
	} others[] = {
	    {"a:25", "rsa", true},
	    {"a:587", "rsa", false},
	    {"a:2", "rsa", false},
	    {"a:25", "p256", false},
	};

	for (size_t v = 0; v < VERSION_COUNT; v++)
		for (size_t i = 0; i < sizeof(others) / sizeof(others[0]);
		     i++) {
			struct tls_context *first = context_of("a:25", "rsa");
			struct tls_context *other =
			    context_of(others[i].service, others[i].key);
			SSL_CTX *client_ctx = client_ctx_of(versions[v]);
			struct tls_facts facts;
			SSL_SESSION *session;
			SSL_SESSION *next;

			share_ticket_keys(first, other);
			session = connect_with(first, client_ctx, NULL, &facts);
			next = connect_with(other, client_ctx, session, &facts);
			cr_expect_eq(facts.resumed, others[i].resumes, "%s %s",
			    others[i].service, others[i].key);
			SSL_SESSION_free(session);
			SSL_SESSION_free(next);
			SSL_CTX_free(client_ctx);
			tls_context_destroy(&first);
			tls_context_destroy(&other);
		}
}

Test(resumption, none_without_a_lifetime)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("p256"));

	options.session_timeout_s = 0;
	for (size_t v = 0; v < VERSION_COUNT; v++) {
		struct tls_context *context =
		    tls_context_create(&options, &fixture_report);
		SSL_CTX *client_ctx = client_ctx_of(versions[v]);
		struct tls_facts facts;
		SSL_SESSION *first;
		SSL_SESSION *second;

		cr_assert_not_null(context);
		first = connect_with(context, client_ctx, NULL, &facts);
		cr_expect_not(SSL_SESSION_has_ticket(first));
		second = connect_with(context, client_ctx, first, &facts);
		cr_expect_not(facts.resumed);
		SSL_SESSION_free(first);
		SSL_SESSION_free(second);
		SSL_CTX_free(client_ctx);
		tls_context_destroy(&context);
	}
}
