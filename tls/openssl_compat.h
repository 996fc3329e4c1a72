/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between the releases of OpenSSL 3, in one place. */
#ifndef POSTERN_TLS_OPENSSL_COMPAT_H
#define POSTERN_TLS_OPENSSL_COMPAT_H

#include <openssl/ssl.h>

/* The group of the key exchange in OpenSSL's words ("x25519",
 * "X25519MLKEM768"), or NULL. */
#if OPENSSL_VERSION_NUMBER >= 0x30200000L
static inline const char *tls_compat_group_name(SSL *ssl)
{
	return SSL_get0_group_name(ssl);
}
#else
static inline const char *tls_compat_group_name(SSL *ssl)
{
	return SSL_group_to_name(ssl, (int)SSL_get_negotiated_group(ssl));
}
#endif

#endif
