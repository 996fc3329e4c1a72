/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of TLS, over lent buffers: no sockets in OpenSSL. Nothing
 * is verified: a benchmark's certificates are throw-away ones, and the client's
 * cost is not what is measured. */
#ifndef POSTERN_BENCH_TLS_CLIENT_H
#define POSTERN_BENCH_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_CLIENT_FAULT_SIZE 256
#define TLS_CLIENT_TEXT_SIZE  64
/* Room for one record that carries as much as a record may. */
#define TLS_CLIENT_RECORD_SIZE 17408

struct tls_client;     /* opaque: what all connections of a run offer */
struct tls_connection; /* opaque */
struct tls_ticket;     /* opaque: what a session is resumed with */

struct tls_client_options {
	const char *groups, *ciphers, *suites, *signatures; /* NULL: default */
	const char *name; /* server name, or NULL */
	int protocol;	  /* 0: any; 1: TLS 1.1; 2: TLS 1.2; 3: TLS 1.3 */
	bool no_tickets;
};

/* Lent for one call. What was read is counted in in_used; what is written goes
 * behind out_len. */
struct tls_client_wire {
	const uint8_t *in;
	size_t in_len, in_used;
	uint8_t *out;
	size_t out_size, out_len;
};

enum tls_client_status {
	TLS_CLIENT_OK,
	TLS_CLIENT_NEED_INPUT,
	TLS_CLIENT_CLOSED, /* by the peer, as it should be done */
	TLS_CLIENT_FAILED, /* and tls_connection_fault() says why */
};

/* What was agreed on, in OpenSSL's words. */
struct tls_client_facts {
	char protocol[TLS_CLIENT_TEXT_SIZE];
	char cipher[TLS_CLIENT_TEXT_SIZE];
	char group[TLS_CLIENT_TEXT_SIZE];
	char certificate[TLS_CLIENT_TEXT_SIZE];
};

/* NULL with the reason in `fault`. May be shared by threads. */
struct tls_client *tls_client_create(const struct tls_client_options *options,
    char fault[TLS_CLIENT_FAULT_SIZE]);
void tls_client_destroy(struct tls_client **client);

const char *tls_client_library(void);

/* `ticket` may be NULL and stays the caller's. NULL without memory. */
struct tls_connection *tls_connection_create(
    struct tls_client *client, const struct tls_ticket *ticket);
void tls_connection_destroy(struct tls_connection **connection);

enum tls_client_status tls_connection_handshake(
    struct tls_connection *connection, struct tls_client_wire *wire);
enum tls_client_status tls_connection_read(struct tls_connection *connection,
    struct tls_client_wire *wire, char *text, size_t size, size_t *len_out);
/* There must be TLS_CLIENT_RECORD_SIZE of room. One record at the most. */
enum tls_client_status tls_connection_write(struct tls_connection *connection,
    struct tls_client_wire *wire, const char *text, size_t len,
    size_t *used_out);
/* Says close_notify. */
void tls_connection_close(
    struct tls_connection *connection, struct tls_client_wire *wire);

const char *tls_connection_fault(const struct tls_connection *connection);
bool tls_connection_resumed(const struct tls_connection *connection);
void tls_connection_facts(const struct tls_connection *connection,
    struct tls_client_facts *facts_out);

/* The newest that the server gave, which becomes the caller's, or NULL. */
struct tls_ticket *tls_connection_take_ticket(
    struct tls_connection *connection);
void tls_ticket_destroy(struct tls_ticket **ticket);

#endif
