/* SPDX-License-Identifier: Apache-2.0 */
/* Postfix's comments on TLS in a Received: header, byte for byte (reference
 * 3.5, lines 2 and 3). */
#ifndef POSTERN_TLS_RECEIVED_H
#define POSTERN_TLS_RECEIVED_H

#include <stdbool.h>
#include <stddef.h>

#include "tls/facts.h"
#include "tls/peer.h"

/* All comments fit. */
#define TLS_RECEIVED_SIZE 1280

/* Writes the comments as lines, each ended by LF; whoever makes a header of
 * them folds it there. "(using TLSv1.3 with cipher … (256/256 bits)", then "
 * key-exchange X25519 server-signature …)", and one on the client's
 * certificate. `asked`: one was asked for. No control character of a
 * certificate gets in. NUL-terminated, cut off at out_size; returns the
 * length. */
size_t tls_received_comments(const struct tls_facts *facts,
    const struct tls_peer *peer, bool asked, char *out, size_t out_size);

#endif
