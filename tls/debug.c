/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/debug.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "tls/ciphers.h"
#include "tls/debug_tell.h"
#include "tls/handles.h"
#include "tls/sni.h"

#define LINE_SIZE  2048
#define ROW_LEN	   16
#define COLUMN_GAP 7 /* behind which a row has its bar, or its blank */

struct tls_debug {
	struct tls_debug_options options;
	char *peer;
	uint64_t octets_read, octets_written;
	bool is_in_clear; /* a suite without encryption is in use */
};

static struct tls_debug *debug_of(const SSL *ssl)
{
	struct tls_session *session = tls_session_of(ssl);

	return session != NULL ? *tls_session_debug(session) : NULL;
}

static void tell(const struct tls_debug *debug, const char *line)
{
	debug->options.tell(debug->options.argument, line);
}

__attribute__((format(printf, 2, 3))) static void tell_line(
    const struct tls_debug *debug, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	tell(debug, line);
}

static void tell_alert(const struct tls_debug *debug, int where, int alert)
{
	if ((alert & 0xff) == SSL_AD_CLOSE_NOTIFY)
		return;
	tell_line(debug, "SSL3 alert %s:%s:%s",
	    (where & SSL_CB_READ) != 0 ? "read" : "write",
	    SSL_alert_type_string_long(alert),
	    SSL_alert_desc_string_long(alert));
}

/* That a call waits for the client, or for the budget of EDH, is no error. */
static bool is_waiting(const SSL *ssl, int result)
{
	switch (SSL_get_error(ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
	case SSL_ERROR_WANT_CLIENT_HELLO_CB:
		return true;
	default:
		return false;
	}
}

static void on_state(const SSL *ssl, int where, int value)
{
	const struct tls_debug *debug = debug_of(ssl);
	const char *name =
	    (where & SSL_ST_ACCEPT) != 0 ? "SSL_accept" : "SSL_connect";
	const char *what = NULL;

	if ((where & SSL_CB_LOOP) != 0)
		what = "";
	else if ((where & SSL_CB_ALERT) != 0)
		tell_alert(debug, where, value);
	else if ((where & SSL_CB_EXIT) != 0 && value == 0)
		what = "failed in ";
	else if ((where & SSL_CB_EXIT) != 0 && value < 0 &&
		 !is_waiting(ssl, value))
		what = "error in ";
	if (what != NULL)
		tell_line(
		    debug, "%s:%s%s", name, what, SSL_state_string_long(ssl));
}

static void tell_row(const struct tls_debug *debug, size_t offset,
    const unsigned char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char line[128];
	size_t at = (size_t)snprintf(line, 32, "%04zx ", offset);

	for (size_t i = 0; i < ROW_LEN; i++) {
		line[at++] = i < len ? digits[bytes[i] >> 4] : ' ';
		line[at++] = i < len ? digits[bytes[i] & 15] : ' ';
		line[at++] = i < len && i == COLUMN_GAP ? '|' : ' ';
	}
	line[at++] = ' ';
	for (size_t i = 0; i < len; i++) {
		line[at++] =
		    bytes[i] >= ' ' && bytes[i] <= '~' ? (char)bytes[i] : '.';
		if (i == COLUMN_GAP)
			line[at++] = ' ';
	}
	line[at] = '\0';
	tell(debug, line);
}

/* As Postfix prints it: blanks and NULs at the end are named, not shown. */
static void dump(
    const struct tls_debug *debug, const unsigned char *bytes, size_t len)
{
	size_t shown_len = len;

	while (shown_len > 0 &&
	       (bytes[shown_len - 1] == ' ' || bytes[shown_len - 1] == '\0'))
		shown_len--;
	for (size_t at = 0; at < shown_len; at += ROW_LEN)
		tell_row(debug, at, bytes + at,
		    shown_len - at < ROW_LEN ? shown_len - at : ROW_LEN);
	if (shown_len < len)
		tell_line(debug, "%04zx - <SPACES/NULLS>", shown_len);
}

/* Postfix prints two addresses in memory. They would be of use to whoever
 * attacks the worker, so here stand the session's number, and how many octets
 * went that way before. */
static void tell_transfer(struct tls_debug *debug, bool is_read,
    const char *bytes, size_t size, long result)
{
	const char *way = is_read ? "read from" : "write to";
	uint64_t *octets =
	    is_read ? &debug->octets_read : &debug->octets_written;

	if (result <= 0) {
		tell_line(debug,
		    "%s %08" PRIX64 " [%08" PRIX64 "] (%zu bytes => %ld)", way,
		    debug->options.number, *octets, size, result);
		return;
	}
	tell_line(debug,
	    "%s %08" PRIX64 " [%08" PRIX64 "] (%zu bytes => %ld (0x%lX))", way,
	    debug->options.number, *octets, size, result, result);
	*octets += (uint64_t)result;
	/* A body or a password, then. */
	if (!debug->is_in_clear)
		dump(debug, (const unsigned char *)bytes, (size_t)result);
}

static long on_transfer(BIO *bio, int operation, const char *bytes, size_t size,
    int argument, long number, int result, size_t *processed)
{
	struct tls_debug *debug = (void *)BIO_get_callback_arg(bio);
	bool is_read = operation == (BIO_CB_READ | BIO_CB_RETURN);

	(void)argument;
	(void)number;
	if (is_read || operation == (BIO_CB_WRITE | BIO_CB_RETURN))
		tell_transfer(debug, is_read, bytes, size,
		    result > 0 ? (long)*processed : result);
	return result;
}

static void watch_wire(SSL *ssl, struct tls_debug *debug)
{
	BIO *bio = SSL_get_rbio(ssl);

	BIO_set_callback_ex(bio, debug != NULL ? on_transfer : NULL);
	BIO_set_callback_arg(bio, (char *)debug);
}

void tls_debug_begin(
    struct tls_session *session, const struct tls_debug_options *options)
{
	SSL *ssl = tls_session_handle(session);
	struct tls_debug *debug;

	if (options->topics == 0)
		return;
	debug = OPENSSL_zalloc(sizeof(*debug));
	if (debug == NULL)
		return;
	debug->options = *options;
	debug->peer = OPENSSL_strdup(options->peer);
	debug->options.peer = debug->peer != NULL ? debug->peer : "";
	*tls_session_debug(session) = debug;
	tls_debug_tell(ssl, TLS_DEBUG_VERBOSE, "TLS cipher list \"%s\"",
	    tls_cipher_string(SSL_get_SSL_CTX(ssl)));
	if ((options->topics & TLS_DEBUG_STATES) != 0)
		SSL_set_info_callback(ssl, on_state);
	if ((options->topics & TLS_DEBUG_HANDSHAKE_BYTES) != 0)
		watch_wire(ssl, debug);
}

void tls_debug_destroy(struct tls_debug **debug)
{
	if (*debug == NULL)
		return;
	OPENSSL_free((*debug)->peer);
	OPENSSL_free(*debug);
	*debug = NULL;
}

void tls_debug_handshake_done(struct tls_session *session)
{
	SSL *ssl = tls_session_handle(session);
	struct tls_debug *debug = *tls_session_debug(session);
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);

	if (debug == NULL)
		return;
	debug->is_in_clear =
	    cipher == NULL || SSL_CIPHER_get_cipher_nid(cipher) == NID_undef;
	if ((debug->options.topics & TLS_DEBUG_SESSION_BYTES) == 0)
		watch_wire(ssl, NULL);
}

void tls_debug_tell(
    const SSL *ssl, enum tls_debug_topic topic, const char *format, ...)
{
	const struct tls_debug *debug = debug_of(ssl);
	char text[LINE_SIZE];
	va_list arguments;

	if (debug == NULL || (debug->options.topics & topic) == 0)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	tell_line(debug, "%s: %s", debug->options.peer, text);
}

bool tls_debug_tell_sni(const SSL *ssl)
{
	const struct tls_debug *debug = debug_of(ssl);
	char line[512];

	if (debug == NULL ||
	    tls_sni_note(tls_session_of(ssl), debug->options.peer, line,
		sizeof(line)) != TLS_SNI_NOTE_INFO)
		return false;
	tell(debug, line);
	return true;
}
