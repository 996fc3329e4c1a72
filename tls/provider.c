/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/provider.h"

#include <stddef.h>
#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include "tls/quick_check.h"
#include "tls/quick_kdf.h"

#define PROPERTIES "provider=postern"

/* One with each set of tables; their names are OpenSSL's alone to see. */
#define NAME	      "postern"
#define NAME_KDF_ONLY "postern-kdf"

/* Made once for the process, before it forks: the default provider's functions
 * are the same in every library context. */
static struct tls_quick_check_tables keys;
static OSSL_ALGORITHM kdfs[TLS_QUICK_KDF_COUNT];
static OSSL_PROVIDER *default_provider; /* the last that was handed on */

/* "DH" is the first of "DH:dhKeyAgreement:…". */
const OSSL_ALGORITHM *tls_provider_find(
    OSSL_PROVIDER *provider, int operation, const char *name)
{
	int no_cache;
	const OSSL_ALGORITHM *algorithm =
	    OSSL_PROVIDER_query_operation(provider, operation, &no_cache);
	size_t len = strlen(name);

	for (; algorithm != NULL && algorithm->algorithm_names != NULL;
	     algorithm++) {
		const char *names = algorithm->algorithm_names;

		if (strncmp(names, name, len) == 0 &&
		    (names[len] == ':' || names[len] == '\0'))
			return algorithm;
	}
	return NULL;
}

static const OSSL_ALGORITHM *query_kdf(
    void *provider_context, int operation, int *no_cache)
{
	(void)provider_context;
	*no_cache = 0;
	return operation == OSSL_OP_KDF ? kdfs : NULL;
}

static const OSSL_ALGORITHM *query(
    void *provider_context, int operation, int *no_cache)
{
	if (operation == OSSL_OP_KEYMGMT || operation == OSSL_OP_KEYEXCH) {
		*no_cache = 0;
		return operation == OSSL_OP_KEYMGMT ? keys.managements
						    : keys.exchanges;
	}
	return query_kdf(provider_context, operation, no_cache);
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

static const OSSL_DISPATCH functions[] = {
    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
    {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))get_capabilities},
    {0, NULL}};

static const OSSL_DISPATCH functions_kdf_only[] = {
    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query_kdf}, {0, NULL}};

static int init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core,
    const OSSL_DISPATCH **functions_out, void **provider_context_out)
{
	(void)handle;
	(void)core;
	*functions_out = functions;
	/* What is handed on gets the context that it knows. */
	*provider_context_out =
	    OSSL_PROVIDER_get0_provider_ctx(default_provider);
	return 1;
}

static int init_kdf_only(const OSSL_CORE_HANDLE *handle,
    const OSSL_DISPATCH *core, const OSSL_DISPATCH **functions_out,
    void **provider_context_out)
{
	int done = init(handle, core, functions_out, provider_context_out);

	*functions_out = functions_kdf_only;
	return done;
}

bool tls_provider_add(OSSL_LIB_CTX *library, bool checks_quickly)
{
	const char *name = checks_quickly ? NAME : NAME_KDF_ONLY;
	bool added = false;

	if (OSSL_PROVIDER_available(library, "fips") == 1 ||
	    EVP_default_properties_is_fips_enabled(library) == 1 ||
	    OSSL_PROVIDER_available(library, "default") != 1)
		return false;
	/* Named, since any provider that is named turns off the one that is
	 * there by default. */
	default_provider = OSSL_PROVIDER_load(library, "default");
	if (default_provider != NULL &&
	    tls_quick_check_hand_on(default_provider, PROPERTIES, &keys) &&
	    tls_quick_kdf_hand_on(default_provider, PROPERTIES, kdfs))
		added = OSSL_PROVIDER_add_builtin(library, name,
			    checks_quickly ? init : init_kdf_only) == 1 &&
			OSSL_PROVIDER_load(library, name) != NULL;
	ERR_clear_error();
	return added;
}
