/* SPDX-License-Identifier: Apache-2.0 */
/* The library contexts of OpenSSL in which server contexts are made, with the
 * configuration of OpenSSL that main.cf names. For the files of tls/ alone. */
#ifndef POSTERN_TLS_LIBRARY_H
#define POSTERN_TLS_LIBRARY_H

#include <stdbool.h>

#include <openssl/types.h>

#include "tls/context.h"
#include "tls/findings.h"

struct tls_library {
	OSSL_LIB_CTX *handle;
	const char *query; /* property query for what is fetched, or NULL */
	bool checks_quickly;
};

/* Contexts with the same settings share one, which lives as long as the
 * process: nothing tells when the last session is gone that was made in it. A
 * configuration file that was edited makes a new one. As root and before the
 * process forks. NULL after an error. */
const struct tls_library *tls_library_find(
    const struct tls_context_options *options, struct tls_findings *findings);

#endif
