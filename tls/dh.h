/* SPDX-License-Identifier: Apache-2.0 */
/* EDH of TLS 1.2 and below: the prime of a context, from
 * smtpd_tls_dh1024_param_file. For the files of tls/ alone. */
#ifndef POSTERN_TLS_DH_H
#define POSTERN_TLS_DH_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "tls/context.h"
#include "tls/findings.h"
#include "tls/library.h"

struct tls_dh {
	char name[48];	   /* "ffdhe2048", "modp_1536"; "": without a name */
	int bits;	   /* 0: no EDH */
	int exponent_bits; /* of our keys */
	bool is_from_file;
};

/* Sets the prime; after the certificates, since "auto" is as strong as the
 * strongest RSA key among them. What is wrong with a file is a warning that
 * says what happens instead: a file that is of no use is as "auto" (as in
 * Postfix), and with less than 1024 bits there is no EDH (OpenSSL refuses it).
 */
void tls_dh_apply(SSL_CTX *ctx, const struct tls_library *library,
    const struct tls_context_options *options, struct tls_dh *dh_out,
    struct tls_findings *findings);

#endif
