/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in the certificate of a session's peer, for people; for lines of
 * logs see tls/peer.h. All texts are the peer's: whoever shows them takes what
 * a terminal would obey out of them. */
#ifndef POSTERN_TLS_PEER_CERTIFICATE_H
#define POSTERN_TLS_PEER_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "tls/session.h"

/* Cut off where there is more; "" where there is nothing. */
struct tls_peer_certificate {
	bool is_present;
	char subject[512], issuer[512];	  /* RFC 2253: "CN=mx.example.com" */
	char names[2048];		  /* DNS names and addresses, by ", " */
	char key_type[24], key_curve[24]; /* "RSA", "EC" and "prime256v1" */
	int key_bits;
	char signature[48]; /* of its issuer: "sha256WithRSAEncryption" */
	int64_t not_before_s, not_after_s; /* since 1970 */
};

/* Of an established session. */
void tls_peer_certificate_read(const struct tls_session *session,
    struct tls_peer_certificate *certificate_out);

#endif
