/* SPDX-License-Identifier: Apache-2.0 */
/* What is known, or can be found out, of a prime for EDH. For the files of tls/
 * alone. */
#ifndef POSTERN_TLS_PRIMES_H
#define POSTERN_TLS_PRIMES_H

#include <stdbool.h>

#include <openssl/bn.h>

struct tls_prime {
	/* "the 2048-bit group of RFC 3526", when it is one that half the
	 * internet shares; NULL otherwise. */
	const char *origin; /* static */
	bool is_prime;
	bool is_safe; /* (p-1)/2 is prime, too */
};

/* Takes a second or so for a large prime of which nothing is known; what came
 * out is remembered. False without memory. */
bool tls_prime_examine(const BIGNUM *p, struct tls_prime *prime_out);

/* How long an exponent must be in the group of a safe prime of so many bits:
 * RFC 7919, 5.2 and appendix A (for 1536, RFC 3526, 8), of the next larger
 * size.
 */
int tls_prime_exponent_bits(int prime_bits);

#endif
