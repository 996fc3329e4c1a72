/* SPDX-License-Identifier: Apache-2.0 */
/* The chains of tls_server_sni_maps, loaded with the context. For the files of
 * tls/ alone. */
#ifndef POSTERN_TLS_CHAINS_H
#define POSTERN_TLS_CHAINS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/sha.h>
#include <openssl/ssl.h>

#include "tls/context.h"
#include "tls/findings.h"

struct tls_chains; /* opaque; belongs to the SSL_CTX */
struct tls_chain_set;

/* Loads those of every value, and has the context's sessions choose among them
 * by SNI. Does nothing when options have no find. session_context is what binds
 * sessions to the listener; those of a chain are bound to that, too. */
void tls_chains_apply(SSL_CTX *ctx, const struct tls_sni_options *options,
    const unsigned char session_context[SHA256_DIGEST_LENGTH],
    struct tls_findings *findings);

/* NULL: SNI is ignored. */
const struct tls_chains *tls_chains_of(const SSL *ssl);

/* The servers' certificates in the chains of a context, one per chain, each by
 * its index; NULL behind the last. Borrowed. */
X509 *tls_chains_leaf(const SSL_CTX *ctx, size_t index);

enum tls_chains_answer {
	TLS_CHAINS_FOUND,
	TLS_CHAINS_ABSENT,
	TLS_CHAINS_FAILED, /* the table could not tell */
};

/* Looks the name up: that alone, and not its parents. */
enum tls_chains_answer tls_chains_find(const struct tls_chains *chains,
    const char *name, const struct tls_chain_set **set_out);

/* The set replaces the listener's own chains in this session, whose tickets are
 * then good for this set and name alone. */
bool tls_chains_install(SSL *ssl, const struct tls_chains *chains,
    const struct tls_chain_set *set, const char *name);

#endif
