/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/fault.h"

#include <string.h>

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

/* As OpenSSL does it, from a place of our choice. */
static void raise_error(int library, int reason, const char *data)
{
	ERR_new();
	ERR_set_debug("ssl/some.c", 42, "some_function");
	ERR_set_error(library, reason, data != NULL ? "%s" : NULL, data);
}

static void load_strings(void)
{
	OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, NULL);
}

TestSuite(fault, .init = load_strings);

Test(fault, of_each_reason)
{
	static const struct {
		int library, reason;
		enum tls_fault in_handshake, afterwards;
		int alert;
	} rows[] = {
	    {ERR_LIB_SSL, SSL_R_UNEXPECTED_EOF_WHILE_READING, TLS_FAULT_EOF,
		TLS_FAULT_EOF, -1},
	    {ERR_LIB_SSL, SSL_R_HTTP_REQUEST, TLS_FAULT_NOT_TLS,
		TLS_FAULT_PROTOCOL, -1},
	    {ERR_LIB_SSL, SSL_R_WRONG_VERSION_NUMBER, TLS_FAULT_NOT_TLS,
		TLS_FAULT_PROTOCOL, -1},
	    {ERR_LIB_SSL, SSL_R_NO_SHARED_GROUPS, TLS_FAULT_NO_SHARED_GROUP,
		TLS_FAULT_NO_SHARED_GROUP, -1},
	    {ERR_LIB_SSL, SSL_R_VERSION_TOO_LOW, TLS_FAULT_UNSUPPORTED_VERSION,
		TLS_FAULT_UNSUPPORTED_VERSION, -1},
	    {ERR_LIB_SSL, SSL_R_CERTIFICATE_VERIFY_FAILED,
		TLS_FAULT_CERTIFICATE, TLS_FAULT_CERTIFICATE, -1},
	    {ERR_LIB_SSL, ERR_R_MALLOC_FAILURE, TLS_FAULT_INTERNAL,
		TLS_FAULT_INTERNAL, -1},
	    {ERR_LIB_SSL, SSL_R_TLSV1_ALERT_UNKNOWN_CA, TLS_FAULT_ALERT,
		TLS_FAULT_ALERT, 48},
	    {ERR_LIB_SSL, SSL_AD_REASON_OFFSET, TLS_FAULT_ALERT,
		TLS_FAULT_ALERT, 0},
	    {ERR_LIB_SSL, SSL_AD_REASON_OFFSET + 255, TLS_FAULT_ALERT,
		TLS_FAULT_ALERT, 255},
	    {ERR_LIB_SSL, SSL_AD_REASON_OFFSET + 256, TLS_FAULT_PROTOCOL,
		TLS_FAULT_PROTOCOL, -1},
	    {ERR_LIB_SSL, SSL_R_BAD_EXTENSION, TLS_FAULT_PROTOCOL,
		TLS_FAULT_PROTOCOL, -1},
	    {ERR_LIB_EC, 107, TLS_FAULT_INTERNAL, TLS_FAULT_INTERNAL, -1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int established = 0; established < 2; established++) {
			struct tls_fault_cause cause;

			raise_error(rows[i].library, rows[i].reason, NULL);
			tls_fault_read(established, &cause);
			cr_expect_eq(cause.fault,
			    established ? rows[i].afterwards
					: rows[i].in_handshake,
			    "reason %d", rows[i].reason);
			cr_expect_eq(cause.alert, rows[i].alert);
			cr_expect_eq(ERR_peek_error(), 0);
			OPENSSL_free(cause.errors);
		}
}

Test(fault, of_an_empty_queue)
{
	struct tls_fault_cause cause;

	ERR_clear_error();
	tls_fault_read(false, &cause);
	cr_assert_eq(cause.fault, TLS_FAULT_INTERNAL);
	cr_assert_eq(cause.alert, -1);
	cr_assert_null(cause.errors);
}

/* The peer's fault lies beneath what libssl says of it. */
Test(fault, of_the_first_that_means_something)
{
	struct tls_fault_cause cause;

	raise_error(ERR_LIB_EC, 107, NULL);
	raise_error(ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER, NULL);
	raise_error(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR, NULL);
	tls_fault_read(false, &cause);
	cr_assert_eq(cause.fault, TLS_FAULT_NO_SHARED_CIPHER);
	cr_assert_str_eq(cause.errors,
	    "error:0800006B:elliptic curve routines::point is not on "
	    "curve:ssl/some.c:42:\n"
	    "error:0A0000C1:SSL routines::no shared cipher:ssl/some.c:42:\n"
	    "error:0A0C0103:SSL routines::internal error:ssl/some.c:42:");
	OPENSSL_free(cause.errors);
}

Test(fault, data_cannot_break_the_log)
{
	struct tls_fault_cause cause;

	raise_error(ERR_LIB_SSL, SSL_R_BAD_EXTENSION,
	    "a\nJan  1 postfix: forged\x1b[2J\xff\r\n");
	tls_fault_read(false, &cause);
	cr_assert_str_eq(cause.errors,
	    "error:0A00006E:SSL routines::bad extension:ssl/some.c:42:"
	    "a?Jan  1 postfix: forged?[2J???");
	OPENSSL_free(cause.errors);
}

/* Whole lines, as many as there is room for. */
Test(fault, many_and_long_errors_are_cut_off)
{
	struct tls_fault_cause cause;
	char data[400];
	unsigned line_count = 1;

	memset(data, 'x', sizeof(data));
	data[sizeof(data) - 1] = '\0';
	for (int i = 0; i < 15; i++)
		raise_error(ERR_LIB_SSL, SSL_R_BAD_EXTENSION, data);
	tls_fault_read(false, &cause);
	for (const char *at = cause.errors; *at != '\0'; at++)
		line_count += *at == '\n';
	cr_assert_eq(line_count, 4);
	cr_assert_lt(strlen(cause.errors), 2048);
	cr_assert_eq(cause.errors[strlen(cause.errors) - 1], 'x');
	cr_assert_eq(ERR_peek_error(), 0);
	OPENSSL_free(cause.errors);
}

Test(fault, words)
{
	static const struct {
		enum tls_fault fault;
		const char *word, *text;
	} rows[] = {
	    {TLS_FAULT_NONE, "none", "no fault"},
	    {TLS_FAULT_NO_SHARED_CIPHER, "no_shared_cipher",
		"no shared cipher"},
	    {TLS_FAULT_INTERNAL, "internal", "an internal error"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_str_eq(tls_fault_word(rows[i].fault), rows[i].word);
		cr_expect_str_eq(tls_fault_text(rows[i].fault), rows[i].text);
	}
	for (int i = 0; i < TLS_FAULT_COUNT; i++) {
		cr_expect_not_null(tls_fault_word((enum tls_fault)i));
		cr_expect_not_null(tls_fault_text((enum tls_fault)i));
	}
}
