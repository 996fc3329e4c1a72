/* SPDX-License-Identifier: Apache-2.0 */
/* The gate before EDH, sessions without it, and the choice among the shares of
 * a client of TLS 1.3. */
#include "tls/exchange.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tls/facts.h"
#include "tls/fixture.h"
#include "tls/handles.h"

#define ANSWERS_MAX 4

TestSuite(exchange, .init = fixture_init, .fini = fixture_fini);

/* Answers in turn, and remembers what it was asked. */
struct asked {
	enum tls_edh_verdict answers[ANSWERS_MAX];
	size_t count;
	bool client_can_do_ecdhe;
};

static enum tls_edh_verdict answer(void *argument, bool client_can_do_ecdhe)
{
	struct asked *asked = argument;

	cr_assert_lt(asked->count, ANSWERS_MAX);
	asked->client_can_do_ecdhe = client_can_do_ecdhe;
	return asked->answers[asked->count++];
}

static struct tls_context *create(const char *key, const char *ffdhe)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain(key));
	struct tls_context *context;

	options.groups.tls_ffdhe_auto_groups = ffdhe;
	options.ciphers.tls_medium_cipherlist = "HIGH";
	context = tls_context_create(&options, &fixture_report);
	cr_assert_not_null(context, "%s", fixture_findings);
	return context;
}

static SSL_CTX *client_of(int version, const char *suites, const char *groups)
{
	SSL_CTX *ctx = fixture_client_ctx(0, version);

	cr_assert_eq(SSL_CTX_set_cipher_list(ctx, suites), 1);
	if (groups != NULL)
		cr_assert_eq(SSL_CTX_set1_groups_list(ctx, groups), 1);
	return ctx;
}

struct row {
	const char *key; /* of the server */
	int version;	 /* the client's highest */
	const char *suites, *groups;
	bool is_asked, can_do_ecdhe;
	/* What comes of each verdict: the reason of forward secrecy, or "". */
	const char *allowed, *without;
};

static const struct row rows[] = {
    {"rsa", TLS1_2_VERSION, "DHE-RSA-AES128-SHA", NULL, true, false, "dhe", ""},
    {"rsa", TLS1_2_VERSION, "DHE-RSA-AES128-SHA:AES128-SHA", NULL, true, false,
	"dhe", "rsa_key_exchange"},
    {"rsa", TLS1_2_VERSION, "DHE-RSA-AES128-SHA:ECDHE-RSA-AES128-SHA", "X25519",
	true, true, "ecdhe", "ecdhe"},
    /* No group in common, so EDH is all there is. */
    {"rsa", TLS1_2_VERSION, "DHE-RSA-AES128-SHA:ECDHE-RSA-AES128-SHA",
	"brainpoolP256r1", true, false, "dhe", ""},
    /* No key for it. */
    {"rsa", TLS1_2_VERSION, "DHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA",
	"X25519", true, false, "dhe", ""},
    {"rsa", TLS1_2_VERSION, "ADH-AES128-SHA", NULL, true, false, "dhe", ""},
    {"rsa", TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA", "X25519", false, false,
	"ecdhe", "ecdhe"},
    {"rsa", TLS1_2_VERSION, "AES128-SHA", NULL, false, false,
	"rsa_key_exchange", "rsa_key_exchange"},
    {"p256", TLS1_2_VERSION, "DHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA",
	"X25519:P-256", false, false, "ecdhe", "ecdhe"},
    {"rsa", TLS1_3_VERSION, "DHE-RSA-AES128-SHA", "X25519:ffdhe2048", false,
	false, "ecdhe", "ecdhe"},
    {"rsa", TLS1_3_VERSION, "DHE-RSA-AES128-SHA", "ffdhe2048", true, false,
	"dhe", ""},
    {"rsa", TLS1_3_VERSION, "DHE-RSA-AES128-SHA", "ffdhe2048:X25519", true,
	true, "dhe", "ecdhe"},
    /* Asks again for another share. */
    {"rsa", TLS1_3_VERSION, "DHE-RSA-AES128-SHA", "ffdhe4096:ffdhe2048", true,
	false, "dhe", ""},
    {"rsa", TLS1_3_VERSION, "DHE-RSA-AES128-SHA", "ffdhe3072", false, false, "",
	""},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* Runs the handshake; returns the reason of forward secrecy, or "". */
static const char *finish(struct link *link)
{
	struct tls_facts facts = {.forward_secrecy_reason = ""};

	if (link_handshake(link))
		tls_facts_read(link->server, &facts);
	return facts.forward_secrecy_reason;
}

Test(exchange, verdicts)
{
	static const enum tls_edh_verdict verdicts[] = {
	    TLS_EDH_ALLOW, TLS_EDH_WITHOUT};

	for (size_t i = 0; i < ROW_COUNT * 2; i++) {
		const struct row *row = &rows[i / 2];
		struct tls_context *context = create(row->key, "ffdhe2048");
		SSL_CTX *client_ctx =
		    client_of(row->version, row->suites, row->groups);
		struct asked asked = {.answers = {verdicts[i % 2]}};
		const struct tls_edh_gate gate = {&asked, answer};
		struct link link;
		const char *reason;

		link_open(&link, context, client_ctx);
		tls_session_set_edh_gate(link.server, &gate);
		reason = finish(&link);
		cr_expect_eq(
		    asked.count, row->is_asked, "%zu: %zu", i, asked.count);
		cr_expect_eq(
		    asked.client_can_do_ecdhe, row->can_do_ecdhe, "%zu", i);
		cr_expect_str_eq(reason,
		    i % 2 == 0 ? row->allowed : row->without, "%zu: %s", i,
		    reason);
		link_close(&link);
		SSL_CTX_free(client_ctx);
		tls_context_destroy(&context);
	}
}

Test(exchange, sessions_without_edh)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		struct tls_context *context = create(rows[i].key, "ffdhe2048");
		SSL_CTX *client_ctx =
		    client_of(rows[i].version, rows[i].suites, rows[i].groups);
		struct link link;

		link_open(&link, context, client_ctx);
		tls_session_destroy(&link.server);
		link.server = tls_session_create_without_edh(context);
		cr_assert_not_null(link.server);
		cr_expect_str_eq(finish(&link), rows[i].without);
		link_close(&link);
		/* The context itself has it. */
		link_open(&link, context, client_ctx);
		cr_expect_str_eq(finish(&link), rows[i].allowed);
		link_close(&link);
		SSL_CTX_free(client_ctx);
		tls_context_destroy(&context);
	}
}

Test(exchange, a_refusal)
{
	struct tls_context *context = create("rsa", "");
	SSL_CTX *client_ctx =
	    client_of(TLS1_2_VERSION, "DHE-RSA-AES128-SHA", NULL);
	struct asked asked = {.answers = {TLS_EDH_REFUSE}};
	const struct tls_edh_gate gate = {&asked, answer};
	static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 40};
	struct link link;
	uint8_t bytes[16];

	link_open(&link, context, client_ctx);
	tls_session_set_edh_gate(link.server, &gate);
	SSL_do_handshake(link.client);
	link_collect(&link);
	link_serve_handshake(&link);
	cr_expect_eq(link.status, TLS_FAILED);
	cr_expect_eq(tls_session_fault(link.server), TLS_FAULT_EDH_REFUSED);
	cr_assert_eq(BIO_read(SSL_get_rbio(link.client), bytes, sizeof(bytes)),
	    sizeof(alert));
	/* Its record has the version of the ClientHello's. */
	cr_expect_eq(bytes[0], alert[0]);
	cr_expect_eq(memcmp(bytes + 3, alert + 3, 4), 0);
	link_close(&link);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

Test(exchange, waiting)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	for (size_t i = 0; i < 2; i++) {
		struct tls_context *context = create("rsa", "ffdhe2048");
		SSL_CTX *client_ctx =
		    client_of(versions[i], "DHE-RSA-AES128-SHA", "ffdhe2048");
		struct asked asked = {
		    .answers = {TLS_EDH_WAIT, TLS_EDH_WAIT, TLS_EDH_ALLOW}};
		const struct tls_edh_gate gate = {&asked, answer};
		struct link link;

		link_open(&link, context, client_ctx);
		tls_session_set_edh_gate(link.server, &gate);
		SSL_do_handshake(link.client);
		link_collect(&link);
		for (size_t turn = 1; turn <= 2; turn++) {
			link_serve_handshake(&link);
			cr_expect_eq(link.status, TLS_WAIT);
			cr_expect_eq(asked.count, turn);
			cr_expect_eq(link.server_output_len, 0);
			cr_expect_eq(
			    tls_session_fault(link.server), TLS_FAULT_NONE);
		}
		link_serve_handshake(&link);
		cr_expect_eq(link.status, TLS_WANT_INPUT);
		cr_expect_str_eq(finish(&link), "dhe");
		cr_expect_eq(asked.count, 3);
		link_close(&link);
		SSL_CTX_free(client_ctx);
		tls_context_destroy(&context);
	}
}

Test(exchange, who_goes_while_waiting)
{
	struct tls_context *context = create("rsa", "");
	SSL_CTX *client_ctx =
	    client_of(TLS1_2_VERSION, "DHE-RSA-AES128-SHA", NULL);
	struct asked asked = {.answers = {TLS_EDH_WAIT}};
	const struct tls_edh_gate gate = {&asked, answer};
	struct link link;

	link_open(&link, context, client_ctx);
	tls_session_set_edh_gate(link.server, &gate);
	SSL_do_handshake(link.client);
	link_collect(&link);
	link_serve_handshake(&link);
	cr_expect_eq(link.status, TLS_WAIT);
	link_close(&link);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

#define HELLO_SIZE_MAX 1024

struct hello {
	uint8_t bytes[HELLO_SIZE_MAX];
	size_t len;
};

static void put(struct hello *hello, const void *bytes, size_t len)
{
	cr_assert_leq(hello->len + len, sizeof(hello->bytes));
	memcpy(hello->bytes + hello->len, bytes, len);
	hello->len += len;
}

static void put_number(struct hello *hello, size_t number)
{
	const uint8_t bytes[] = {(uint8_t)(number >> 8), (uint8_t)number};

	put(hello, bytes, sizeof(bytes));
}

static void put_extension(struct hello *hello, unsigned type, size_t len)
{
	put_number(hello, type);
	put_number(hello, len);
}

struct share {
	uint16_t group;
	const char *name; /* OpenSSL's, of the key */
};

/* A fresh public value of the group. */
static size_t make_share(const struct share *share, uint8_t out[256])
{
	EVP_PKEY *key = share->name[0] == 'X'
			    ? EVP_PKEY_Q_keygen(NULL, NULL, share->name)
			    : EVP_EC_gen(share->name);
	unsigned char *bytes = NULL;
	size_t len;

	cr_assert_not_null(key);
	len = EVP_PKEY_get1_encoded_public_key(key, &bytes);
	cr_assert_gt(len, 0);
	memcpy(out, bytes, len);
	OPENSSL_free(bytes);
	EVP_PKEY_free(key);
	return len;
}

/* The ClientHello of RFC 8446, 4.1.2, with a share for each of the groups:
 * OpenSSL's own client sends one alone. */
static void make_hello(
    struct hello *hello, const struct share *shares, size_t share_count)
{
	static const uint8_t start[] = {22, 3, 1, 0, 0, 1, 0, 0, 0, 3, 3};
	static const uint8_t random[32] = {1};
	static const uint8_t suites[] = {
	    0, 0, 2, 0x13, 0x01, 1, 0 /* no session; AES_128_GCM; null */};
	static const uint8_t versions[] = {2, 3, 4};
	static const uint8_t signatures[] = {0, 4, 8, 4, 4, 3};
	struct hello extensions = {.len = 0};
	struct hello list = {.len = 0};

	put_extension(&extensions, 43, sizeof(versions));
	put(&extensions, versions, sizeof(versions));
	put_extension(&extensions, 13, sizeof(signatures));
	put(&extensions, signatures, sizeof(signatures));
	put_extension(&extensions, 10, 2 + 2 * share_count);
	put_number(&extensions, 2 * share_count);
	for (size_t i = 0; i < share_count; i++) {
		uint8_t bytes[256];
		size_t len = make_share(&shares[i], bytes);

		put_number(&extensions, shares[i].group);
		put_number(&list, shares[i].group);
		put_number(&list, len);
		put(&list, bytes, len);
	}
	put_extension(&extensions, 51, 2 + list.len);
	put_number(&extensions, list.len);
	put(&extensions, list.bytes, list.len);
	hello->len = 0;
	put(hello, start, sizeof(start));
	put(hello, random, sizeof(random));
	put(hello, suites, sizeof(suites));
	put_number(hello, extensions.len);
	put(hello, extensions.bytes, extensions.len);
	hello->bytes[3] = (uint8_t)((hello->len - 5) >> 8);
	hello->bytes[4] = (uint8_t)(hello->len - 5);
	hello->bytes[7] = (uint8_t)((hello->len - 9) >> 8);
	hello->bytes[8] = (uint8_t)(hello->len - 9);
}

/* The group of the key share in the ServerHello, which must be the last of its
 * extensions or the one before (RFC 8446, 4.1.3). */
static unsigned group_of_answer(const uint8_t *out, size_t out_len)
{
	size_t end;
	size_t at;

	cr_assert_gt(out_len, 44);
	cr_assert_eq(out[0], 22, "record of type %d", out[0]);
	cr_assert_eq(out[5], 2); /* ServerHello */
	end = 5 + ((size_t)out[3] << 8 | out[4]);
	at = 44 + (size_t)out[43] + 3; /* session, suite, compression */
	for (at += 2; at + 6 <= end;
	     at += 4 + ((size_t)out[at + 2] << 8 | out[at + 3]))
		if (out[at] == 0 && out[at + 1] == 51)
			return (unsigned)out[at + 4] << 8 | out[at + 5];
	cr_assert_fail("no key share");
	return 0;
}

/* Of several shares, the one that stands first in our list is used, in whatever
 * order they came. */
Test(exchange, choice_among_shares)
{
	static const struct share x25519 = {29, "X25519"};
	static const struct share p256 = {23, "P-256"};
	static const struct share p384 = {24, "P-384"};
	static const struct share p521 = {25, "P-521"};
	const struct {
		const char *ours;
		struct share shares[3];
		size_t share_count;
		unsigned expected;
	} choices[] = {
	    {"X25519 P-256 P-384 P-521", {p521, p384, x25519}, 3, 29},
	    {"X25519 P-256 P-384 P-521", {p521, p384, p256}, 3, 23},
	    {"X25519 P-256 P-384 P-521", {p521, p384}, 2, 24},
	    {"X25519 P-256 P-384 P-521", {p521}, 1, 25},
	    {"X25519 P-256 P-384 P-521", {x25519, p521}, 2, 29},
	    {"P-384 X25519", {x25519, p384}, 2, 24},
	    {"X25519", {p521, x25519, p384}, 3, 29},
	};

	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		struct tls_context_options options =
		    fixture_options(fixture_chain("rsa"));
		static uint8_t out[TLS_WIRE_ROOM_MIN];
		struct tls_context *context;
		struct tls_session *session;
		struct hello hello;
		struct tls_wire wire = {.out = out, .out_size = sizeof(out)};

		options.groups.tls_eecdh_auto_curves = choices[i].ours;
		context = tls_context_create(&options, &fixture_report);
		cr_assert_not_null(context);
		session = tls_session_create(context);
		make_hello(&hello, choices[i].shares, choices[i].share_count);
		wire.in = hello.bytes;
		wire.in_len = hello.len;
		cr_assert_eq(tls_session_handshake(session, &wire),
		    TLS_WANT_INPUT, "%s", tls_session_library_errors(session));
		cr_expect_eq(group_of_answer(out, wire.out_len),
		    choices[i].expected, "choice %zu", i);
		tls_session_destroy(&session);
		tls_context_destroy(&context);
	}
}

/* A hello cut short anywhere, inside its extensions too, ends in an alert. */
Test(exchange, hellos_that_are_malformed)
{
	static const struct share shares[] = {{23, "P-256"}, {29, "X25519"}};
	struct tls_context *context = create("rsa", "ffdhe2048");
	struct hello hello;

	make_hello(&hello, shares, 2);
	for (size_t at = 9; at < hello.len; at++) {
		static const uint8_t changes[] = {0x01, 0x80, 0xFF};

		for (size_t i = 0; i < sizeof(changes); i++) {
			static uint8_t out[TLS_WIRE_ROOM_MIN];
			struct asked asked = {.answers = {TLS_EDH_ALLOW}};
			const struct tls_edh_gate gate = {&asked, answer};
			struct hello changed = hello;
			struct tls_session *session =
			    tls_session_create(context);
			struct tls_wire wire = {.in = changed.bytes,
			    .in_len = changed.len,
			    .out = out,
			    .out_size = sizeof(out)};
			enum tls_status status;

			tls_session_set_edh_gate(session, &gate);
			changed.bytes[at] ^= changes[i];
			status = tls_session_handshake(session, &wire);
			cr_assert(
			    status == TLS_WANT_INPUT || status == TLS_FAILED);
			if (status == TLS_FAILED)
				cr_assert_geq(wire.out_len, 7);
			tls_session_destroy(&session);
		}
	}
	tls_context_destroy(&context);
}

/* Asked after each piece of a handshake, as whoever accounts for EDH does; also
 * between the two ClientHellos of a HelloRetryRequest, when OpenSSL has a suite
 * but no session. */
Test(exchange, is_told_at_any_time)
{
	static const struct {
		const char *client, *server;
		bool does_edh;
	} retries[] = {
	    {"X25519:P-256", "X25519", false},
	    {"P-256:X25519", "X25519", false},
	    {"X25519:ffdhe2048", "", true},
	    {"ffdhe4096:ffdhe2048", "", true},
	};

	for (size_t i = 0; i < sizeof(retries) / sizeof(retries[0]); i++) {
		struct tls_context_options options =
		    fixture_options(fixture_chain("rsa"));
		SSL_CTX *client_ctx =
		    client_of(TLS1_3_VERSION, "ALL", retries[i].client);
		struct tls_context *context;
		struct link link;
		bool is_done = false;

		options.groups.tls_eecdh_auto_curves = retries[i].server;
		options.groups.tls_ffdhe_auto_groups =
		    retries[i].does_edh ? "ffdhe2048" : "";
		if (retries[i].does_edh)
			options.groups.smtpd_tls_eecdh_grade = "none";
		context = tls_context_create(&options, &fixture_report);
		cr_assert_not_null(context, "%s", fixture_findings);
		link_open(&link, context, client_ctx);
		cr_expect_not(tls_session_does_edh(link.server));
		for (int turn = 0; turn < 4 && !is_done; turn++) {
			SSL_do_handshake(link.client);
			link_collect(&link);
			link_serve_handshake(&link);
			is_done = link.status == TLS_DONE;
			if (is_done || turn > 0)
				cr_expect_eq(tls_session_does_edh(link.server),
				    retries[i].does_edh, "%zu", i);
			else
				tls_session_does_edh(link.server);
		}
		cr_expect(is_done, "%zu", i);
		link_close(&link);
		SSL_CTX_free(client_ctx);
		tls_context_destroy(&context);
	}
}
