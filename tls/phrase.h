/* SPDX-License-Identifier: Apache-2.0 */
/* Texts about a session, put together piece by piece; what does not fit is cut
 * off. Of the use of tls/ alone. */
#ifndef POSTERN_TLS_PHRASE_H
#define POSTERN_TLS_PHRASE_H

#include <stddef.h>

#include "tls/facts.h"

struct tls_phrase {
	char *text; /* borrowed, NUL-terminated when size is not 0 */
	size_t size;
	size_t len;
};

/* An empty one, over `size` bytes at `text`. */
struct tls_phrase tls_phrase_begin(char *text, size_t size);

void tls_phrase_add(struct tls_phrase *phrase, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* " server-signature RSA-PSS (2048 bits) server-digest SHA256"; nothing for an
 * algorithm that is not known. digest_role: NULL, or "server-digest" */
void tls_phrase_add_algorithm(struct tls_phrase *phrase, const char *role,
    const char *digest_role, const struct tls_algorithm *algorithm);

#endif
