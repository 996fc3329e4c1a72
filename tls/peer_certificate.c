/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/peer_certificate.h"

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/certificate_text.h"
#include "tls/handles.h"

static void read_key(
    const EVP_PKEY *key, struct tls_peer_certificate *certificate_out)
{
	const char *type;
	size_t len;

	if (key == NULL) /* of a kind that OpenSSL cannot read */
		return;
	type = EVP_PKEY_get0_type_name(key);
	snprintf(certificate_out->key_type, sizeof(certificate_out->key_type),
	    "%s", type != NULL ? type : "");
	certificate_out->key_bits = EVP_PKEY_get_bits(key);
	if (EVP_PKEY_is_a(key, "EC") != 1 ||
	    EVP_PKEY_get_group_name(key, certificate_out->key_curve,
		sizeof(certificate_out->key_curve), &len) != 1)
		certificate_out->key_curve[0] = '\0';
}

void tls_peer_certificate_read(const struct tls_session *session,
    struct tls_peer_certificate *certificate_out)
{
	X509 *certificate =
	    SSL_get0_peer_certificate(tls_session_handle(session));

	*certificate_out = (struct tls_peer_certificate){
	    .is_present = certificate != NULL,
	};
	if (certificate == NULL)
		return;
	tls_certificate_name(X509_get_subject_name(certificate),
	    certificate_out->subject, sizeof(certificate_out->subject));
	tls_certificate_name(X509_get_issuer_name(certificate),
	    certificate_out->issuer, sizeof(certificate_out->issuer));
	tls_certificate_names(certificate, certificate_out->names,
	    sizeof(certificate_out->names));
	read_key(X509_get0_pubkey(certificate), certificate_out);
	snprintf(certificate_out->signature, sizeof(certificate_out->signature),
	    "%s", OBJ_nid2ln(X509_get_signature_nid(certificate)));
	certificate_out->not_before_s =
	    tls_certificate_time(X509_get0_notBefore(certificate));
	certificate_out->not_after_s =
	    tls_certificate_time(X509_get0_notAfter(certificate));
	ERR_clear_error();
}
