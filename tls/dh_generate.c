/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/dh_generate.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/dh.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

static int on_progress(EVP_PKEY_CTX *generation)
{
	const struct tls_dh_watch *watch =
	    EVP_PKEY_CTX_get_app_data(generation);

	/* The numbers are BN_generate_prime_ex()'s. */
	switch (EVP_PKEY_CTX_get_keygen_info(generation, 0)) {
	case 0:
		return watch->tell(watch->argument, TLS_DH_CANDIDATE);
	case 1:
		return watch->tell(watch->argument, TLS_DH_TESTED);
	default:
		return watch->tell(watch->argument, TLS_DH_FOUND);
	}
}

static EVP_PKEY *generate(int bits, const struct tls_dh_watch *watch)
{
	EVP_PKEY_CTX *generation = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	EVP_PKEY *parameters = NULL;

	if (generation == NULL || EVP_PKEY_paramgen_init(generation) != 1 ||
	    EVP_PKEY_CTX_set_dh_paramgen_prime_len(generation, bits) != 1 ||
	    EVP_PKEY_CTX_set_dh_paramgen_generator(generation, 2) != 1)
		goto free_generation;
	EVP_PKEY_CTX_set_app_data(generation, (void *)(uintptr_t)watch);
	EVP_PKEY_CTX_set_cb(generation, on_progress);
	if (EVP_PKEY_paramgen(generation, &parameters) != 1)
		parameters = NULL;
free_generation:
	EVP_PKEY_CTX_free(generation);
	return parameters;
}

static char *write_pem(const EVP_PKEY *parameters, size_t *pem_len_out)
{
	BIO *memory = BIO_new(BIO_s_mem());
	char *pem = NULL;
	char *bytes;
	long len;

	if (memory == NULL || PEM_write_bio_Parameters(memory, parameters) != 1)
		goto free_memory;
	len = BIO_get_mem_data(memory, &bytes);
	pem = malloc((size_t)len + 1);
	if (pem == NULL)
		goto free_memory;
	memcpy(pem, bytes, (size_t)len); /* it has no NUL of its own */
	pem[len] = '\0';
	*pem_len_out = (size_t)len;
free_memory:
	BIO_free(memory);
	return pem;
}

char *tls_dh_generate(
    int bits, const struct tls_dh_watch *watch, size_t *pem_len_out)
{
	EVP_PKEY *parameters;
	char *pem = NULL;

	if (bits < TLS_DH_BITS_MIN || bits > TLS_DH_BITS_MAX)
		return NULL;
	parameters = generate(bits, watch);
	if (parameters != NULL)
		pem = write_pem(parameters, pem_len_out);
	EVP_PKEY_free(parameters);
	ERR_clear_error();
	return pem;
}
