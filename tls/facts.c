/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/facts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>

#include "tls/client.h"
#include "tls/exchange.h"
#include "tls/handles.h"
#include "tls/openssl_compat.h"
#include "tls/phrase.h"
#include "tls/sni.h"

static void copy_name(char *out, size_t out_size, const char *name)
{
	size_t len = name == NULL ? 0 : strnlen(name, out_size - 1);

	if (len > 0)
		memcpy(out, name, len);
	out[len] = '\0';
}

/* Postfix 3.7's words for the group, which a certificate's key shares. */
static void describe_curve(const EVP_PKEY *key, struct tls_algorithm *out)
{
	size_t len;

	if (EVP_PKEY_get_group_name(
		key, out->curve, sizeof(out->curve), &len) != 1)
		out->curve[0] = '\0';
}

/* The peer's share tells the group: in TLS 1.3 alone, since OpenSSL forgets it
 * in the others. */
static void describe_share(
    SSL *ssl, const EVP_PKEY *share, struct tls_algorithm *out)
{
	switch (EVP_PKEY_get_base_id(share)) {
	case EVP_PKEY_X25519:
	case EVP_PKEY_X448:
		copy_name(out->name, sizeof(out->name),
		    OBJ_nid2sn(EVP_PKEY_get_base_id(share)));
		break;
	case EVP_PKEY_EC:
		copy_name(out->name, sizeof(out->name), "ECDHE");
		describe_curve(share, out);
		break;
	case EVP_PKEY_DH:
	case EVP_PKEY_DHX:
		copy_name(out->name, sizeof(out->name), "DHE");
		out->bits = EVP_PKEY_get_bits(share);
		break;
	default: /* a hybrid, which 3.7 has no word for: then as 3.10 */
		copy_name(
		    out->name, sizeof(out->name), tls_compat_group_name(ssl));
		break;
	}
}

static void describe_group(int group_nid, struct tls_algorithm *out)
{
	if (group_nid == NID_X25519 || group_nid == NID_X448) {
		copy_name(out->name, sizeof(out->name), OBJ_nid2sn(group_nid));
		return;
	}
	copy_name(out->name, sizeof(out->name), "ECDHE");
	if (group_nid > 0 && OBJ_nid2obj(group_nid) != NULL)
		copy_name(
		    out->curve, sizeof(out->curve), OBJ_nid2sn(group_nid));
}

static void secret(struct tls_facts *facts, bool is_secret, const char *reason)
{
	facts->forward_secret = is_secret;
	facts->forward_secrecy_reason = reason;
}

/* TLS 1.3 makes a fresh exchange on resumption, too (psk_dhe_ke). Without a
 * share there was none, which OpenSSL does on request alone. */
static void read_exchange_13(SSL *ssl, struct tls_facts *facts)
{
	EVP_PKEY *share = NULL;

	if (SSL_get_peer_tmp_key(ssl, &share) != 1 || share == NULL) {
		secret(facts, false,
		    facts->resumed ? "resumed_without_exchange" : "psk");
		return;
	}
	describe_share(ssl, share, &facts->key_exchange);
	secret(facts, true,
	    strcmp(facts->key_exchange.name, "DHE") == 0 ? "dhe" : "ecdhe");
	EVP_PKEY_free(share);
}

/* Of the prime. A client keeps the server's value; a server has forgotten the
 * group, but it has one alone. */
static int dh_bits(SSL *ssl)
{
	EVP_PKEY *share = NULL;
	int bits;

	if (SSL_is_server(ssl) != 0)
		return tls_exchange_policy_of(SSL_get_SSL_CTX(ssl))->dh.bits;
	if (SSL_get_peer_tmp_key(ssl, &share) != 1)
		return 0;
	bits = EVP_PKEY_get_bits(share);
	EVP_PKEY_free(share);
	return bits;
}

static void read_exchange_12(SSL *ssl, struct tls_facts *facts)
{
	struct tls_algorithm *exchange = &facts->key_exchange;

	/* A resumed session's keys come from the old one's master secret, which
	 * lies in the ticket. */
	if (facts->resumed) {
		secret(facts, false, "resumed_without_exchange");
		return;
	}
	switch (SSL_CIPHER_get_kx_nid(SSL_get_current_cipher(ssl))) {
	case NID_kx_ecdhe:
	case NID_kx_ecdhe_psk:
		describe_group((int)SSL_get_negotiated_group(ssl), exchange);
		secret(facts, true, "ecdhe");
		break;
	case NID_kx_dhe:
	case NID_kx_dhe_psk:
		copy_name(exchange->name, sizeof(exchange->name), "DHE");
		exchange->bits = dh_bits(ssl);
		secret(facts, true, "dhe");
		break;
	case NID_kx_rsa:
		copy_name(exchange->name, sizeof(exchange->name), "RSA");
		secret(facts, false, "rsa_key_exchange");
		break;
	default:
		secret(facts, false, "psk");
		break;
	}
}

/* digest_nid: NID_undef when there was no signature (resumption), or one
 * without a digest of its own (Ed25519). */
static void describe_signature(
    const EVP_PKEY *key, int digest_nid, struct tls_algorithm *out)
{
	int type = EVP_PKEY_get_base_id(key);

	switch (type) {
	case EVP_PKEY_RSA: /* signs as RSA-PSS in TLS 1.3 (RFC 8446, 4.2.3) */
	case EVP_PKEY_RSA_PSS:
		copy_name(out->name, sizeof(out->name), "RSA-PSS");
		out->bits = EVP_PKEY_get_bits(key);
		break;
	case EVP_PKEY_EC:
		copy_name(out->name, sizeof(out->name), "ECDSA");
		describe_curve(key, out);
		break;
	default:
		copy_name(out->name, sizeof(out->name),
		    type > 0 ? OBJ_nid2sn(type) : EVP_PKEY_get0_type_name(key));
		break;
	}
	if (digest_nid != NID_undef)
		copy_name(
		    out->digest, sizeof(out->digest), OBJ_nid2sn(digest_nid));
}

/* Ours; a client may have a certificate that nobody asked for. */
static void describe_own(SSL *ssl, struct tls_algorithm *out)
{
	X509 *own = SSL_get_certificate(ssl);
	int digest_nid = NID_undef;
	bool signed_it = SSL_get_signature_nid(ssl, &digest_nid) == 1;

	if (own != NULL && (signed_it || SSL_is_server(ssl) != 0))
		describe_signature(X509_get0_pubkey(own), digest_nid, out);
}

/* Hybrids are named after both of their halves: X25519MLKEM768. */
static bool is_post_quantum(const char *group)
{
	return strcasestr(group, "mlkem") != NULL ||
	       strcasestr(group, "kyber") != NULL;
}

/* OpenSSL tells neither group nor signature of a session that was resumed. */
static void read_signature_12(SSL *ssl, struct tls_facts *facts)
{
	bool is_ours = SSL_is_server(ssl) != 0;
	X509 *server =
	    is_ours ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl);
	int digest_nid = NID_undef, type_nid = NID_undef;

	if (server == NULL || !facts->forward_secret)
		return;
	if (is_ours) {
		SSL_get_signature_type_nid(ssl, &type_nid);
		SSL_get_signature_nid(ssl, &digest_nid);
	} else {
		SSL_get_peer_signature_type_nid(ssl, &type_nid);
		SSL_get_peer_signature_nid(ssl, &digest_nid);
	}
	if (type_nid == NID_undef)
		return;
	describe_signature(
	    X509_get0_pubkey(server), digest_nid, &facts->server_signature);
	/* PKCS #1, which TLS 1.3 does not have any more. */
	if (type_nid == EVP_PKEY_RSA)
		copy_name(facts->server_signature.name,
		    sizeof(facts->server_signature.name), "RSA");
}

static void describe_peer(SSL *ssl, struct tls_algorithm *out)
{
	X509 *peer = SSL_get0_peer_certificate(ssl);
	int digest_nid;

	if (peer == NULL)
		return;
	if (SSL_get_peer_signature_nid(ssl, &digest_nid) != 1)
		digest_nid = NID_undef;
	describe_signature(X509_get0_pubkey(peer), digest_nid, out);
}

static void read_signatures_13(SSL *ssl, struct tls_facts *facts)
{
	bool is_server = SSL_is_server(ssl) != 0;

	describe_own(ssl,
	    is_server ? &facts->server_signature : &facts->client_signature);
	describe_peer(ssl,
	    is_server ? &facts->client_signature : &facts->server_signature);
}

static enum tls_trust read_trust(const struct tls_session *session)
{
	const SSL *ssl = tls_session_handle(session);

	if (SSL_get0_peer_certificate(ssl) == NULL)
		return TLS_ANONYMOUS;
	if (SSL_is_server(ssl) == 0)
		return tls_client_trust(session);
	return SSL_get_verify_result(ssl) == X509_V_OK ? TLS_TRUSTED
						       : TLS_UNTRUSTED;
}

void tls_facts_read(
    const struct tls_session *session, struct tls_facts *facts_out)
{
	SSL *ssl = tls_session_handle(session);
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);

	assert(cipher != NULL);
	*facts_out = (struct tls_facts){
	    .trust = read_trust(session),
	    .protocol = SSL_get_version(ssl),
	    .cipher = SSL_CIPHER_get_name(cipher),
	    .resumed = SSL_session_reused(ssl) == 1,
	    .sni = tls_sni_matched_name(session),
	};
	facts_out->cipher_bits =
	    SSL_CIPHER_get_bits(cipher, &facts_out->cipher_bits_of_algorithm);
	if (SSL_version(ssl) == TLS1_3_VERSION) {
		read_exchange_13(ssl, facts_out);
		read_signatures_13(ssl, facts_out);
	} else {
		read_exchange_12(ssl, facts_out);
		read_signature_12(ssl, facts_out);
	}
	facts_out->post_quantum = is_post_quantum(facts_out->key_exchange.name);
	ERR_clear_error();
}

const char *tls_trust_word(enum tls_trust trust)
{
	switch (trust) {
	case TLS_ANONYMOUS:
		return "Anonymous";
	case TLS_UNTRUSTED:
		return "Untrusted";
	case TLS_TRUSTED:
		return "Trusted";
	case TLS_VERIFIED:
		return "Verified";
	}
	assert(false);
	return "";
}

void tls_facts_group_word(
    const struct tls_facts *facts, char *out, size_t out_size)
{
	const struct tls_algorithm *exchange = &facts->key_exchange;
	bool has_none =
	    exchange->name[0] == '\0' || strcmp(exchange->name, "RSA") == 0;

	if (exchange->curve[0] != '\0')
		copy_name(out, out_size, exchange->curve);
	else if (strcmp(exchange->name, "DHE") == 0)
		snprintf(out, out_size, "DHE-%d", exchange->bits);
	else
		copy_name(out, out_size, has_none ? "none" : exchange->name);
}

void tls_facts_signature_word(
    const struct tls_facts *facts, char *out, size_t out_size)
{
	const struct tls_algorithm *signature = &facts->server_signature;

	if (signature->name[0] == '\0')
		snprintf(out, out_size, "none");
	else
		snprintf(out, out_size, "%s%s%s", signature->name,
		    signature->digest[0] == '\0' ? "" : "-", signature->digest);
}

size_t tls_facts_summary(const struct tls_facts *facts, const char *direction,
    const char *peer, char *out, size_t out_size)
{
	struct tls_phrase phrase = tls_phrase_begin(out, out_size);

	tls_phrase_add(&phrase, "%s TLS connection established %s %s",
	    tls_trust_word(facts->trust), direction, peer);
	if (facts->sni[0] != '\0')
		tls_phrase_add(&phrase, " to %s", facts->sni);
	tls_phrase_add(&phrase, ": %s with cipher %s (%d/%d bits)",
	    facts->protocol, facts->cipher, facts->cipher_bits,
	    facts->cipher_bits_of_algorithm);
	/* Older versions have these in the cipher's name. */
	if (strcmp(facts->protocol, "TLSv1.3") != 0)
		return phrase.len;
	tls_phrase_add_algorithm(
	    &phrase, "key-exchange", NULL, &facts->key_exchange);
	tls_phrase_add_algorithm(&phrase, "server-signature", "server-digest",
	    &facts->server_signature);
	tls_phrase_add_algorithm(&phrase, "client-signature", "client-digest",
	    &facts->client_signature);
	return phrase.len;
}
