/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/own.h"

#include <stdio.h>

#include <openssl/objects.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tls/handles.h"

static const char *key_word(int type)
{
	if (type == EVP_PKEY_RSA || type == EVP_PKEY_RSA_PSS)
		return "RSA";
	if (type == EVP_PKEY_EC)
		return "EC";
	if (type == EVP_PKEY_DSA)
		return "DSA";
	return OBJ_nid2sn(type);
}

void tls_own_read(const struct tls_session *session, struct tls_own *own_out)
{
	SSL *ssl = tls_session_handle(session);
	X509 *certificate = SSL_get_certificate(ssl);
	EVP_PKEY *key;
	const unsigned char *alpn;
	unsigned alpn_len;

	*own_out = (struct tls_own){0};
	SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
	if (alpn_len > 0 && alpn_len < sizeof(own_out->alpn))
		snprintf(own_out->alpn, sizeof(own_out->alpn), "%.*s",
		    (int)alpn_len, (const char *)alpn);
	key = certificate == NULL ? NULL : X509_get0_pubkey(certificate);
	if (key == NULL)
		return;
	snprintf(own_out->key, sizeof(own_out->key), "%s%d",
	    key_word(EVP_PKEY_get_base_id(key)), EVP_PKEY_get_bits(key));
	snprintf(own_out->signature, sizeof(own_out->signature), "%s",
	    OBJ_nid2sn(X509_get_signature_nid(certificate)));
}
