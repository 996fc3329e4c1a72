/* SPDX-License-Identifier: Apache-2.0 */
/* A built-in provider for OpenSSL, for server contexts alone: it hands on what
 * the default provider has, leaves all arithmetic there, and changes what
 * OpenSSL 3 gives a server no other means to change. What it changes, and why
 * that is sound, stands in tls/quick_check.h and tls/quick_kdf.h. For the files
 * of tls/ alone. */
#ifndef POSTERN_TLS_PROVIDER_H
#define POSTERN_TLS_PROVIDER_H

#include <stdbool.h>

#include <openssl/core.h>
#include <openssl/types.h>

/* The property query with which a server context prefers the provider. */
#define TLS_PROVIDER_QUERY "?provider=postern"

/* Adds the provider to a library context in which the configuration is loaded.
 * Without checks_quickly keys remain the default provider's. False, and nothing
 * is changed, when there is no default provider to hand on or when a FIPS
 * provider is there: what that one does is part of its validation. Before the
 * process forks. */
bool tls_provider_add(OSSL_LIB_CTX *library, bool checks_quickly);

/* The algorithm of a provider whose first name it is, or NULL. */
const OSSL_ALGORITHM *tls_provider_find(
    OSSL_PROVIDER *provider, int operation, const char *name);

#endif
