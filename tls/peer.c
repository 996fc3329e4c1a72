/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/peer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tls/handles.h"
#include "tls/verify.h"

#define IS_CONTROL(byte) ((unsigned char)(byte) < ' ' || (byte) == 0x7f)

static bool has_control(const char *text)
{
	for (; *text != '\0'; text++)
		if (IS_CONTROL(*text))
			return true;
	return false;
}

/* False, and out is "", when the name has no such part, or one that could pass
 * for another in a log: too long, with a NUL in it (CVE-2009-2408) or with
 * control characters. */
static bool read_name(
    const X509_NAME *name, int nid, char out[TLS_PEER_NAME_SIZE])
{
	int index = X509_NAME_get_index_by_NID((X509_NAME *)name, nid, -1);
	unsigned char *text = NULL;
	int len;
	bool fine;

	out[0] = '\0';
	if (index < 0)
		return false;
	len = ASN1_STRING_to_UTF8(
	    &text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
	if (len < 0)
		return false;
	while (len > 0 && text[len - 1] == '\0')
		len--;
	fine = len > 0 && len < TLS_PEER_NAME_SIZE &&
	       memchr(text, '\0', (size_t)len) == NULL;
	if (fine) {
		memcpy(out, text, (size_t)len);
		out[len] = '\0';
	}
	OPENSSL_free(text);
	if (has_control(out))
		out[0] = '\0';
	return out[0] != '\0';
}

static void print_fingerprint(const unsigned char *digest, unsigned digest_len,
    char out[TLS_PEER_FINGERPRINT_SIZE])
{
	assert(digest_len * 3 <= TLS_PEER_FINGERPRINT_SIZE);
	out[0] = '\0';
	for (unsigned i = 0; i < digest_len; i++)
		snprintf(out + i * 3 - (i > 0), 4, "%s%02X", i > 0 ? ":" : "",
		    digest[i]);
}

static void read_fingerprints(
    X509 *certificate, const EVP_MD *type, struct tls_peer *peer)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_len;
	unsigned char *key = NULL;
	int key_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);

	if (X509_digest(certificate, type, digest, &digest_len) == 1)
		print_fingerprint(digest, digest_len, peer->fingerprint);
	if (key_len > 0 && EVP_Digest(key, (size_t)key_len, digest, &digest_len,
			       type, NULL) == 1)
		print_fingerprint(
		    digest, digest_len, peer->public_key_fingerprint);
	OPENSSL_free(key);
}

void tls_peer_read(const struct tls_session *session, struct tls_peer *peer_out)
{
	SSL *ssl = tls_session_handle(session);
	X509 *certificate = SSL_get0_peer_certificate(ssl);

	*peer_out = (struct tls_peer){.is_present = certificate != NULL,
	    .is_server = SSL_is_server(ssl) == 0};
	if (certificate == NULL)
		return;
	read_name(X509_get_subject_name(certificate), NID_commonName,
	    peer_out->subject_cn);
	if (!read_name(X509_get_issuer_name(certificate), NID_commonName,
		peer_out->issuer_name))
		read_name(X509_get_issuer_name(certificate),
		    NID_organizationName, peer_out->issuer_name);
	read_fingerprints(certificate, tls_verify_digest(ssl), peer_out);
	ERR_clear_error();
}

void tls_peer_names(const struct tls_session *session,
    char subject[TLS_PEER_NAME_SIZE], char issuer[TLS_PEER_NAME_SIZE])
{
	const X509 *certificate =
	    SSL_get0_peer_certificate(tls_session_handle(session));

	subject[0] = '\0';
	issuer[0] = '\0';
	if (certificate == NULL)
		return;
	X509_NAME_oneline(
	    X509_get_subject_name(certificate), subject, TLS_PEER_NAME_SIZE);
	X509_NAME_oneline(
	    X509_get_issuer_name(certificate), issuer, TLS_PEER_NAME_SIZE);
}

/* The length of what snprintf() left in out. */
static size_t written(int len, size_t out_size)
{
	if (len < 0 || out_size == 0)
		return 0;
	return (size_t)len < out_size ? (size_t)len : out_size - 1;
}

size_t tls_peer_line(const struct tls_peer *peer, const char *peer_name,
    char *out, size_t out_size)
{
	int len = snprintf(out, out_size,
	    "%s: subject_CN=%s, %s=%s, fingerprint=%s, pkey_fingerprint=%s",
	    peer_name, peer->subject_cn,
	    peer->is_server ? "issuer_CN" : "issuer", peer->issuer_name,
	    peer->fingerprint, peer->public_key_fingerprint);

	return written(len, out_size);
}

/* It is the peer's text. */
static void make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if (IS_CONTROL(*text))
			*text = '?';
}

/* Whose certificate it is that has the fault. */
static const char *role_of(const SSL *ssl, const struct tls_verdict *verdict)
{
	if (verdict->depth > 0)
		return "CA";
	return SSL_is_server(ssl) != 0 ? "client" : "server";
}

static int print_verdict(
    const SSL *ssl, const char *peer, char *out, size_t out_size)
{
	const struct tls_verdict *verdict =
	    tls_session_verdict(tls_session_of(ssl));
	const char *role = role_of(ssl, verdict);

	switch (verdict->error) {
	case X509_V_OK:
		return snprintf(out, out_size, "%s", "");
	case X509_V_ERR_CERT_UNTRUSTED:
		return snprintf(out, out_size,
		    "certificate verification failed for %s: not trusted by "
		    "local or TLSA policy",
		    peer);
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		return snprintf(out, out_size,
		    "certificate verification failed for %s: self-signed "
		    "certificate",
		    peer);
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return snprintf(out, out_size,
		    "certificate verification failed for %s: untrusted issuer "
		    "%s",
		    peer,
		    verdict->issuer != NULL ? verdict->issuer : "<unknown>");
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
		return snprintf(out, out_size,
		    "%s certificate verification failed for %s: certificate "
		    "not yet valid",
		    role, peer);
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
		return snprintf(out, out_size,
		    "%s certificate verification failed for %s: certificate "
		    "has expired",
		    role, peer);
	case X509_V_ERR_INVALID_PURPOSE:
		return snprintf(out, out_size,
		    "certificate verification failed for %s: not designated "
		    "for use as a %s certificate",
		    peer, role);
	case X509_V_ERR_CERT_CHAIN_TOO_LONG:
		return snprintf(out, out_size,
		    "certificate verification failed for %s: certificate chain "
		    "longer than limit(%d)",
		    peer, verdict->depth - 1);
	default:
		return snprintf(out, out_size,
		    "%s certificate verification failed for %s: num=%d:%s",
		    role, peer, verdict->error,
		    X509_verify_cert_error_string(verdict->error));
	}
}

size_t tls_peer_verdict_line(const struct tls_session *session,
    const char *peer_name, char *out, size_t out_size)
{
	SSL *ssl = tls_session_handle(session);
	int len;

	if (SSL_session_reused(ssl) == 1 &&
	    SSL_get0_peer_certificate(ssl) != NULL &&
	    SSL_get_verify_result(ssl) != X509_V_OK)
		len = snprintf(out, out_size,
		    "%s: re-using session with untrusted certificate, look for "
		    "details earlier in the log",
		    peer_name);
	else
		len = print_verdict(ssl, peer_name, out, out_size);
	if (out_size > 0)
		make_printable(out);
	return written(len, out_size);
}

size_t tls_peer_comment(const char *name, char *out, size_t out_size)
{
	size_t len = 0;
	size_t open_count = 0;

	if (out_size == 0)
		return 0;
	/* Each parenthesis that is open keeps room for its partner. */
	for (; *name != '\0' && len + open_count + 1 < out_size; name++) {
		char byte = *name;

		if (byte < ' ' || byte > '~' || byte == '\\' ||
		    (byte == ')' && open_count == 0))
			byte = '?';
		else if (byte == ')')
			open_count--;
		else if (byte == '(' && len + open_count + 2 >= out_size)
			break;
		else if (byte == '(')
			open_count++;
		out[len++] = byte;
	}
	memset(out + len, ')', open_count);
	len += open_count;
	out[len] = '\0';
	return len;
}
