/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/quick_check.h"

#include <stddef.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "tls/provider.h"

#define DISPATCH_COUNT_MAX 64 /* OpenSSL 3.0's tables have 22 */

/* One of the default provider's algorithms that is handed on. */
struct handed_on {
	const char *names; /* the first of OpenSSL's */
	OSSL_DISPATCH functions[DISPATCH_COUNT_MAX];
	OSSL_FUNC_keymgmt_validate_fn *validate;
	OSSL_FUNC_keymgmt_get_params_fn *get_params;
	OSSL_FUNC_keymgmt_gen_set_template_fn *gen_set_template;
	OSSL_FUNC_keymgmt_gen_set_params_fn *gen_set_params;
};

/* Made once for the process, before it forks: the default provider's functions
 * are the same in every library context. */
static struct handed_on dh = {.names = "DH"};
static struct handed_on ec = {.names = "EC"};

static int validate(const struct handed_on *algorithm, const void *key,
    int selection, int check_type)
{
	/* The public value alone: that is a peer's. Parameters and pairs, which
	 * are checked when something is loaded, keep what they have. */
	if (selection == OSSL_KEYMGMT_SELECT_PUBLIC_KEY)
		check_type = OSSL_KEYMGMT_VALIDATE_QUICK_CHECK;
	return algorithm->validate(key, selection, check_type);
}

static int dh_validate(const void *key, int selection, int check_type)
{
	return validate(&dh, key, selection, check_type);
}

static int ec_validate(const void *key, int selection, int check_type)
{
	return validate(&ec, key, selection, check_type);
}

static int dh_gen_set_template(void *generation, void *template)
{
	int exponent_bits = 0;
	OSSL_PARAM length[] = {
	    OSSL_PARAM_int(OSSL_PKEY_PARAM_DH_PRIV_LEN, &exponent_bits),
	    OSSL_PARAM_END};

	if (dh.gen_set_template(generation, template) != 1)
		return 0;
	if (dh.get_params(template, length) != 1)
		return 0;
	/* The named groups have theirs from OpenSSL. */
	if (!OSSL_PARAM_modified(&length[0]) || exponent_bits <= 0)
		return 1;
	return dh.gen_set_params(generation, length);
}

/* Puts ours in the place of one of the default provider's functions. */
static void replace(OSSL_DISPATCH *dispatch, struct handed_on *algorithm)
{
	void (*function)(void) = dispatch->function;

	switch (dispatch->function_id) {
	case OSSL_FUNC_KEYMGMT_VALIDATE:
		algorithm->validate = (OSSL_FUNC_keymgmt_validate_fn *)function;
		dispatch->function = algorithm == &dh
					 ? (void (*)(void))dh_validate
					 : (void (*)(void))ec_validate;
		break;
	case OSSL_FUNC_KEYMGMT_GET_PARAMS:
		algorithm->get_params =
		    (OSSL_FUNC_keymgmt_get_params_fn *)function;
		break;
	case OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS:
		algorithm->gen_set_params =
		    (OSSL_FUNC_keymgmt_gen_set_params_fn *)function;
		break;
	case OSSL_FUNC_KEYMGMT_GEN_SET_TEMPLATE:
		algorithm->gen_set_template =
		    (OSSL_FUNC_keymgmt_gen_set_template_fn *)function;
		if (algorithm == &dh)
			dispatch->function =
			    (void (*)(void))dh_gen_set_template;
		break;
	default:
		break;
	}
}

static bool hand_on_keys(
    OSSL_PROVIDER *provider, struct handed_on *algorithm, OSSL_ALGORITHM *entry)
{
	const OSSL_ALGORITHM *original =
	    tls_provider_find(provider, OSSL_OP_KEYMGMT, algorithm->names);
	size_t count = 0;

	if (original == NULL)
		return false;
	while (original->implementation[count].function_id != 0) {
		/* One place is for the end of the table. */
		if (count == DISPATCH_COUNT_MAX - 1)
			return false;
		algorithm->functions[count] = original->implementation[count];
		replace(&algorithm->functions[count], algorithm);
		count++;
	}
	algorithm->functions[count] = (OSSL_DISPATCH){0};
	*entry = (OSSL_ALGORITHM){.algorithm_names = original->algorithm_names,
	    .implementation = algorithm->functions};
	return algorithm->validate != NULL && algorithm->get_params != NULL &&
	       algorithm->gen_set_params != NULL &&
	       algorithm->gen_set_template != NULL;
}

/* As it is. Were it the default provider's, each key would first be exported to
 * that provider. */
static bool hand_on_exchange(
    OSSL_PROVIDER *provider, const char *name, OSSL_ALGORITHM *entry)
{
	const OSSL_ALGORITHM *original =
	    tls_provider_find(provider, OSSL_OP_KEYEXCH, name);

	if (original == NULL)
		return false;
	*entry = *original;
	return true;
}

bool tls_quick_check_hand_on(OSSL_PROVIDER *default_provider,
    const char *properties, struct tls_quick_check_tables *tables)
{
	OSSL_ALGORITHM *managements = tables->managements;
	OSSL_ALGORITHM *exchanges = tables->exchanges;

	*tables = (struct tls_quick_check_tables){0};
	if (!hand_on_keys(default_provider, &dh, &managements[0]) ||
	    !hand_on_keys(default_provider, &ec, &managements[1]) ||
	    !hand_on_exchange(default_provider, "DH", &exchanges[0]) ||
	    !hand_on_exchange(default_provider, "ECDH", &exchanges[1]))
		return false;
	for (size_t i = 0; i < 2; i++) {
		managements[i].property_definition = properties;
		exchanges[i].property_definition = properties;
	}
	return true;
}
