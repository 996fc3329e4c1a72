/* SPDX-License-Identifier: Apache-2.0 */
/* What we showed the client: our certificate, and the protocol in TLS. */
#ifndef POSTERN_TLS_OWN_H
#define POSTERN_TLS_OWN_H

#include "tls/session.h"

/* All texts are "" where there is nothing. */
struct tls_own {
	char key[24];	    /* "RSA2048", "EC256" */
	char signature[48]; /* of the certificate: "RSA-SHA256" */
	char alpn[64];	    /* that was agreed on */
};

/* Of an established server session. */
void tls_own_read(const struct tls_session *session, struct tls_own *own_out);

#endif
