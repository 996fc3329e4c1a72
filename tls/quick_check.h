/* SPDX-License-Identifier: Apache-2.0 */
/* EDH and EECDH at their real price, for the provider of tls/provider.h: the
 * default provider's DH and EC, with all arithmetic left there, and two
 * changes:
 *
 * - The peer's public value gets OpenSSL's quick check, not the full one. In a
 *   named group the full one is an exponentiation with an exponent as long as
 *   the prime, and the dearest part of the whole handshake.
 * - The length of the private exponent that stands in the parameters is kept
 *   when a key is made from them. OpenSSL loses it, and then draws exponents as
 *   long as the prime.
 *
 * Why that is sound. What TLS asks for is the range check, 1 < y < p-1 (RFC
 * 7919, 5.1; RFC 8446, 4.2.8.1) and, on a curve, that the point is on it and is
 * not infinity (RFC 8446, 4.2.8.2); all of it is in the quick check. For
 * ephemeral keys in the named groups, and on curves, that is enough by SP
 * 800-56A rev. 3, 5.6.2.3.2 and 5.6.2.3.4. In a group of a safe prime p = 2q+1
 * the subgroups have the orders 1, 2, q and 2q: the range check keeps out the
 * small ones, {1} and {1, p-1}. A value outside the subgroup of order q could
 * tell the parity of our exponent, one bit of a key that is used once. Our
 * curves have no subgroup at all (P-256, P-384, P-521: cofactor one); X25519
 * and X448 are not touched.
 *
 * It rests on two conditions. Keys are used once: SSL_OP_SINGLE_DH_USE, which
 * OpenSSL 3 obeys always. And primes are safe: those of the named groups are,
 * and a prime of the operator's is shown to be one when it is loaded
 * (tls/dh.c). Only then does the loader write a length into the parameters,
 * which is all that this file goes by; any other prime keeps exponents of
 * full length. A prime that is not safe but comes with its q keeps the full
 * check, too: OpenSSL's quick one is for named groups alone.
 *
 * Lengths are at least twice the strength of the group (RFC 7919, 5.2 and
 * appendix A; tls/dh.c). A client context must not use this: there the peer
 * chooses the prime. */
#ifndef POSTERN_TLS_QUICK_CHECK_H
#define POSTERN_TLS_QUICK_CHECK_H

#include <stdbool.h>

#include <openssl/core.h>
#include <openssl/types.h>

struct tls_quick_check_tables {
	OSSL_ALGORITHM managements[3], exchanges[3];
};

/* Fills in a provider's tables, with the property definition that is given and
 * must last. Before the process forks. False when the default provider lacks
 * something that is needed. */
bool tls_quick_check_hand_on(OSSL_PROVIDER *default_provider,
    const char *properties, struct tls_quick_check_tables *tables);

#endif
