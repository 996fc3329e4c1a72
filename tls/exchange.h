/* SPDX-License-Identifier: Apache-2.0 */
/* Which key exchanges a session may come to: what its context offers, less what
 * is withheld from this client once its ClientHello is there. For the files of
 * tls/ alone.
 *
 * Nothing is withheld by other lists for the session, which would have to be
 * parsed each time, but by the question that OpenSSL asks of each suite and
 * group before it takes it (its security callback). */
#ifndef POSTERN_TLS_EXCHANGE_H
#define POSTERN_TLS_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "tls/dh.h"
#include "tls/groups.h"
#include "tls/protocols.h"
#include "tls/session.h"

/* What a context has; also for tls/describe.h. */
struct tls_exchange_policy {
	struct tls_protocols protocols; /* that are in force */
	struct tls_groups groups;
	struct tls_dh dh;
	bool has_certificate;	/* without one there is no TLS 1.3 */
	bool no_old_resumption; /* none in TLS 1.2 and below */
	bool checks_quickly;	/* tls/quick_check.h */
};

/* Copies the policy into the context. False without memory. */
bool tls_exchange_apply(SSL_CTX *ctx, const struct tls_exchange_policy *policy);

/* Of a context to which it was applied. */
const struct tls_exchange_policy *tls_exchange_policy_of(const SSL_CTX *ctx);

/* Kept in a session. */
struct tls_exchange {
	struct tls_edh_gate gate; /* ask is NULL: EDH as the policy has it */
	bool is_decided;	  /* the gate has allowed it, or not */
	bool without_edh;
	bool is_refused; /* by the gate */
	/* TLS 1.3: the one group of whose share use is made; 0: any. */
	uint16_t share;
};

/* In the ClientHello callback: one of its results, SSL_CLIENT_HELLO_…; *alert
 * is set for an error. Comes again after RETRY and after a HelloRetryRequest.
 */
int tls_exchange_choose(struct tls_session *session, int *alert);

#endif
