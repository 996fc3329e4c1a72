/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/limit_cell.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#define CONTENT_LEN 130 /* of what is signed in TLS 1.3; RFC 8446, 4.4.3 */

static bool sign_once(EVP_PKEY *key, bool with_pss)
{
	static const unsigned char content[CONTENT_LEN] = {0};
	unsigned char signature[512];
	size_t len = sizeof(signature);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *padding;
	const EVP_MD *digest =
	    EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
	bool fine = ctx != NULL &&
		    EVP_DigestSignInit(ctx, &padding, digest, NULL, key) == 1;

	if (fine && with_pss)
		fine = EVP_PKEY_CTX_set_rsa_padding(
			   padding, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(
			   padding, RSA_PSS_SALTLEN_DIGEST) == 1;
	fine = fine && EVP_DigestSign(
			   ctx, signature, &len, content, sizeof(content)) == 1;
	EVP_MD_CTX_free(ctx);
	return fine;
}

static EVP_PKEY *generate(const struct limit_cell *cell)
{
	EVP_PKEY_CTX *maker;
	EVP_PKEY *key = NULL;
	/* As long as the strength asks for (RFC 7919, 5.2), not as the prime.
	 */
	int bits = strcmp(cell->group, "ffdhe3072") == 0   ? 275
		   : strcmp(cell->group, "ffdhe4096") == 0 ? 325
							   : 225;
	const OSSL_PARAM short_one[] = {
	    OSSL_PARAM_construct_int(OSSL_PKEY_PARAM_DH_PRIV_LEN, &bits),
	    OSSL_PARAM_construct_end()};

	if (!cell->is_edh)
		return cell->group[0] == 'X'
			   ? EVP_PKEY_Q_keygen(NULL, NULL, cell->group)
			   : EVP_EC_gen(cell->group);
	maker = EVP_PKEY_CTX_new(cell->dh_parameters, NULL);
	if (maker != NULL && EVP_PKEY_keygen_init(maker) == 1) {
		EVP_PKEY_CTX_set_params(maker, short_one);
		EVP_PKEY_keygen(maker, &key);
	}
	EVP_PKEY_CTX_free(maker);
	return key;
}

/* Without a check of the peer's value but its range: SP 800-56A allows that for
 * keys of one use, and tls/quick_check.h does it. */
static bool derive(EVP_PKEY *own, EVP_PKEY *peer)
{
	unsigned char secret[1024];
	size_t len = sizeof(secret);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
	bool fine = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
		    EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) == 1 &&
		    EVP_PKEY_derive(ctx, secret, &len) == 1;

	EVP_PKEY_CTX_free(ctx);
	return fine;
}

static bool exchange_once(
    const struct limit_cell *cell, EVP_PKEY *peer, struct limit_primitives *sum)
{
	double begin_us = limit_cpu_us();
	EVP_PKEY *own = generate(cell);
	double made_us = limit_cpu_us();
	bool fine = own != NULL && derive(own, peer);

	sum->generate_us += made_us - begin_us;
	sum->derive_us += limit_cpu_us() - made_us;
	EVP_PKEY_free(own);
	return fine;
}

bool limit_primitives(
    struct limit_cell *cell, int count, struct limit_primitives *out)
{
	bool signs = !cell->resumed;
	/* Resumption in TLS 1.2 has no exchange of keys. */
	bool exchanges = !cell->resumed || cell->protocol == 3;
	bool with_pss =
	    cell->protocol == 3 && strncmp(cell->key, "rsa", 3) == 0;
	EVP_PKEY *peer = generate(cell);
	bool fine = peer != NULL;
	double begin_us;

	memset(out, 0, sizeof(*out));
	for (int i = 0; i < count && fine; i++) {
		begin_us = limit_cpu_us();
		fine = !signs || sign_once(cell->server_key, with_pss);
		if (signs)
			out->sign_us += limit_cpu_us() - begin_us;
		if (fine && exchanges)
			fine = exchange_once(cell, peer, out);
	}
	out->sign_us /= count;
	out->generate_us /= count;
	out->derive_us /= count;
	EVP_PKEY_free(peer);
	return fine;
}
