/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of authorities and of clients, made on the spot. */
#ifndef POSTERN_TESTS_TLS_PKI_H
#define POSTERN_TESTS_TLS_PKI_H

#include <stdbool.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

struct pki_name {
	const char *common_name;
	int common_name_len; /* 0: up to its NUL */
	const char *organization;
};

struct pki_request {
	struct pki_name name;
	EVP_PKEY *key;
	/* NULL: it signs itself. */
	X509 *issuer;
	EVP_PKEY *issuer_key;
	bool is_authority;
	int begin_days, end_days; /* from now; both 0: -1 and 30 */
	const char *usage;	  /* "serverAuth", or NULL */
	const char *names;	  /* "DNS:a.test, DNS:b.test", or NULL */
};

/* Free it with X509_free. */
X509 *pki_issue(const struct pki_request *request);

/* Writes a server's file: its key, its certificate, and those behind it.
 * Returns the path. */
const char *pki_write_chain(
    const char *name, EVP_PKEY *key, X509 *const *certificates, size_t count);

/* Writes them to a file of the fixture's. Returns the path. */
const char *pki_write(
    const char *name, X509 *const *certificates, size_t count);

#endif
