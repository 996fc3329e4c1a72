/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/session.h"

#include <assert.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/debug_tell.h"
#include "tls/exchange.h"
#include "tls/fault.h"
#include "tls/handles.h"
#include "tls/sni.h"
#include "tls/verify.h"
#include "tls/wire_bio.h"

/* Each KeyUpdate costs a key derivation, and a record in answer if the peer
 * asks for it; OpenSSL sets no limit. BoringSSL's is the same. */
#define RECORDS_WITHOUT_DATA_MAX 32

struct tls_session {
	SSL *ssl;
	struct tls_wire_bio wire_bio;
	char *library_errors;	/* NULL but after a fault */
	size_t unfinished_size; /* of the write that OpenSSL wants repeated */
	enum tls_fault fault;
	int alert;
	unsigned records_without_data;
	bool established;
	struct tls_exchange exchange;
	struct tls_verdict verdict;
	struct tls_sni_choice sni_choice;
	struct tls_client_offer offer;
	struct tls_debug *debug; /* NULL: nothing is told */
	struct tls_ticket_events ticket_events;
};

static void fail(struct tls_session *session, enum tls_fault fault)
{
	assert(session->fault == TLS_FAULT_NONE);
	session->fault = fault;
	ERR_clear_error();
}

static void fail_as_library_says(struct tls_session *session)
{
	struct tls_fault_cause cause;

	tls_fault_read(session->established, &cause);
	session->alert = cause.alert;
	session->library_errors = cause.errors;
	fail(session,
	    session->exchange.is_refused ? TLS_FAULT_EDH_REFUSED : cause.fault);
}

/* What the last call into OpenSSL, which did not do all, means. */
static enum tls_status status_of(struct tls_session *session, int result)
{
	switch (SSL_get_error(session->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		if (!session->wire_bio.stopped)
			return TLS_WANT_INPUT;
		fail(session, TLS_FAULT_PROTOCOL);
		return TLS_FAILED;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_ROOM;
	case SSL_ERROR_WANT_CLIENT_HELLO_CB:
		return TLS_WAIT;
	case SSL_ERROR_ZERO_RETURN:
		if (session->established)
			return TLS_CLOSED;
		fail(session, TLS_FAULT_EOF);
		return TLS_FAILED;
	default:
		if (session->wire_bio.eof_seen)
			fail(session, TLS_FAULT_EOF);
		else
			fail_as_library_says(session);
		return TLS_FAILED;
	}
}

/* Each call into OpenSSL stands between these two. SSL_get_error() reads the
 * thread's queue, in which another session may have left something. */
static void lend(struct tls_session *session, struct tls_wire *wire)
{
	ERR_clear_error();
	session->wire_bio.wire = wire;
}

static void take_back(struct tls_session *session)
{
	session->wire_bio.wire = NULL;
}

/* Sees the header of every record, whatever OpenSSL makes of its content. */
static void count_record(int is_written, int version, int type,
    const void *bytes, size_t bytes_len, SSL *ssl, void *argument)
{
	struct tls_session *session = argument;

	(void)version;
	(void)bytes;
	(void)bytes_len;
	(void)ssl;
	if (is_written || type != SSL3_RT_HEADER || !session->established)
		return;
	session->records_without_data++;
	/* One more: this record may be the one with data. */
	if (session->records_without_data > RECORDS_WITHOUT_DATA_MAX + 1)
		session->wire_bio.stopped = true;
}

struct tls_session *tls_session_create_over(SSL_CTX *ctx)
{
	struct tls_session *session = OPENSSL_zalloc(sizeof(*session));
	BIO *bio;

	if (session == NULL)
		return NULL;
	session->alert = TLS_FAULT_NO_ALERT;
	session->ssl = SSL_new(ctx);
	if (session->ssl == NULL)
		goto free_session;
	bio = tls_wire_bio_create(&session->wire_bio);
	if (bio == NULL)
		goto free_ssl;
	SSL_set_bio(session->ssl, bio, bio);
	SSL_set_app_data(session->ssl, session);
	SSL_set_msg_callback(session->ssl, count_record);
	SSL_set_msg_callback_arg(session->ssl, session);
	return session;
free_ssl:
	SSL_free(session->ssl);
free_session:
	OPENSSL_free(session);
	ERR_clear_error();
	return NULL;
}

struct tls_session *tls_session_create(struct tls_context *context)
{
	struct tls_session *session =
	    tls_session_create_over(tls_context_handle(context));

	if (session == NULL)
		return NULL;
	SSL_set_accept_state(session->ssl);
	/* In the handshake an end is told by the BIO (eof_seen), and OpenSSL
	 * need not write an alert about it. */
	SSL_set_options(session->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
	return session;
}

struct tls_session *tls_session_create_without_edh(struct tls_context *context)
{
	struct tls_session *session = tls_session_create(context);

	if (session != NULL)
		session->exchange.without_edh = true;
	return session;
}

void tls_session_set_edh_gate(
    struct tls_session *session, const struct tls_edh_gate *gate)
{
	session->exchange.gate = *gate;
}

bool tls_session_does_edh(const struct tls_session *session)
{
	SSL *ssl = session->ssl;
	const SSL_CIPHER *cipher = SSL_get_pending_cipher(ssl);

	if (cipher == NULL)
		cipher = SSL_get_current_cipher(ssl);
	if (cipher == NULL)
		return false;
	switch (SSL_CIPHER_get_kx_nid(cipher)) {
	case NID_kx_dhe:
		return SSL_session_reused(ssl) == 0;
	case NID_kx_any: /* TLS 1.3 */
		/* Behind a HelloRetryRequest there is a suite, but no session
		 * yet, in which OpenSSL would look for the group. */
		if (SSL_get_session(ssl) == NULL)
			return false;
		break;
	default:
		return false;
	}
	switch (SSL_get_negotiated_group(ssl)) {
	case NID_ffdhe2048:
	case NID_ffdhe3072:
	case NID_ffdhe4096:
	case NID_ffdhe6144:
	case NID_ffdhe8192:
		return true;
	default:
		return false;
	}
}

void tls_session_destroy(struct tls_session **session)
{
	if (*session == NULL)
		return;
	/* OpenSSL would not resume a session that ended without close_notify on
	 * either side. That is a question of truncation, and SMTP has its own
	 * end; a session that failed stays out. */
	if (SSL_is_server((*session)->ssl) == 0 &&
	    (*session)->fault == TLS_FAULT_NONE)
		SSL_set_shutdown(
		    (*session)->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free((*session)->ssl);
	OPENSSL_free((*session)->library_errors);
	tls_verdict_finish(&(*session)->verdict);
	tls_sni_choice_finish(&(*session)->sni_choice);
	tls_debug_destroy(&(*session)->debug);
	OPENSSL_free(*session);
	*session = NULL;
}

enum tls_status tls_session_handshake(
    struct tls_session *session, struct tls_wire *wire)
{
	enum tls_status status = TLS_DONE;
	int result;

	if (session->fault != TLS_FAULT_NONE)
		return TLS_FAILED;
	assert(!session->established);
	lend(session, wire);
	result = SSL_do_handshake(session->ssl);
	if (result == 1) {
		session->established = true;
		SSL_clear_options(session->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
		tls_debug_handshake_done(session);
	} else {
		status = status_of(session, result);
	}
	take_back(session);
	return status;
}

enum tls_status tls_session_read(struct tls_session *session,
    struct tls_wire *wire, uint8_t *plain, size_t plain_size,
    size_t *plain_len_out)
{
	enum tls_status status = TLS_DONE;
	size_t plain_len = 0;

	*plain_len_out = 0;
	if (session->fault != TLS_FAULT_NONE)
		return TLS_FAILED;
	assert(session->established);
	assert(plain_size > 0);
	lend(session, wire);
	while (status == TLS_DONE && plain_len < plain_size) {
		size_t len = 0;
		int result = SSL_read_ex(session->ssl, plain + plain_len,
		    plain_size - plain_len, &len);

		plain_len += len;
		if (result == 1)
			session->records_without_data = 0;
		else
			status = status_of(session, result);
	}
	take_back(session);
	*plain_len_out = plain_len;
	if (plain_len > 0 && status != TLS_WANT_INPUT)
		return TLS_DONE;
	return status;
}

/* A record that fits, so that none waits in OpenSSL for room; 0: there is too
 * little to begin with one. An unfinished one must be repeated as it was. Only
 * with an empty `out` smaller than any record are records cut up. */
static size_t record_size(const struct tls_session *session,
    const struct tls_wire *wire, size_t plain_len)
{
	size_t room = wire->out_size - wire->out_len;
	size_t size = plain_len;

	if (session->unfinished_size > 0) {
		assert(session->unfinished_size <= plain_len);
		return session->unfinished_size;
	}
	if (size > TLS_RECORD_PLAIN_SIZE_MAX)
		size = TLS_RECORD_PLAIN_SIZE_MAX;
	if (room <= TLS_RECORD_OVERHEAD_MAX)
		return wire->out_len == 0 ? size : 0;
	if (size > room - TLS_RECORD_OVERHEAD_MAX)
		size = room - TLS_RECORD_OVERHEAD_MAX;
	return size;
}

enum tls_status tls_session_write(struct tls_session *session,
    struct tls_wire *wire, const uint8_t *plain, size_t plain_len,
    size_t *used_out)
{
	enum tls_status status = TLS_DONE;
	size_t used = 0;

	*used_out = 0;
	if (session->fault != TLS_FAULT_NONE)
		return TLS_FAILED;
	assert(session->established);
	lend(session, wire);
	while (status == TLS_DONE && used < plain_len) {
		size_t len = 0;
		size_t size = record_size(session, wire, plain_len - used);
		int result;

		if (size == 0) {
			status = TLS_WANT_ROOM;
			break;
		}
		result = SSL_write_ex(session->ssl, plain + used, size, &len);
		used += len;
		if (result != 1)
			status = status_of(session, result);
		session->unfinished_size = status == TLS_WANT_ROOM ? size : 0;
	}
	take_back(session);
	*used_out = used;
	return status;
}

void tls_session_close(struct tls_session *session, struct tls_wire *wire)
{
	/* OpenSSL forbids it after a fatal error, and in a handshake. */
	if (session->fault != TLS_FAULT_NONE || !session->established)
		return;
	/* A second call would wait for the peer's close_notify. */
	if ((SSL_get_shutdown(session->ssl) & SSL_SENT_SHUTDOWN) != 0)
		return;
	lend(session, wire);
	SSL_shutdown(session->ssl);
	take_back(session);
	ERR_clear_error();
}

enum tls_fault tls_session_fault(const struct tls_session *session)
{
	return session->fault;
}

int tls_session_alert(const struct tls_session *session)
{
	return session->alert;
}

const char *tls_session_library_errors(const struct tls_session *session)
{
	return session->library_errors != NULL ? session->library_errors : "";
}

SSL *tls_session_handle(const struct tls_session *session)
{
	return session->ssl;
}

struct tls_exchange *tls_session_exchange(struct tls_session *session)
{
	return &session->exchange;
}

struct tls_session *tls_session_of(const SSL *ssl)
{
	return SSL_get_app_data(ssl);
}

struct tls_verdict *tls_session_verdict(struct tls_session *session)
{
	return &session->verdict;
}

struct tls_sni_choice *tls_session_sni_choice(struct tls_session *session)
{
	return &session->sni_choice;
}

struct tls_client_offer *tls_session_offer(struct tls_session *session)
{
	return &session->offer;
}

struct tls_debug **tls_session_debug(struct tls_session *session)
{
	return &session->debug;
}

struct tls_ticket_events *tls_session_ticket_events(struct tls_session *session)
{
	return &session->ticket_events;
}

struct tls_ticket_events tls_session_tickets(const struct tls_session *session)
{
	struct tls_ticket_events events = session->ticket_events;

	events.accepted =
	    session->established && SSL_session_reused(session->ssl) == 1;
	return events;
}
