/* SPDX-License-Identifier: Apache-2.0 */
/* The key schedule at its real price: TLS13-KDF (RFC 8446, 7.1) and TLS1-PRF
 * (RFC 5246, 5) for the provider of tls/provider.h.
 *
 * libssl asks some twenty times per handshake of TLS 1.3, each time with a new
 * object and with all that it has to say in one call. OpenSSL 3 then looks up
 * the digest by name, copies each parameter, and makes and frees a dozen
 * objects, which costs three times as much as the hashing. Here that one call
 * is answered with the default provider's digests alone, of which we have the
 * functions already. Whatever else is asked (another digest, more than one
 * block, parameters in several calls) is handed on to the default provider's
 * KDF, so that the results are the same in any case. */
#ifndef POSTERN_TLS_QUICK_KDF_H
#define POSTERN_TLS_QUICK_KDF_H

#include <stdbool.h>

#include <openssl/core.h>
#include <openssl/types.h>

/* TLS13-KDF, TLS1-PRF and the end of the table. */
#define TLS_QUICK_KDF_COUNT 3

/* Fills in a provider's table, with the property definition that is given and
 * must last. Before the process forks. False when the default provider lacks
 * something that is needed. */
bool tls_quick_kdf_hand_on(OSSL_PROVIDER *default_provider,
    const char *properties, OSSL_ALGORITHM *table);

#endif
