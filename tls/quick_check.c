/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/quick_check.h"

#include <stddef.h>
#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#define NAME		   "postern"
#define PROPERTIES	   "provider=postern"
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
static OSSL_ALGORITHM key_managements[3];
static OSSL_ALGORITHM key_exchanges[3];
static OSSL_PROVIDER *default_provider; /* the last that was handed on */

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

/* "DH" is the first of "DH:dhKeyAgreement:…". */
static const OSSL_ALGORITHM *find(
    const OSSL_ALGORITHM *algorithms, const char *name)
{
	size_t len = strlen(name);

	for (; algorithms != NULL && algorithms->algorithm_names != NULL;
	     algorithms++) {
		const char *names = algorithms->algorithm_names;

		if (strncmp(names, name, len) == 0 &&
		    (names[len] == ':' || names[len] == '\0'))
			return algorithms;
	}
	return NULL;
}

static const OSSL_ALGORITHM *find_in(
    OSSL_PROVIDER *provider, int operation, const char *name)
{
	int no_cache;

	return find(
	    OSSL_PROVIDER_query_operation(provider, operation, &no_cache),
	    name);
}

static bool hand_on_keys(
    OSSL_PROVIDER *provider, struct handed_on *algorithm, OSSL_ALGORITHM *entry)
{
	const OSSL_ALGORITHM *original =
	    find_in(provider, OSSL_OP_KEYMGMT, algorithm->names);
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
	    .property_definition = PROPERTIES,
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
	    find_in(provider, OSSL_OP_KEYEXCH, name);

	if (original == NULL)
		return false;
	*entry = *original;
	entry->property_definition = PROPERTIES;
	return true;
}

static bool make_tables(OSSL_PROVIDER *provider)
{
	return hand_on_keys(provider, &dh, &key_managements[0]) &&
	       hand_on_keys(provider, &ec, &key_managements[1]) &&
	       hand_on_exchange(provider, "DH", &key_exchanges[0]) &&
	       hand_on_exchange(provider, "ECDH", &key_exchanges[1]);
}

static const OSSL_ALGORITHM *query_operation(
    void *provider_context, int operation, int *no_cache)
{
	(void)provider_context;
	*no_cache = 0;
	if (operation == OSSL_OP_KEYMGMT)
		return key_managements;
	if (operation == OSSL_OP_KEYEXCH)
		return key_exchanges;
	return NULL;
}

/* libssl takes a group from the provider alone whose key management it would
 * use for it. */
static int get_capabilities(void *provider_context, const char *capability,
    OSSL_CALLBACK *tell, void *argument)
{
	(void)provider_context;
	if (strcmp(capability, "TLS-GROUP") != 0)
		return 1;
	return OSSL_PROVIDER_get_capabilities(
	    default_provider, capability, tell, argument);
}

static const OSSL_DISPATCH provider_functions[] = {
    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query_operation},
    {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))get_capabilities},
    {0, NULL}};

static int init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core,
    const OSSL_DISPATCH **functions_out, void **provider_context_out)
{
	(void)handle;
	(void)core;
	*functions_out = provider_functions;
	/* What is handed on gets the context that it knows. */
	*provider_context_out =
	    OSSL_PROVIDER_get0_provider_ctx(default_provider);
	return 1;
}

bool tls_quick_check_add(OSSL_LIB_CTX *library)
{
	bool added = false;

	if (OSSL_PROVIDER_available(library, "fips") == 1 ||
	    EVP_default_properties_is_fips_enabled(library) == 1 ||
	    OSSL_PROVIDER_available(library, "default") != 1)
		return false;
	/* Named, since any provider that is named turns off the one that is
	 * there by default. */
	default_provider = OSSL_PROVIDER_load(library, "default");
	if (default_provider != NULL && make_tables(default_provider))
		added = OSSL_PROVIDER_add_builtin(library, NAME, init) == 1 &&
			OSSL_PROVIDER_load(library, NAME) != NULL;
	ERR_clear_error();
	return added;
}
