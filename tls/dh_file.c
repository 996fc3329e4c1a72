/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/dh_file.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#define BLOCK_COUNT_MAX 64

/* One call of PEM_read_bio(). */
struct block {
	char *label;
	char *header;
	unsigned char *bytes;
	long bytes_len;
};

static void free_block(struct block *block)
{
	OPENSSL_free(block->label);
	OPENSSL_free(block->header);
	/* The file may hold a private key as well. */
	OPENSSL_clear_free(block->bytes, (size_t)block->bytes_len);
}

/* OpenSSL's word for the kind of parameters, or NULL. */
static const char *type_of(const struct block *block)
{
	if (strcmp(block->label, PEM_STRING_DHPARAMS) == 0)
		return "DH";
	if (strcmp(block->label, PEM_STRING_DHXPARAMS) == 0)
		return "DHX";
	return NULL;
}

static EVP_PKEY *decode(const struct block *block, const char *type)
{
	const unsigned char *bytes = block->bytes;
	size_t bytes_len = (size_t)block->bytes_len;
	EVP_PKEY *parameters = NULL;
	OSSL_DECODER_CTX *decoder = OSSL_DECODER_CTX_new_for_pkey(&parameters,
	    "DER", NULL, type, OSSL_KEYMGMT_SELECT_ALL_PARAMETERS, NULL, NULL);

	if (decoder != NULL)
		OSSL_DECODER_from_data(decoder, &bytes, &bytes_len);
	OSSL_DECODER_CTX_free(decoder);
	return parameters;
}

static const char *take(
    const struct block *block, const char *type, struct tls_dh_numbers *numbers)
{
	EVP_PKEY *parameters = decode(block, type);
	bool has_both = parameters != NULL &&
			EVP_PKEY_get_bn_param(parameters, OSSL_PKEY_PARAM_FFC_P,
			    &numbers->p) == 1 &&
			EVP_PKEY_get_bn_param(parameters, OSSL_PKEY_PARAM_FFC_G,
			    &numbers->g) == 1;

	if (has_both && strcmp(type, "DHX") == 0)
		EVP_PKEY_get_bn_param(
		    parameters, OSSL_PKEY_PARAM_FFC_Q, &numbers->q);
	EVP_PKEY_free(parameters);
	return has_both ? NULL : "its DH parameters cannot be decoded";
}

static const char *read_blocks(BIO *bio, struct tls_dh_numbers *numbers)
{
	struct block block;

	for (int i = 0; i < BLOCK_COUNT_MAX; i++) {
		const char *type;
		const char *fault;

		if (PEM_read_bio(bio, &block.label, &block.header, &block.bytes,
			&block.bytes_len) != 1)
			break;
		type = type_of(&block);
		fault = type != NULL ? take(&block, type, numbers) : NULL;
		free_block(&block);
		if (type != NULL)
			return fault;
	}
	return "it holds no DH parameters in PEM";
}

const char *tls_dh_file_read(
    const char *file, struct tls_dh_numbers *numbers_out)
{
	const char *fault;
	BIO *bio;

	*numbers_out = (struct tls_dh_numbers){.p = NULL};
	errno = 0;
	bio = BIO_new_file(file, "r");
	fault = bio != NULL ? read_blocks(bio, numbers_out) : strerror(errno);
	BIO_free(bio);
	ERR_clear_error();
	return fault;
}

void tls_dh_numbers_finish(struct tls_dh_numbers *numbers)
{
	BN_free(numbers->p);
	BN_free(numbers->g);
	BN_free(numbers->q);
	*numbers = (struct tls_dh_numbers){.p = NULL};
}
