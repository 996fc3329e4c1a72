/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/primes.h"

#include <string.h>

#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

static void examine(BIGNUM *p, const char *origin, bool is_prime, bool is_safe)
{
	/* The second time from memory. */
	for (int turn = 0; turn < 2; turn++) {
		struct tls_prime prime;

		cr_assert(tls_prime_examine(p, &prime));
		if (origin == NULL)
			cr_expect_null(prime.origin);
		else
			cr_expect_str_eq(prime.origin, origin);
		cr_expect_eq(prime.is_prime, is_prime);
		cr_expect_eq(prime.is_safe, is_safe);
	}
	BN_free(p);
}

static BIGNUM *number(const char *hex)
{
	BIGNUM *number = NULL;

	cr_assert_neq(BN_hex2bn(&number, hex), 0);
	return number;
}

static BIGNUM *named(const char *type, const char *name)
{
	EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *parameters = NULL;
	BIGNUM *p = NULL;

	cr_assert_eq(EVP_PKEY_paramgen_init(maker), 1);
	cr_assert_eq(EVP_PKEY_CTX_set_group_name(maker, name), 1);
	cr_assert_eq(EVP_PKEY_paramgen(maker, &parameters), 1);
	cr_assert_eq(
	    EVP_PKEY_get_bn_param(parameters, OSSL_PKEY_PARAM_FFC_P, &p), 1);
	EVP_PKEY_free(parameters);
	EVP_PKEY_CTX_free(maker);
	return p;
}

Test(primes, small_ones)
{
	examine(number("17"), NULL, true, true);   /* 23 = 2 * 11 + 1 */
	examine(number("0D"), NULL, true, false);  /* 13 = 2 * 6 + 1 */
	examine(number("0F"), NULL, false, false); /* 15 */
	examine(number("1B"), NULL, false, false); /* 27 = 2 * 13 + 1 */
	examine(number("0"), NULL, false, false);
	examine(number("-17"), NULL, false, false);
}

Test(primes, that_are_known)
{
	examine(BN_get_rfc2409_prime_1024(NULL),
	    "the 1024-bit group 2 of RFC 2409 (Oakley)", true, true);
	examine(BN_get_rfc3526_prime_2048(NULL),
	    "the 2048-bit group of RFC 3526", true, true);
	examine(BN_get_rfc3526_prime_8192(NULL),
	    "the 8192-bit group of RFC 3526", true, true);
	examine(named("DH", "ffdhe3072"), "ffdhe3072 of RFC 7919", true, true);
	examine(named("DHX", "dh_1024_160"), "the 1024-bit group of RFC 5114",
	    true, false);
	examine(named("DHX", "dh_2048_256"), "the 2048-bit group of RFC 5114",
	    true, false);
}

/* From the source of nginx 1.0 and Postfix 2.11. */
Test(primes, that_programs_share)
{
	examine(
	    number("BBBC2DCAD84674907C43FCF580E9CFDBD958A3F568B42D4B08EED4EB0F"
		   "B3504C6C030276E710800C5CCBBAA8922614C5BEECA565A5FDF1D287A2"
		   "BC049BE6778060E91A92A757E3048F68B076F7D36CC8F29BA5DF81DC2C"
		   "A725ECE66270CC9A5035D8CECEEF9EA0274A63AB1E58FAFD4988D0F65D"
		   "146757DA071DF045CFE16B9B"),
	    "the 1024-bit prime built into nginx", true, true);
	examine(
	    number("B0FEB4CFD45507E7CC88590D1726C50CA54A92238178DA88AA4C1306BF"
		   "5D2F9EBC96B851009D0C0D75ADFD3BB17E714F3F91541444B830251CEB"
		   "DF729C4CF1890D683F948EA4FB768918B29116900199668C53814E273D"
		   "99E75A7AAFD5ECE27EFAED0118C2782559065C39F6CD4954AFC1B1EA4A"
		   "F953D0DF6DAFD493E7BAAE9B"),
	    "the 1024-bit prime built into Postfix", true, true);
}

Test(primes, exponents)
{
	static const struct {
		int prime_bits, exponent_bits;
	} rows[] = {{1024, 200}, {1536, 200}, {1537, 225}, {2048, 225},
	    {2049, 275}, {3072, 275}, {3073, 325}, {4096, 325}, {6144, 375},
	    {8192, 400}, {10000, 450}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(tls_prime_exponent_bits(rows[i].prime_bits),
		    rows[i].exponent_bits);
}
