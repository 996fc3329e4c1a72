/* SPDX-License-Identifier: Apache-2.0 */
/* Chains by the name that the client asks for. */
#include "tls/sni.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/describe.h"
#include "tls/facts.h"
#include "tls/fixture.h"
#include "tls/handles.h"

#define PEER "unknown[127.0.0.1]"

/* A table as tls_server_sni_maps would be; keys in lower case. */
static struct {
	const char *key, *value;
} table[] = {
    {"a.test", NULL},
    {"both.test", NULL},
    {".wild.test", NULL},
    {".deep.wild.test", NULL},
    {"failing.test", ""},
};

static const char *values[8];
static size_t value_count;
static char asked[1024];
static char both_value[1100];

static const char *find(void *argument, const char *name)
{
	(void)argument;
	strcat(asked, name);
	strcat(asked, " ");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].key, name) == 0)
			return table[i].value;
	return NULL;
}

/* The default chain is of RSA, each name's has a key of its own type. */
static struct tls_context_options sni_options(void)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));

	options.sni = (struct tls_sni_options){
	    .find = find, .values = values, .value_count = value_count};
	return options;
}

static void set_up(void)
{
	fixture_init();
	snprintf(both_value, sizeof(both_value), "%s, %s",
	    fixture_chain("ed25519"), fixture_chain("p384"));
	table[0].value = fixture_chain("p256");
	table[1].value = both_value;
	table[2].value = fixture_chain("p384");
	table[3].value = fixture_chain("ed25519");
	value_count = 0;
	for (size_t i = 0; i < 4; i++)
		values[value_count++] = table[i].value;
	values[value_count++] = table[0].value;
	asked[0] = '\0';
}

TestSuite(sni, .init = set_up, .fini = fixture_fini);

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
#define VERSION_COUNT (sizeof(versions) / sizeof(versions[0]))

static const char *key_type(const SSL *client)
{
	X509 *certificate = SSL_get0_peer_certificate(client);
	const EVP_PKEY *key = X509_get0_pubkey(certificate);

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		return "rsa";
	case EVP_PKEY_ED25519:
		return "ed25519";
	case EVP_PKEY_EC:
		return EVP_PKEY_get_bits(key) == 256 ? "p256" : "p384";
	default:
		return "other";
	}
}

static struct tls_context *create(const struct tls_context_options *options)
{
	struct tls_context *context =
	    tls_context_create(options, &fixture_report);

	cr_assert_not_null(context, "%s", fixture_findings);
	return context;
}

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *name; /* NULL: none is sent */
	const char *key;  /* of the certificate that came */
	const char *matched, *asked, *note;
	enum tls_sni_note level;
} rows[] = {
    {NULL, "rsa", "", "", "", TLS_SNI_NOTE_NONE},
    {"a.test", "p256", "a.test", "a.test ", "", TLS_SNI_NOTE_NONE},
    {"A.Test", "p256", "A.Test", "a.test ", "", TLS_SNI_NOTE_NONE},
    {"x.wild.test", "p384", "x.wild.test", "x.wild.test .wild.test ", "",
	TLS_SNI_NOTE_NONE},
    {"x.y.wild.test", "p384", "x.y.wild.test",
	"x.y.wild.test .y.wild.test .wild.test ", "", TLS_SNI_NOTE_NONE},
    {"x.deep.wild.test", "ed25519", "x.deep.wild.test",
	"x.deep.wild.test .deep.wild.test ", "", TLS_SNI_NOTE_NONE},
    {"other.a.test", "rsa", "", "other.a.test .a.test .test ",
	"TLS SNI other.a.test from " PEER " not matched, using default chain",
	TLS_SNI_NOTE_INFO},
    {"wild.test", "rsa", "", "wild.test .test ",
	"TLS SNI wild.test from " PEER " not matched, using default chain",
	TLS_SNI_NOTE_INFO},
    {"../../etc/passwd", "rsa", "", "",
	"TLS SNI from " PEER " is invalid: ../../etc/passwd",
	TLS_SNI_NOTE_WARNING},
    {"a.test.", "rsa", "", "", "TLS SNI from " PEER " is invalid: a.test.",
	TLS_SNI_NOTE_WARNING},
    {"192.0.2.1", "rsa", "", "", "TLS SNI from " PEER " is invalid: 192.0.2.1",
	TLS_SNI_NOTE_WARNING},
    {"a\r\n b\x80", "rsa", "", "", "TLS SNI from " PEER " is invalid: a???b?",
	TLS_SNI_NOTE_WARNING},
};

static void expect_row(struct tls_context *context, size_t i, int version)
{
	SSL_CTX *client_ctx = fixture_client_ctx(version, version);
	struct tls_facts facts;
	struct link link;
	char note[512];

	asked[0] = '\0';
	link_open(&link, context, client_ctx);
	if (rows[i].name != NULL)
		SSL_set_tlsext_host_name(link.client, rows[i].name);
	cr_assert(link_handshake(&link), "%s", rows[i].name);
	cr_expect_str_eq(key_type(link.client), rows[i].key);
	cr_expect_str_eq(asked, rows[i].asked);
	tls_facts_read(link.server, &facts);
	cr_expect_str_eq(facts.sni, rows[i].matched);
	cr_expect_eq(
	    tls_sni_note(link.server, PEER, note, sizeof(note)), rows[i].level);
	cr_expect_str_eq(note, rows[i].note);
	link_close(&link);
	SSL_CTX_free(client_ctx);
}

Test(sni, chooses)
{
	struct tls_context_options options = sni_options();
	struct tls_context *context = create(&options);

	cr_expect_str_eq(fixture_findings, "");
	for (size_t v = 0; v < VERSION_COUNT; v++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			expect_row(context, i, versions[v]);
	tls_context_destroy(&context);
}

/* The extension is acknowledged when the name was matched alone (RFC 6066, 3).
 */
Test(sni, acknowledges_what_is_matched)
{
	static const struct {
		const char *name;
		bool is_acknowledged;
	} names[] = {{"a.test", true}, {"other.test", false}, {"-", false}};
	struct tls_context_options options = sni_options();
	struct tls_context *context = create(&options);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		SSL_CTX *client_ctx =
		    fixture_client_ctx(TLS1_2_VERSION, TLS1_2_VERSION);
		const char *told;
		struct link link;

		link_open(&link, context, client_ctx);
		SSL_set_tlsext_host_name(link.client, names[i].name);
		cr_assert(link_handshake(&link));
		told = SSL_SESSION_get0_hostname(SSL_get_session(link.client));
		cr_expect_eq(told != NULL, names[i].is_acknowledged, "%s",
		    names[i].name);
		link_close(&link);
		SSL_CTX_free(client_ctx);
	}
	tls_context_destroy(&context);
}

Test(sni, is_ignored_without_a_table)
{
	struct tls_context *context = fixture_context(fixture_chain("rsa"));
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
	struct tls_facts facts;
	struct link link;
	char note[64];

	link_open(&link, context, client_ctx);
	SSL_set_tlsext_host_name(link.client, "no_name/at all");
	cr_assert(link_handshake(&link));
	tls_facts_read(link.server, &facts);
	cr_expect_str_eq(facts.sni, "");
	cr_expect_eq(tls_sni_note(link.server, PEER, note, sizeof(note)),
	    TLS_SNI_NOTE_NONE);
	cr_expect_str_eq(note, "");
	link_close(&link);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

/* Sessions outlive their context, and with it the chains. */
Test(sni, outlives_the_context)
{
	struct tls_context_options options = sni_options();
	struct tls_context *context = create(&options);
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
	struct link link;

	link_open(&link, context, client_ctx);
	tls_context_destroy(&context);
	SSL_set_tlsext_host_name(link.client, "a.test");
	cr_assert(link_handshake(&link));
	cr_expect_str_eq(key_type(link.client), "p256");
	link_close(&link);
	SSL_CTX_free(client_ctx);
}

/* One name, keys of two types: the client's signature algorithms decide. */
Test(sni, keys_of_several_types)
{
	static const struct {
		const char *algorithms, *key;
	} clients[] = {
	    {"ed25519", "ed25519"}, {"ECDSA+SHA384:ECDSA+SHA256", "p384"}};
	struct tls_context_options options = sni_options();
	struct tls_context *context = create(&options);

	for (size_t v = 0; v < VERSION_COUNT; v++)
		for (size_t i = 0; i < 2; i++) {
			SSL_CTX *client_ctx =
			    fixture_client_ctx(versions[v], versions[v]);
			struct link link;

			cr_assert_eq(SSL_CTX_set1_sigalgs_list(
					 client_ctx, clients[i].algorithms),
			    1);
			link_open(&link, context, client_ctx);
			SSL_set_tlsext_host_name(link.client, "both.test");
			cr_assert(link_handshake(&link));
			cr_expect_str_eq(key_type(link.client), clients[i].key);
			link_close(&link);
			SSL_CTX_free(client_ctx);
		}
	tls_context_destroy(&context);
}

/* The listener's own chains are no substitute for keys that the name lacks. */
Test(sni, replaces_all_chains)
{
	struct tls_context_options options = sni_options();
	struct tls_context *context = create(&options);

	for (size_t v = 0; v < VERSION_COUNT; v++) {
		SSL_CTX *client_ctx =
		    fixture_client_ctx(versions[v], versions[v]);
		struct link link;

		SSL_CTX_set1_sigalgs_list(
		    client_ctx, "RSA-PSS+SHA256:RSA+SHA256");
		link_open(&link, context, client_ctx);
		SSL_set_tlsext_host_name(link.client, "a.test");
		cr_expect_not(link_handshake(&link));
		link_close(&link);
		link_open(&link, context, client_ctx);
		SSL_set_tlsext_host_name(link.client, "other.test");
		cr_expect(link_handshake(&link));
		link_close(&link);
		SSL_CTX_free(client_ctx);
	}
	tls_context_destroy(&context);
}

Test(sni, failed_lookup_ends_the_handshake)
{
	struct tls_context_options options = sni_options();
	struct tls_context *context = create(&options);
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
	struct link link;
	char note[128];

	link_open(&link, context, client_ctx);
	SSL_set_tlsext_host_name(link.client, "failing.test");
	cr_expect_not(link_handshake(&link));
	cr_expect_eq(link.status, TLS_FAILED);
	cr_expect_eq(SSL_do_handshake(link.client), -1);
	cr_expect_eq(
	    ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_ALERT_INTERNAL_ERROR);
	cr_expect_eq(tls_sni_note(link.server, PEER, note, sizeof(note)),
	    TLS_SNI_NOTE_WARNING);
	cr_expect_str_eq(note, "TLS SNI lookup for failing.test from " PEER
			       " failed: the handshake is ended");
	ERR_clear_error();
	link_close(&link);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

/* One flight of the client to the server, and back. */
static void exchange(struct link *link)
{
	SSL_do_handshake(link->client);
	link_collect(link);
	link_serve_handshake(link);
}

Test(sni, after_a_hello_retry_request)
{
	static const struct {
		const char *first, *second, *key, *note;
	} names[] = {
	    {"a.test", "a.test", "p256", ""},
	    {"a.test", "b.test", "p256",
		"TLS SNI changed from " PEER
		" initially a.test, b.test after hello retry"},
	    {"a.test", NULL, "p256",
		"TLS SNI changed from " PEER
		" initially a.test, (none) after hello retry"},
	    {NULL, "a.test", "rsa",
		"TLS SNI changed from " PEER
		" initially (none), a.test after hello retry"},
	};
	struct tls_context_options options = sni_options();
	struct tls_context *context;

	options.groups.tls_eecdh_auto_curves = "X25519";
	context = create(&options);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		SSL_CTX *client_ctx =
		    fixture_client_ctx(TLS1_3_VERSION, TLS1_3_VERSION);
		struct link link;
		char note[256];

		/* The client guesses that the server likes the first. */
		SSL_CTX_set1_groups_list(client_ctx, "P-521:X25519");
		link_open(&link, context, client_ctx);
		SSL_set_tlsext_host_name(link.client, names[i].first);
		asked[0] = '\0';
		exchange(&link);
		SSL_set_tlsext_host_name(link.client, names[i].second);
		cr_assert(link_handshake(&link));
		cr_expect_str_eq(key_type(link.client), names[i].key);
		cr_expect_str_eq(
		    asked, names[i].first != NULL ? "a.test " : "");
		cr_expect_eq(
		    tls_sni_note(link.server, PEER, note, sizeof(note)),
		    names[i].note[0] != '\0' ? TLS_SNI_NOTE_WARNING
					     : TLS_SNI_NOTE_NONE);
		cr_expect_str_eq(note, names[i].note);
		link_close(&link);
		SSL_CTX_free(client_ctx);
	}
	tls_context_destroy(&context);
}

Test(sni, wrong_values)
{
	const char *text = fixture_text("text", "no PEM\n");
	const struct {
		const char *value, *finding;
	} wrong[] = {
	    {"/nonexistent",
		"error tls_server_sni_maps: \"/nonexistent\": No such file or "
		"directory; must be a PEM file that can be read\n"},
	    {text, "holds no private key and no certificate"},
	    {"", "error tls_server_sni_maps: \"\" names no file; must name PEM "
		 "files with, in this order, private key, certificate, its "
		 "issuers\n"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct tls_context_options options = sni_options();

		values[1] = wrong[i].value;
		fixture_findings[0] = '\0';
		cr_expect_null(tls_context_create(&options, &fixture_report));
		cr_expect_not_null(strstr(fixture_findings, wrong[i].finding),
		    "%s", fixture_findings);
		cr_expect_null(strstr(fixture_findings, "OpenSSL cannot keep"));
	}
}

Test(sni, host_names)
{
	static const struct {
		const char *name;
		size_t len; /* 0: to its NUL */
		bool is_host_name;
	} names[] = {
	    {"a", 0, true},
	    {"a-b.c1.Test", 0, true},
	    {"1.a", 0, true},
	    {L63 ".test", 0, true},
	    {L63 "." L63 "." L63 "." L63, 0, true}, /* 255 */
	    {L63 "." L63 "." L63 "." L63 ".", 0, false},
	    {L63 "a.test", 0, false},
	    {"", 0, false},
	    {".", 0, false},
	    {".a", 0, false},
	    {"a..b", 0, false},
	    {"a.", 0, false},
	    {"-a.b", 0, false},
	    {"a-.b", 0, false},
	    {"a_b", 0, true},
	    {"a b", 0, false},
	    {"a/b", 0, false},
	    {"a\\b", 0, false},
	    {"a\0b", 3, false},
	    {"\xc3\xa9.test", 0, false},
	    {"192.0.2.1", 0, false},
	    {"1", 0, false},
	    {"*.test", 0, false},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len =
		    names[i].len != 0 ? names[i].len : strlen(names[i].name);

		cr_expect_eq(tls_sni_is_host_name(names[i].name, len),
		    names[i].is_host_name, "%s", names[i].name);
	}
}

/* What no OpenSSL would send: a ClientHello whose name has NULs in it. */
Test(sni, names_with_nuls)
{
	static const unsigned char hello[] =
	    "\x16\x03\x01\x00\x53\x01\x00\x00\x4f\x03\x03"
	    "0123456789abcdef0123456789abcdef\x00\x00\x02\xc0\x2f\x01\x00"
	    "\x00\x24\x00\x00\x00\x20\x00\x1e\x00\x00\x1b"
	    "a\0b.test\0aaaaaaaaaaaaaaaaa\0";
	struct tls_context_options options = sni_options();
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
	struct tls_context *context;
	struct link link;
	char note[512];

	cr_assert_eq(sizeof(hello) - 1, 5 + 0x53);
	context = create(&options);
	link_open(&link, context, client_ctx);
	memcpy(link.to_server, hello, sizeof(hello) - 1);
	link.to_server_len = sizeof(hello) - 1;
	link_serve_handshake(&link);
	cr_expect_eq(link.status, TLS_FAILED);
	cr_expect_eq(tls_sni_note(link.server, PEER, note, sizeof(note)),
	    TLS_SNI_NOTE_WARNING);
	cr_expect_str_eq(note,
	    "TLS SNI from " PEER " is invalid: a?b.test?aaaaaaaaaaaaaaaaa?");
	link_close(&link);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

/* Who watches for certificates that expire must see these, too. */
Test(sni, all_certificates_can_be_described)
{
	struct tls_context_options options = sni_options();
	struct tls_context *context = create(&options);
	size_t of_p256 = 0, of_p384 = 0, of_ed25519 = 0;

	cr_assert_eq(tls_describe_certificate_count(context), 6);
	for (size_t i = 0; i < 6; i++) {
		struct tls_certificate_description found;
		bool is_of_curve;

		tls_describe_certificate(context, i, &found);
		is_of_curve = strcmp(found.key_type, "EC") == 0;
		cr_expect_eq(found.is_for_sni, i > 0);
		cr_expect_eq(strcmp(found.key_type, "RSA") == 0, i == 0);
		cr_expect_gt(found.not_after_s, 0);
		of_p256 += is_of_curve && found.key_bits == 256;
		of_p384 += is_of_curve && found.key_bits == 384;
		of_ed25519 += strcmp(found.key_type, "ED25519") == 0;
	}
	/* The last two are of both.test, too. */
	cr_expect_eq(of_p256, 1);
	cr_expect_eq(of_p384, 2);
	cr_expect_eq(of_ed25519, 2);
	tls_context_destroy(&context);
}
