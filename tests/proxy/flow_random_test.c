/* SPDX-License-Identifier: Apache-2.0 */
/* Facts in any order that a kernel can bring them in, to sessions with and
 * without TLS: nothing asserts, every session ends, and nothing is left. */
#include "proxy/flow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "harness.h"
#include "tests/tls/fixture.h"

#define SESSION_COUNT 1500
#define FACT_COUNT    400
#define CLIENT_OPS    (FLOW_WANT_CLIENT_RECV | FLOW_WANT_CLIENT_SEND)
#define BACKEND_OPS                                           \
	(FLOW_WANT_BACKEND_CONNECT | FLOW_WANT_BACKEND_RECV | \
	    FLOW_WANT_BACKEND_SEND)

TestSuite(
    flow_random, .init = harness_init, .fini = harness_fini, .timeout = 120);

static const char *const client_words[] = {
    "EHLO a\r\n",
    "MAIL FROM:<a@b>\r\n",
    "RCPT TO:<a@b>\r\n",
    "MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n",
    "DATA\r\n",
    "BDAT 5 LAST\r\nabcde",
    "RSET\r\n",
    "NOOP\r\n",
    "STARTTLS\r\n",
};

static const char *const body_words[] = {
    "text\r\n.\r\n",
    "\r\n.\r\n",
    "\r\n.",
    "\r\n",
    "text",
};

/* What ends many a session. */
static const char *const odd_words[] = {
    "HELO a\r\n",
    ".\r\n",
    "BDAT 9000\r\n",
    "BDAT 0 LAST\r\n",
    "BDAT x\r\n",
    "HELP\r\n",
    "VRFY a\r\n",
    "AUTH PLAIN AAAA\r\n",
    "XCLIENT ADDR=1\r\n",
    "FOO\r\n",
    "STARTTLS\r\nMAIL FROM:<evil@b>\r\n",
    "QUIT\r\n",
    "NO",
    "OP\n",
    "\0\r\n",
};

static const char *const odd_answers[] = {
    "220 b ESMTP\r\n",
    "250-b\r\n250 DSN\r\n",
    "250 ok\r\n250 ok\r\n",
    "354 go\r\n",
    "334 \r\n",
    "250-more\r\n",
    "25",
    "421 closing\r\n",
    "451 later\r\n",
    "554 no\r\n",
    "hello\r\n",
};

static uint32_t seed;
static unsigned armed;
static bool client_closing, backend_closing;
static SSL_CTX *tls_ctx;
static SSL *tls;	     /* NULL: the client still speaks in clear */
static size_t ready_matched; /* of HARNESS_READY, in what it was sent */
static uint8_t *taken[64];   /* buffers that other sessions have */

static uint32_t below(uint32_t limit)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % limit;
}

static bool once_in(uint32_t times)
{
	return below(times) == 0;
}

static void start_client_tls(void)
{
	BIO *in = BIO_new(BIO_s_mem());

	tls = SSL_new(tls_ctx);
	BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(tls, in, BIO_new(BIO_s_mem()));
	SSL_set_connect_state(tls);
}

static void stop_client_tls(void)
{
	SSL_free(tls);
	tls = NULL;
	ready_matched = 0;
}

#define ANY_OF(words) words[below(sizeof(words) / sizeof(*(words)))]

/* What the client wrote, at most what one receive takes. */
static size_t client_writes(uint8_t bytes[FLOW_RECEIVE_SIZE])
{
	bool in_body = flow.state == FLOW_RELAY &&
		       flow.relay.state == SMTP_RELAY_EXPECT_BODY;
	const char *word = once_in(30) ? ANY_OF(odd_words)
			   : in_body   ? ANY_OF(body_words)
				       : ANY_OF(client_words);
	size_t len = word[0] == '\0' ? 3 : strlen(word);

	if (once_in(150)) {
		len = 1 + below(FLOW_RECEIVE_SIZE);
		memset(bytes, "x\n\0A"[below(4)], len);
	} else {
		memcpy(bytes, word, len);
	}
	if (tls == NULL || once_in(200))
		return len;
	SSL_do_handshake(tls);
	if (SSL_is_init_finished(tls))
		SSL_write(tls, bytes, (int)len);
	int wire_len = BIO_read(SSL_get_wbio(tls), bytes, FLOW_RECEIVE_SIZE);

	return wire_len > 0 ? (size_t)wire_len : 0;
}

static void client_reads(const uint8_t *bytes, size_t len)
{
	uint8_t plain[4096];

	if (tls != NULL) {
		BIO_write(SSL_get_rbio(tls), bytes, (int)len);
		while (SSL_is_init_finished(tls) &&
		       SSL_read(tls, plain, sizeof(plain)) > 0)
			;
		return;
	}
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != HARNESS_READY[ready_matched])
			ready_matched = bytes[i] == '2';
		else
			ready_matched++;
		if (HARNESS_READY[ready_matched] == '\0') {
			start_client_tls();
			return;
		}
	}
}

static void client_receives(void)
{
	uint8_t *bytes = malloc(FLOW_RECEIVE_SIZE);
	size_t len = client_writes(bytes);

	if (client_closing || (len > 0 && once_in(100)))
		len = 0;
	else if (len == 0)
		goto free_bytes; /* nothing came yet */
	bytes = realloc(bytes, len + (len == 0));
	armed &= ~(unsigned)FLOW_WANT_CLIENT_RECV;
	if (once_in(300))
		flow_client_failed(&flow, &env);
	else
		flow_client_received(&flow, &env, bytes, len);
free_bytes:
	free(bytes);
}

static const char *opening_answer(void)
{
	switch (flow.opening.state) {
	case SMTP_OPENING_EXPECT_GREETING:
	case SMTP_OPENING_EXPECT_STARTTLS_REPLY:
	case SMTP_OPENING_EXPECT_XCLIENT_REPLY:
		return "220 b\r\n";
	case SMTP_OPENING_EXPECT_FIRST_REPLY:
	case SMTP_OPENING_EXPECT_NEXT_REPLY:
		return "250-b\r\n250 XCLIENT NAME ADDR\r\n";
	case SMTP_OPENING_EXPECT_HELO_REPLY:
		return HARNESS_BACKEND_EHLO;
	case SMTP_OPENING_EXPECT_TLS:
	case SMTP_OPENING_EXPECT_IDENTITY:
	case SMTP_OPENING_EXPECT_QUIT_REPLY:
	case SMTP_OPENING_DONE:
		break;
	}
	return "221 bye\r\n";
}

/* What a backend says that does all that it is asked for. */
static const char *fitting_answer(void)
{
	if (flow.state == FLOW_BACKEND_OPENING)
		return opening_answer();
	if (flow.state != FLOW_RELAY ||
	    smtp_outstanding_is_empty(&flow.relay.outstanding))
		return NULL;
	switch ((int)smtp_outstanding_first(&flow.relay.outstanding)) {
	case SMTP_DUE_EHLO:
		return HARNESS_BACKEND_EHLO;
	case SMTP_DUE_DATA:
		return "354 go\r\n";
	case SMTP_DUE_QUIT:
		return "221 bye\r\n";
	default:
		return "250 ok\r\n";
	}
}

static void backend_receives(void)
{
	const char *word = once_in(60) ? ANY_OF(odd_answers) : fitting_answer();
	size_t len = word != NULL ? strlen(word) : 0;
	uint8_t *bytes;

	if (backend_closing || once_in(150))
		len = 0;
	else if (word == NULL)
		return; /* nothing came yet */
	bytes = malloc(len + (len == 0));
	if (len > 0)
		memcpy(bytes, word, len);
	armed &= ~(unsigned)FLOW_WANT_BACKEND_RECV;
	if (once_in(200))
		flow_backend_failed(&flow, &env, ECONNRESET);
	else
		flow_backend_received(&flow, &env, bytes, len);
	free(bytes);
}

static void is_sent(enum flow_want want)
{
	bool is_client = want == FLOW_WANT_CLIENT_SEND;
	struct leg *leg = is_client ? &flow.client : &flow.backend;
	bool closing = is_client ? client_closing : backend_closing;
	size_t len = leg_pending(leg);

	armed &= ~(unsigned)want;
	if (len > 1 && once_in(3))
		len = 1 + below((uint32_t)len - 1);
	if (closing || once_in(300)) {
		if (is_client)
			flow_client_failed(&flow, &env);
		else
			flow_backend_failed(&flow, &env, EPIPE);
		return;
	}
	if (is_client) {
		client_reads(leg->out + leg->out_start, len);
		flow_client_sent(&flow, &env, len);
	} else {
		flow_backend_sent(&flow, &env, len);
	}
}

static void connect_completes(void)
{
	armed &= ~(unsigned)FLOW_WANT_BACKEND_CONNECT;
	/* The cancel may have come too late, or not at all. */
	if (once_in(8))
		flow_backend_failed(&flow, &env, ECONNREFUSED);
	else
		flow_backend_connected(&flow, &env);
}

/* Completions of what is armed; as in the worker none is reported to a flow
 * that is closed. */
static void complete(enum flow_want want)
{
	if (flow.state == FLOW_CLOSED) {
		armed &= ~(unsigned)want;
		return;
	}
	switch (want) {
	case FLOW_WANT_CLIENT_RECV:
		client_receives();
		return;
	case FLOW_WANT_BACKEND_RECV:
		backend_receives();
		return;
	case FLOW_WANT_CLIENT_SEND:
	case FLOW_WANT_BACKEND_SEND:
		is_sent(want);
		return;
	case FLOW_WANT_BACKEND_CONNECT:
		connect_completes();
		return;
	case FLOW_WANT_CLIENT_SHUTDOWN:
	case FLOW_WANT_HANDSHAKE:
	case FLOW_WANT_BUFFER:
	case FLOW_WANT_BACKEND_CLOSE:
	case FLOW_WANT_NAME:
	case FLOW_WANT_PLACE:
		return;
	}
}

static void others_use_buffers(void)
{
	size_t i = below(sizeof(taken) / sizeof(*taken));

	if (taken[i] != NULL)
		buffer_give(&env.buffers, &taken[i]);
	else
		taken[i] = buffer_take(&env.buffers);
}

static void others_give_all_back(void)
{
	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		buffer_give(&env.buffers, &taken[i]);
}

/* Whoever waits does so for somebody. */
static void look_for_hangs(void)
{
	bool buffer = (flow_wants(&flow) & FLOW_WANT_BUFFER) != 0;

	cr_assert(armed != 0 || buffer ||
		  (flow_wants(&flow) & FLOW_WANT_HANDSHAKE) != 0);
	if (flow.backend_waits)
		cr_assert(buffer || leg_pending(&flow.client) > 0);
	if (flow.client_waits && flow.state == FLOW_RELAY)
		cr_assert(buffer || leg_pending(&flow.client) > 0 ||
			  leg_pending(&flow.backend) > 0 ||
			  smtp_relay_awaits_backend(&flow.relay));
	if (flow.client_waits && flow.state != FLOW_RELAY &&
	    flow.state != FLOW_BACKEND_OPENING && flow.state < FLOW_DRAIN)
		cr_assert(buffer || leg_pending(&flow.client) > 0);
}

/* As worker_advance() does. */
static void advance(void)
{
	unsigned wants = flow_wants(&flow);

	cr_assert_eq(flow.client.out != NULL, leg_pending(&flow.client) > 0);
	cr_assert_leq(flow.client.held_len, FLOW_SCRATCH_SIZE / 2);
	cr_assert_leq(flow.backend.held_len, FLOW_SCRATCH_SIZE / 2);
	if (flow.state == FLOW_CLOSED) {
		client_closing = true;
		backend_closing = true;
		return;
	}
	cr_assert_neq(wants, 0);
	if ((wants & FLOW_WANT_CLIENT_SHUTDOWN) != 0)
		flow_client_shut_down(&flow);
	if ((wants & FLOW_WANT_BACKEND_CLOSE) != 0) {
		backend_closing = true;
		if ((armed & BACKEND_OPS) == 0) {
			backend_closing = false;
			flow_backend_closed(&flow, &env);
		}
	}
	armed |= flow_wants(&flow) & (CLIENT_OPS | BACKEND_OPS);
	if (flow.state != FLOW_CLOSED)
		look_for_hangs();
}

static void time_is_up(void)
{
	uint32_t serial = flow.limit.serial;

	flow_timed_out(&flow, &env);
	if (flow.state != FLOW_CLOSED && flow.state != FLOW_BACKEND_OPENING)
		cr_assert_neq(flow.limit.serial, serial);
}

static void one_fact(void)
{
	unsigned bit = 1u << below(9);

	if (flow.state != FLOW_CLOSED) {
		if ((flow_wants(&flow) & FLOW_WANT_HANDSHAKE) != 0 &&
		    once_in(2))
			flow_handshake_turn(&flow, &env);
		if ((flow_wants(&flow) & FLOW_WANT_BUFFER) != 0 && once_in(2))
			flow_go_on(&flow, &env);
		if (once_in(300))
			time_is_up();
		if (once_in(1000))
			env.stopping = true;
		if (env.stopping)
			flow_stop(&flow, &env);
		if (once_in(10))
			others_use_buffers();
		if (once_in(200))
			harness_probe_found((int)below(2),
			    once_in(2) ? NULL : HARNESS_BACKEND_EHLO);
	}
	if ((armed & bit) != 0)
		complete((enum flow_want)bit);
	advance();
}

static void begin_session(void)
{
	uint32_t kind = below(HARNESS_SERVICE_COUNT + 1);
	struct sockaddr_in peer = {.sin_family = AF_INET};

	flow = (struct flow){0};
	armed = 0;
	client_closing = false;
	backend_closing = false;
	env.stopping = false;
	stop_client_tls();
	if (kind == HARNESS_SERVICE_COUNT) {
		flow_begin_probe(&flow, &env, &services[HARNESS_MAY], FIRST);
		return;
	}
	if (kind == HARNESS_WRAPPED)
		start_client_tls();
	services[kind].policy.forbid_pipelining = once_in(3);
	for (size_t i = 0; i < services[kind].backend_count; i++)
		services[kind].backends[i].handover.way =
		    once_in(2) ? HANDOVER_NONE
			       : (enum handover_way)below(HANDOVER_MISSING + 1);
	flow_begin(&flow, &env, &services[kind], (const struct sockaddr *)&peer,
	    once_in(40));
}

/* Only its time limits are left. */
static void end_session(void)
{
	for (int i = 0; i < 100 && flow.state != FLOW_CLOSED; i++) {
		time_is_up();
		armed &= ~BACKEND_OPS;
		advance();
	}
	cr_assert_eq(flow.state, FLOW_CLOSED, "state %d", flow.state);
	cr_assert_neq(flow.reason, CLOSE_NONE);
	flow_finish(&flow, &env);
	cr_assert_null(flow.client.out);
	cr_assert_null(flow.backend.out);
	cr_assert_eq(counted(METRIC_sessions_open), 0);
	cr_assert_eq(counted(METRIC_backend_sessions), 0);
	others_give_all_back();
	cr_assert_eq(buffer_pool_in_use(&env.buffers), 0);
	cr_assert(log_flush(env.log));
}

Test(flow_random, whatever_comes_every_session_ends)
{
	unsigned reasons[CLOSE_REASON_COUNT] = {0};
	unsigned relays = 0, in_tls = 0;

	seed = 4711;
	tls_ctx = fixture_client_ctx(0, 0);
	for (size_t i = 0; i < HARNESS_SERVICE_COUNT; i++)
		services[i].policy.hard_error_limit = 200;
	for (int session = 0; session < SESSION_COUNT; session++) {
		begin_session();
		advance();
		for (int i = 0; i < FACT_COUNT; i++)
			one_fact();
		relays += flow.had_relay;
		in_tls += flow.smtp.tls;
		end_session();
		reasons[flow.reason]++;
	}
	stop_client_tls();
	SSL_CTX_free(tls_ctx);
	flow = (struct flow){0};
	/* Or it would show little. */
	cr_assert_gt(relays, SESSION_COUNT / 10, "%u", relays);
	cr_assert_gt(in_tls, SESSION_COUNT / 10, "%u", in_tls);
	cr_assert_eq(reasons[CLOSE_NONE], 0);
	cr_assert_gt(reasons[CLOSE_CLIENT_QUIT], 0);
	cr_assert_gt(reasons[CLOSE_CLIENT_LOST], 0);
	cr_assert_gt(reasons[CLOSE_BACKEND_LOST], 0);
	cr_assert_gt(reasons[CLOSE_TIMED_OUT], 0);
	cr_assert_gt(reasons[CLOSE_STOPPED], 0);
	cr_assert_gt(reasons[CLOSE_PROBE_DONE], 0);
	cr_assert_gt(counted(METRIC_messages_accepted), 0);
}
