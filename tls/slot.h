/* SPDX-License-Identifier: Apache-2.0 */
/* What a module keeps with an SSL_CTX: it lives as long as the last session of
 * that, and is freed with it. For the files of tls/ alone. */
#ifndef POSTERN_TLS_SLOT_H
#define POSTERN_TLS_SLOT_H

#include <stdbool.h>

#include <openssl/ssl.h>

/* One for each module, static; zeros will do. */
struct tls_slot {
	void (*destroy)(void *thing); /* NULL: it is OPENSSL_free */
	int index; /* 0: none yet; OpenSSL has 0 for itself */
};

/* The context takes the thing over, unless that fails for want of memory. A
 * context takes one. */
bool tls_slot_put(struct tls_slot *slot, SSL_CTX *ctx, void *thing);

/* NULL: nothing was put there. */
void *tls_slot_get(const struct tls_slot *slot, const SSL_CTX *ctx);

#endif
