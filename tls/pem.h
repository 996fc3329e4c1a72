/* SPDX-License-Identifier: Apache-2.0 */
/* A PEM file -> its keys and certificates, one by one. For the files of tls/
 * alone. */
#ifndef POSTERN_TLS_PEM_H
#define POSTERN_TLS_PEM_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

enum tls_pem_kind {
	TLS_PEM_KEY,	     /* key is set */
	TLS_PEM_CERTIFICATE, /* certificate is set */
	TLS_PEM_OTHER,	     /* something else, see label */
	TLS_PEM_ENCRYPTED,   /* a key that is encrypted */
	TLS_PEM_BROKEN,	     /* not what its label says, or no PEM at all */
	TLS_PEM_END,
};

struct tls_pem_object {
	enum tls_pem_kind kind;
	char label[64]; /* "RSA PRIVATE KEY" */
	EVP_PKEY *key;
	X509 *certificate;
};

/* Reads the next object. After BROKEN and END nothing follows; errors of
 * OpenSSL stay in its queue for BROKEN alone. */
void tls_pem_read(BIO *file, struct tls_pem_object *object_out);

/* Frees what the caller did not take out (by setting it to NULL). */
void tls_pem_object_finish(struct tls_pem_object *object);

#endif
