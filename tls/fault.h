/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's error queue -> a fault. For the files of tls/ alone; the faults'
 * words are declared in tls/session.h. */
#ifndef POSTERN_TLS_FAULT_H
#define POSTERN_TLS_FAULT_H

#include <stdbool.h>

#include "tls/session.h"

#define TLS_FAULT_NO_ALERT (-1)

struct tls_fault_cause {
	enum tls_fault fault;
	int alert; /* that the peer sent, or TLS_FAULT_NO_ALERT */
	/* As tls_session_library_errors() tells them; NULL when there were
	 * none. OPENSSL_free() it. */
	char *errors;
};

/* Reads and empties the queue. established: the handshake was done. */
void tls_fault_read(bool established, struct tls_fault_cause *cause_out);

#endif
