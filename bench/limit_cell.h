/* SPDX-License-Identifier: Apache-2.0 */
/* One kind of handshake, of which the limit is asked: both sides in memory. */
#ifndef POSTERN_BENCH_LIMIT_CELL_H
#define POSTERN_BENCH_LIMIT_CELL_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#include "tls/context.h"
#include "tls/ticket_keys.h"

#define LIMIT_NAME_SIZE	  64
#define LIMIT_PATH_SIZE	  256
#define LIMIT_FLIGHTS_MAX 8

/* What one side says before the other has to: octets on the wire. */
struct limit_flight {
	size_t client_len, server_len;
};

struct limit_cell {
	char name[LIMIT_NAME_SIZE]; /* PROTOCOL/GROUP/KEY/KIND */
	char group[LIMIT_NAME_SIZE];
	char key[LIMIT_NAME_SIZE];
	int protocol; /* 2 or 3 */
	bool is_edh, resumed;
	/* Made by limit_cell_open(). */
	struct tls_context *context;
	struct tls_ticket_keys *ticket_keys;
	SSL_CTX *client;
	SSL_SESSION *session; /* to be resumed */
	EVP_PKEY *server_key;
	EVP_PKEY *dh_parameters;
	struct limit_flight flights[LIMIT_FLIGHTS_MAX];
	size_t flight_count;
};

/* False when the name is no cell. */
bool limit_cell_parse(struct limit_cell *cell, const char *name);

/* Files go to `directory` and are gone when this returns. `dh_file` has the
 * parameters of a group "custom", or is NULL. NULL, or what went wrong. */
const char *limit_cell_open(
    struct limit_cell *cell, const char *directory, const char *dh_file);
void limit_cell_close(struct limit_cell *cell);

/* limit_handshake.c. The server's processor time of one handshake, in us, or a
 * negative number: it failed. */
double limit_handshake(struct limit_cell *cell);

/* Bytes of memory that a server session in this cell holds when it is done and
 * idle, from `count` of them; 0 when it cannot be told. */
double limit_session_bytes(struct limit_cell *cell, size_t count);

/* limit_primitives.c. In us: the signature, and making and using a key of the
 * group, each 0 when the handshake has none. False: OpenSSL failed. */
struct limit_primitives {
	double sign_us, generate_us, derive_us;
};
bool limit_primitives(
    struct limit_cell *cell, int count, struct limit_primitives *out);

double limit_cpu_us(void);

#endif
