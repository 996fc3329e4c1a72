/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/quick_kdf.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "tls/provider.h"

#define BLOCK_SIZE_MAX 128
#define HASH_SIZE_MAX  48
#define SEED_COUNT_MAX 5 /* as many as libssl names */
#define FUNCTION_COUNT 7

/* The two digests that suites of TLS 1.3 and AEAD suites of TLS 1.2 have. */
struct digest {
	const char *name, *alias;
	size_t block_size, size;
	OSSL_FUNC_digest_newctx_fn *newctx;
	OSSL_FUNC_digest_init_fn *init;
	OSSL_FUNC_digest_update_fn *update;
	OSSL_FUNC_digest_final_fn *final;
	OSSL_FUNC_digest_freectx_fn *freectx;
};

/* The default provider's KDF, for what is not quick, and our own functions. */
struct kdf {
	const char *name;
	OSSL_DISPATCH functions[FUNCTION_COUNT];
	OSSL_FUNC_kdf_newctx_fn *newctx;
	OSSL_FUNC_kdf_freectx_fn *freectx;
	OSSL_FUNC_kdf_reset_fn *reset;
	OSSL_FUNC_kdf_derive_fn *derive;
	OSSL_FUNC_kdf_set_ctx_params_fn *set_ctx_params;
	OSSL_FUNC_kdf_get_ctx_params_fn *get_ctx_params;
};

struct context {
	const struct kdf *kdf;
	void *provider_context;
	void *original; /* the default provider's context, made when needed */
};

struct bytes {
	const uint8_t *data;
	size_t size;
};

/* What one call names. */
struct request {
	const struct digest *digest;
	int mode;
	struct bytes key, salt, prefix, label, data; /* TLS13-KDF */
	struct bytes secret, seeds[SEED_COUNT_MAX];  /* TLS1-PRF */
	size_t seed_count;
};

/* HMAC (RFC 2104) with one key for several messages. */
struct mac {
	const struct digest *digest;
	void *hash;
	uint8_t key[BLOCK_SIZE_MAX];
};

/* Made once for the process, before it forks: the default provider's functions
 * are the same in every library context. */
static struct digest digests[] = {
    {.name = "SHA2-256", .alias = "SHA256", .block_size = 64, .size = 32},
    {.name = "SHA2-384", .alias = "SHA384", .block_size = 128, .size = 48}};
static struct kdf tls13_kdf = {.name = "TLS13-KDF"};
static struct kdf tls1_prf = {.name = "TLS1-PRF"};

static bool hash(const struct mac *mac, const struct bytes *pieces,
    size_t count, uint8_t *hash_out)
{
	const struct digest *digest = mac->digest;
	size_t size;

	if (digest->init(mac->hash, NULL) != 1)
		return false;
	for (size_t i = 0; i < count; i++)
		if (digest->update(mac->hash, pieces[i].data, pieces[i].size) !=
		    1)
			return false;
	return digest->final(mac->hash, hash_out, &size, digest->size) == 1;
}

static void mac_close(struct mac *mac)
{
	OPENSSL_cleanse(mac->key, sizeof(mac->key));
	if (mac->hash != NULL)
		mac->digest->freectx(mac->hash);
	mac->hash = NULL;
}

static bool mac_open(
    struct mac *mac, const struct context *context, const struct digest *digest)
{
	*mac = (struct mac){.digest = digest};
	mac->hash = digest->newctx(context->provider_context);
	return mac->hash != NULL;
}

static bool mac_set_key(struct mac *mac, struct bytes key)
{
	memset(mac->key, 0, sizeof(mac->key));
	if (key.size > mac->digest->block_size)
		return hash(mac, &key, 1, mac->key);
	memcpy(mac->key, key.data, key.size);
	return true;
}

/* The first of the pieces is ours to fill in, with the padded key. */
static bool mac_make(
    const struct mac *mac, struct bytes *pieces, size_t count, uint8_t *mac_out)
{
	size_t block_size = mac->digest->block_size;
	uint8_t padded[BLOCK_SIZE_MAX], inner[HASH_SIZE_MAX];
	struct bytes outer[] = {
	    {padded, block_size}, {inner, mac->digest->size}};
	bool made;

	for (size_t i = 0; i < block_size; i++)
		padded[i] = mac->key[i] ^ 0x36;
	pieces[0] = outer[0];
	made = hash(mac, pieces, count, inner);
	for (size_t i = 0; i < block_size; i++)
		padded[i] = mac->key[i] ^ 0x5c;
	made = made && hash(mac, outer, 2, mac_out);
	OPENSSL_cleanse(padded, sizeof(padded));
	OPENSSL_cleanse(inner, sizeof(inner));
	return made;
}

/* HKDF-Expand-Label (RFC 8446, 7.1) of at most one block. The label's prefix
 * is part of the request: DTLS has another. */
static bool expand_label(struct mac *mac, const struct request *request,
    struct bytes data, struct bytes secret, uint8_t *out, size_t out_size)
{
	struct bytes prefix = request->prefix, label = request->label;
	uint8_t head[3] = {(uint8_t)(out_size >> 8), (uint8_t)out_size,
	    (uint8_t)(prefix.size + label.size)};
	uint8_t data_size = (uint8_t)data.size;
	static const uint8_t counter = 1;
	struct bytes pieces[] = {{0}, {head, sizeof(head)}, prefix, label,
	    {&data_size, 1}, data, {&counter, 1}};
	uint8_t block[HASH_SIZE_MAX];
	bool made;

	if (prefix.size + label.size > UINT8_MAX || data.size > UINT8_MAX)
		return false;
	made = mac_set_key(mac, secret) &&
	       mac_make(mac, pieces, sizeof(pieces) / sizeof(pieces[0]), block);
	if (made)
		memcpy(out, block, out_size);
	OPENSSL_cleanse(block, sizeof(block));
	return made;
}

/* HKDF-Extract(salt, key), where the salt is Derive-Secret(secret, "derived",
 * "") of the secret before, or nothing for the first one. */
static bool extract(
    struct mac *mac, const struct request *request, uint8_t *out)
{
	static const uint8_t zeros[HASH_SIZE_MAX];
	size_t size = mac->digest->size;
	uint8_t empty_hash[HASH_SIZE_MAX], derived[HASH_SIZE_MAX];
	struct bytes salt = {zeros, 0};
	struct bytes pieces[] = {{0}, request->key};
	bool made = true;

	if (request->key.data == NULL)
		pieces[1] = (struct bytes){zeros, size};
	if (request->salt.data != NULL) {
		made =
		    hash(mac, NULL, 0, empty_hash) &&
		    expand_label(mac, request, (struct bytes){empty_hash, size},
			request->salt, derived, size);
		salt = (struct bytes){derived, size};
	}
	made = made && mac_set_key(mac, salt) && mac_make(mac, pieces, 2, out);
	OPENSSL_cleanse(derived, sizeof(derived));
	return made;
}

static bool has_seed_or_secret(const struct request *request)
{
	return request->seed_count > 0 || request->secret.data != NULL;
}

static bool derive_tls13(struct mac *mac, const struct request *request,
    uint8_t *out, size_t out_size)
{
	if (has_seed_or_secret(request) || request->prefix.data == NULL ||
	    request->label.data == NULL)
		return false;
	if (request->mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY)
		return out_size == mac->digest->size &&
		       extract(mac, request, out);
	if (request->mode != EVP_KDF_HKDF_MODE_EXPAND_ONLY ||
	    request->key.data == NULL || out_size > mac->digest->size)
		return false;
	return expand_label(
	    mac, request, request->data, request->key, out, out_size);
}

/* P_hash (RFC 5246, 5). */
static bool derive_prf(struct mac *mac, const struct request *request,
    uint8_t *out, size_t out_size)
{
	size_t hash_size = mac->digest->size, seeds = request->seed_count;
	uint8_t a[HASH_SIZE_MAX], block[HASH_SIZE_MAX];
	struct bytes pieces[2 + SEED_COUNT_MAX] = {{0}};
	bool made;

	if (request->secret.data == NULL || seeds == 0)
		return false;
	memcpy(&pieces[1], request->seeds, seeds * sizeof(pieces[0]));
	made = mac_set_key(mac, request->secret) &&
	       mac_make(mac, pieces, 1 + seeds, a);
	memcpy(&pieces[2], request->seeds, seeds * sizeof(pieces[0]));
	while (made && out_size > 0) {
		size_t part = out_size < hash_size ? out_size : hash_size;

		pieces[1] = (struct bytes){a, hash_size};
		made = mac_make(mac, pieces, 2 + seeds, block);
		memcpy(out, block, part);
		out += part;
		out_size -= part;
		if (made && out_size > 0)
			made = mac_make(mac, pieces, 2, a);
	}
	OPENSSL_cleanse(a, sizeof(a));
	OPENSSL_cleanse(block, sizeof(block));
	return made;
}

/* What is said twice is the original's to weigh. */
static bool read_octets(const OSSL_PARAM *param, struct bytes *bytes)
{
	if (param->data_type != OSSL_PARAM_OCTET_STRING ||
	    param->data == NULL || bytes->data != NULL)
		return false;
	*bytes = (struct bytes){param->data, param->data_size};
	return true;
}

static bool read_digest(const OSSL_PARAM *param, struct request *request)
{
	if (param->data_type != OSSL_PARAM_UTF8_STRING ||
	    request->digest != NULL)
		return false;
	for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++)
		if (strcasecmp(param->data, digests[i].name) == 0 ||
		    strcasecmp(param->data, digests[i].alias) == 0)
			request->digest = &digests[i];
	return request->digest != NULL;
}

static bool read_seed(const OSSL_PARAM *param, struct request *request)
{
	/* libssl names five, and has less to say in most. */
	if (param->data == NULL || param->data_size == 0)
		return true;
	return request->seed_count < SEED_COUNT_MAX &&
	       read_octets(param, &request->seeds[request->seed_count++]);
}

static bool read_param(const OSSL_PARAM *param, struct request *request)
{
	const char *key = param->key;

	if (strcmp(key, OSSL_KDF_PARAM_SEED) == 0)
		return read_seed(param, request);
	if (strcmp(key, OSSL_KDF_PARAM_DIGEST) == 0)
		return read_digest(param, request);
	if (strcmp(key, OSSL_KDF_PARAM_MODE) == 0)
		return request->mode < 0 &&
		       OSSL_PARAM_get_int(param, &request->mode) == 1;
	if (strcmp(key, OSSL_KDF_PARAM_KEY) == 0)
		return read_octets(param, &request->key);
	if (strcmp(key, OSSL_KDF_PARAM_PREFIX) == 0)
		return read_octets(param, &request->prefix);
	if (strcmp(key, OSSL_KDF_PARAM_LABEL) == 0)
		return read_octets(param, &request->label);
	if (strcmp(key, OSSL_KDF_PARAM_DATA) == 0)
		return read_octets(param, &request->data);
	if (strcmp(key, OSSL_KDF_PARAM_SALT) == 0)
		return read_octets(param, &request->salt);
	if (strcmp(key, OSSL_KDF_PARAM_SECRET) == 0)
		return read_octets(param, &request->secret);
	return false;
}

/* False when the original has to do it. */
static bool derive_quickly(const struct context *context, uint8_t *out,
    size_t out_size, const OSSL_PARAM *params)
{
	struct request request = {.mode = -1};
	struct mac mac;
	bool derived;

	if (params == NULL || out_size == 0)
		return false;
	for (; params->key != NULL; params++)
		if (!read_param(params, &request))
			return false;
	if (request.digest == NULL || !mac_open(&mac, context, request.digest))
		return false;
	derived = context->kdf == &tls13_kdf
		      ? derive_tls13(&mac, &request, out, out_size)
		      : derive_prf(&mac, &request, out, out_size);
	mac_close(&mac);
	return derived;
}

static void *original_of(struct context *context)
{
	if (context->original == NULL)
		context->original =
		    context->kdf->newctx(context->provider_context);
	return context->original;
}

static int derive(
    void *data, unsigned char *out, size_t out_size, const OSSL_PARAM params[])
{
	struct context *context = data;

	/* Once there is an original, it knows what was said before. */
	if (context->original == NULL &&
	    derive_quickly(context, out, out_size, params))
		return 1;
	return original_of(context) != NULL &&
	       context->kdf->derive(context->original, out, out_size, params) ==
		   1;
}

static int set_ctx_params(void *data, const OSSL_PARAM params[])
{
	struct context *context = data;

	return original_of(context) != NULL &&
	       context->kdf->set_ctx_params(context->original, params) == 1;
}

static int get_ctx_params(void *data, OSSL_PARAM params[])
{
	struct context *context = data;

	if (original_of(context) == NULL)
		return 0;
	return context->kdf->get_ctx_params(context->original, params);
}

static void reset(void *data)
{
	struct context *context = data;

	if (context->original != NULL)
		context->kdf->reset(context->original);
}

static void *open_context(const struct kdf *kdf, void *provider_context)
{
	struct context *context = OPENSSL_malloc(sizeof(*context));

	if (context != NULL)
		*context = (struct context){
		    .kdf = kdf, .provider_context = provider_context};
	return context;
}

static void *open_tls13(void *provider_context)
{
	return open_context(&tls13_kdf, provider_context);
}

static void *open_prf(void *provider_context)
{
	return open_context(&tls1_prf, provider_context);
}

static void close_context(void *data)
{
	struct context *context = data;

	if (context != NULL && context->original != NULL)
		context->kdf->freectx(context->original);
	OPENSSL_free(context);
}

static const OSSL_DISPATCH shared_functions[] = {
    {OSSL_FUNC_KDF_FREECTX, (void (*)(void))close_context},
    {OSSL_FUNC_KDF_RESET, (void (*)(void))reset},
    {OSSL_FUNC_KDF_DERIVE, (void (*)(void))derive},
    {OSSL_FUNC_KDF_SET_CTX_PARAMS, (void (*)(void))set_ctx_params},
    {OSSL_FUNC_KDF_GET_CTX_PARAMS, (void (*)(void))get_ctx_params}, {0, NULL}};

/* The generic pointer is the way of OpenSSL's dispatch tables. */
static void (*function_of(const OSSL_ALGORITHM *algorithm, int function_id))(
    void)
{
	const OSSL_DISPATCH *dispatch = algorithm->implementation;

	for (; dispatch->function_id != 0; dispatch++)
		if (dispatch->function_id == function_id)
			return dispatch->function;
	return NULL;
}

static bool take_digest(OSSL_PROVIDER *provider, struct digest *digest)
{
	const OSSL_ALGORITHM *original =
	    tls_provider_find(provider, OSSL_OP_DIGEST, digest->name);

	if (original == NULL)
		return false;
	digest->newctx = (OSSL_FUNC_digest_newctx_fn *)function_of(
	    original, OSSL_FUNC_DIGEST_NEWCTX);
	digest->init = (OSSL_FUNC_digest_init_fn *)function_of(
	    original, OSSL_FUNC_DIGEST_INIT);
	digest->update = (OSSL_FUNC_digest_update_fn *)function_of(
	    original, OSSL_FUNC_DIGEST_UPDATE);
	digest->final = (OSSL_FUNC_digest_final_fn *)function_of(
	    original, OSSL_FUNC_DIGEST_FINAL);
	digest->freectx = (OSSL_FUNC_digest_freectx_fn *)function_of(
	    original, OSSL_FUNC_DIGEST_FREECTX);
	return digest->newctx != NULL && digest->init != NULL &&
	       digest->update != NULL && digest->final != NULL &&
	       digest->freectx != NULL;
}

static bool take_kdf(OSSL_PROVIDER *provider, struct kdf *kdf)
{
	const OSSL_ALGORITHM *original =
	    tls_provider_find(provider, OSSL_OP_KDF, kdf->name);

	if (original == NULL)
		return false;
	kdf->newctx = (OSSL_FUNC_kdf_newctx_fn *)function_of(
	    original, OSSL_FUNC_KDF_NEWCTX);
	kdf->freectx = (OSSL_FUNC_kdf_freectx_fn *)function_of(
	    original, OSSL_FUNC_KDF_FREECTX);
	kdf->reset = (OSSL_FUNC_kdf_reset_fn *)function_of(
	    original, OSSL_FUNC_KDF_RESET);
	kdf->derive = (OSSL_FUNC_kdf_derive_fn *)function_of(
	    original, OSSL_FUNC_KDF_DERIVE);
	kdf->set_ctx_params = (OSSL_FUNC_kdf_set_ctx_params_fn *)function_of(
	    original, OSSL_FUNC_KDF_SET_CTX_PARAMS);
	kdf->get_ctx_params = (OSSL_FUNC_kdf_get_ctx_params_fn *)function_of(
	    original, OSSL_FUNC_KDF_GET_CTX_PARAMS);
	return kdf->newctx != NULL && kdf->freectx != NULL &&
	       kdf->reset != NULL && kdf->derive != NULL &&
	       kdf->set_ctx_params != NULL && kdf->get_ctx_params != NULL;
}

static void offer(struct kdf *kdf, OSSL_FUNC_kdf_newctx_fn *open,
    const char *properties, OSSL_ALGORITHM *entry)
{
	kdf->functions[0] =
	    (OSSL_DISPATCH){OSSL_FUNC_KDF_NEWCTX, (void (*)(void))open};
	memcpy(&kdf->functions[1], shared_functions, sizeof(shared_functions));
	*entry = (OSSL_ALGORITHM){.algorithm_names = kdf->name,
	    .property_definition = properties,
	    .implementation = kdf->functions};
}

bool tls_quick_kdf_hand_on(OSSL_PROVIDER *default_provider,
    const char *properties, OSSL_ALGORITHM *table)
{
	for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++)
		if (!take_digest(default_provider, &digests[i]))
			return false;
	if (!take_kdf(default_provider, &tls13_kdf) ||
	    !take_kdf(default_provider, &tls1_prf))
		return false;
	offer(&tls13_kdf, open_tls13, properties, &table[0]);
	offer(&tls1_prf, open_prf, properties, &table[1]);
	table[2] = (OSSL_ALGORITHM){0};
	return true;
}
