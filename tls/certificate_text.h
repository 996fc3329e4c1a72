/* SPDX-License-Identifier: Apache-2.0 */
/* What a certificate says, as text. It is whoever made it that chose the
 * words. For the files of tls/ alone. */
#ifndef POSTERN_TLS_CERTIFICATE_TEXT_H
#define POSTERN_TLS_CERTIFICATE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

/* RFC 2253, in UTF-8: "CN=mx.example.com,O=Example". NUL-terminated, cut off at
 * out_size. */
void tls_certificate_name(const X509_NAME *name, char *out, size_t out_size);

/* Its DNS names and addresses, by ", "; "" without any. As above. */
void tls_certificate_names(X509 *certificate, char *out, size_t out_size);

/* Seconds since 1970; 0 for what is no time. */
int64_t tls_certificate_time(const ASN1_TIME *time);

#endif
