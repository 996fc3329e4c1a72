/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/dh.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "tls/dh_file.h"
#include "tls/primes.h"

#define FILE_PARAMETER	"smtpd_tls_dh1024_param_file"
#define BITS_MIN	1024 /* OpenSSL's, even at its level 0 */
#define BITS_STRONG_MIN 2048
#define BITS_DEAR_MIN	4097
#define BITS_MAX	10000 /* OPENSSL_DH_MAX_MODULUS_BITS */

/* What a file comes to. */
enum outcome {
	USE,
	USE_AUTO,
	USE_NONE, /* no EDH */
};

static EVP_PKEY *make_parameters(
    const struct tls_library *library, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *maker =
	    EVP_PKEY_CTX_new_from_name(library->handle, "DH", library->query);
	EVP_PKEY *parameters = NULL;

	if (maker == NULL || EVP_PKEY_fromdata_init(maker) != 1 ||
	    EVP_PKEY_fromdata(maker, &parameters,
		OSSL_KEYMGMT_SELECT_ALL_PARAMETERS, params) != 1)
		parameters = NULL;
	EVP_PKEY_CTX_free(maker);
	return parameters;
}

static EVP_PKEY *make_named(const struct tls_library *library, char *name)
{
	OSSL_PARAM params[] = {
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
	    OSSL_PARAM_END};

	return make_parameters(library, params);
}

/* The length of the exponent goes into the parameters of a safe prime alone:
 * the provider of tls/quick_check.h relies on that. */
static EVP_PKEY *make_custom(const struct tls_library *library,
    const struct tls_dh_numbers *numbers, bool is_safe)
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *parameters = NULL;

	if (builder != NULL &&
	    OSSL_PARAM_BLD_push_BN(
		builder, OSSL_PKEY_PARAM_FFC_P, numbers->p) == 1 &&
	    OSSL_PARAM_BLD_push_BN(
		builder, OSSL_PKEY_PARAM_FFC_G, numbers->g) == 1 &&
	    (!is_safe ||
		OSSL_PARAM_BLD_push_int(builder, OSSL_PKEY_PARAM_DH_PRIV_LEN,
		    tls_prime_exponent_bits(BN_num_bits(numbers->p))) == 1))
		params = OSSL_PARAM_BLD_to_param(builder);
	if (params != NULL)
		parameters = make_parameters(library, params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	return parameters;
}

/* 1 < g < p-1; g of order 1 or 2 would give the key away. */
static bool generator_is_sound(const struct tls_dh_numbers *numbers)
{
	BIGNUM *last = BN_dup(numbers->p);
	bool is_sound = last != NULL && BN_sub_word(last, 1) == 1 &&
			BN_cmp(numbers->g, BN_value_one()) > 0 &&
			BN_cmp(numbers->g, last) < 0;

	BN_free(last);
	return is_sound;
}

static enum outcome use_auto(
    struct tls_findings *findings, const char *file, const char *fault)
{
	tls_findings_warning(findings, FILE_PARAMETER,
	    "\"%s\": %s; EDH goes on as with \"auto\". Must be a PEM file such "
	    "as \"postern dhparam\" makes",
	    file, fault);
	return USE_AUTO;
}

static enum outcome judge_size(
    const char *file, int bits, struct tls_findings *findings)
{
	if (bits < BITS_MIN) {
		tls_findings_warning(findings, FILE_PARAMETER,
		    "\"%s\": the prime has %d bits, which OpenSSL refuses; "
		    "there is no EDH. Must have %d bits, or %d for clients "
		    "that "
		    "can do no more",
		    file, bits, BITS_STRONG_MIN, BITS_MIN);
		return USE_NONE;
	}
	if (bits > BITS_MAX)
		return use_auto(findings, file,
		    "the prime has more than 10000 bits, which OpenSSL "
		    "refuses");
	if (bits >= BITS_DEAR_MIN)
		tls_findings_warning(findings, FILE_PARAMETER,
		    "\"%s\": a prime of %d bits makes each EDH handshake very "
		    "dear; should have %d bits",
		    file, bits, BITS_STRONG_MIN);
	return USE;
}

static void warn_of_weakness(const char *file, int bits,
    const struct tls_prime *prime, struct tls_findings *findings)
{
	if (!prime->is_safe)
		tls_findings_warning(findings, FILE_PARAMETER,
		    "\"%s\": the prime p%s%s is not a safe one, since (p-1)/2 "
		    "is no prime; it is used, at the full price: keys are as "
		    "long as the prime. Should be one that \"postern dhparam\" "
		    "makes",
		    file, prime->origin != NULL ? ", " : "",
		    prime->origin != NULL ? prime->origin : "");
	if (bits < BITS_STRONG_MIN && prime->origin != NULL)
		tls_findings_warning(findings, FILE_PARAMETER,
		    "\"%s\": this is %s; it is used, but so many servers share "
		    "it that it pays to break it for all of them at once "
		    "(Logjam). Should be one of your own that \"postern "
		    "dhparam\" makes",
		    file, prime->origin);
	else if (bits < BITS_STRONG_MIN)
		tls_findings_warning(findings, FILE_PARAMETER,
		    "\"%s\": a prime of %d bits is weak; it is used. Should "
		    "have %d bits, unless clients can do no more",
		    file, bits, BITS_STRONG_MIN);
}

static enum outcome judge(const char *file,
    const struct tls_dh_numbers *numbers, struct tls_prime *prime_out,
    struct tls_findings *findings)
{
	int bits = BN_num_bits(numbers->p);
	enum outcome outcome = judge_size(file, bits, findings);

	if (outcome != USE)
		return outcome;
	if (!tls_prime_examine(numbers->p, prime_out))
		return use_auto(
		    findings, file, "there is no memory to check it");
	if (!prime_out->is_prime)
		return use_auto(findings, file, "its p is not a prime");
	if (!generator_is_sound(numbers))
		return use_auto(
		    findings, file, "its generator is not between 1 and p-1");
	/* Postfix cannot read X9.42 at all; of a safe prime it loses nothing,
	 * but what "openssl dhparam -dsaparam" makes should not be used. */
	if (numbers->q != NULL && !prime_out->is_safe)
		return use_auto(findings, file,
		    "its X9.42 parameters have a prime that is not a safe one, "
		    "as \"openssl dhparam -dsaparam\" makes them");
	warn_of_weakness(file, bits, prime_out, findings);
	return USE;
}

static enum outcome load_file(const struct tls_library *library,
    const char *file, EVP_PKEY **parameters_out, struct tls_findings *findings)
{
	struct tls_dh_numbers numbers;
	struct tls_prime prime;
	const char *fault = tls_dh_file_read(file, &numbers);
	enum outcome outcome = fault != NULL
				   ? use_auto(findings, file, fault)
				   : judge(file, &numbers, &prime, findings);

	if (outcome == USE) {
		*parameters_out = make_custom(library, &numbers, prime.is_safe);
		if (*parameters_out == NULL)
			outcome = use_auto(
			    findings, file, tls_findings_library_reason());
	}
	tls_dh_numbers_finish(&numbers);
	return outcome;
}

/* 0: there is no RSA key. EDH signs with no other kind that is in use. */
static int strength_of_rsa_keys(SSL_CTX *ctx)
{
	int strength = 0;

	for (long more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST);
	     more == 1;
	     more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT)) {
		const EVP_PKEY *key = SSL_CTX_get0_privatekey(ctx);

		if (key != NULL && EVP_PKEY_is_a(key, "RSA") == 1 &&
		    EVP_PKEY_get_security_bits(key) > strength)
			strength = EVP_PKEY_get_security_bits(key);
	}
	return strength;
}

/* As OpenSSL's own choice (SSL_CTX_set_dh_auto), but made once instead of in
 * each handshake, and never less than 2048 bits: OpenSSL takes 1024 for
 * anonymous suites. */
static EVP_PKEY *make_auto(SSL_CTX *ctx, const struct tls_library *library)
{
	char names[][16] = {"ffdhe2048", "ffdhe3072", "ffdhe4096"};
	int strength = strength_of_rsa_keys(ctx);

	return make_named(library, names[strength >= 152   ? 2
					 : strength >= 128 ? 1
							   : 0]);
}

static void describe(const struct tls_library *library,
    const EVP_PKEY *parameters, struct tls_dh *dh)
{
	int exponent_bits = 0;
	size_t len;

	dh->bits = EVP_PKEY_get_bits(parameters);
	if (EVP_PKEY_get_group_name(
		parameters, dh->name, sizeof(dh->name), &len) != 1)
		dh->name[0] = '\0';
	/* Those of the named groups are OpenSSL's, and the same. Of any other,
	 * it forgets the length without our provider. */
	if (dh->name[0] != '\0')
		dh->exponent_bits = tls_prime_exponent_bits(dh->bits);
	else if (library->checks_quickly &&
		 EVP_PKEY_get_int_param(parameters, OSSL_PKEY_PARAM_DH_PRIV_LEN,
		     &exponent_bits) == 1 &&
		 exponent_bits > 0)
		dh->exponent_bits = exponent_bits;
	else
		dh->exponent_bits = dh->bits - 1;
}

void tls_dh_apply(SSL_CTX *ctx, const struct tls_library *library,
    const struct tls_context_options *options, struct tls_dh *dh_out,
    struct tls_findings *findings)
{
	const char *file = options->smtpd_tls_dh1024_param_file;
	EVP_PKEY *parameters = NULL;
	enum outcome outcome = USE_AUTO;

	*dh_out = (struct tls_dh){.bits = 0};
	if (options->smtpd_tls_dh512_param_file != NULL &&
	    options->smtpd_tls_dh512_param_file[0] != '\0')
		tls_findings_warning(findings, "smtpd_tls_dh512_param_file",
		    "is obsolete and not read: it was for export suites, which "
		    "are gone from OpenSSL; must be empty");
	if (file != NULL && file[0] != '\0' && strcasecmp(file, "auto") != 0)
		outcome = load_file(library, file, &parameters, findings);
	if (outcome == USE_NONE)
		return;
	dh_out->is_from_file = outcome == USE;
	if (outcome == USE_AUTO)
		parameters = make_auto(ctx, library);
	if (parameters != NULL)
		describe(library, parameters, dh_out);
	if (parameters == NULL ||
	    SSL_CTX_set0_tmp_dh_pkey(ctx, parameters) != 1) {
		tls_findings_error(findings, FILE_PARAMETER,
		    "OpenSSL refuses the DH parameters: %s",
		    tls_findings_library_reason());
		EVP_PKEY_free(parameters);
	}
	ERR_clear_error();
}
