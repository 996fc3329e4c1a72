/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and private keys from files into a context. For the files of
 * tls/ alone. */
#ifndef POSTERN_TLS_CERTIFICATES_H
#define POSTERN_TLS_CERTIFICATES_H

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "tls/context.h"
#include "tls/findings.h"

#define TLS_CERTIFICATES_MAX 8 /* more than there are key algorithms */

/* Loads what the smtpd_tls_…_file(s) parameters name. Without any of them that
 * is an error, unless smtpd_tls_cert_file is "none". Adds what identifies each
 * certificate to `identity`. Returns how many were loaded. */
unsigned tls_certificates_load(SSL_CTX *ctx,
    const struct tls_context_options *options, EVP_MD_CTX *identity,
    struct tls_findings *findings);

/* Loads the files of a list in the form of smtpd_tls_chain_files, which is the
 * value, or a part of it, of another parameter. As above. */
unsigned tls_certificates_load_files(SSL_CTX *ctx, const char *files,
    const char *parameter, EVP_MD_CTX *identity, struct tls_findings *findings);

/* smtpd_tls_cert_file = none: a server without certificates is wanted. */
bool tls_certificates_unwanted(const struct tls_context_options *options);

#endif
