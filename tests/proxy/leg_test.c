/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/leg.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "tests/tls/fixture.h"

#define TEXT_SIZE 200000

static struct buffer_pool pool;
static struct leg leg;
static struct tls_context *context;
static SSL_CTX *client_ctx;
static SSL *client;
static uint8_t text[TEXT_SIZE], heard[TEXT_SIZE];

static void init(void)
{
	fixture_init();
	cr_assert(buffer_pool_init(&pool, 2));
	leg = (struct leg){0};
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7 + i / 251);
}

static void fini(void)
{
	leg_finish(&leg, &pool);
	cr_assert_eq(buffer_pool_in_use(&pool), 0);
	buffer_pool_finish(&pool);
	SSL_free(client);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
	fixture_fini();
}

TestSuite(leg, .init = init, .fini = fini);

/* `len` bytes leave, as the kernel takes them. */
static void send_out(size_t len)
{
	if (client != NULL)
		cr_assert_eq(BIO_write(SSL_get_rbio(client),
				 leg.out + leg.out_start, (int)len),
		    (int)len);
	leg_sent(&leg, &pool, len);
}

static size_t take_wire(uint8_t *wire, size_t size)
{
	int len = BIO_read(SSL_get_wbio(client), wire, (int)size);

	return len > 0 ? (size_t)len : 0;
}

static void bring_tls_up(int version)
{
	uint8_t wire[16384];
	enum tls_status status = TLS_WANT_INPUT;

	client_ctx = fixture_client_ctx(version, version);
	client = SSL_new(client_ctx);
	SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	BIO_set_mem_eof_return(SSL_get_rbio(client), -1);
	SSL_set_connect_state(client);
	context = fixture_context(fixture_chain("p256"));
	leg.tls = tls_session_create(context);
	cr_assert_not_null(leg.tls);
	while (SSL_do_handshake(client) != 1 || status != TLS_DONE) {
		size_t len = take_wire(wire, sizeof(wire)), used;

		if (status == TLS_WANT_INPUT) {
			cr_assert_eq(leg_open(&leg, &pool), LEG_OK);
			status = leg_handshake(&leg, wire, len, &used);
			cr_assert_eq(used, len);
		}
		if (leg_pending(&leg) > 0)
			send_out(leg_pending(&leg));
		leg_tidy(&leg, &pool);
	}
}

static size_t client_reads(void)
{
	size_t len = 0, more;

	while (
	    SSL_read_ex(client, heard + len, sizeof(heard) - len, &more) == 1)
		len += more;
	return len;
}

Test(leg, in_clear_what_is_written_is_sent_as_it_is)
{
	cr_assert_eq(leg_room(&leg), BUFFER_SIZE);
	cr_assert_eq(leg_write(&leg, &pool, "", 0), LEG_OK);
	cr_assert_eq(buffer_pool_in_use(&pool), 0);
	cr_assert_eq(leg_write(&leg, &pool, "one ", 4), LEG_OK);
	cr_assert_eq(leg_write(&leg, &pool, "two", 3), LEG_OK);
	cr_assert_eq(leg_pending(&leg), 7);
	cr_assert_eq(memcmp(leg.out + leg.out_start, "one two", 7), 0);
	cr_assert_eq(leg_room(&leg), BUFFER_SIZE - 7);
	leg_sent(&leg, &pool, 7);
	cr_assert_eq(leg_pending(&leg), 0);
	cr_assert_eq(buffer_pool_in_use(&pool), 0);
}

Test(leg, in_clear_its_room_is_just_what_fits)
{
	leg_write(&leg, &pool, text, 1000);
	cr_assert_eq(leg_room(&leg), BUFFER_SIZE - 1000);
	cr_assert_eq(
	    leg_write(&leg, &pool, text + 1000, leg_room(&leg)), LEG_OK);
	cr_assert_eq(leg_room(&leg), 0);
	cr_assert_eq(memcmp(leg.out, text, BUFFER_SIZE), 0);
}

Test(leg, more_than_its_room_is_a_bug, .signal = SIGABRT)
{
	leg_write(&leg, &pool, text, 1);
	leg_write(&leg, &pool, text, BUFFER_SIZE);
}

Test(leg, more_sent_than_there_was_is_a_bug, .signal = SIGABRT)
{
	leg_write(&leg, &pool, text, 1);
	leg_sent(&leg, &pool, 2);
}

/* While bytes are being sent they stay where they are. */
Test(leg, what_is_written_meanwhile_goes_behind)
{
	const uint8_t *sending;

	leg_write(&leg, &pool, text, 100);
	sending = leg.out + leg.out_start;
	leg_write(&leg, &pool, text + 100, 100);
	cr_assert_eq(leg.out + leg.out_start, sending);
	cr_assert_eq(memcmp(sending, text, 200), 0);
}

Test(leg, what_was_not_sent_is_sent_later)
{
	size_t at = 0;

	leg_write(&leg, &pool, text, 1000);
	while (at < 1000) {
		size_t len = leg_pending(&leg) < 13 ? leg_pending(&leg) : 13;

		cr_assert_eq(
		    memcmp(leg.out + leg.out_start, text + at, len), 0);
		leg_sent(&leg, &pool, len);
		at += len;
		cr_assert_eq(leg_pending(&leg), 1000 - at);
	}
	cr_assert_eq(buffer_pool_in_use(&pool), 0);
}

Test(leg, what_was_sent_makes_room)
{
	leg_write(&leg, &pool, text, BUFFER_SIZE);
	leg_sent(&leg, &pool, 5000);
	cr_assert_eq(leg_room(&leg), 5000);
}

Test(leg, without_a_buffer_it_takes_nothing)
{
	uint8_t *one = buffer_take(&pool), *other = buffer_take(&pool);

	cr_assert_eq(leg_open(&leg, &pool), LEG_NO_BUFFER);
	cr_assert_eq(leg_write(&leg, &pool, "x", 1), LEG_NO_BUFFER);
	cr_assert_eq(leg_pending(&leg), 0);
	buffer_give(&pool, &one);
	cr_assert_eq(leg_write(&leg, &pool, "x", 1), LEG_OK);
	buffer_give(&pool, &other);
}

Test(leg, tidying_gives_only_an_empty_buffer_back)
{
	cr_assert_eq(leg_open(&leg, &pool), LEG_OK);
	cr_assert_eq(buffer_pool_in_use(&pool), 1);
	leg_tidy(&leg, &pool);
	cr_assert_eq(buffer_pool_in_use(&pool), 0);
	leg_tidy(&leg, &pool);
	leg_write(&leg, &pool, "x", 1);
	leg_tidy(&leg, &pool);
	cr_assert_eq(leg_pending(&leg), 1);
}

Test(leg, it_holds_what_it_is_told_to)
{
	uint8_t first[] = {1, 2, 3, 4};

	cr_assert(leg_hold(&leg, first, 4, false));
	first[0] = 9;
	cr_assert_eq(leg.held_len, 4);
	cr_assert_eq(leg.held[0], 1, "it is a copy");
	cr_assert(leg_hold(&leg, leg.held, 4, false), "all of it again");
	cr_assert_eq(leg.held[3], 4);
	cr_assert(leg_hold(&leg, leg.held + 1, 3, true), "what is left of it");
	cr_assert_eq(leg.held_len, 3);
	cr_assert_eq(leg.held[0], 2);
	cr_assert(leg.held_is_wire);
	cr_assert_eq(leg_drop_held(&leg), 3);
	cr_assert_null(leg.held);
	cr_assert_eq(leg_drop_held(&leg), 0);
	cr_assert(leg_hold(&leg, first, 4, false));
	cr_assert(leg_hold(&leg, first, 0, false));
	cr_assert_null(leg.held);
}

/* Its room at any fill is what fits, whatever it is cut into: one record, or
 * several. */
static void fill_to_the_edge(int version)
{
	size_t first_len = 0;

	bring_tls_up(version);
	while (first_len <= leg_room(&leg)) {
		size_t written = first_len;

		leg_write(&leg, &pool, text, first_len);
		for (int i = 0; i < 3; i++) {
			size_t room = leg_room(&leg);

			cr_assert_eq(
			    leg_write(&leg, &pool, text + written, room),
			    LEG_OK, "%zu at %zu", room, first_len);
			written += room;
		}
		cr_assert_leq(leg.out_end, BUFFER_SIZE);
		cr_assert_gt(leg.out_end, BUFFER_SIZE - 1400);
		send_out(leg_pending(&leg));
		cr_assert_eq(client_reads(), written);
		cr_assert_eq(memcmp(heard, text, written), 0);
		first_len += 331;
	}
}

Test(leg, in_tls_its_room_is_what_surely_fits)
{
	fill_to_the_edge(TLS1_3_VERSION);
}

Test(leg, in_tls_1_2_its_room_is_what_surely_fits)
{
	fill_to_the_edge(TLS1_2_VERSION);
}

Test(leg, in_tls_what_was_not_sent_is_sent_later)
{
	bring_tls_up(TLS1_3_VERSION);
	leg_write(&leg, &pool, text, 5000);
	leg_write(&leg, &pool, text + 5000, 100);
	while (leg_pending(&leg) > 0)
		send_out(leg_pending(&leg) < 77 ? leg_pending(&leg) : 77);
	cr_assert_eq(client_reads(), 5100);
	cr_assert_eq(memcmp(heard, text, 5100), 0);
	cr_assert_eq(buffer_pool_in_use(&pool), 0);
}

static struct leg_plain room_of(uint8_t *bytes, size_t wire_len)
{
	return (struct leg_plain){
	    .bytes = bytes,
	    .size = LEG_PLAIN_SIZE_MAX(wire_len) + 1,
	};
}

/* Records do not end where receives do. */
Test(leg, records_are_decrypted_wherever_they_are_cut)
{
	static uint8_t wire[65536];
	static uint8_t plain_bytes[LEG_PLAIN_SIZE_MAX(65536) + 1];
	static const size_t sizes[] = {1, 2, 5, 21, 22, 100, 16384};

	bring_tls_up(TLS1_3_VERSION);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct leg_plain plain = room_of(plain_bytes, sizeof(wire));
		size_t len;

		SSL_write(client, text, 300);
		SSL_write(client, text + 300, 20000);
		len = take_wire(wire, sizeof(wire));
		for (size_t at = 0; at < len; at += sizes[i])
			cr_assert_eq(
			    leg_decrypt(&leg, &pool, wire + at,
				len - at < sizes[i] ? len - at : sizes[i],
				&plain),
			    LEG_OK);
		cr_assert_eq(plain.len, 20300);
		cr_assert_eq(memcmp(plain_bytes, text, 20300), 0);
		cr_assert_eq(buffer_pool_in_use(&pool), 0);
	}
}

Test(leg, decrypted_bytes_go_behind_what_is_there)
{
	uint8_t wire[1024];
	uint8_t bytes[LEG_PLAIN_SIZE_MAX(1024) + 16] = "head ";
	struct leg_plain plain = {
	    .bytes = bytes, .size = sizeof(bytes), .len = 5};
	size_t len;

	bring_tls_up(TLS1_3_VERSION);
	SSL_write(client, "tail", 4);
	len = take_wire(wire, sizeof(wire));
	cr_assert_eq(leg_decrypt(&leg, &pool, wire, len, &plain), LEG_OK);
	cr_assert_eq(plain.len, 9);
	cr_assert_eq(memcmp(bytes, "head tail", 9), 0);
}

/* What ends a record that had come but for its last byte. */
static void receive_the_rest(size_t size, size_t written)
{
	static uint8_t wire[65536], bytes[LEG_PLAIN_SIZE_MAX(32768) + 1];
	struct leg_plain plain = room_of(bytes, size);
	size_t len;

	bring_tls_up(TLS1_3_VERSION);
	SSL_write(client, text, (int)written);
	len = take_wire(wire, sizeof(wire));
	cr_assert_gt(len, size);
	cr_assert_eq(
	    leg_decrypt(&leg, &pool, wire, len - size, &plain), LEG_OK);
	cr_assert_eq(plain.len, 0);
	cr_assert_eq(
	    leg_decrypt(&leg, &pool, wire + len - size, size, &plain), LEG_OK);
	cr_assert_eq(plain.len, written);
	cr_assert_eq(memcmp(bytes, text, plain.len), 0);
}

Test(leg, one_receive_can_become_more_than_it_is)
{
	receive_the_rest(16384, 32768 - 100);
}

Test(leg, a_receive_of_two_records_can_become_three)
{
	receive_the_rest(32768, 49152 - 150);
}

Test(leg, what_is_no_tls_breaks_it_and_an_alert_goes_out)
{
	uint8_t wire[1024], bytes[LEG_PLAIN_SIZE_MAX(1024) + 1];
	struct leg_plain plain = room_of(bytes, 1024);
	size_t len;

	bring_tls_up(TLS1_3_VERSION);
	SSL_write(client, "text", 4);
	len = take_wire(wire, sizeof(wire));
	wire[len - 1] ^= 1;
	cr_assert_eq(leg_decrypt(&leg, &pool, wire, len, &plain), LEG_BROKEN);
	cr_assert_eq(plain.len, 0);
	cr_assert(leg.broken);
	cr_assert_gt(leg_pending(&leg), 0);
	cr_assert_eq(leg_room(&leg), 0);
	cr_assert_eq(leg_write(&leg, &pool, "x", 1), LEG_BROKEN);
	send_out(leg_pending(&leg));
	cr_assert_eq(client_reads(), 0);
	cr_assert_eq(SSL_get_error(client, -1), SSL_ERROR_SSL);
}

Test(leg, what_came_before_the_break_is_there)
{
	uint8_t wire[1024], bytes[LEG_PLAIN_SIZE_MAX(1024) + 1];
	struct leg_plain plain = room_of(bytes, 1024);
	size_t len;

	bring_tls_up(TLS1_3_VERSION);
	SSL_write(client, "first", 5);
	SSL_write(client, "second", 6);
	len = take_wire(wire, sizeof(wire));
	wire[len - 1] ^= 1;
	cr_assert_eq(leg_decrypt(&leg, &pool, wire, len, &plain), LEG_BROKEN);
	cr_assert_eq(plain.len, 5);
}

Test(leg, close_notify_is_the_end_of_the_stream_and_it_can_still_write)
{
	uint8_t wire[1024], bytes[LEG_PLAIN_SIZE_MAX(1024) + 1];
	struct leg_plain plain = room_of(bytes, 1024);
	size_t len;

	bring_tls_up(TLS1_3_VERSION);
	SSL_write(client, "last", 4);
	SSL_shutdown(client);
	len = take_wire(wire, sizeof(wire));
	cr_assert_eq(leg_decrypt(&leg, &pool, wire, len, &plain), LEG_OK);
	cr_assert_eq(plain.len, 4);
	cr_assert(leg.eof);
	cr_assert_not(leg.broken);
	cr_assert_eq(leg_write(&leg, &pool, "answer", 6), LEG_OK);
	cr_assert_eq(leg_open(&leg, &pool), LEG_OK);
	leg_close_tls(&leg);
	send_out(leg_pending(&leg));
	cr_assert_eq(client_reads(), 6);
	cr_assert_eq(SSL_get_shutdown(client),
	    SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

/* TLS answers by itself: a buffer is taken only for that. */
Test(leg, a_key_update_is_answered)
{
	uint8_t wire[1024], bytes[LEG_PLAIN_SIZE_MAX(1024) + 1];
	struct leg_plain plain = room_of(bytes, 1024);
	size_t len;

	bring_tls_up(TLS1_3_VERSION);
	cr_assert_eq(SSL_key_update(client, SSL_KEY_UPDATE_REQUESTED), 1);
	SSL_write(client, "text", 4);
	len = take_wire(wire, sizeof(wire));
	cr_assert_eq(leg_decrypt(&leg, &pool, wire, len, &plain), LEG_OK);
	cr_assert_eq(plain.len, 4);
	leg_write(&leg, &pool, "answer", 6);
	send_out(leg_pending(&leg));
	cr_assert_eq(client_reads(), 6);
}

Test(leg, a_handshake_that_fails_breaks_it)
{
	size_t used;

	context = fixture_context(fixture_chain("p256"));
	leg.tls = tls_session_create(context);
	cr_assert_eq(leg_open(&leg, &pool), LEG_OK);
	cr_assert_eq(
	    leg_handshake(&leg, (const uint8_t *)"EHLO a\r\n", 8, &used),
	    TLS_FAILED);
	cr_assert(leg.broken);
	leg_close_tls(&leg);
}
