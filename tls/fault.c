/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/fault.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define ERRORS_SIZE 2048 /* OpenSSL keeps at most 16 errors */

struct reason {
	int reason;
	enum tls_fault fault;
};

static const struct reason reasons[] = {
    {SSL_R_UNEXPECTED_EOF_WHILE_READING, TLS_FAULT_EOF},
    {SSL_R_HTTP_REQUEST, TLS_FAULT_NOT_TLS},
    {SSL_R_HTTPS_PROXY_REQUEST, TLS_FAULT_NOT_TLS},
    {SSL_R_WRONG_VERSION_NUMBER, TLS_FAULT_NOT_TLS},
    {SSL_R_NO_SHARED_CIPHER, TLS_FAULT_NO_SHARED_CIPHER},
    {SSL_R_NO_SUITABLE_KEY_SHARE, TLS_FAULT_NO_SHARED_GROUP},
    {SSL_R_NO_SUITABLE_GROUPS, TLS_FAULT_NO_SHARED_GROUP},
    {SSL_R_NO_SHARED_GROUPS, TLS_FAULT_NO_SHARED_GROUP},
    {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, TLS_FAULT_NO_SHARED_SIGNATURE},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, TLS_FAULT_NO_SHARED_SIGNATURE},
    {SSL_R_UNSUPPORTED_PROTOCOL, TLS_FAULT_UNSUPPORTED_VERSION},
    {SSL_R_VERSION_TOO_LOW, TLS_FAULT_UNSUPPORTED_VERSION},
    {SSL_R_VERSION_TOO_HIGH, TLS_FAULT_UNSUPPORTED_VERSION},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, TLS_FAULT_UNSUPPORTED_VERSION},
    {SSL_R_INAPPROPRIATE_FALLBACK, TLS_FAULT_UNSUPPORTED_VERSION},
    {SSL_R_CERTIFICATE_VERIFY_FAILED, TLS_FAULT_CERTIFICATE},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, TLS_FAULT_CERTIFICATE},
    {ERR_R_MALLOC_FAILURE, TLS_FAULT_INTERNAL},
    {ERR_R_INTERNAL_ERROR, TLS_FAULT_INTERNAL},
};

static enum tls_fault fault_of(unsigned long error, bool established)
{
	int reason = ERR_GET_REASON(error);

	if (ERR_GET_LIB(error) != ERR_LIB_SSL)
		return TLS_FAULT_NONE;
	/* libssl numbers the alerts that it receives from here on. */
	if (reason >= SSL_AD_REASON_OFFSET &&
	    reason <= SSL_AD_REASON_OFFSET + UINT8_MAX)
		return TLS_FAULT_ALERT;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].reason != reason)
			continue;
		/* Who has finished a handshake does speak TLS. */
		if (reasons[i].fault == TLS_FAULT_NOT_TLS && established)
			return TLS_FAULT_PROTOCOL;
		return reasons[i].fault;
	}
	return TLS_FAULT_PROTOCOL;
}

/* Appends one error in the form that Postfix logs. Some of its data comes from
 * the peer. */
static size_t append_error(
    char *text, size_t text_len, unsigned long error, const char *file_and_line)
{
	char start[256];
	int len;

	ERR_error_string_n(error, start, sizeof(start));
	len = snprintf(text + text_len, ERRORS_SIZE - text_len, "%s%s:%s",
	    text_len > 0 ? "\n" : "", start, file_and_line);
	if (len < 0 || (size_t)len >= ERRORS_SIZE - text_len) {
		text[text_len] = '\0';
		return text_len;
	}
	for (size_t i = text_len + 1; i < text_len + (size_t)len; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	return text_len + (size_t)len;
}

void tls_fault_read(bool established, struct tls_fault_cause *cause_out)
{
	char text[ERRORS_SIZE] = "";
	char place[512];
	size_t text_len = 0;
	const char *file;
	const char *data;
	int line;
	int flags;
	unsigned long error;

	*cause_out =
	    (struct tls_fault_cause){TLS_FAULT_NONE, TLS_FAULT_NO_ALERT, NULL};
	while ((error = ERR_get_error_all(&file, &line, NULL, &data, &flags))) {
		snprintf(place, sizeof(place), "%s:%d:%s", file, line,
		    (flags & ERR_TXT_STRING) != 0 ? data : "");
		text_len = append_error(text, text_len, error, place);
		/* The first is the cause, the others are its consequences. */
		if (cause_out->fault != TLS_FAULT_NONE)
			continue;
		cause_out->fault = fault_of(error, established);
		if (cause_out->fault == TLS_FAULT_ALERT)
			cause_out->alert =
			    ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET;
	}
	if (cause_out->fault == TLS_FAULT_NONE)
		cause_out->fault = TLS_FAULT_INTERNAL;
	if (text_len > 0)
		cause_out->errors = OPENSSL_strdup(text);
}

const char *tls_fault_word(enum tls_fault fault)
{
	static const char *const words[] = {
#define FAULT(symbol, word, text) [TLS_FAULT_##symbol] = word,
#include "tls/fault.def"
#undef FAULT
	};

	assert((unsigned)fault < TLS_FAULT_COUNT);
	return words[fault];
}

const char *tls_fault_text(enum tls_fault fault)
{
	static const char *const texts[] = {
#define FAULT(symbol, word, text) [TLS_FAULT_##symbol] = text,
#include "tls/fault.def"
#undef FAULT
	};

	assert((unsigned)fault < TLS_FAULT_COUNT);
	return texts[fault];
}
