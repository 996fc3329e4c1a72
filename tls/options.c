/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/ssl.h>

#define SEPARATORS    ", \t\r\n:"
#define WORD_SIZE     64
#define PROTOCOL_BITS (SSL_OP_NO_SSL_MASK | SSL_OP_NO_DTLSv1_2)

/* Other parameters rule the first; the others would bring back renegotiation
 * (CVE-2009-3555, CVE-2011-1473), sessions without a fresh exchange (psk_ke,
 * RFC 8446, 4.2.9), truncation in silence, or a socket of OpenSSL's own. */
#define NOT_OURS_TO_SET                                                 \
	(SSL_OP_ALL | PROTOCOL_BITS | SSL_OP_CIPHER_SERVER_PREFERENCE | \
	    SSL_OP_ALLOW_CLIENT_RENEGOTIATION |                         \
	    SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |                  \
	    SSL_OP_ALLOW_NO_DHE_KEX | SSL_OP_IGNORE_UNEXPECTED_EOF |    \
	    SSL_OP_ENABLE_KTLS | SSL_OP_COOKIE_EXCHANGE)

struct name {
	const char *text;
	uint64_t bit;
};

static const struct name options[] = {
    {"LEGACY_SERVER_CONNECT", SSL_OP_LEGACY_SERVER_CONNECT},
    {"NO_TICKET", SSL_OP_NO_TICKET},
    {"NO_COMPRESSION", SSL_OP_NO_COMPRESSION},
    {"NO_RENEGOTIATION", SSL_OP_NO_RENEGOTIATION},
    {"NO_SESSION_RESUMPTION_ON_RENEGOTIATION",
	SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION},
    {"PRIORITIZE_CHACHA", SSL_OP_PRIORITIZE_CHACHA},
    {"ENABLE_MIDDLEBOX_COMPAT", SSL_OP_ENABLE_MIDDLEBOX_COMPAT},
    {NULL, 0},
};

static const struct name workarounds[] = {
    {"MICROSOFT_SESS_ID_BUG", SSL_OP_MICROSOFT_SESS_ID_BUG},
    {"NETSCAPE_CHALLENGE_BUG", SSL_OP_NETSCAPE_CHALLENGE_BUG},
    {"LEGACY_SERVER_CONNECT", SSL_OP_LEGACY_SERVER_CONNECT},
    {"NETSCAPE_REUSE_CIPHER_CHANGE_BUG",
	SSL_OP_NETSCAPE_REUSE_CIPHER_CHANGE_BUG},
    {"CVE-2010-4180", SSL_OP_NETSCAPE_REUSE_CIPHER_CHANGE_BUG},
    {"SSLREF2_REUSE_CERT_TYPE_BUG", SSL_OP_SSLREF2_REUSE_CERT_TYPE_BUG},
    {"MICROSOFT_BIG_SSLV3_BUFFER", SSL_OP_MICROSOFT_BIG_SSLV3_BUFFER},
    {"MSIE_SSLV2_RSA_PADDING", SSL_OP_MSIE_SSLV2_RSA_PADDING},
    {"CVE-2005-2969", SSL_OP_MSIE_SSLV2_RSA_PADDING},
    {"SSLEAY_080_CLIENT_DH_BUG", SSL_OP_SSLEAY_080_CLIENT_DH_BUG},
    {"TLS_D5_BUG", SSL_OP_TLS_D5_BUG},
    {"TLS_BLOCK_PADDING_BUG", SSL_OP_TLS_BLOCK_PADDING_BUG},
    {"TLS_ROLLBACK_BUG", SSL_OP_TLS_ROLLBACK_BUG},
    {"DONT_INSERT_EMPTY_FRAGMENTS", SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS},
    {"CRYPTOPRO_TLSEXT_BUG", SSL_OP_CRYPTOPRO_TLSEXT_BUG},
    {"TLSEXT_PADDING", SSL_OP_TLSEXT_PADDING},
    {NULL, 0},
};

static bool parse_mask(const char *word, uint64_t *bits_out)
{
	char *end;

	if (strncasecmp(word, "0x", 2) != 0 || word[2] == '\0' ||
	    word[2 + strspn(word + 2, "0123456789abcdefABCDEF")] != '\0')
		return false;
	errno = 0;
	*bits_out = strtoull(word, &end, 16);
	return errno == 0 && *end == '\0';
}

static bool parse_word(
    const struct name *names, const char *word, uint64_t *bits)
{
	uint64_t mask;

	for (; names->text != NULL; names++)
		if (strcasecmp(names->text, word) == 0) {
			*bits |= names->bit;
			return true;
		}
	if (!parse_mask(word, &mask))
		return false;
	*bits |= mask;
	return true;
}

static bool parse_list(const struct name *names, const char *list,
    uint64_t *bits_out, char *bad_out, size_t bad_size)
{
	*bits_out = 0;
	for (const char *at = list + strspn(list, SEPARATORS); *at != '\0';
	     at += strspn(at, SEPARATORS)) {
		size_t len = strcspn(at, SEPARATORS);
		char word[WORD_SIZE];

		snprintf(word, sizeof(word), "%.*s", (int)len, at);
		if (len >= sizeof(word) || !parse_word(names, word, bits_out)) {
			snprintf(bad_out, bad_size, "%s", word);
			return false;
		}
		at += len;
	}
	return true;
}

bool tls_options_parse(const char *list, struct tls_options *options_out,
    char *bad_out, size_t bad_size)
{
	uint64_t bits;
	/* A client's matter, though OpenSSL counts it among its workarounds in
	 * some releases. */
	const uint64_t refused =
	    NOT_OURS_TO_SET & ~SSL_OP_LEGACY_SERVER_CONNECT;

	if (!parse_list(options, list, &bits, bad_out, bad_size))
		return false;
	options_out->bits = bits & ~refused;
	options_out->refused = bits & refused;
	return true;
}

bool tls_options_parse_workarounds(const char *list,
    struct tls_options *options_out, char *bad_out, size_t bad_size)
{
	uint64_t bits;

	if (!parse_list(workarounds, list, &bits, bad_out, bad_size))
		return false;
	options_out->bits = bits & SSL_OP_ALL;
	options_out->refused = 0;
	return true;
}
