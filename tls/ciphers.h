/* SPDX-License-Identifier: Apache-2.0 */
/* The suites of a context: Postfix's composition of a grade's list and what is
 * excluded from it, then the order that forward secrecy asks for. For the files
 * of tls/ alone. */
#ifndef POSTERN_TLS_CIPHERS_H
#define POSTERN_TLS_CIPHERS_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "tls/context.h"
#include "tls/findings.h"
#include "tls/library.h"

/* What the rest of the policy leaves out. */
struct tls_cipher_limits {
	bool no_anonymous; /* client certificates are asked for */
	bool no_eecdh;	   /* smtpd_tls_eecdh_grade = none */
};

void tls_ciphers_apply(SSL_CTX *ctx, const struct tls_library *library,
    const struct tls_cipher_options *options,
    const struct tls_cipher_limits *limits, struct tls_findings *findings);

/* The list of a grade and its exclusions as Postfix composes it, before it is
 * put in order; "" without one. As long as the context. */
const char *tls_cipher_string(const SSL_CTX *ctx);

/* Of which kind the key exchange of a suite of TLS 1.2 and below is. */
enum tls_exchange_class {
	TLS_CLASS_EECDH,
	TLS_CLASS_EDH,
	TLS_CLASS_NO_SECRECY
};
enum tls_exchange_class tls_cipher_class(const SSL_CIPHER *cipher);

/* The suites of TLS 1.3 stand in the same lists. */
bool tls_cipher_is_of_13(const SSL_CIPHER *cipher);

#endif
