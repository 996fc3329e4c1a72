/* SPDX-License-Identifier: Apache-2.0 */
/* smtpd_tls_protocols and its kin: a list of versions in Postfix's language
 * (">=TLSv1.2", "!TLSv1.1, !SSLv3", "TLSv1.2 TLSv1.3", "<=0304"). Pure. */
#ifndef POSTERN_TLS_PROTOCOLS_H
#define POSTERN_TLS_PROTOCOLS_H

#include <stdbool.h>
#include <stddef.h>

/* Versions as on the wire: 0x0300 SSLv3 … 0x0304 TLSv1.3; 0: no bound. */
struct tls_protocols {
	int floor;
	int ceiling;
	unsigned long excluded; /* SSL_OP_NO_… bits */
};

/* False when the list has a word that is none of these; it is copied to
 * bad_out (cut off, NUL-terminated). An empty list sets no bounds. */
bool tls_protocols_parse(const char *list, struct tls_protocols *protocols_out,
    char *bad_out, size_t bad_size);

/* Whether they leave this version (0x0300 … 0x0304) in. */
bool tls_protocols_allow(const struct tls_protocols *protocols, int version);

#endif
