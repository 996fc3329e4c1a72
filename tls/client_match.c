/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/client_match.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls/sni.h"

static int hex_value(char digit)
{
	return OPENSSL_hexchar2int((unsigned char)digit);
}

/* "0A:1B…" or "0a1b…", of exactly so many bytes. */
static bool parse_fingerprint(
    const char *text, unsigned char *digest, size_t digest_len)
{
	size_t len = 0;

	while (*text != '\0') {
		int high = hex_value(text[0]);
		int low = high < 0 ? -1 : hex_value(text[1]);

		if (low < 0 || len == digest_len)
			return false;
		digest[len++] = (unsigned char)(high << 4 | low);
		text += 2;
		if (text[0] == ':' && text[1] != '\0')
			text++;
	}
	return len == digest_len;
}

static bool take_fingerprint(struct tls_client_match *match,
    const struct tls_client_options *options, const char *text,
    struct tls_findings *findings)
{
	unsigned char *place =
	    match->fingerprints + match->count * match->digest_len;

	if (parse_fingerprint(text, place, match->digest_len))
		return true;
	tls_findings_warning(findings, options->match_parameter,
	    "\"%s\" is no fingerprint of %s and is ignored; must be %zu bytes "
	    "in hexadecimal, with or without colons",
	    text, OBJ_nid2ln(EVP_MD_get_type(match->digest)),
	    match->digest_len);
	return false;
}

static bool take_name(struct tls_client_match *match,
    const struct tls_client_options *options, const char *text,
    struct tls_findings *findings)
{
	const char *bare = text[0] == '.' ? text + 1 : text;

	if (!tls_sni_is_host_name(bare, strlen(bare))) {
		tls_findings_warning(findings, options->match_parameter,
		    "\"%s\" is no host name and is ignored; must be one such "
		    "as mx.example.com, or .example.com for all below it",
		    text);
		return false;
	}
	match->names[match->count] = OPENSSL_strdup(text);
	return match->names[match->count] != NULL;
}

static bool make_room(struct tls_client_match *match, size_t count)
{
	match->names = OPENSSL_zalloc((count + 1) * sizeof(*match->names));
	match->fingerprints = OPENSSL_zalloc((count + 1) * match->digest_len);
	return match->names != NULL && match->fingerprints != NULL;
}

bool tls_client_match_init(struct tls_client_match *match,
    const struct tls_client_options *options, const EVP_MD *digest,
    struct tls_findings *findings)
{
	bool by_fingerprint = options->level == TLS_CLIENT_FINGERPRINT;

	*match = (struct tls_client_match){.digest = digest,
	    .digest_len = (size_t)EVP_MD_get_size(digest),
	    .name_flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS};
	if (options->tls_wildcard_matches_multiple_labels)
		match->name_flags |= X509_CHECK_FLAG_MULTI_LABEL_WILDCARDS;
	if (!tls_client_level_must_match(options->level) ||
	    options->level == TLS_CLIENT_DANE)
		return true;
	if (!make_room(match, options->match_count)) {
		tls_findings_error(findings, options->match_parameter,
		    "there is no memory for it");
		return false;
	}
	for (size_t i = 0; i < options->match_count; i++)
		if (by_fingerprint ? take_fingerprint(match, options,
					 options->matches[i], findings)
				   : take_name(match, options,
					 options->matches[i], findings))
			match->count++;
	if (match->count > 0)
		return true;
	tls_findings_error(findings, options->match_parameter,
	    by_fingerprint
		? "names no fingerprint, so that no server could match; must "
		  "be the digest of the server's certificate or public key"
		: "names no host, so that no server could match; must be a "
		  "name that the server's certificate has");
	return false;
}

void tls_client_match_finish(struct tls_client_match *match)
{
	for (size_t i = 0; match->names != NULL && i < match->count; i++)
		OPENSSL_free(match->names[i]);
	OPENSSL_free(match->names);
	OPENSSL_free(match->fingerprints);
	*match = (struct tls_client_match){0};
}

/* As Postfix does here: without colons. */
static void print_fingerprint(
    const unsigned char *digest, size_t digest_len, char *out)
{
	for (size_t i = 0; i < digest_len; i++)
		out += sprintf(out, "%02X", digest[i]);
}

static bool find_fingerprint(const struct tls_client_match *match,
    const unsigned char *digest, char *text_out)
{
	for (size_t i = 0; i < match->count; i++) {
		if (memcmp(match->fingerprints + i * match->digest_len, digest,
			match->digest_len) != 0)
			continue;
		if (text_out != NULL)
			print_fingerprint(digest, match->digest_len, text_out);
		return true;
	}
	return false;
}

static bool find_digests(
    const struct tls_client_match *match, X509 *certificate, char *text_out)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_len = 0;
	unsigned char *key = NULL;
	int key_len;
	bool found;

	if (X509_digest(certificate, match->digest, digest, &digest_len) != 1)
		return false;
	if (find_fingerprint(match, digest, text_out))
		return true;
	key_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
	found = key_len > 0 &&
		EVP_Digest(key, (size_t)key_len, digest, &digest_len,
		    match->digest, NULL) == 1 &&
		find_fingerprint(match, digest, text_out);
	OPENSSL_free(key);
	return found;
}

/* DNS names count, and the subject's CN only without any (RFC 6125, 6.4.4). */
static bool find_name(
    const struct tls_client_match *match, X509 *certificate, char *text_out)
{
	for (size_t i = 0; i < match->count; i++) {
		char *name = NULL;

		if (X509_check_host(certificate, match->names[i], 0,
			match->name_flags, &name) != 1)
			continue;
		if (text_out != NULL)
			snprintf(text_out, TLS_CLIENT_MATCH_TEXT_SIZE, "%s",
			    name != NULL ? name : match->names[i]);
		OPENSSL_free(name);
		return true;
	}
	return false;
}

bool tls_client_match_find(const struct tls_client_match *match,
    X509 *certificate, char text_out[TLS_CLIENT_MATCH_TEXT_SIZE])
{
	bool found;

	if (match->count == 0 || certificate == NULL)
		return false;
	found = match->names[0] != NULL
		    ? find_name(match, certificate, text_out)
		    : find_digests(match, certificate, text_out);
	ERR_clear_error();
	return found;
}
