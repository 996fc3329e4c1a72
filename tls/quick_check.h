/* SPDX-License-Identifier: Apache-2.0 */
/* EDH and EECDH at their real price, for server contexts alone: a built-in
 * provider that hands on the default provider's DH and EC, and leaves all
 * arithmetic there. It changes two things, which OpenSSL 3 gives a server no
 * other means to change:
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
 * which is all that this provider goes by; any other prime keeps exponents of
 * full length. A prime that is not safe but comes with its q keeps the full
 * check, too: OpenSSL's quick one is for named groups alone.
 *
 * Lengths are at least twice the strength of the group (RFC 7919, 5.2 and
 * appendix A; tls/dh.c). A client context must not use this: there the peer
 * chooses the prime. */
#ifndef POSTERN_TLS_QUICK_CHECK_H
#define POSTERN_TLS_QUICK_CHECK_H

#include <stdbool.h>

#include <openssl/types.h>

/* The property query with which a server context prefers the provider. */
#define TLS_QUICK_CHECK_QUERY "?provider=postern"

/* Adds the provider to a library context in which the configuration is loaded.
 * False, and nothing is changed, when there is no default provider to hand on
 * or when a FIPS provider is there: what that one checks is part of its
 * validation. */
bool tls_quick_check_add(OSSL_LIB_CTX *library);

#endif
