/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/probe_strength.h"

#include <string.h>
#include <strings.h>

#define FAIR_BITS   112
#define STRONG_BITS 128

static const struct {
	const char *name;
	int bits;
} curves[] = {
    {"X25519", 128},
    {"X448", 224},
    {"prime192v1", 96},
    {"secp224r1", 112},
    {"prime256v1", 128},
    {"secp256k1", 128},
    {"secp384r1", 192},
    {"secp521r1", 256},
    {"brainpoolP256r1", 128},
    {"brainpoolP384r1", 192},
    {"brainpoolP512r1", 256},
    /* Of a hybrid the half that is known for long: whoever breaks the other
     * one is no further. */
    {"X25519MLKEM768", 128},
    {"SecP256r1MLKEM768", 128},
    {"SecP384r1MLKEM1024", 192},
};

/* The first row is of primes that were broken (Logjam, 2015). */
static const struct {
	int size, bits;
} primes[] = {
    {512, 40},
    {768, 60},
    {1024, 80},
    {2048, 112},
    {3072, 128},
    {4096, 152},
    {6144, 176},
    {8192, 200},
};

static int bits_of_prime(int size)
{
	int bits = 0;

	for (size_t i = 0; i < sizeof(primes) / sizeof(primes[0]); i++)
		if (size >= primes[i].size)
			bits = primes[i].bits;
	return bits;
}

static int bits_of(const struct tls_algorithm *exchange)
{
	const char *name =
	    exchange->curve[0] != '\0' ? exchange->curve : exchange->name;

	if (strcmp(exchange->name, "DHE") == 0)
		return bits_of_prime(exchange->bits);
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (strcasecmp(curves[i].name, name) == 0)
			return curves[i].bits;
	return 0;
}

static const char *word_of(const struct tls_algorithm *exchange, int bits)
{
	if (bits >= STRONG_BITS)
		return "strong";
	if (bits >= FAIR_BITS)
		return "fair";
	return bits > 0 || strcmp(exchange->name, "DHE") == 0 ? "weak"
							      : "unknown";
}

struct probe_strength probe_strength_of(const struct tls_facts *facts)
{
	int bits;

	if (!facts->forward_secret)
		return (struct probe_strength){.word = "none"};
	bits = bits_of(&facts->key_exchange);
	return (struct probe_strength){
	    .bits = bits,
	    .word = word_of(&facts->key_exchange, bits),
	};
}
