/* SPDX-License-Identifier: Apache-2.0 */
/* tls_ssl_options and tls_disable_workarounds: names of OpenSSL's options in
 * Postfix's spelling, or masks such as 0x4000 -> bits. Pure. */
#ifndef POSTERN_TLS_OPTIONS_H
#define POSTERN_TLS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_options {
	uint64_t bits; /* SSL_OP_… */
	/* Bits of a mask that are not ours to set: other parameters rule them,
	 * or they would break what Postern promises. */
	uint64_t refused;
};

/* What tls_ssl_options turns on. False when the list has a word that is none of
 * these; it is copied to bad_out (cut off, NUL-terminated). */
bool tls_options_parse(const char *list, struct tls_options *options_out,
    char *bad_out, size_t bad_size);

/* What tls_disable_workarounds turns off. As above, but that bits of a mask
 * that are no workarounds count for nothing. Most workarounds are no longer in
 * OpenSSL, so that there is no bit for them. */
bool tls_options_parse_workarounds(const char *list,
    struct tls_options *options_out, char *bad_out, size_t bad_size);

#endif
