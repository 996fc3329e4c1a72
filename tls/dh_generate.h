/* SPDX-License-Identifier: Apache-2.0 */
/* Makes DH parameters of one's own: a safe prime, for "postern dhparam". */
#ifndef POSTERN_TLS_DH_GENERATE_H
#define POSTERN_TLS_DH_GENERATE_H

#include <stdbool.h>
#include <stddef.h>

#define TLS_DH_BITS_MIN 1024
#define TLS_DH_BITS_MAX 10000

/* What has just been done; they come in this order, again and again. */
enum tls_dh_progress {
	TLS_DH_CANDIDATE, /* a number that may be a prime was found */
	TLS_DH_TESTED,	  /* it passed one more test */
	TLS_DH_FOUND,	  /* p or (p-1)/2 is a prime */
};

struct tls_dh_watch {
	void *argument; /* handed to tell() */
	/* False ends the search. */
	bool (*tell)(void *argument, enum tls_dh_progress progress);
};

/* Takes seconds to minutes. Returns PEM ("DH PARAMETERS"), NUL-terminated, that
 * free() takes, and its length without the NUL; NULL when it was ended, the
 * number of bits is not in the limits, or OpenSSL failed. */
char *tls_dh_generate(
    int bits, const struct tls_dh_watch *watch, size_t *pem_len_out);

#endif
