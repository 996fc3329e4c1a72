/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/pem.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

/* What one call of PEM_read_bio() brings. */
struct block {
	char *label;
	char *header;
	unsigned char *bytes;
	long bytes_len;
};

static bool is_key(const char *label)
{
	return strcmp(label, PEM_STRING_PKCS8INF) == 0 ||
	       strcmp(label, PEM_STRING_RSA) == 0 ||
	       strcmp(label, PEM_STRING_ECPRIVATEKEY) == 0 ||
	       strcmp(label, PEM_STRING_DSA) == 0;
}

static bool is_certificate(const char *label)
{
	return strcmp(label, PEM_STRING_X509) == 0 ||
	       strcmp(label, PEM_STRING_X509_OLD) == 0;
}

static void decode(const struct block *block, struct tls_pem_object *object)
{
	const unsigned char *bytes = block->bytes;

	/* PKCS #8 has a label of its own; the old form says so in the header.
	 */
	if (strcmp(block->label, PEM_STRING_PKCS8) == 0 ||
	    strstr(block->header, "ENCRYPTED") != NULL) {
		object->kind = TLS_PEM_ENCRYPTED;
	} else if (is_key(block->label)) {
		object->key =
		    d2i_AutoPrivateKey(NULL, &bytes, block->bytes_len);
		object->kind =
		    object->key != NULL ? TLS_PEM_KEY : TLS_PEM_BROKEN;
	} else if (is_certificate(block->label)) {
		object->certificate = d2i_X509(NULL, &bytes, block->bytes_len);
		object->kind = object->certificate != NULL ? TLS_PEM_CERTIFICATE
							   : TLS_PEM_BROKEN;
	} else {
		object->kind = TLS_PEM_OTHER;
	}
}

void tls_pem_read(BIO *file, struct tls_pem_object *object_out)
{
	struct block block;

	*object_out = (struct tls_pem_object){.kind = TLS_PEM_END};
	ERR_clear_error();
	if (PEM_read_bio(file, &block.label, &block.header, &block.bytes,
		&block.bytes_len) != 1) {
		unsigned long error = ERR_peek_last_error();

		if (ERR_GET_LIB(error) == ERR_LIB_PEM &&
		    ERR_GET_REASON(error) == PEM_R_NO_START_LINE)
			ERR_clear_error();
		else
			object_out->kind = TLS_PEM_BROKEN;
		return;
	}
	snprintf(
	    object_out->label, sizeof(object_out->label), "%s", block.label);
	decode(&block, object_out);
	if (object_out->kind != TLS_PEM_BROKEN)
		ERR_clear_error();
	OPENSSL_free(block.label);
	OPENSSL_free(block.header);
	/* It may have been a private key. */
	OPENSSL_clear_free(block.bytes, (size_t)block.bytes_len);
}

void tls_pem_object_finish(struct tls_pem_object *object)
{
	EVP_PKEY_free(object->key);
	X509_free(object->certificate);
	object->key = NULL;
	object->certificate = NULL;
}
