/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/err.h>

#include "tls/facts.h"
#include "tls/fixture.h"
#include "tls/handles.h"

TestSuite(session, .init = fixture_init, .fini = fixture_fini);

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
#define VERSION_COUNT (sizeof(versions) / sizeof(versions[0]))

/* Both ways, more than one record. */
static void exchange(struct link *link)
{
	static char sent[40000];
	static char received[40000];
	size_t len = 0;

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (char)(i * 31 >> 3);
	link_serve_write(link, sent, sizeof(sent));
	cr_assert_eq(link->status, TLS_DONE);
	while (len < sizeof(received)) {
		int read = SSL_read(link->client, received + len,
		    (int)(sizeof(received) - len));

		cr_assert_gt(read, 0);
		len += (size_t)read;
	}
	cr_assert_eq(memcmp(sent, received, sizeof(sent)), 0);
	cr_assert_eq(SSL_write(link->client, sent, sizeof(sent)), sizeof(sent));
	link_collect(link);
	link->plain_len = 0;
	link_serve_read(link);
	cr_assert_eq(link->status, TLS_WANT_INPUT);
	cr_assert_eq(link->plain_len, sizeof(sent));
	cr_assert_eq(memcmp(sent, link->plain, sizeof(sent)), 0);
}

static void run(
    struct tls_context *context, int version, size_t slice, size_t room)
{
	SSL_CTX *client_ctx = fixture_client_ctx(version, version);
	struct link link;

	link_open(&link, context, client_ctx);
	link.slice = slice;
	link.room = room;
	cr_assert(link_handshake(&link), "version %x slice %zu room %zu: %s",
	    (unsigned)version, slice, room,
	    tls_session_library_errors(link.server));
	exchange(&link);
	cr_assert_eq(tls_session_fault(link.server), TLS_FAULT_NONE);
	cr_assert_eq(tls_session_alert(link.server), -1);
	cr_assert_str_eq(tls_session_library_errors(link.server), "");
	link_close(&link);
	SSL_CTX_free(client_ctx);
}

Test(session, every_slice_and_room_with_every_key)
{
	static const char *const types[] = {"rsa", "p256", "ed25519"};
	static const size_t sizes[] = {1, 2, 5, 97, 4096, LINK_BUFFER_SIZE};

	for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
		struct tls_context *context =
		    fixture_context(fixture_chain(types[t]));

		for (size_t v = 0; v < VERSION_COUNT; v++)
			for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes);
			     s++) {
				run(context, versions[v], sizes[s],
				    TLS_WIRE_ROOM_MIN);
				run(context, versions[v], LINK_BUFFER_SIZE,
				    sizes[s]);
				run(context, versions[v], sizes[s], sizes[s]);
			}
		tls_context_destroy(&context);
	}
}

/* The server sees the same handshake, cut at each byte by the end of it. */
Test(session, end_at_every_byte_of_the_handshake)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));

	for (size_t v = 0; v < VERSION_COUNT; v++) {
		SSL_CTX *client_ctx =
		    fixture_client_ctx(versions[v], versions[v]);
		bool is_whole = false;

		for (size_t end = 0; !is_whole; end++) {
			struct link link;
			size_t seen = 0;

			link_open(&link, context, client_ctx);
			link.status = TLS_WANT_INPUT;
			while (link.status == TLS_WANT_INPUT && !link.eof) {
				size_t output_len;

				SSL_do_handshake(link.client);
				link_collect(&link);
				if (seen + link.to_server_len >= end) {
					link.to_server_len = end - seen;
					link.eof = true;
				}
				seen += link.to_server_len;
				output_len = link.server_output_len;
				link_serve_handshake(&link);
				/* No alert for who is gone. */
				if (link.eof && link.to_server_len == 0)
					cr_assert_eq(
					    output_len, link.server_output_len);
			}
			is_whole = link.status == TLS_DONE;
			if (!is_whole) {
				cr_assert_eq(link.status, TLS_FAILED);
				cr_assert_eq(tls_session_fault(link.server),
				    TLS_FAULT_EOF);
				cr_assert_str_eq(
				    tls_session_library_errors(link.server),
				    "");
			}
			link_close(&link);
			cr_assert_lt(end, 4000);
		}
		SSL_CTX_free(client_ctx);
	}
	tls_context_destroy(&context);
}

Test(session, end_at_every_byte_of_the_data)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
	static const char text[] = "NOOP\r\n";
	size_t record_len = 0;

	for (size_t end = 0; record_len == 0 || end <= record_len; end++) {
		struct link link;

		link_open(&link, context, client_ctx);
		cr_assert(link_handshake(&link));
		SSL_write(link.client, text, sizeof(text) - 1);
		link_collect(&link);
		record_len = link.to_server_len;
		link.to_server_len = end;
		link.eof = true;
		link_serve_read(&link);
		cr_assert_eq(link.status, TLS_FAILED);
		cr_assert_eq(tls_session_fault(link.server), TLS_FAULT_EOF);
		/* A whole record before the end is not lost. */
		cr_assert_eq(
		    link.plain_len, end == record_len ? sizeof(text) - 1 : 0);
		link_close(&link);
	}
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

/* The first command rides with Finished; nginx waits for more there. */
Test(session, data_behind_finished)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));

	for (size_t slice = 1; slice < 400; slice++) {
		SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
		struct link link;

		link_open(&link, context, client_ctx);
		link.slice = slice;
		cr_assert_eq(SSL_do_handshake(link.client), -1);
		link_collect(&link);
		link_serve_handshake(&link);
		cr_assert_eq(link.status, TLS_WANT_INPUT);
		cr_assert_eq(SSL_do_handshake(link.client), 1);
		SSL_write(link.client, "EHLO a\r\n", 8);
		link_collect(&link);
		link_serve_handshake(&link);
		cr_assert_eq(link.status, TLS_DONE);
		cr_assert_lt(link.to_server_used, link.to_server_len);
		link_serve_read(&link);
		cr_assert_eq(link.status, TLS_WANT_INPUT);
		cr_assert_eq(link.plain_len, 8);
		cr_assert_eq(memcmp(link.plain, "EHLO a\r\n", 8), 0);
		link_close(&link);
		SSL_CTX_free(client_ctx);
	}
	tls_context_destroy(&context);
}

Test(session, plain_that_is_smaller_than_a_record)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
	struct link link;
	struct tls_wire wire;
	uint8_t out[64];
	uint8_t plain[3];
	size_t len;

	link_open(&link, context, client_ctx);
	cr_assert(link_handshake(&link));
	SSL_write(link.client, "abcdefg", 7);
	link_collect(&link);
	wire = (struct tls_wire){.in = link.to_server,
	    .in_len = link.to_server_len,
	    .out = out,
	    .out_size = sizeof(out)};
	cr_assert_eq(
	    tls_session_read(link.server, &wire, plain, 3, &len), TLS_DONE);
	cr_assert_eq(memcmp(plain, "abc", len), 0);
	cr_assert_eq(len, 3);
	/* `in` is used up, but the session has more. */
	cr_assert_eq(wire.in_used, wire.in_len);
	cr_assert_eq(
	    tls_session_read(link.server, &wire, plain, 3, &len), TLS_DONE);
	cr_assert_eq(memcmp(plain, "def", len), 0);
	cr_assert_eq(tls_session_read(link.server, &wire, plain, 3, &len),
	    TLS_WANT_INPUT);
	cr_assert_eq(len, 1);
	cr_assert_eq(plain[0], 'g');
	cr_assert_eq(tls_session_read(link.server, &wire, plain, 3, &len),
	    TLS_WANT_INPUT);
	cr_assert_eq(len, 0);
	link_close(&link);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

/* A record is begun only when it fits, so OpenSSL holds none back. */
Test(session, writes_as_much_as_there_is_room_for)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
	static uint8_t out[20000];
	static uint8_t plain[20000];
	struct tls_wire wire = {.out = out, .out_size = 1000};
	struct link link;
	size_t used;

	link_open(&link, context, client_ctx);
	cr_assert(link_handshake(&link));
	cr_assert_eq(
	    tls_session_write(link.server, &wire, plain, sizeof(plain), &used),
	    TLS_WANT_ROOM);
	cr_assert_eq(used, 1000 - TLS_RECORD_OVERHEAD_MAX);
	cr_assert_leq(wire.out_len, 1000);
	cr_assert_gt(wire.out_len, used);
	/* So the caller may come with other data. */
	wire = (struct tls_wire){.out = out, .out_size = sizeof(out)};
	cr_assert_eq(
	    tls_session_write(link.server, &wire, plain, 10, &used), TLS_DONE);
	cr_assert_eq(used, 10);
	cr_assert_eq(
	    tls_session_write(link.server, &wire, plain, 0, &used), TLS_DONE);
	cr_assert_eq(used, 0);
	/* No room at all. */
	wire = (struct tls_wire){.out = out, .out_size = 0};
	cr_assert_eq(tls_session_write(link.server, &wire, plain, 10, &used),
	    TLS_WANT_ROOM);
	cr_assert_eq(used, 0);
	link_close(&link);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

/* With less room than any record needs, one is cut up, and goes on as it was
 * begun although there is then room for another size. */
Test(session, goes_on_with_a_record_that_was_cut_up)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
	static uint8_t out[2 * LINK_BUFFER_SIZE];
	static uint8_t plain[16000];
	struct tls_wire wire = {.out = out, .out_size = 1};
	struct link link;
	size_t out_len = 0;
	size_t used = 0;

	memset(plain, 'p', sizeof(plain));
	link_open(&link, context, client_ctx);
	cr_assert(link_handshake(&link));
	for (size_t room = 1; used == 0; room = 5000) {
		wire =
		    (struct tls_wire){.out = out + out_len, .out_size = room};
		link.status = tls_session_write(
		    link.server, &wire, plain, sizeof(plain), &used);
		out_len += wire.out_len;
		cr_assert_eq(link.status, used == 0 ? TLS_WANT_ROOM : TLS_DONE);
	}
	cr_assert_eq(used, sizeof(plain));
	BIO_write(SSL_get_rbio(link.client), out, (int)out_len);
	cr_assert_eq(
	    SSL_read(link.client, link.plain, LINK_BUFFER_SIZE), sizeof(plain));
	cr_assert_eq(memcmp(link.plain, plain, sizeof(plain)), 0);
	link_close(&link);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

Test(session, close_notify_from_the_client)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));

	for (size_t v = 0; v < VERSION_COUNT; v++) {
		SSL_CTX *client_ctx =
		    fixture_client_ctx(versions[v], versions[v]);
		char text[8];
		struct link link;

		link_open(&link, context, client_ctx);
		cr_assert(link_handshake(&link));
		SSL_write(link.client, "QUIT\r\n", 6);
		SSL_shutdown(link.client);
		link_collect(&link);
		link.eof = true;
		link_serve_read(&link);
		cr_assert_eq(link.status, TLS_CLOSED);
		cr_assert_eq(link.plain_len, 6);
		cr_assert_eq(tls_session_fault(link.server), TLS_FAULT_NONE);
		/* It stays so, and the answer can still be written. */
		link_serve_read(&link);
		cr_assert_eq(link.status, TLS_CLOSED);
		link_serve_write(&link, "221 2\r\n", 7);
		cr_assert_eq(link.status, TLS_DONE);
		cr_assert_eq(SSL_read(link.client, text, 8), 7);
		link_close(&link);
		SSL_CTX_free(client_ctx);
	}
	tls_context_destroy(&context);
}

Test(session, close_notify_from_us)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));

	for (size_t v = 0; v < VERSION_COUNT; v++) {
		SSL_CTX *client_ctx =
		    fixture_client_ctx(versions[v], versions[v]);
		uint8_t out[256];
		struct tls_wire wire = {.out = out, .out_size = sizeof(out)};
		struct link link;
		char byte;
		size_t len;

		link_open(&link, context, client_ctx);
		cr_assert(link_handshake(&link));
		tls_session_close(link.server, &wire);
		len = wire.out_len;
		cr_assert_gt(len, 0);
		tls_session_close(link.server, &wire);
		cr_assert_eq(wire.out_len, len);
		BIO_write(SSL_get_rbio(link.client), out, (int)len);
		cr_assert_eq(SSL_read(link.client, &byte, 1), 0);
		cr_assert_eq(
		    SSL_get_error(link.client, 0), SSL_ERROR_ZERO_RETURN);
		link_close(&link);
		SSL_CTX_free(client_ctx);
	}
	tls_context_destroy(&context);
}

static void expect_fault(struct link *link, enum tls_fault fault)
{
	uint8_t out[256];
	struct tls_wire wire = {.out = out, .out_size = sizeof(out)};

	cr_expect_eq(link->status, TLS_FAILED);
	cr_expect_eq(tls_session_fault(link->server), fault, "%s: %s",
	    tls_fault_word(tls_session_fault(link->server)),
	    tls_session_library_errors(link->server));
	/* Nothing is left for the next session, and nothing can follow. */
	cr_expect_eq(ERR_peek_error(), 0);
	cr_expect_eq(tls_session_handshake(link->server, &wire), TLS_FAILED);
	tls_session_close(link->server, &wire);
	cr_expect_eq(wire.out_len, 0);
}

Test(session, no_tls_at_all)
{
#define BYTES(text) text, sizeof(text) - 1
	static const struct {
		const char *bytes;
		size_t len;
		enum tls_fault fault;
	} rows[] = {
	    {BYTES("GET / HTTP/1.1\r\n\r\n"), TLS_FAULT_NOT_TLS},
	    {BYTES("CONNECT a:25 HTTP/1.1\r\n"), TLS_FAULT_NOT_TLS},
	    {BYTES("EHLO client.example.test\r\n"), TLS_FAULT_NOT_TLS},
	    {BYTES("\0\0\0\0\0\0\0\0\0\0\0"), TLS_FAULT_NOT_TLS},
	    {BYTES("\1\2\3\4\5\6\7\10\11\12\13"), TLS_FAULT_NOT_TLS},
	    {BYTES("\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"), TLS_FAULT_NOT_TLS},
	    {BYTES("\x16\3\1\xff\xff too long"), TLS_FAULT_PROTOCOL},
	    {BYTES("\x17\3\3\0\1a"), TLS_FAULT_PROTOCOL},
	    {BYTES("\x16\3\1\0\4\2\0\0\0"), TLS_FAULT_PROTOCOL},
	};
#undef BYTES
	struct tls_context *context = fixture_context(fixture_chain("p256"));
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t slice = 1; slice <= rows[i].len; slice++) {
			struct link link;

			link_open(&link, context, client_ctx);
			link.slice = slice;
			link.to_server_len = rows[i].len;
			memcpy(
			    link.to_server, rows[i].bytes, link.to_server_len);
			link.eof = true;
			link_serve_handshake(&link);
			expect_fault(&link, rows[i].fault);
			/* What is not TLS is not answered in TLS. */
			if (rows[i].fault == TLS_FAULT_NOT_TLS)
				cr_expect_eq(link.server_output_len, 0);
			link_close(&link);
		}
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

/* Runs a handshake that must fail with `fault`. Returns the errors of the
 * library; free() them. */
static char *fail_handshake(const struct tls_context_options *options,
    SSL_CTX *client_ctx, enum tls_fault fault, int client_reason)
{
	struct tls_context *context =
	    tls_context_create(options, &fixture_report);
	struct link link;
	char *errors;

	cr_assert_not_null(context, "%s", fixture_findings);
	link_open(&link, context, client_ctx);
	cr_assert_not(link_handshake(&link));
	/* The client may fail first, and then says why. */
	link_collect(&link);
	if (link.status != TLS_FAILED)
		link_serve_handshake(&link);
	expect_fault(&link, fault);
	ERR_clear_error();
	SSL_do_handshake(link.client);
	if (client_reason != 0)
		cr_expect_eq(ERR_GET_REASON(ERR_peek_error()), client_reason,
		    "%s", ERR_reason_error_string(ERR_peek_error()));
	ERR_clear_error();
	errors = strdup(tls_session_library_errors(link.server));
	link_close(&link);
	tls_context_destroy(&context);
	SSL_CTX_free(client_ctx);
	return errors;
}

/* "error:HEX:SSL routines::no shared cipher:FILE:LINE:" */
static void expect_error_line(char *errors, const char *start)
{
	const char *place = errors + strlen(start);
	unsigned line;
	int end = 0;

	cr_assert_eq(strncmp(errors, start, strlen(start)), 0, "%s", errors);
	cr_assert_eq(
	    sscanf(place, "%*[^:]:%u:%n", &line, &end), 1, "%s", errors);
	cr_assert_gt(line, 0);
	cr_assert(place[end] == '\0' || place[end] == '\n', "%s", errors);
	free(errors);
}

Test(session, no_shared_cipher)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));
	SSL_CTX *client_ctx =
	    fixture_client_ctx(TLS1_2_VERSION, TLS1_2_VERSION);

	options.ciphers.tls_medium_cipherlist = "ECDHE-RSA-AES128-GCM-SHA256";
	SSL_CTX_set_cipher_list(client_ctx, "ECDHE-RSA-AES256-GCM-SHA384");
	expect_error_line(
	    fail_handshake(&options, client_ctx, TLS_FAULT_NO_SHARED_CIPHER,
		SSL_AD_REASON_OFFSET + SSL_AD_HANDSHAKE_FAILURE),
	    "error:0A0000C1:SSL routines::no shared cipher:");
}

Test(session, no_shared_group)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));
	SSL_CTX *client_ctx =
	    fixture_client_ctx(TLS1_3_VERSION, TLS1_3_VERSION);

	SSL_CTX_set1_groups_list(client_ctx, "ffdhe2048");
	expect_error_line(
	    fail_handshake(&options, client_ctx, TLS_FAULT_NO_SHARED_GROUP,
		SSL_AD_REASON_OFFSET + SSL_AD_HANDSHAKE_FAILURE),
	    "error:0A000065:SSL routines::no suitable key share:");
}

Test(session, no_shared_signature)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("p256"));
	SSL_CTX *client_ctx =
	    fixture_client_ctx(TLS1_3_VERSION, TLS1_3_VERSION);

	SSL_CTX_set1_sigalgs_list(client_ctx, "RSA-PSS+SHA256");
	expect_error_line(
	    fail_handshake(&options, client_ctx, TLS_FAULT_NO_SHARED_SIGNATURE,
		SSL_AD_REASON_OFFSET + SSL_AD_HANDSHAKE_FAILURE),
	    "error:0A000076:SSL routines::no suitable signature algorithm:");
}

Test(session, no_shared_version)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));

	options.protocols = ">=TLSv1.3";
	expect_error_line(
	    fail_handshake(&options,
		fixture_client_ctx(TLS1_2_VERSION, TLS1_2_VERSION),
		TLS_FAULT_UNSUPPORTED_VERSION,
		SSL_AD_REASON_OFFSET + SSL_AD_PROTOCOL_VERSION),
	    "error:0A000102:SSL routines::unsupported protocol:");
}

Test(session, alert_from_the_client)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));

	for (size_t v = 0; v < VERSION_COUNT; v++) {
		SSL_CTX *client_ctx =
		    fixture_client_ctx(versions[v], versions[v]);
		struct link link;

		SSL_CTX_set_verify(client_ctx, SSL_VERIFY_PEER, NULL);
		link_open(&link, context, client_ctx);
		cr_assert_not(link_handshake(&link));
		link_collect(&link);
		link_serve_handshake(&link);
		expect_fault(&link, TLS_FAULT_ALERT);
		cr_expect_eq(tls_session_alert(link.server), 48);
		cr_expect_not_null(
		    strstr(tls_session_library_errors(link.server),
			":SSL alert number 48"));
		link_close(&link);
		SSL_CTX_free(client_ctx);
	}
	tls_context_destroy(&context);
}

Test(session, close_notify_in_the_handshake)
{
	static const uint8_t alert[] = {21, 3, 3, 0, 2, 1, 0};
	struct tls_context *context = fixture_context(fixture_chain("p256"));
	SSL_CTX *client_ctx =
	    fixture_client_ctx(TLS1_2_VERSION, TLS1_2_VERSION);
	struct link link;

	link_open(&link, context, client_ctx);
	SSL_do_handshake(link.client);
	link_collect(&link);
	memcpy(link.to_server + link.to_server_len, alert, sizeof(alert));
	link.to_server_len += sizeof(alert);
	link_serve_handshake(&link);
	expect_fault(&link, TLS_FAULT_EOF);
	link_close(&link);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

/* A record that was changed on its way ends the session with an alert, but what
 * came before it is told first. */
Test(session, broken_record_behind_a_good_one)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
	struct link link;
	size_t output_len;

	link_open(&link, context, client_ctx);
	cr_assert(link_handshake(&link));
	SSL_write(link.client, "one", 3);
	SSL_write(link.client, "two", 3);
	link_collect(&link);
	link.to_server[link.to_server_len - 1] ^= 1;
	output_len = link.server_output_len;
	link_serve_read(&link);
	cr_assert_eq(link.plain_len, 3);
	cr_assert_eq(memcmp(link.plain, "one", 3), 0);
	cr_assert_gt(link.server_output_len, output_len);
	expect_fault(&link, TLS_FAULT_PROTOCOL);
	link_close(&link);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

/* Another session's errors, still in the thread's queue, are not ours. */
Test(session, errors_of_others_are_not_ours)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
	struct link link;

	link_open(&link, context, client_ctx);
	SSL_do_handshake(link.client);
	link_collect(&link);
	ERR_raise(ERR_LIB_SSL, SSL_R_BAD_SIGNATURE);
	link_serve_handshake(&link);
	cr_assert_eq(link.status, TLS_WANT_INPUT);
	cr_assert(link_handshake(&link));
	SSL_write(link.client, "abc", 3);
	link_collect(&link);
	link.to_server_len--;
	ERR_raise(ERR_LIB_SSL, SSL_R_BAD_SIGNATURE);
	link_serve_read(&link);
	cr_assert_eq(link.status, TLS_WANT_INPUT);
	link_close(&link);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

Test(session, renegotiation_ends_in_an_alert)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));
	SSL_CTX *client_ctx =
	    fixture_client_ctx(TLS1_2_VERSION, TLS1_2_VERSION);
	struct link link;
	unsigned long error;

	link_open(&link, context, client_ctx);
	cr_assert(link_handshake(&link));
	cr_assert_eq(SSL_renegotiate(link.client), 1);
	SSL_do_handshake(link.client);
	link_collect(&link);
	link_serve_read(&link);
	cr_assert_eq(link.plain_len, 0);
	cr_assert_eq(link.status, TLS_WANT_INPUT);
	cr_assert_eq(SSL_do_handshake(link.client), -1);
	error = ERR_peek_last_error();
	cr_assert_eq(ERR_GET_REASON(error), SSL_R_NO_RENEGOTIATION, "%s",
	    ERR_reason_error_string(error));
	link_close(&link);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

Test(session, outlives_its_context)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
	struct link early;
	struct link late;

	link_open(&early, context, client_ctx);
	link_open(&late, context, client_ctx);
	cr_assert(link_handshake(&late));
	tls_context_destroy(&context);
	cr_assert(link_handshake(&early));
	exchange(&early);
	exchange(&late);
	link_close(&early);
	link_close(&late);
	SSL_CTX_free(client_ctx);
}

Test(session, destroy_in_every_state)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));
	struct tls_session *session = NULL;
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
	struct link link;

	tls_session_destroy(&session);
	cr_assert_null(session);
	session = tls_session_create(context);
	tls_session_destroy(&session);
	cr_assert_null(session);
	link_open(&link, context, client_ctx);
	SSL_do_handshake(link.client);
	link_collect(&link);
	link_serve_handshake(&link);
	link_close(&link);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

/* Clients that name another host get the certificate that there is. */
Test(session, server_name_is_ignored)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
	struct tls_facts facts;
	struct link link;

	link_open(&link, context, client_ctx);
	SSL_set_tlsext_host_name(link.client, "other.example.test");
	cr_assert(link_handshake(&link));
	tls_facts_read(link.server, &facts);
	cr_assert_str_eq(facts.sni, "");
	link_close(&link);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}
