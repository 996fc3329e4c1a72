/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/describe.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tls/certificate_text.h"
#include "tls/ciphers.h"
#include "tls/exchange.h"
#include "tls/chains.h"
#include "tls/handles.h"

#define CIPHER_LINE_SIZE 256

static const struct tls_exchange_policy *policy_of(
    const struct tls_context *context)
{
	return tls_exchange_policy_of(tls_context_handle(context));
}

/* Steps through the certificates; NULL behind the last. */
static X509 *certificate_at(SSL_CTX *ctx, size_t index)
{
	long more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST);

	for (; more == 1 && index > 0; index--)
		more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT);
	return more == 1 ? SSL_CTX_get0_certificate(ctx) : NULL;
}

static bool has_certificate_for(SSL_CTX *ctx, int authentication_nid)
{
	X509 *certificate;

	for (size_t i = 0; (certificate = certificate_at(ctx, i)) != NULL;
	     i++) {
		const EVP_PKEY *key = X509_get0_pubkey(certificate);
		bool is_rsa = EVP_PKEY_is_a(key, "RSA") == 1 ||
			      EVP_PKEY_is_a(key, "RSA-PSS") == 1;
		bool is_dsa = EVP_PKEY_is_a(key, "DSA") == 1;

		switch (authentication_nid) {
		case NID_auth_any:
			return true;
		case NID_auth_rsa:
			if (is_rsa)
				return true;
			break;
		case NID_auth_dss:
			if (is_dsa)
				return true;
			break;
		case NID_auth_ecdsa:
			if (!is_rsa && !is_dsa)
				return true;
			break;
		default:
			return false;
		}
	}
	return false;
}

static bool has_exchange_for(
    const struct tls_exchange_policy *policy, const SSL_CIPHER *cipher)
{
	switch (SSL_CIPHER_get_kx_nid(cipher)) {
	case NID_kx_any:
		return policy->groups.count > 0;
	case NID_kx_ecdhe:
		return policy->groups.has_curves;
	case NID_kx_dhe:
		return policy->dh.bits > 0;
	case NID_kx_rsa:
		return true;
	default: /* PSK, SRP and GOST need what Postern does not have */
		return false;
	}
}

static bool has_version_for(
    const struct tls_exchange_policy *policy, const SSL_CIPHER *cipher)
{
	bool is_of_12 = strcmp(SSL_CIPHER_get_version(cipher), "TLSv1.2") == 0;

	if (tls_cipher_is_of_13(cipher))
		return tls_protocols_allow(&policy->protocols, TLS1_3_VERSION);
	for (int version = is_of_12 ? TLS1_2_VERSION : SSL3_VERSION;
	     version <= TLS1_2_VERSION; version++)
		if (tls_protocols_allow(&policy->protocols, version))
			return true;
	return false;
}

static bool is_usable(
    const struct tls_context *context, const SSL_CIPHER *cipher)
{
	const struct tls_exchange_policy *policy = policy_of(context);
	int authentication_nid = SSL_CIPHER_get_auth_nid(cipher);

	return has_version_for(policy, cipher) &&
	       has_exchange_for(policy, cipher) &&
	       (authentication_nid == NID_auth_null ||
		   has_certificate_for(
		       tls_context_handle(context), authentication_nid));
}

size_t tls_describe_cipher_count(const struct tls_context *context)
{
	return (size_t)sk_SSL_CIPHER_num(
	    SSL_CTX_get_ciphers(tls_context_handle(context)));
}

void tls_describe_cipher(const struct tls_context *context, size_t index,
    struct tls_cipher_description *cipher_out)
{
	const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(
	    SSL_CTX_get_ciphers(tls_context_handle(context)), (int)index);
	char line[CIPHER_LINE_SIZE] = "";

	assert(cipher != NULL);
	*cipher_out = (struct tls_cipher_description){
	    .name = SSL_CIPHER_get_name(cipher),
	    .protocol = SSL_CIPHER_get_version(cipher),
	    .bits = SSL_CIPHER_get_bits(cipher, NULL),
	    .forward_secret = tls_cipher_is_of_13(cipher) ||
			      tls_cipher_class(cipher) != TLS_CLASS_NO_SECRECY,
	    .is_usable = is_usable(context, cipher),
	};
	/* The same words that ciphers(1) prints; OpenSSL tells them in no other
	 * way. */
	SSL_CIPHER_description(cipher, line, sizeof(line));
	sscanf(line, "%*s %*s Kx=%15s Au=%15s Enc=%31s Mac=%15s",
	    cipher_out->exchange, cipher_out->authentication,
	    cipher_out->encryption, cipher_out->mac);
}

size_t tls_describe_group_count(const struct tls_context *context)
{
	return policy_of(context)->groups.count;
}

const char *tls_describe_group(const struct tls_context *context, size_t index)
{
	const struct tls_groups *groups = &policy_of(context)->groups;

	assert(index < groups->count);
	return groups->groups[index].name;
}

void tls_describe_dh(
    const struct tls_context *context, struct tls_dh_description *dh_out)
{
	const struct tls_exchange_policy *policy = policy_of(context);

	*dh_out = (struct tls_dh_description){
	    .name = policy->dh.name,
	    .bits = policy->dh.bits,
	    .exponent_bits = policy->dh.exponent_bits,
	    .is_from_file = policy->dh.is_from_file,
	    .checks_quickly = policy->checks_quickly,
	};
}

static size_t own_count(SSL_CTX *ctx)
{
	size_t count = 0;

	while (certificate_at(ctx, count) != NULL)
		count++;
	return count;
}

size_t tls_describe_certificate_count(const struct tls_context *context)
{
	SSL_CTX *ctx = tls_context_handle(context);
	size_t count = 0;

	while (tls_chains_leaf(ctx, count) != NULL)
		count++;
	return own_count(ctx) + count;
}

void tls_describe_certificate(const struct tls_context *context, size_t index,
    struct tls_certificate_description *certificate_out)
{
	SSL_CTX *ctx = tls_context_handle(context);
	size_t own = own_count(ctx);
	X509 *certificate = index < own ? certificate_at(ctx, index)
					: tls_chains_leaf(ctx, index - own);
	const EVP_PKEY *key;

	assert(certificate != NULL);
	key = X509_get0_pubkey(certificate);
	*certificate_out = (struct tls_certificate_description){
	    .is_for_sni = index >= own,
	    .key_bits = EVP_PKEY_get_bits(key),
	};
	snprintf(certificate_out->key_type, sizeof(certificate_out->key_type),
	    "%s", EVP_PKEY_get0_type_name(key));
	certificate_out->not_after_s =
	    tls_certificate_time(X509_get0_notAfter(certificate));
	tls_certificate_name(X509_get_subject_name(certificate),
	    certificate_out->subject, sizeof(certificate_out->subject));
	tls_certificate_names(certificate, certificate_out->names,
	    sizeof(certificate_out->names));
	ERR_clear_error();
}
