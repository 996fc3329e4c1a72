/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and private keys from files into a context. For the files of
 * tls/ alone. */
#ifndef POSTERN_TLS_CERTIFICATES_H
#define POSTERN_TLS_CERTIFICATES_H

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "tls/context.h"
#include "tls/findings.h"

/* Loads what the smtpd_tls_…_file(s) parameters name. Without any of them that
 * is an error, unless smtpd_tls_cert_file is "none". Adds what identifies each
 * certificate to `identity`. Returns how many were loaded. */
unsigned tls_certificates_load(SSL_CTX *ctx,
    const struct tls_context_options *options, EVP_MD_CTX *identity,
    struct tls_findings *findings);

/* smtpd_tls_cert_file = none: a server without certificates is wanted. */
bool tls_certificates_unwanted(const struct tls_context_options *options);

#endif
