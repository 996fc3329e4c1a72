/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/exchange.h"

#include <assert.h>
#include <stddef.h>

#include <openssl/crypto.h>

#include "tls/ciphers.h"
#include "tls/handles.h"
#include "tls/slot.h"

/* A list in the ClientHello; borrowed from OpenSSL. */
struct span {
	const unsigned char *bytes;
	size_t len;
};

typedef int security_callback(const SSL *ssl, const SSL_CTX *ctx, int operation,
    int bits, int nid, void *subject, void *argument);

static struct tls_slot policies;
static security_callback *library_check; /* OpenSSL's own */

const struct tls_exchange_policy *tls_exchange_policy_of(const SSL_CTX *ctx)
{
	const struct tls_exchange_policy *policy = tls_slot_get(&policies, ctx);

	assert(policy != NULL);
	return policy;
}

static bool is_group_allowed(
    const struct tls_exchange *exchange, int operation, const void *subject)
{
	const unsigned char *bytes = subject;
	uint16_t id = (uint16_t)(bytes[0] << 8 | bytes[1]);

	if (exchange->without_edh && tls_group_is_ffdhe(id))
		return false;
	/* Of all the questions about groups, the one that is asked of a
	 * client's key shares. */
	if (operation == SSL_SECOP_CURVE_SUPPORTED && exchange->share != 0)
		return id == exchange->share;
	return true;
}

static bool is_allowed(
    const struct tls_exchange *exchange, int operation, const void *subject)
{
	switch (operation) {
	case SSL_SECOP_CIPHER_SHARED:
		return !exchange->without_edh ||
		       tls_cipher_class(subject) != TLS_CLASS_EDH;
	case SSL_SECOP_CURVE_SUPPORTED:
	case SSL_SECOP_CURVE_SHARED:
	case SSL_SECOP_CURVE_CHECK:
		return is_group_allowed(exchange, operation, subject);
	default:
		return true;
	}
}

/* A session that TLS 1.2 resumes has no keys of its own: they come from the
 * secret in the ticket. */
static bool is_ticket_allowed(const SSL *ssl)
{
	return SSL_version(ssl) == TLS1_3_VERSION ||
	       !tls_exchange_policy_of(SSL_get_SSL_CTX(ssl))->no_old_resumption;
}

static int check(const SSL *ssl, const SSL_CTX *ctx, int operation, int bits,
    int nid, void *subject, void *argument)
{
	struct tls_session *session = ssl != NULL ? tls_session_of(ssl) : NULL;

	if (session != NULL && operation == SSL_SECOP_TICKET &&
	    !is_ticket_allowed(ssl))
		return 0;
	if (session != NULL &&
	    !is_allowed(tls_session_exchange(session), operation, subject))
		return 0;
	return library_check(ssl, ctx, operation, bits, nid, subject, argument);
}

bool tls_exchange_apply(SSL_CTX *ctx, const struct tls_exchange_policy *policy)
{
	struct tls_exchange_policy *copy =
	    OPENSSL_memdup(policy, sizeof(*policy));

	if (copy == NULL || !tls_slot_put(&policies, ctx, copy)) {
		OPENSSL_free(copy);
		return false;
	}
	library_check = SSL_CTX_get_security_callback(ctx);
	SSL_CTX_set_security_callback(ctx, check);
	return true;
}

static unsigned number_at(const unsigned char *bytes)
{
	return (unsigned)bytes[0] << 8 | bytes[1];
}

/* An extension that is one list with a length of length_size bytes in front.
 * Empty when it is absent; one that is malformed ends the handshake later on,
 * in OpenSSL. */
static struct span extension(SSL *ssl, unsigned type, size_t length_size)
{
	const unsigned char *bytes;
	size_t len;

	if (SSL_client_hello_get0_ext(ssl, type, &bytes, &len) != 1 ||
	    len < length_size)
		return (struct span){NULL, 0};
	return (struct span){bytes + length_size, len - length_size};
}

static bool has_number(const struct span *list, unsigned number)
{
	for (size_t i = 0; i + 2 <= list->len; i += 2)
		if (number_at(list->bytes + i) == number)
			return true;
	return false;
}

/* RFC 8446, 4.2.8: group, length, share; and so on. */
static bool has_share(const struct span *shares, unsigned group)
{
	size_t at = 0;

	while (at + 4 <= shares->len) {
		if (number_at(shares->bytes + at) == group)
			return true;
		at += 4 + number_at(shares->bytes + at + 2);
	}
	return false;
}

/* Is a group of the kind among both sides' groups? */
static bool shares_group(const struct tls_exchange_policy *policy,
    const struct span *client, bool is_ffdhe)
{
	for (size_t i = 0; i < policy->groups.count; i++) {
		uint16_t id = policy->groups.groups[i].id;

		if (tls_group_is_ffdhe(id) == is_ffdhe &&
		    has_number(client, id))
			return true;
	}
	return false;
}

static bool has_key_for(SSL *ssl, int authentication_nid)
{
	if (authentication_nid == NID_auth_null)
		return true;
	for (long more = SSL_set_current_cert(ssl, SSL_CERT_SET_FIRST);
	     more == 1; more = SSL_set_current_cert(ssl, SSL_CERT_SET_NEXT)) {
		const EVP_PKEY *key = SSL_get_privatekey(ssl);
		bool is_rsa =
		    key != NULL && (EVP_PKEY_is_a(key, "RSA") == 1 ||
				       EVP_PKEY_is_a(key, "RSA-PSS") == 1);

		if (is_rsa == (authentication_nid == NID_auth_rsa))
			return true;
	}
	return false;
}

static bool client_has_cipher(SSL *ssl, const SSL_CIPHER *cipher)
{
	const unsigned char *bytes;
	size_t len = SSL_client_hello_get0_ciphers(ssl, &bytes);
	/* In the hello of SSLv2, which can still ask for TLS, each has three
	 * bytes, the first of them zero. */
	size_t size = SSL_client_hello_isv2(ssl) ? 3 : 2;

	for (size_t i = 0; i + size <= len; i += size)
		if (number_at(bytes + i + size - 2) ==
			SSL_CIPHER_get_protocol_id(cipher) &&
		    (size == 2 || bytes[i] == 0))
			return true;
	return false;
}

static bool shares_cipher(SSL *ssl, enum tls_exchange_class class)
{
	const STACK_OF(SSL_CIPHER) *ciphers = SSL_get_ciphers(ssl);

	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);

		if (!tls_cipher_is_of_13(cipher) &&
		    tls_cipher_class(cipher) == class &&
		    client_has_cipher(ssl, cipher) &&
		    has_key_for(ssl, SSL_CIPHER_get_auth_nid(cipher)))
			return true;
	}
	return false;
}

static bool will_be_13(SSL *ssl, const struct tls_exchange_policy *policy)
{
	struct span versions =
	    extension(ssl, TLSEXT_TYPE_supported_versions, 1);

	return policy->has_certificate &&
	       tls_protocols_allow(&policy->protocols, TLS1_3_VERSION) &&
	       has_number(&versions, TLS1_3_VERSION);
}

/* The first of our groups that the client has sent a share of; 0: none. */
static uint16_t first_share(SSL *ssl, const struct tls_exchange_policy *policy,
    const struct tls_exchange *exchange)
{
	struct span shares = extension(ssl, TLSEXT_TYPE_key_share, 2);

	for (size_t i = 0; i < policy->groups.count; i++) {
		uint16_t id = policy->groups.groups[i].id;

		if (exchange->without_edh && tls_group_is_ffdhe(id))
			continue;
		if (has_share(&shares, id))
			return id;
	}
	return 0;
}

/* What the client could do, as far as that is for us to allow. */
struct prospects {
	bool edh, eecdh;
};

static struct prospects prospects_13(SSL *ssl,
    const struct tls_exchange_policy *policy,
    const struct tls_exchange *exchange)
{
	struct span groups = extension(ssl, TLSEXT_TYPE_supported_groups, 2);
	uint16_t share = first_share(ssl, policy, exchange);
	bool may_be_edh = share == 0 || tls_group_is_ffdhe(share);

	return (struct prospects){
	    .edh = may_be_edh && shares_group(policy, &groups, true),
	    .eecdh = shares_group(policy, &groups, false)};
}

static struct prospects prospects_12(
    SSL *ssl, const struct tls_exchange_policy *policy)
{
	struct span groups = extension(ssl, TLSEXT_TYPE_supported_groups, 2);

	return (struct prospects){
	    .edh = policy->dh.bits > 0 && shares_cipher(ssl, TLS_CLASS_EDH),
	    .eecdh = shares_group(policy, &groups, false) &&
		     shares_cipher(ssl, TLS_CLASS_EECDH)};
}

static int ask_gate(struct tls_exchange *exchange,
    const struct prospects *prospects, int *alert)
{
	if (!prospects->edh)
		return SSL_CLIENT_HELLO_SUCCESS;
	switch (exchange->gate.ask(exchange->gate.argument, prospects->eecdh)) {
	case TLS_EDH_ALLOW:
		break;
	case TLS_EDH_WITHOUT:
		exchange->without_edh = true;
		break;
	case TLS_EDH_WAIT:
		return SSL_CLIENT_HELLO_RETRY;
	case TLS_EDH_REFUSE:
		exchange->is_refused = true;
		*alert = SSL_AD_HANDSHAKE_FAILURE;
		return SSL_CLIENT_HELLO_ERROR;
	}
	exchange->is_decided = true;
	return SSL_CLIENT_HELLO_SUCCESS;
}

int tls_exchange_choose(struct tls_session *session, int *alert)
{
	SSL *ssl = tls_session_handle(session);
	struct tls_exchange *exchange = tls_session_exchange(session);
	const struct tls_exchange_policy *policy =
	    tls_exchange_policy_of(SSL_get_SSL_CTX(ssl));
	bool is_13 = will_be_13(ssl, policy);
	int result = SSL_CLIENT_HELLO_SUCCESS;

	if (exchange->gate.ask != NULL && !exchange->is_decided &&
	    !exchange->without_edh) {
		struct prospects prospects =
		    is_13 ? prospects_13(ssl, policy, exchange)
			  : prospects_12(ssl, policy);

		result = ask_gate(exchange, &prospects, alert);
	}
	/* OpenSSL would take the client's first acceptable share, whatever our
	 * order, and so P-521 from a client that sends X25519, too. */
	exchange->share = is_13 ? first_share(ssl, policy, exchange) : 0;
	return result;
}
