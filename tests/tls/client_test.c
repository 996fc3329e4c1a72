/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side against the server's, over two arrays. */
#include "tls/client.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/x509v3.h>

#include "tls/facts.h"
#include "tls/fixture.h"
#include "tls/handles.h"
#include "tls/peer.h"
#include "tls/pki.h"

#define PEER "mx.test[192.0.2.1]:25"

/* An authority and what it signs; made for each test. */
static struct {
	EVP_PKEY *ca_key, *key;
	X509 *ca, *middle;
	EVP_PKEY *middle_key;
	const char *ca_file, *middle_file;
} pki;

static void init(void)
{
	fixture_init();
	pki.ca_key = fixture_key("p256");
	pki.key = fixture_key("p256");
	pki.middle_key = fixture_key("p256");
	pki.ca =
	    pki_issue(&(struct pki_request){.name = {.common_name = "Root"},
		.key = pki.ca_key,
		.is_authority = true});
	pki.middle =
	    pki_issue(&(struct pki_request){.name = {.common_name = "Middle"},
		.key = pki.middle_key,
		.issuer = pki.ca,
		.issuer_key = pki.ca_key,
		.is_authority = true});
	pki.ca_file = pki_write("ca.pem", &pki.ca, 1);
	pki.middle_file = pki_write("middle.pem", &pki.middle, 1);
}

static void fini(void)
{
	X509_free(pki.ca);
	X509_free(pki.middle);
	EVP_PKEY_free(pki.ca_key);
	EVP_PKEY_free(pki.middle_key);
	EVP_PKEY_free(pki.key);
	fixture_fini();
}

TestSuite(client, .init = init, .fini = fini);

/* A server's file with a certificate that Middle signed. */
static const char *server_file(const char *common_name, const char *names)
{
	X509 *chain[2] = {pki_issue(&(struct pki_request){
			      .name = {.common_name = common_name},
			      .key = pki.key,
			      .issuer = pki.middle,
			      .issuer_key = pki.middle_key,
			      .names = names}),
	    pki.middle};
	const char *path = pki_write_chain("server.pem", pki.key, chain, 2);

	X509_free(chain[0]);
	return path;
}

static struct tls_client_options options_of(enum tls_client_level level)
{
	struct tls_client_options options = {
	    .shared = fixture_options(""),
	    .level = level,
	    .match_parameter = "smtp_tls_secure_cert_match",
	    .tls_wildcard_matches_multiple_labels = true,
	    .smtp_tls_trust_anchor_file = "",
	    .trust_anchor_parameter = "smtp_tls_trust_anchor_file",
	    .servername = "",
	};

	options.shared.protocols_parameter = "smtp_tls_protocols";
	options.shared.ciphers.grade_parameter = "smtp_tls_ciphers";
	options.shared.ciphers.tls_medium_cipherlist =
	    "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH";
	options.shared.peer.smtpd_tls_ccert_verifydepth = 9;
	return options;
}

static struct tls_client *create(const struct tls_client_options *options)
{
	struct tls_client *client = tls_client_create(options, &fixture_report);

	cr_assert_not_null(client, "%s", fixture_findings);
	return client;
}

/* Two sessions, and the bytes between them. */
struct pair {
	struct tls_session *client, *server;
	size_t slice;
	enum tls_status client_status, server_status;
	uint8_t to_client[LINK_BUFFER_SIZE], to_server[LINK_BUFFER_SIZE];
	size_t to_client_len, to_server_len;
};
static struct pair pair;

static void step(struct tls_session *session, enum tls_status *status,
    uint8_t *in, size_t *in_len, uint8_t *out, size_t *out_len)
{
	size_t len = *in_len < pair.slice ? *in_len : pair.slice;
	struct tls_wire wire = {.in = in,
	    .in_len = len,
	    .out = out + *out_len,
	    .out_size = LINK_BUFFER_SIZE - *out_len};

	if (*status == TLS_DONE || *status == TLS_FAILED)
		return;
	*status = tls_session_handshake(session, &wire);
	memmove(in, in + wire.in_used, *in_len - wire.in_used);
	*in_len -= wire.in_used;
	*out_len += wire.out_len;
}

/* What the server sends behind the handshake: tickets. */
static void read_tickets(void)
{
	uint8_t plain[64], out[1024];
	size_t len = 0;
	struct tls_wire wire = {.in = pair.to_client,
	    .in_len = pair.to_client_len,
	    .out = out,
	    .out_size = sizeof(out)};

	cr_assert_eq(
	    tls_session_read(pair.client, &wire, plain, sizeof(plain), &len),
	    TLS_WANT_INPUT);
	cr_assert_eq(len, 0);
}

static bool shake_hands(
    const struct tls_client *client, struct tls_context *server)
{
	size_t slice = pair.slice;

	memset(&pair, 0, sizeof(pair));
	pair.slice = slice == 0 ? LINK_BUFFER_SIZE : slice;
	pair.client = tls_client_session_create(client);
	pair.server = tls_session_create(server);
	pair.client_status = pair.server_status = TLS_WANT_INPUT;
	cr_assert_not_null(pair.client);
	for (int i = 0; i < 20000; i++) {
		step(pair.client, &pair.client_status, pair.to_client,
		    &pair.to_client_len, pair.to_server, &pair.to_server_len);
		step(pair.server, &pair.server_status, pair.to_server,
		    &pair.to_server_len, pair.to_client, &pair.to_client_len);
		if (pair.client_status == TLS_FAILED ||
		    pair.server_status == TLS_FAILED)
			return false;
		if (pair.client_status == TLS_DONE &&
		    pair.server_status == TLS_DONE)
			break;
	}
	cr_assert_eq(pair.client_status, TLS_DONE);
	cr_assert_eq(pair.server_status, TLS_DONE);
	read_tickets();
	return true;
}

static void part(void)
{
	tls_session_destroy(&pair.client);
	tls_session_destroy(&pair.server);
}

static struct tls_facts facts(void)
{
	struct tls_facts read;

	tls_facts_read(pair.client, &read);
	return read;
}

static struct tls_context *server_of(
    const char *chain_file, const char *protocols)
{
	struct tls_context_options options = fixture_options(chain_file);
	struct tls_context *context;

	options.protocols = protocols;
	options.ciphers.tls_medium_cipherlist =
	    "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH";
	context = tls_context_create(&options, &fixture_report);
	cr_assert_not_null(context, "%s", fixture_findings);
	return context;
}

/* --- whom it trusts --- */

struct verdict_row {
	enum tls_client_level level;
	const char *common_name, *names; /* of the server */
	const char *match;		 /* one of them */
	bool knows_authority;
	const char *word; /* Postfix's */
	bool satisfied;
	const char *verdict; /* how the line about it begins */
	const char *matched;
};

static const struct verdict_row verdict_rows[] = {
    {TLS_CLIENT_MAY, "mx.test", NULL, NULL, true, "Trusted", true, "", ""},
    {TLS_CLIENT_MAY, "mx.test", NULL, NULL, false, "Untrusted", true,
	"certificate verification failed for " PEER
	": untrusted issuer /CN=Root",
	""},
    {TLS_CLIENT_ENCRYPT, "mx.test", NULL, NULL, true, "Trusted", true, "", ""},
    {TLS_CLIENT_SECURE, "mx.test", NULL, "mx.test", true, "Verified", true, "",
	PEER ": matched peername: mx.test"},
    {TLS_CLIENT_VERIFY, "mx.test", NULL, "MX.Test", true, "Verified", true, "",
	PEER ": matched peername: mx.test"},
    /* Postfix before 3.10.4 says Untrusted. */
    {TLS_CLIENT_SECURE, "mx.test", NULL, "other.test", true, "Trusted", false,
	"server certificate verification failed for " PEER
	": num=62:hostname mismatch",
	""},
    {TLS_CLIENT_SECURE, "mx.test", NULL, "mx.test", false, "Untrusted", false,
	"certificate verification failed for " PEER
	": untrusted issuer /CN=Root",
	""},
    /* The CN counts only without DNS names. */
    {TLS_CLIENT_SECURE, "mx.test", "DNS:a.test", "mx.test", true, "Trusted",
	false, "server certificate verification failed", ""},
    {TLS_CLIENT_SECURE, "mx.test", "IP:192.0.2.1", "mx.test", true, "Verified",
	true, "", PEER ": matched peername: mx.test"},
    {TLS_CLIENT_SECURE, "x", "DNS:a.test, DNS:b.test", "b.test", true,
	"Verified", true, "", PEER ": matched peername: b.test"},
    {TLS_CLIENT_SECURE, "x", "DNS:a.b.c.test", ".c.test", true, "Verified",
	true, "", PEER ": matched peername: a.b.c.test"},
    {TLS_CLIENT_SECURE, "x", "DNS:c.test", ".c.test", true, "Trusted", false,
	"server", ""},
    {TLS_CLIENT_SECURE, "x", "DNS:*.c.test", "a.c.test", true, "Verified", true,
	"", PEER ": matched peername: *.c.test"},
    {TLS_CLIENT_SECURE, "x", "DNS:*.c.test", "a.b.c.test", true, "Verified",
	true, "", PEER ": matched peername: *.c.test"},
    {TLS_CLIENT_SECURE, "x", "DNS:m*.c.test", "mx.c.test", true, "Trusted",
	false, "server", ""},
};

Test(client, verdicts)
{
	for (size_t i = 0; i < sizeof(verdict_rows) / sizeof(verdict_rows[0]);
	     i++) {
		const struct verdict_row *row = &verdict_rows[i];
		struct tls_client_options options = options_of(row->level);
		struct tls_context *server = server_of(
		    server_file(row->common_name, row->names), ">=TLSv1.2");
		struct tls_client *client;
		char line[512];

		options.matches = &row->match;
		options.match_count = row->match != NULL;
		if (row->knows_authority)
			options.shared.peer.smtpd_tls_CAfile = pki.ca_file;
		client = create(&options);
		cr_assert(shake_hands(client, server), "row %zu", i);
		cr_expect_str_eq(
		    tls_trust_word(facts().trust), row->word, "row %zu", i);
		cr_expect_eq(tls_client_is_satisfied(pair.client),
		    row->satisfied, "row %zu", i);
		tls_client_verdict_line(pair.client, PEER, line, sizeof(line));
		cr_expect_eq(
		    strncmp(line, row->verdict,
			row->verdict[0] == '\0' ? 1 : strlen(row->verdict)),
		    0, "row %zu: %s", i, line);
		tls_client_match_line(pair.client, PEER, line, sizeof(line));
		cr_expect_str_eq(line, row->matched, "row %zu", i);
		part();
		tls_client_destroy(&client);
		tls_context_destroy(&server);
	}
	cr_expect_str_eq(fixture_findings, "");
}

Test(client, wildcards_of_one_label)
{
	static const char *const name = "a.b.c.test";
	struct tls_client_options options = options_of(TLS_CLIENT_SECURE);
	struct tls_context *server =
	    server_of(server_file("x", "DNS:*.c.test"), ">=TLSv1.2");
	struct tls_client *client;

	options.matches = &name;
	options.match_count = 1;
	options.tls_wildcard_matches_multiple_labels = false;
	options.shared.peer.smtpd_tls_CAfile = pki.ca_file;
	client = create(&options);
	cr_assert(shake_hands(client, server));
	cr_expect_not(tls_client_is_satisfied(pair.client));
	part();
	tls_client_destroy(&client);
	tls_context_destroy(&server);
}

static void print_hex(const unsigned char *bytes, size_t len, bool has_colons,
    bool is_lower, char *out)
{
	for (size_t i = 0; i < len; i++) {
		if (has_colons && i > 0)
			*out++ = ':';
		out += is_lower ? sprintf(out, "%02x", bytes[i])
				: sprintf(out, "%02X", bytes[i]);
	}
}

/* The digests of the server's certificate and of its key, from a session. */
static void digests(struct tls_context *server, unsigned char certificate[32],
    unsigned char key[32])
{
	struct tls_client_options options = options_of(TLS_CLIENT_MAY);
	struct tls_client *client = create(&options);
	unsigned char *spki = NULL;
	X509 *peer;
	int len;

	cr_assert(shake_hands(client, server));
	peer = SSL_get0_peer_certificate(tls_session_handle(pair.client));
	X509_digest(peer, EVP_sha256(), certificate, NULL);
	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(peer), &spki);
	EVP_Digest(spki, (size_t)len, key, NULL, EVP_sha256(), NULL);
	OPENSSL_free(spki);
	part();
	tls_client_destroy(&client);
}

Test(client, fingerprints)
{
	struct tls_context *server =
	    server_of(fixture_chain("rsa"), ">=TLSv1.2");
	unsigned char digest[2][32];
	char expected[256], line[512];

	digests(server, digest[0], digest[1]);
	for (size_t i = 0; i < 8; i++) {
		struct tls_client_options options =
		    options_of(TLS_CLIENT_FINGERPRINT);
		char text[256];
		const char *matches[] = {"00:11", text};
		struct tls_client *client;

		print_hex(digest[i / 4], 32, i % 2 == 0, i % 4 > 1, text);
		options.matches = matches;
		options.match_count = 2;
		options.match_parameter = "smtp_tls_fingerprint_cert_match";
		client = create(&options);
		cr_expect_not_null(strstr(fixture_findings,
		    "warning smtp_tls_fingerprint_cert_match: \"00:11\" is no "
		    "fingerprint of sha256 and is ignored; must be 32 bytes "
		    "in hexadecimal"));
		cr_assert(shake_hands(client, server));
		cr_expect_str_eq(tls_trust_word(facts().trust), "Verified");
		cr_expect(tls_client_is_satisfied(pair.client));
		tls_client_verdict_line(pair.client, PEER, line, sizeof(line));
		cr_expect_str_eq(line, "");
		tls_client_match_line(pair.client, PEER, line, sizeof(line));
		print_hex(digest[i / 4], 32, false, false, text);
		snprintf(expected, sizeof(expected),
		    PEER ": Matched fingerprint: %s", text);
		cr_expect_str_eq(line, expected);
		part();
		tls_client_destroy(&client);
	}
	tls_context_destroy(&server);
}

Test(client, another_fingerprint)
{
	static const char *const other =
	    "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:"
	    "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff";
	struct tls_client_options options = options_of(TLS_CLIENT_FINGERPRINT);
	struct tls_context *server =
	    server_of(server_file("mx.test", NULL), ">=TLSv1.2");
	struct tls_client *client;
	char line[512];

	options.matches = &other;
	options.match_count = 1;
	options.shared.peer.smtpd_tls_CAfile = pki.ca_file;
	client = create(&options);
	cr_assert(shake_hands(client, server));
	cr_expect_str_eq(tls_trust_word(facts().trust), "Untrusted");
	cr_expect_not(tls_client_is_satisfied(pair.client));
	tls_client_verdict_line(pair.client, PEER, line, sizeof(line));
	cr_expect_str_eq(line,
	    "server certificate verification failed for " PEER
	    ": num=65:no matching DANE TLSA records");
	part();
	tls_client_destroy(&client);
	tls_context_destroy(&server);
}

static const char *key_file(const char *name, EVP_PKEY *key)
{
	const char *path = fixture_path(name);
	BIO *file = BIO_new_file(path, "w");

	cr_assert_eq(PEM_write_bio_PUBKEY(file, key), 1);
	BIO_free(file);
	return path;
}

/* Of roots or not, with a certificate or without one. */
Test(client, trust_anchors)
{
	EVP_PKEY *stranger = fixture_key("p256");
	const struct {
		const char *file;
		const char *word;
	} rows[] = {
	    {pki.ca_file, "Verified"},
	    {pki.middle_file, "Verified"},
	    {key_file("middle.pub", pki.middle_key), "Verified"},
	    {key_file("root.pub", pki.ca_key), "Verified"},
	    {key_file("stranger.pub", stranger), "Untrusted"},
	};
	static const char *const name = "mx.test";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_client_options options =
		    options_of(TLS_CLIENT_SECURE);
		struct tls_context *server =
		    server_of(server_file("mx.test", NULL), ">=TLSv1.2");
		struct tls_client *client;

		options.matches = &name;
		options.match_count = 1;
		options.smtp_tls_trust_anchor_file = rows[i].file;
		/* They replace it. */
		options.shared.peer.smtpd_tls_CAfile = pki.ca_file;
		client = create(&options);
		cr_assert(shake_hands(client, server));
		cr_expect_str_eq(
		    tls_trust_word(facts().trust), rows[i].word, "row %zu", i);
		part();
		tls_client_destroy(&client);
		tls_context_destroy(&server);
	}
	EVP_PKEY_free(stranger);
}

/* --- what it says and chooses --- */

Test(client, lines_are_postfix_s)
{
	static const struct {
		const char *protocols;
		const char *line;
	} rows[] = {
	    {">=TLSv1.3",
		"Untrusted TLS connection established to " PEER
		": TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) "
		"key-exchange X25519 server-signature RSA-PSS (2048 bits) "
		"server-digest SHA256"},
	    {"<=TLSv1.2", "Anonymous TLS connection established to " PEER
			  ": TLSv1.2 with cipher AECDH-AES256-SHA "
			  "(256/256 bits)"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_client_options options = options_of(TLS_CLIENT_MAY);
		struct tls_context *server =
		    server_of(fixture_chain("rsa"), rows[i].protocols);
		struct tls_client *client = create(&options);
		struct tls_facts read;
		char line[512];

		cr_assert(shake_hands(client, server));
		read = facts();
		tls_facts_summary(&read, "to", PEER, line, sizeof(line));
		cr_expect_str_eq(line, rows[i].line);
		cr_expect(read.forward_secret);
		part();
		tls_client_destroy(&client);
		tls_context_destroy(&server);
	}
}

/* Whoever must be someone is never anonymous. */
Test(client, no_anonymous_suites_where_the_server_must_match)
{
	static const char *const name = "mx.test";
	struct tls_client_options options = options_of(TLS_CLIENT_SECURE);
	struct tls_context *server =
	    server_of(server_file("mx.test", NULL), "<=TLSv1.2");
	struct tls_client *client;

	options.matches = &name;
	options.match_count = 1;
	options.shared.peer.smtpd_tls_CAfile = pki.ca_file;
	client = create(&options);
	cr_assert(shake_hands(client, server));
	cr_expect_str_eq(facts().cipher, "ECDHE-ECDSA-AES256-GCM-SHA384");
	cr_expect_str_eq(tls_trust_word(facts().trust), "Verified");
	part();
	tls_client_destroy(&client);
	tls_context_destroy(&server);
}

/* A server that has both kinds of keys shows the one that is asked for. */
Test(client, signatures_choose_the_key)
{
	static const struct {
		const char *algorithms, *name; /* NULL: there is none */
	} rows[] = {
	    {"RSA-PSS+SHA256", "RSA-PSS"},
	    {"ECDSA+SHA256", "ECDSA"},
	    {"ed25519", NULL},
	};
	struct tls_client_options options = options_of(TLS_CLIENT_MAY);
	char files[512];
	struct tls_context *server;
	struct tls_client *client;

	snprintf(files, sizeof(files), "%s %s", fixture_chain("rsa"),
	    fixture_chain("p256"));
	server = server_of(files, ">=TLSv1.2");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		client = create(&options);
		cr_assert(
		    tls_client_limit_signatures(client, rows[i].algorithms));
		cr_assert_eq(shake_hands(client, server), rows[i].name != NULL);
		if (rows[i].name != NULL)
			cr_expect_str_eq(
			    facts().server_signature.name, rows[i].name);
		part();
		tls_client_destroy(&client);
	}
	client = create(&options);
	cr_assert_not(tls_client_limit_signatures(client, "nothing"));
	tls_client_destroy(&client);
	tls_context_destroy(&server);
}

Test(client, edh_in_tls_1_2_tells_its_size)
{
	struct tls_client_options options = options_of(TLS_CLIENT_MAY);
	struct tls_context *server =
	    server_of(fixture_chain("rsa"), "<=TLSv1.2");
	struct tls_client *client;

	options.shared.ciphers.tls_medium_cipherlist = "DHE:!aNULL";
	client = create(&options);
	cr_assert(shake_hands(client, server));
	cr_expect_str_eq(facts().key_exchange.name, "DHE");
	cr_expect_eq(facts().key_exchange.bits, 2048);
	part();
	tls_client_destroy(&client);
	tls_context_destroy(&server);
}

Test(client, name_in_the_hello)
{
	struct tls_context *server =
	    server_of(fixture_chain("rsa"), ">=TLSv1.2");

	for (int i = 0; i < 2; i++) {
		struct tls_client_options options = options_of(TLS_CLIENT_MAY);
		struct tls_client *client;
		const char *name;

		options.servername = i == 0 ? "" : "mx.example.test";
		client = create(&options);
		cr_assert(shake_hands(client, server));
		name = SSL_get_servername(
		    tls_session_handle(pair.server), TLSEXT_NAMETYPE_host_name);
		if (i == 0)
			cr_expect_null(name);
		else
			cr_expect_str_eq(name, "mx.example.test");
		part();
		tls_client_destroy(&client);
	}
	tls_context_destroy(&server);
}

Test(client, shows_its_certificate_to_those_who_ask)
{
	struct tls_context_options asks = fixture_options(fixture_chain("rsa"));
	struct tls_client_options options = options_of(TLS_CLIENT_ENCRYPT);
	struct tls_context *server;
	struct tls_client *client;
	struct tls_peer peer;
	char line[512];
	struct tls_facts read;

	asks.peer.smtpd_tls_ask_ccert = true;
	asks.peer.smtpd_tls_ccert_verifydepth = 9;
	server = tls_context_create(&asks, &fixture_report);
	options.shared.smtpd_tls_chain_files = fixture_chain("p256");
	client = create(&options);
	cr_assert(shake_hands(client, server));
	tls_peer_read(pair.server, &peer);
	cr_expect(peer.is_present);
	cr_expect_not(peer.is_server);
	read = facts();
	tls_facts_summary(&read, "to", PEER, line, sizeof(line));
	cr_expect_not_null(
	    strstr(line, "client-signature ECDSA (prime256v1) client-digest "
			 "SHA256"),
	    "%s", line);
	tls_peer_read(pair.client, &peer);
	tls_peer_line(&peer, PEER, line, sizeof(line));
	cr_expect_not_null(strstr(line, PEER ": subject_CN=mx.example.test, "
					     "issuer_CN=mx.example.test, "
					     "fingerprint="));
	part();
	/* Nobody asks: nothing is signed, and nothing is told of it. */
	tls_context_destroy(&server);
	server = server_of(fixture_chain("rsa"), ">=TLSv1.3");
	cr_assert(shake_hands(client, server));
	cr_expect_str_eq(facts().client_signature.name, "");
	part();
	tls_client_destroy(&client);
	tls_context_destroy(&server);
}

/* --- resumption --- */

static const char *const both_versions[] = {"<=TLSv1.2", ">=TLSv1.3"};

Test(client, resumes_the_last_session)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_client_options options =
		    options_of(TLS_CLIENT_ENCRYPT);
		struct tls_context *server =
		    server_of(fixture_chain("rsa"), both_versions[i]);
		struct tls_client *client = create(&options);

		cr_expect_not(tls_client_memory(client).is_there);
		for (int round = 0; round < 3; round++) {
			cr_assert(shake_hands(client, server));
			cr_expect_eq(facts().resumed, round > 0, "%s, %d",
			    both_versions[i], round);
			part();
		}
		cr_expect(tls_client_memory(client).is_there);
		cr_expect(tls_client_memory(client).is_ticket);
		cr_expect_gt(tls_client_memory(client).lifetime_s, 0);
		tls_client_forget_session(client);
		cr_expect_not(tls_client_memory(client).is_there);
		cr_assert(shake_hands(client, server));
		cr_expect_not(facts().resumed);
		part();
		tls_client_destroy(&client);
		tls_context_destroy(&server);
	}
}

Test(client, resumes_nothing_when_told)
{
	for (size_t i = 0; i < 3; i++) {
		struct tls_client_options options =
		    options_of(TLS_CLIENT_ENCRYPT);
		struct tls_context *server =
		    server_of(fixture_chain("rsa"), both_versions[i % 2]);
		struct tls_client *client;

		/* The third: TLS 1.2 resumes without secrecy. */
		if (i == 2)
			options.shared.ciphers.forward_secrecy =
			    TLS_FORWARD_SECRECY_REQUIRE;
		else
			options.shared.session_timeout_s = 0;
		client = create(&options);
		for (int round = 0; round < 2; round++) {
			cr_assert(shake_hands(client, server));
			cr_expect_not(facts().resumed, "%zu", i);
			part();
		}
		tls_client_destroy(&client);
		tls_context_destroy(&server);
	}
}

/* A session that did not satisfy is not remembered, and one that did satisfies
 * when it is resumed. */
Test(client, resumes_only_what_satisfied)
{
	static const char *const names[] = {"mx.test", "other.test"};

	for (size_t i = 0; i < 4; i++) {
		struct tls_client_options options =
		    options_of(TLS_CLIENT_SECURE);
		struct tls_context *server = server_of(
		    server_file("mx.test", NULL), both_versions[i % 2]);
		struct tls_client *client;

		options.matches = &names[i / 2];
		options.match_count = 1;
		options.shared.peer.smtpd_tls_CAfile = pki.ca_file;
		client = create(&options);
		for (int round = 0; round < 2; round++) {
			cr_assert(shake_hands(client, server));
			cr_expect_eq(facts().resumed, i < 2 && round > 0);
			cr_expect_str_eq(tls_trust_word(facts().trust),
			    i < 2 ? "Verified" : "Trusted");
			part();
		}
		tls_client_destroy(&client);
		tls_context_destroy(&server);
	}
}

/* --- trouble --- */

Test(client, any_slices)
{
	static const size_t slices[] = {1, 2, 7, 100};

	for (size_t i = 0; i < sizeof(slices) / sizeof(slices[0]); i++) {
		struct tls_client_options options =
		    options_of(TLS_CLIENT_ENCRYPT);
		struct tls_context *server =
		    server_of(fixture_chain("p256"), ">=TLSv1.2");
		struct tls_client *client = create(&options);

		pair.slice = slices[i];
		cr_assert(shake_hands(client, server));
		part();
		tls_client_destroy(&client);
		tls_context_destroy(&server);
	}
	pair.slice = 0;
}

Test(client, nothing_in_common)
{
	struct tls_client_options options = options_of(TLS_CLIENT_ENCRYPT);
	struct tls_context *server =
	    server_of(fixture_chain("rsa"), "<=TLSv1.2");
	struct tls_client *client;

	options.shared.protocols = ">=TLSv1.3";
	client = create(&options);
	cr_assert_not(shake_hands(client, server));
	part();
	tls_client_destroy(&client);
	tls_context_destroy(&server);
}

static void expect_refusal(
    const struct tls_client_options *options, const char *finding)
{
	fixture_findings[0] = '\0';
	cr_expect_null(tls_client_create(options, &fixture_report));
	cr_expect_not_null(
	    strstr(fixture_findings, finding), "%s", fixture_findings);
}

/* They are told by the names of this side. */
Test(client, findings)
{
	struct tls_client_options options = options_of(TLS_CLIENT_ENCRYPT);

	options.shared.smtpd_tls_chain_files = "/nowhere/smtpd_tls_x.pem";
	expect_refusal(&options, "error smtp_tls_chain_files: "
				 "\"/nowhere/smtpd_tls_x.pem\": No such file");
	options = options_of(TLS_CLIENT_ENCRYPT);
	options.shared.peer.smtpd_tls_CAfile = "/nowhere.pem";
	expect_refusal(&options, "error smtp_tls_CAfile: \"/nowhere.pem\": No "
				 "such file");
	options = options_of(TLS_CLIENT_ENCRYPT);
	options.shared.peer.smtpd_tls_fingerprint_digest = "md99";
	expect_refusal(&options, "error smtp_tls_fingerprint_digest: \"md99\"");
	options = options_of(TLS_CLIENT_ENCRYPT);
	options.shared.ciphers.smtpd_tls_exclude_ciphers = "!aNULL";
	expect_refusal(&options, "error smtp_tls_exclude_ciphers: \"!aNULL\"");
	options = options_of(TLS_CLIENT_ENCRYPT);
	options.servername = "not a name";
	expect_refusal(&options, "error smtp_tls_servername: \"not a name\"");
	options = options_of(TLS_CLIENT_SECURE);
	expect_refusal(&options, "error smtp_tls_secure_cert_match: names no "
				 "host, so that no server could match");
	options = options_of(TLS_CLIENT_FINGERPRINT);
	expect_refusal(&options, "error smtp_tls_secure_cert_match: names no "
				 "fingerprint");
	options = options_of(TLS_CLIENT_ENCRYPT);
	options.smtp_tls_trust_anchor_file =
	    fixture_text("anchor.pem", "nothing\n");
	expect_refusal(&options, "it holds no certificate and no public key; "
				 "must be a PEM file with certificates or");
	options.smtp_tls_trust_anchor_file = fixture_chain("rsa");
	expect_refusal(&options, "it holds what is neither a certificate nor a "
				 "public key");
}
