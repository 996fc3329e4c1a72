/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets under shared keys: what is on the wire, who may resume what, and
 * until when. T is an hour of the test's own clock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>

#include "tls/context.h"
#include "tls/facts.h"
#include "tls/fixture.h"
#include "tls/handles.h"
#include "tls/pki.h"
#include "tls/session.h"
#include "tls/ticket_keys.h"

#define T     3600
#define START 1000000

static struct tls_ticket_keys *keys; /* as the master shares them */
static int64_t clock_s;

static int64_t now(void)
{
	return clock_s;
}

static void set_up(void)
{
	fixture_init();
	keys = mmap(NULL, sizeof(*keys), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(keys, MAP_FAILED);
	clock_s = START;
	cr_assert(tls_ticket_keys_configure(keys, T, NULL, START));
}

static void tear_down(void)
{
	munmap(keys, sizeof(*keys));
	fixture_fini();
}

TestSuite(tickets, .init = set_up, .fini = tear_down);

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
#define VERSION_COUNT (sizeof(versions) / sizeof(versions[0]))

static struct tls_context_options shared_options(void)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("p256"));

	options.tickets = (struct tls_ticket_options){.keys = keys, .now = now};
	return options;
}

static struct tls_context *create(const struct tls_context_options *options)
{
	struct tls_context *context =
	    tls_context_create(options, &fixture_report);

	cr_assert_not_null(context, "%s", fixture_findings);
	return context;
}

/* Messages NewSessionTicket that the client saw. */
static unsigned ticket_count;

static void count_tickets(int is_written, int version, int type,
    const void *bytes, size_t len, SSL *ssl, void *argument)
{
	(void)version;
	(void)ssl;
	(void)argument;
	if (!is_written && type == SSL3_RT_HANDSHAKE && len > 0 &&
	    *(const uint8_t *)bytes == SSL3_MT_NEWSESSION_TICKET)
		ticket_count++;
}

static SSL_CTX *client_ctx_of(int version)
{
	SSL_CTX *ctx = fixture_client_ctx(version, version);

	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_set_msg_callback(ctx, count_tickets);
	return ctx;
}

/* A handshake that offers `session` (or NULL) and asks for `name` (or NULL).
 * Returns the client's session; free it. */
static SSL_SESSION *connect_with(struct tls_context *context,
    SSL_CTX *client_ctx, SSL_SESSION *session, const char *name,
    struct tls_facts *facts_out)
{
	struct link link;
	SSL_SESSION *next;
	char byte;

	ticket_count = 0;
	link_open(&link, context, client_ctx);
	if (session != NULL)
		cr_assert_eq(SSL_set_session(link.client, session), 1);
	SSL_set_tlsext_host_name(link.client, name);
	cr_assert(link_handshake(&link), "%s",
	    tls_session_library_errors(link.server));
	cr_assert_eq(SSL_read(link.client, &byte, 1), -1);
	tls_facts_read(link.server, facts_out);
	next = SSL_get1_session(link.client);
	SSL_shutdown(link.client);
	link_close(&link);
	ERR_clear_error();
	return next;
}

/* Whether a ticket of `from` is good at `to`, `after_s` later. */
static bool resumes(struct tls_context *from, struct tls_context *to,
    int version, int64_t after_s)
{
	SSL_CTX *client_ctx = client_ctx_of(version);
	struct tls_facts facts;
	SSL_SESSION *first = connect_with(from, client_ctx, NULL, NULL, &facts);
	SSL_SESSION *second;

	cr_expect_not(facts.resumed);
	cr_expect_eq(ticket_count, 1);
	clock_s += after_s;
	second = connect_with(to, client_ctx, first, NULL, &facts);
	clock_s -= after_s;
	SSL_SESSION_free(first);
	SSL_SESSION_free(second);
	SSL_CTX_free(client_ctx);
	return facts.resumed;
}

Test(tickets, are_good_in_each_context_with_the_keys)
{
	struct tls_context_options options = shared_options();
	struct tls_context *first = create(&options);
	struct tls_context *second = create(&options);

	for (size_t v = 0; v < VERSION_COUNT; v++)
		cr_expect(resumes(first, second, versions[v], 1));
	tls_context_destroy(&first);
	tls_context_destroy(&second);
}

/* Another process takes the first handshake, and hands the client's session
 * over. */
Test(tickets, are_good_in_each_process)
{
	struct tls_context_options options = shared_options();
	struct tls_context *context = create(&options);

	for (size_t v = 0; v < VERSION_COUNT; v++) {
		SSL_CTX *client_ctx = client_ctx_of(versions[v]);
		struct tls_facts facts;
		unsigned char bytes[8192];
		const unsigned char *at = bytes;
		int ends[2];
		int status;
		ssize_t len;
		SSL_SESSION *session, *next;
		pid_t child;

		cr_assert_eq(pipe(ends), 0);
		child = fork();
		if (child == 0) {
			unsigned char *out = bytes;

			session = connect_with(
			    context, client_ctx, NULL, NULL, &facts);
			len = i2d_SSL_SESSION(session, &out);
			_exit(write(ends[1], bytes, (size_t)len) != len);
		}
		close(ends[1]);
		len = read(ends[0], bytes, sizeof(bytes));
		close(ends[0]);
		cr_assert_eq(waitpid(child, &status, 0), child);
		cr_assert_eq(status, 0);
		session = d2i_SSL_SESSION(NULL, &at, len);
		cr_assert_not_null(session);
		next = connect_with(context, client_ctx, session, NULL, &facts);
		cr_expect(facts.resumed);
		SSL_SESSION_free(session);
		SSL_SESSION_free(next);
		SSL_CTX_free(client_ctx);
	}
	tls_context_destroy(&context);
}

/* A ticket that was issued `issued_s` after its key was made, offered
 * `offered_s` after that. Rotation is prompt, or never happens. */
Test(tickets, lifetimes)
{
	static const struct {
		int64_t issued_s, offered_s;
		bool is_rotated, resumes;
	} rows[] = {
	    {0, 0, true, true},
	    {0, T / 2 - 1, true, true},
	    {0, T / 2, true, true},
	    {0, T - 1, true, true},
	    {0, T, true, false},
	    {T / 2 - 1, T - 1, true, true},
	    {T / 2 - 1, T, true, false},
	    {T / 2, T - 1, true, true},
	    {T / 2, T + T / 2 - 1, true, true},
	    {T / 2, T + T / 2, true, false},
	    /* The readers keep to the time, whatever the writer does. */
	    {0, T - 1, false, true},
	    {0, T, false, false},
	    {T - 1, T - 1, false, true},
	    {T, T, false, false},
	    {T, 2 * T, false, false},
	};
	struct tls_context_options options = shared_options();
	struct tls_context *context = create(&options);

	for (size_t v = 0; v < VERSION_COUNT; v++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			SSL_CTX *client_ctx = client_ctx_of(versions[v]);
			struct tls_facts facts;
			SSL_SESSION *first, *second;

			tls_ticket_keys_wipe(keys);
			tls_ticket_keys_configure(keys, T, NULL, START);
			clock_s = START + rows[i].issued_s;
			if (rows[i].is_rotated)
				tls_ticket_keys_rotate(keys, clock_s);
			first = connect_with(
			    context, client_ctx, NULL, NULL, &facts);
			cr_expect_eq(ticket_count, 1);
			clock_s = START + rows[i].offered_s;
			if (rows[i].is_rotated)
				tls_ticket_keys_rotate(keys, clock_s);
			second = connect_with(
			    context, client_ctx, first, NULL, &facts);
			cr_expect_eq(facts.resumed, rows[i].resumes,
			    "%lld, %lld", (long long)rows[i].issued_s,
			    (long long)rows[i].offered_s);
			SSL_SESSION_free(first);
			SSL_SESSION_free(second);
			SSL_CTX_free(client_ctx);
		}
	tls_context_destroy(&context);
}

/* A key that the writer forgot to replace protects nothing new. */
Test(tickets, are_not_issued_with_a_key_that_is_over)
{
	struct tls_context_options options = shared_options();
	struct tls_context *context = create(&options);
	struct tls_ticket_key_set set;

	cr_assert(tls_ticket_keys_copy(keys, &set));
	for (int is_over = 0; is_over < 2; is_over++)
		for (size_t v = 0; v < VERSION_COUNT; v++) {
			SSL_CTX *client_ctx = client_ctx_of(versions[v]);
			struct tls_facts facts;
			SSL_SESSION *session;
			const unsigned char *ticket;
			size_t len;

			clock_s = START + T - 1 + is_over;
			session = connect_with(
			    context, client_ctx, NULL, NULL, &facts);
			SSL_SESSION_get0_ticket(session, &ticket, &len);
			cr_assert_gt(len, 16);
			cr_expect_eq(
			    memcmp(ticket, set.keys[0].name, 16) != 0, is_over);
			SSL_SESSION_free(session);
			SSL_CTX_free(client_ctx);
		}
	tls_context_destroy(&context);
}

/* As Postfix does: an old ticket is accepted, and no new one comes. */
Test(tickets, are_not_renewed)
{
	struct tls_context_options options = shared_options();
	struct tls_context *context = create(&options);

	for (size_t v = 0; v < VERSION_COUNT; v++) {
		SSL_CTX *client_ctx = client_ctx_of(versions[v]);
		struct tls_facts facts;
		SSL_SESSION *first, *second;

		tls_ticket_keys_wipe(keys);
		tls_ticket_keys_configure(keys, T, NULL, START);
		clock_s = START;
		first = connect_with(context, client_ctx, NULL, NULL, &facts);
		clock_s = START + T / 2;
		tls_ticket_keys_rotate(keys, clock_s);
		second = connect_with(context, client_ctx, first, NULL, &facts);
		cr_expect(facts.resumed);
		cr_expect_eq(ticket_count, 0);
		SSL_SESSION_free(first);
		SSL_SESSION_free(second);
		SSL_CTX_free(client_ctx);
	}
	tls_context_destroy(&context);
}

/* With no keys, or half written ones, there is a whole handshake. */
Test(tickets, without_keys)
{
	struct tls_context_options options = shared_options();
	struct tls_context *context = create(&options);

	for (size_t v = 0; v < VERSION_COUNT; v++) {
		tls_ticket_keys_wipe(keys);
		cr_expect_not(resumes(context, context, versions[v], 0));
		tls_ticket_keys_configure(keys, T, NULL, START);
		atomic_fetch_add(&keys->version, 1);
		cr_expect_not(resumes(context, context, versions[v], 0));
		atomic_fetch_add(&keys->version, 1);
		cr_expect(resumes(context, context, versions[v], 0));
	}
	tls_context_destroy(&context);
}

/* CVE-2025-23419: a ticket is good where it came from, and for the same policy
 * on clients. */
Test(tickets, are_bound)
{
	struct tls_context_options options = shared_options();
	struct tls_context *from;
	EVP_PKEY *key = fixture_key("p256");
	X509 *roots[2];
	const char *one, *two;

	for (int i = 0; i < 2; i++)
		roots[i] = pki_issue(&(struct pki_request){
		    .name.common_name = i == 0 ? "One" : "Two",
		    .key = key,
		    .is_authority = true});
	one = pki_write("one.pem", roots, 1);
	two = pki_write("two.pem", roots, 2);
	options.peer = (struct tls_peer_options){.smtpd_tls_ask_ccert = true,
	    .smtpd_tls_CAfile = one,
	    .smtpd_tls_ccert_verifydepth = 9};
	from = create(&options);
	for (int what = 0; what < 8; what++) {
		struct tls_context_options other = options;
		struct tls_context *to;

		switch (what) {
		case 1:
			other.service = "127.0.0.1:587";
			break;
		case 2:
			other.smtpd_tls_chain_files = fixture_chain("p384");
			break;
		case 3:
			other.peer.smtpd_tls_ask_ccert = false;
			break;
		case 4:
			other.peer.smtpd_tls_req_ccert = true;
			other.peer.is_tls_enforced = true;
			break;
		case 5:
			other.peer.smtpd_tls_ccert_verifydepth = 8;
			break;
		case 6:
			other.peer.smtpd_tls_CAfile = two;
			break;
		case 7:
			other.peer.smtpd_tls_CAfile = "";
			break;
		default:
			break;
		}
		to = create(&other);
		for (size_t v = 0; v < VERSION_COUNT; v++)
			cr_expect_eq(resumes(from, to, versions[v], 0),
			    what == 0, "%d", what);
		tls_context_destroy(&to);
	}
	tls_context_destroy(&from);
	X509_free(roots[0]);
	X509_free(roots[1]);
	EVP_PKEY_free(key);
}

/* What was known of the client is known again when it resumes. */
Test(tickets, keep_the_verdict)
{
	struct tls_context_options options = shared_options();
	EVP_PKEY *key = fixture_key("p256");
	X509 *root = pki_issue(&(struct pki_request){
	    .name.common_name = "Root", .key = key, .is_authority = true});

	for (int is_trusted = 0; is_trusted < 2; is_trusted++) {
		struct tls_context *context;

		options.peer =
		    (struct tls_peer_options){.smtpd_tls_ask_ccert = true,
			.smtpd_tls_CAfile =
			    is_trusted ? pki_write("root.pem", &root, 1) : "",
			.smtpd_tls_ccert_verifydepth = 9};
		context = create(&options);
		for (size_t v = 0; v < VERSION_COUNT; v++) {
			SSL_CTX *client_ctx = client_ctx_of(versions[v]);
			struct tls_facts facts;
			SSL_SESSION *first, *second;

			SSL_CTX_use_certificate(client_ctx, root);
			SSL_CTX_use_PrivateKey(client_ctx, key);
			first = connect_with(
			    context, client_ctx, NULL, NULL, &facts);
			second = connect_with(
			    context, client_ctx, first, NULL, &facts);
			cr_expect(facts.resumed);
			cr_expect_eq(facts.trust,
			    is_trusted ? TLS_TRUSTED : TLS_UNTRUSTED);
			SSL_SESSION_free(first);
			SSL_SESSION_free(second);
			SSL_CTX_free(client_ctx);
		}
		tls_context_destroy(&context);
	}
	X509_free(root);
	EVP_PKEY_free(key);
}

static const char *sni_value;

static const char *find(void *argument, const char *name)
{
	(void)argument;
	return strncmp(name, "other", 5) == 0 ? NULL : sni_value;
}

/* Nor across the chains of one listener, or the names under one chain. */
Test(tickets, are_bound_to_the_name)
{
	static const struct {
		const char *first, *second;
		bool resumes;
	} rows[] = {
	    {"a", "a", true},
	    {"a", "A", true},
	    {"a", "b", false},
	    {"a", "other", false},
	    {"a", NULL, false},
	    {NULL, "a", false},
	    {"other", "a", false},
	    {"other", NULL, true},
	};
	struct tls_context_options options = shared_options();
	struct tls_context *context;

	sni_value = fixture_chain("p384");
	options.sni = (struct tls_sni_options){
	    .find = find, .values = &sni_value, .value_count = 1};
	context = create(&options);
	for (size_t v = 0; v < VERSION_COUNT; v++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			SSL_CTX *client_ctx = client_ctx_of(versions[v]);
			struct tls_facts facts;
			SSL_SESSION *first = connect_with(
			    context, client_ctx, NULL, rows[i].first, &facts);
			SSL_SESSION *second = connect_with(
			    context, client_ctx, first, rows[i].second, &facts);

			cr_expect_eq(facts.resumed, rows[i].resumes, "%s %s",
			    rows[i].first, rows[i].second);
			SSL_SESSION_free(first);
			SSL_SESSION_free(second);
			SSL_CTX_free(client_ctx);
		}
	tls_context_destroy(&context);
}

/* NO_TICKET, no lifetime, no cipher: nothing on the wire in either version. */
Test(tickets, none)
{
	for (int what = 0; what < 3; what++)
		for (size_t v = 0; v < VERSION_COUNT; v++) {
			struct tls_context_options options = shared_options();
			SSL_CTX *client_ctx = client_ctx_of(versions[v]);
			struct tls_context *context;
			struct tls_facts facts;
			SSL_SESSION *first, *second;

			if (what == 0)
				options.tls_ssl_options = "NO_TICKET";
			else if (what == 1)
				options.session_timeout_s = 0;
			else
				options.tickets.tls_session_ticket_cipher = "";
			context = create(&options);
			first = connect_with(
			    context, client_ctx, NULL, NULL, &facts);
			cr_expect_eq(ticket_count, 0);
			cr_expect_not(SSL_SESSION_has_ticket(first));
			second = connect_with(
			    context, client_ctx, first, NULL, &facts);
			cr_expect_not(facts.resumed);
			cr_expect_eq(ticket_count, 0);
			SSL_SESSION_free(first);
			SSL_SESSION_free(second);
			SSL_CTX_free(client_ctx);
			tls_context_destroy(&context);
		}
}

Test(tickets, ciphers)
{
	static const struct {
		const char *name;
		bool is_good;
	} rows[] = {
	    {"aes-256-cbc", true},
	    {"AES-128-CBC", true},
	    {"aes-192-cbc", true},
	    {"camellia-256-cbc", true},
	    {"aes-256-gcm", false},
	    {"aes-256-ctr", false},
	    {"des-ede3-cbc", false}, /* an IV of 8 bytes */
	    {"aes-257-cbc", false},
	    {"chacha20", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context_options options = shared_options();
		struct tls_context *context;
		char finding[256];

		options.tickets.tls_session_ticket_cipher = rows[i].name;
		fixture_findings[0] = '\0';
		context = tls_context_create(&options, &fixture_report);
		cr_assert_eq(context != NULL, rows[i].is_good, "%s: %s",
		    rows[i].name, fixture_findings);
		snprintf(finding, sizeof(finding),
		    "error tls_session_ticket_cipher: \"%s\" is no cipher for "
		    "tickets; must be one in CBC mode with an IV of 16 bytes "
		    "and a key of 16 to 32, such as aes-256-cbc, or empty\n",
		    rows[i].name);
		cr_expect_str_eq(
		    fixture_findings, rows[i].is_good ? "" : finding);
		if (context == NULL)
			continue;
		cr_expect(resumes(context, context, TLS1_2_VERSION, 0));
		cr_expect(resumes(context, context, TLS1_3_VERSION, 0));
		tls_context_destroy(&context);
	}
}

/* nginx and others open it with the same file: name, IV, AES-256-CBC, and
 * HMAC-SHA256 over all of that. */
Test(tickets, layout)
{
	struct tls_context_options options = shared_options();
	struct tls_ticket_files files = {.count = 1};
	struct tls_ticket_key *key = &files.keys[0];
	struct tls_context *context = create(&options);

	key->made_at = TLS_TICKET_KEY_MADE_UNKNOWN;
	key->issues_until = TLS_TICKET_KEY_FOR_EVER;
	key->honoured_until = TLS_TICKET_KEY_FOR_EVER;
	memset(key->name, 'N', sizeof(key->name));
	memset(key->hmac, 'H', sizeof(key->hmac));
	memset(key->cipher, 'C', sizeof(key->cipher));
	cr_assert(tls_ticket_keys_configure(keys, T, &files, START));
	for (size_t v = 0; v < VERSION_COUNT; v++) {
		SSL_CTX *client_ctx = client_ctx_of(versions[v]);
		EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
		struct tls_facts facts;
		SSL_SESSION *session =
		    connect_with(context, client_ctx, NULL, NULL, &facts);
		const unsigned char *ticket;
		unsigned char mac[32], plain[4096];
		unsigned mac_len;
		int len, rest;
		size_t ticket_len;

		SSL_SESSION_get0_ticket(session, &ticket, &ticket_len);
		cr_assert_gt(ticket_len, 16 + 16 + 32);
		cr_expect_eq(memcmp(ticket, "NNNNNNNNNNNNNNNN", 16), 0);
		HMAC(EVP_sha256(), key->hmac, 32, ticket, ticket_len - 32, mac,
		    &mac_len);
		cr_expect_eq(
		    memcmp(ticket + ticket_len - 32, mac, sizeof(mac)), 0);
		cr_assert_eq(EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL,
				 key->cipher, ticket + 16),
		    1);
		cr_assert_eq(EVP_DecryptUpdate(cipher, plain, &len, ticket + 32,
				 (int)ticket_len - 64),
		    1);
		cr_assert_eq(
		    EVP_DecryptFinal_ex(cipher, plain + len, &rest), 1);
		ticket = plain;
		SSL_SESSION_free(session);
		/* OpenSSL's form of a session, which names this listener. */
		session = d2i_SSL_SESSION(NULL, &ticket, len + rest);
		cr_assert_not_null(session);
		cr_expect_eq(
		    SSL_SESSION_get_protocol_version(session), versions[v]);
		SSL_SESSION_free(session);
		EVP_CIPHER_CTX_free(cipher);
		SSL_CTX_free(client_ctx);
	}
	tls_context_destroy(&context);
}

/* A client that would do without a fresh exchange gets one, whatever the
 * operator adds. */
Test(tickets, bring_a_fresh_exchange)
{
	struct tls_context_options options = shared_options();
	SSL_CTX *client_ctx = client_ctx_of(TLS1_3_VERSION);
	struct tls_context *context;
	struct tls_facts facts;
	SSL_SESSION *first, *second;

	options.tls_ssl_options = "0x400"; /* SSL_OP_ALLOW_NO_DHE_KEX */
	context = create(&options);
	SSL_CTX_set_options(client_ctx, SSL_OP_ALLOW_NO_DHE_KEX);
	first = connect_with(context, client_ctx, NULL, NULL, &facts);
	second = connect_with(context, client_ctx, first, NULL, &facts);
	cr_expect(facts.resumed);
	cr_expect(facts.forward_secret);
	cr_expect_str_eq(facts.key_exchange.name, "X25519");
	SSL_SESSION_free(first);
	SSL_SESSION_free(second);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

/* proxy_tls_forward_secrecy = require: TLS 1.2 resumes with the old session's
 * secret, TLS 1.3 with a new one. */
Test(tickets, where_secrecy_is_required)
{
	struct tls_context_options options = shared_options();
	SSL_CTX *client_ctx = client_ctx_of(TLS1_2_VERSION);
	struct tls_context *context;
	struct tls_facts facts;
	SSL_SESSION *first;

	options.ciphers.forward_secrecy = TLS_FORWARD_SECRECY_REQUIRE;
	context = create(&options);
	first = connect_with(context, client_ctx, NULL, NULL, &facts);
	cr_expect_eq(ticket_count, 0);
	cr_expect_not(SSL_SESSION_has_ticket(first));
	cr_expect(resumes(context, context, TLS1_3_VERSION, 0));
	SSL_SESSION_free(first);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}
