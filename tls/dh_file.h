/* SPDX-License-Identifier: Apache-2.0 */
/* A PEM file with DH parameters -> its numbers. For the files of tls/ alone. */
#ifndef POSTERN_TLS_DH_FILE_H
#define POSTERN_TLS_DH_FILE_H

#include <openssl/bn.h>

struct tls_dh_numbers {
	BIGNUM *p, *g;
	BIGNUM *q; /* NULL: not told (PKCS #3 has none) */
};

/* Reads the first "DH PARAMETERS" (PKCS #3) or "X9.42 DH PARAMETERS" of the
 * file, whatever else is in it. NULL, or why that failed. Call
 * tls_dh_numbers_finish() in any case. */
const char *tls_dh_file_read(
    const char *file, struct tls_dh_numbers *numbers_out);

void tls_dh_numbers_finish(struct tls_dh_numbers *numbers);

#endif
