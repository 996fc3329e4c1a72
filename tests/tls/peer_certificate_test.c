/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/peer_certificate.h"

#include <string.h>
#include <time.h>

#include <criterion/criterion.h>

#include "tls/client.h"
#include "tls/fixture.h"
#include "tls/pki.h"

#define DAY_S 86400

TestSuite(peer_certificate, .init = fixture_init, .fini = fixture_fini);

static struct tls_session *client, *server;

static struct tls_session *create_client(void)
{
	struct tls_client_options options = {
	    .shared = fixture_options(""),
	    .level = TLS_CLIENT_MAY,
	    .match_parameter = "level",
	    .smtp_tls_trust_anchor_file = "",
	    .trust_anchor_parameter = "anchors",
	    .servername = "",
	};
	struct tls_client *made;
	struct tls_session *session;

	options.shared.protocols_parameter = "protocols";
	options.shared.ciphers.grade_parameter = "ciphers";
	options.shared.ciphers.tls_medium_cipherlist = "ALL:aNULL";
	made = tls_client_create(&options, &fixture_report);
	cr_assert_not_null(made, "%s", fixture_findings);
	session = tls_client_session_create(made);
	tls_client_destroy(&made);
	cr_assert_not_null(session);
	return session;
}

static void shake_hands(const char *chain_file)
{
	static uint8_t to_client[TLS_WIRE_ROOM_MIN],
	    to_server[TLS_WIRE_ROOM_MIN];
	struct tls_context *context = fixture_context(chain_file);
	enum tls_status status = TLS_WANT_INPUT;
	size_t to_client_len = 0;

	client = create_client();
	server = tls_session_create(context);
	cr_assert_not_null(server);
	tls_context_destroy(&context);
	for (int i = 0; i < 8 && status == TLS_WANT_INPUT; i++) {
		struct tls_wire wire = {.in = to_client,
		    .in_len = to_client_len,
		    .out = to_server,
		    .out_size = sizeof(to_server)};
		struct tls_wire back = {.in = to_server,
		    .out = to_client,
		    .out_size = sizeof(to_client)};

		status = tls_session_handshake(client, &wire);
		cr_assert_eq(wire.in_used, to_client_len);
		if (status == TLS_DONE)
			break;
		back.in_len = wire.out_len;
		tls_session_handshake(server, &back);
		to_client_len = back.out_len;
	}
	cr_assert_eq(status, TLS_DONE);
}

static void part(void)
{
	tls_session_destroy(&client);
	tls_session_destroy(&server);
}

/* A certificate that signs itself, with these words in it. */
static const char *chain_of(struct pki_request request, const char *key_type)
{
	const char *path;
	X509 *certificate;

	request.key = fixture_key(key_type);
	request.begin_days = -1;
	request.end_days = 30;
	certificate = pki_issue(&request);
	path = pki_write_chain("server.pem", request.key, &certificate, 1);
	X509_free(certificate);
	EVP_PKEY_free(request.key);
	return path;
}

Test(peer_certificate, what_stands_in_it)
{
	struct tls_peer_certificate read;
	int64_t now_s = time(NULL);

	shake_hands(chain_of(
	    (struct pki_request){
		.name = {.common_name = "mx.test", .organization = "Example"},
		.names = "DNS:mx.test, DNS:b.test, IP:192.0.2.1, "
			 "IP:2001:db8::1, email:a@b.test"},
	    "p256"));
	tls_peer_certificate_read(client, &read);
	cr_assert(read.is_present);
	cr_expect(strcmp(read.subject, "CN=mx.test,O=Example") == 0 ||
		      strcmp(read.subject, "O=Example,CN=mx.test") == 0,
	    "%s", read.subject);
	cr_expect_str_eq(read.issuer, read.subject);
	cr_expect_str_eq(read.names, "mx.test, b.test, 192.0.2.1, "
				     "2001:0db8:0000:0000:0000:0000:0000:0001");
	cr_expect_str_eq(read.key_type, "EC");
	cr_expect_str_eq(read.key_curve, "prime256v1");
	cr_expect_eq(read.key_bits, 256);
	cr_expect_str_eq(read.signature, "ecdsa-with-SHA256");
	cr_expect(read.not_before_s <= now_s - DAY_S + 60 &&
		  read.not_before_s > now_s - 2 * DAY_S);
	cr_expect(read.not_after_s > now_s + 29 * DAY_S &&
		  read.not_after_s <= now_s + 30 * DAY_S + 60);
	part();
}

Test(peer_certificate, other_keys)
{
	static const struct {
		const char *key, *type;
		int bits;
	} rows[] = {{"rsa", "RSA", 2048}, {"ed25519", "ED25519", 256}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_peer_certificate read;

		shake_hands(fixture_chain(rows[i].key));
		tls_peer_certificate_read(client, &read);
		cr_expect_str_eq(read.key_type, rows[i].type);
		cr_expect_str_eq(read.key_curve, "");
		cr_expect_eq(read.key_bits, rows[i].bits, "%d", read.key_bits);
		part();
	}
}

Test(peer_certificate, there_is_none)
{
	struct tls_peer_certificate read;

	shake_hands(fixture_chain("p256"));
	tls_peer_certificate_read(server, &read);
	cr_expect_not(read.is_present);
	cr_expect_str_eq(read.subject, "");
	part();
}
