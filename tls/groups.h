/* SPDX-License-Identifier: Apache-2.0 */
/* The key-exchange groups of a context. For the files of tls/ alone. */
#ifndef POSTERN_TLS_GROUPS_H
#define POSTERN_TLS_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "tls/context.h"
#include "tls/findings.h"
#include "tls/library.h"

#define TLS_GROUP_COUNT_MAX 64

struct tls_group {
	uint16_t id;   /* on the wire, RFC 8446, 4.2.7 */
	char name[48]; /* OpenSSL's: "x25519", "secp256r1", "ffdhe2048" */
};

/* In order of preference. */
struct tls_groups {
	struct tls_group groups[TLS_GROUP_COUNT_MAX];
	size_t count;
	bool has_curves; /* any but FFDHE groups, so that there is EECDH */
};

/* Sets the groups of the grade that OpenSSL knows, in the order of their names
 * (separated by blanks, commas or colons), then the FFDHE ones. A second name
 * of one group counts for nothing. No group at all (grade none) is no error:
 * then there is neither EECDH nor TLS 1.3. */
void tls_groups_apply(SSL_CTX *ctx, const struct tls_library *library,
    const struct tls_group_options *options, struct tls_groups *groups_out,
    struct tls_findings *findings);

/* One of the groups of RFC 7919. */
bool tls_group_is_ffdhe(uint16_t id);

#endif
