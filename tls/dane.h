/* SPDX-License-Identifier: Apache-2.0 */
/* What DNS says of a server's certificate (RFC 6698, RFC 7672): TLSA records
 * that DNSSEC vouches for. Nobody but the caller can know that it does. */
#ifndef POSTERN_TLS_DANE_H
#define POSTERN_TLS_DANE_H

#include <stddef.h>
#include <stdint.h>

#include "tls/client.h"

struct tls_dane_record {
	uint8_t usage, selector, matching;
	const uint8_t *data;
	size_t len;
};

/* Borrowed for the call. */
struct tls_dane {
	/* Whose the records are: for SNI, and one of the names that
	 * certificates below a trust anchor may have; the other is `host`. */
	const char *base_domain, *host;
	const struct tls_dane_record *records;
	size_t count;
};

/* How many of the records can be of use: usages 2 and 3, with a digest that the
 * client knows (RFC 7672, 3.1). */
size_t tls_dane_usable(
    const struct tls_client *client, const struct tls_dane *dane);

/* A session of a client at the level TLS_CLIENT_DANE. It offers to resume none
 * that was checked against other records. NULL without usable records, or
 * without memory. */
struct tls_session *tls_dane_session_create(
    const struct tls_client *client, const struct tls_dane *dane);

#endif
