/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/primes.h"

#include <stddef.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#define PRIME_BYTES_MAX 2048
#define REMEMBERED_MAX	64

typedef BIGNUM *get_prime(BIGNUM *out);

/* Primes that come with OpenSSL as numbers; all are safe. */
struct constant {
	get_prime *get;
	const char *origin;
};

static const struct constant constants[] = {
    {BN_get_rfc2409_prime_768, "the 768-bit group 1 of RFC 2409 (Oakley)"},
    {BN_get_rfc2409_prime_1024, "the 1024-bit group 2 of RFC 2409 (Oakley)"},
    {BN_get_rfc3526_prime_1536, "the 1536-bit group of RFC 3526"},
    {BN_get_rfc3526_prime_2048, "the 2048-bit group of RFC 3526"},
    {BN_get_rfc3526_prime_3072, "the 3072-bit group of RFC 3526"},
    {BN_get_rfc3526_prime_4096, "the 4096-bit group of RFC 3526"},
    {BN_get_rfc3526_prime_6144, "the 6144-bit group of RFC 3526"},
    {BN_get_rfc3526_prime_8192, "the 8192-bit group of RFC 3526"},
};

/* Those that it knows by name. */
struct named {
	const char *type, *name, *origin;
	bool is_safe;
};

static const struct named names[] = {
    {"DH", "ffdhe2048", "ffdhe2048 of RFC 7919", true},
    {"DH", "ffdhe3072", "ffdhe3072 of RFC 7919", true},
    {"DH", "ffdhe4096", "ffdhe4096 of RFC 7919", true},
    {"DH", "ffdhe6144", "ffdhe6144 of RFC 7919", true},
    {"DH", "ffdhe8192", "ffdhe8192 of RFC 7919", true},
    {"DHX", "dh_1024_160", "the 1024-bit group of RFC 5114", false},
    {"DHX", "dh_2048_224", "the 2048-bit group of RFC 5114", false},
    {"DHX", "dh_2048_256", "the 2048-bit group of RFC 5114", false},
};

/* Defaults of widespread programs; all are safe primes of 1024 bits, and among
 * the first that a precomputation (Logjam, CVE-2015-4000) pays for. */
struct shared {
	unsigned char digest[SHA256_DIGEST_LENGTH]; /* of p, big-endian */
	const char *origin;
};

static const struct shared shared[] = {
    {{0xbf, 0x91, 0x0d, 0x9d, 0xf4, 0xe0, 0xb2, 0xe7, 0x6c, 0xda, 0x74, 0x43,
	 0xf5, 0x92, 0xaa, 0x11, 0x8e, 0x33, 0xba, 0x2c, 0x22, 0x4e, 0xbc, 0x27,
	 0xfb, 0x89, 0x78, 0xd8, 0x73, 0xc8, 0xc2, 0xe3},
	"the 1024-bit prime built into Apache"},
    {{0x8a, 0xe4, 0x7d, 0xca, 0x3d, 0x24, 0xe9, 0xb6, 0x46, 0x40, 0x06, 0x26,
	 0x86, 0xda, 0x23, 0x4d, 0xca, 0xba, 0xda, 0x26, 0xb0, 0xda, 0x6f, 0x09,
	 0x0c, 0x54, 0x49, 0xc1, 0x33, 0x8d, 0x9a, 0x11},
	"the 1024-bit prime built into nginx"},
    {{0xef, 0x62, 0x7d, 0x8c, 0xc4, 0x41, 0x44, 0xf3, 0x6a, 0x07, 0x5d, 0x8d,
	 0xd8, 0x51, 0x1b, 0xbd, 0x27, 0x8c, 0xb5, 0xcf, 0x43, 0x8f, 0x10, 0x52,
	 0xbd, 0xbd, 0xab, 0xe7, 0x15, 0x23, 0x2c, 0x1e},
	"the 1024-bit prime built into Postfix"},
};

struct remembered {
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct tls_prime prime;
};

static struct remembered remembered[REMEMBERED_MAX];
static size_t remembered_count;

static const char *find_constant(const BIGNUM *p)
{
	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
		BIGNUM *constant = constants[i].get(NULL);
		bool is_it = constant != NULL && BN_cmp(p, constant) == 0;

		BN_free(constant);
		if (is_it)
			return constants[i].origin;
	}
	return NULL;
}

static bool is_named(const BIGNUM *p, const struct named *named)
{
	EVP_PKEY_CTX *generation =
	    EVP_PKEY_CTX_new_from_name(NULL, named->type, NULL);
	const OSSL_PARAM params[] = {
	    OSSL_PARAM_utf8_string(
		OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)named->name, 0),
	    OSSL_PARAM_END};
	EVP_PKEY *parameters = NULL;
	BIGNUM *prime = NULL;
	bool is_it = false;

	if (generation != NULL && EVP_PKEY_paramgen_init(generation) == 1 &&
	    EVP_PKEY_CTX_set_params(generation, params) == 1 &&
	    EVP_PKEY_paramgen(generation, &parameters) == 1 &&
	    EVP_PKEY_get_bn_param(parameters, OSSL_PKEY_PARAM_FFC_P, &prime) ==
		1)
		is_it = BN_cmp(p, prime) == 0;
	BN_free(prime);
	EVP_PKEY_free(parameters);
	EVP_PKEY_CTX_free(generation);
	return is_it;
}

/* False: nothing is known of it. */
static bool look_up(
    const BIGNUM *p, const unsigned char *digest, struct tls_prime *prime_out)
{
	*prime_out = (struct tls_prime){find_constant(p), true, true};
	if (prime_out->origin != NULL)
		return true;
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		if (memcmp(shared[i].digest, digest, SHA256_DIGEST_LENGTH) != 0)
			continue;
		prime_out->origin = shared[i].origin;
		return true;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!is_named(p, &names[i]))
			continue;
		prime_out->origin = names[i].origin;
		prime_out->is_safe = names[i].is_safe;
		return true;
	}
	return false;
}

static bool is_prime(const BIGNUM *number)
{
	BN_CTX *memory = BN_CTX_new();
	bool is_it =
	    memory != NULL && BN_check_prime(number, memory, NULL) == 1;

	BN_CTX_free(memory);
	return is_it;
}

static bool compute(const BIGNUM *p, struct tls_prime *prime_out)
{
	BIGNUM *half = BN_new();

	if (half == NULL || BN_rshift1(half, p) != 1) {
		BN_free(half);
		return false;
	}
	*prime_out = (struct tls_prime){.is_prime = is_prime(p)};
	prime_out->is_safe = prime_out->is_prime && is_prime(half);
	BN_free(half);
	return true;
}

bool tls_prime_examine(const BIGNUM *p, struct tls_prime *prime_out)
{
	unsigned char bytes[PRIME_BYTES_MAX];
	unsigned char digest[SHA256_DIGEST_LENGTH];
	int len = BN_num_bytes(p);

	*prime_out = (struct tls_prime){.origin = NULL};
	if (len <= 0 || len > PRIME_BYTES_MAX || BN_is_negative(p))
		return true;
	BN_bn2bin(p, bytes);
	if (EVP_Digest(bytes, (size_t)len, digest, NULL, EVP_sha256(), NULL) !=
	    1)
		return false;
	for (size_t i = 0; i < remembered_count; i++) {
		if (memcmp(remembered[i].digest, digest, sizeof(digest)) != 0)
			continue;
		*prime_out = remembered[i].prime;
		return true;
	}
	if (!look_up(p, digest, prime_out) && !compute(p, prime_out))
		return false;
	if (remembered_count < REMEMBERED_MAX) {
		struct remembered *slot = &remembered[remembered_count++];

		memcpy(slot->digest, digest, sizeof(digest));
		slot->prime = *prime_out;
	}
	return true;
}

int tls_prime_exponent_bits(int prime_bits)
{
	static const struct {
		int prime_bits, exponent_bits;
	} rows[] = {{1536, 200}, {2048, 225}, {3072, 275}, {4096, 325},
	    {6144, 375}, {8192, 400}, {10000, 450}};
	size_t i = 0;

	while (i + 1 < sizeof(rows) / sizeof(rows[0]) &&
	       prime_bits > rows[i].prime_bits)
		i++;
	return rows[i].exponent_bits;
}
