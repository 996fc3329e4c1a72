/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates made on the spot, findings remembered, and a client of bare
 * OpenSSL that is joined to a session under test by two arrays. */
#ifndef POSTERN_TESTS_TLS_FIXTURE_H
#define POSTERN_TESTS_TLS_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "tls/context.h"
#include "tls/session.h"

/* A directory for the test, with everything in it removed at the end. */
void fixture_init(void);
void fixture_fini(void);

/* "DIRECTORY/name"; good until the end of the test. */
const char *fixture_path(const char *name);

/* "rsa", "rsa3072", "rsa1024", "p256", "p384", "ed25519"; free with
 * EVP_PKEY_free. */
EVP_PKEY *fixture_key(const char *type);

enum part {
	PART_KEY = 1,
	PART_CERTIFICATE = 2,
	PART_ENCRYPTED_KEY = 4,
	PART_CERTIFICATE_FIRST = 8,
};

/* Writes a self-signed certificate of `key` that is valid from and until so
 * many days from now. Returns the path. */
const char *fixture_file(const char *name, unsigned parts, EVP_PKEY *key,
    int begin_days, int end_days);

/* Writes text. Returns the path. */
const char *fixture_text(const char *name, const char *text);

/* Writes OpenSSL's parameters of a named group ("DH", "ffdhe2048"). Returns the
 * path. */
const char *fixture_group(
    const char *name, const char *type, const char *group);

/* Key and certificate, valid now, in one file that is made once a test. */
const char *fixture_chain(const char *type);

/* What tell() was told, in lines "error PARAMETER: TEXT". */
extern char fixture_findings[8192];
extern const struct tls_report fixture_report;

/* Options as Postern's defaults are; chain_files as given. */
struct tls_context_options fixture_options(const char *chain_files);
/* Made of them; asserts that there were no findings. */
struct tls_context *fixture_context(const char *chain_files);

#define LINK_BUFFER_SIZE 65536

/* A client and a session under test. */
struct link {
	SSL *client;
	struct tls_session *server;
	size_t slice; /* bytes of input that the server sees at a time */
	size_t room;  /* bytes of output that it can write at a time */
	uint8_t to_server[LINK_BUFFER_SIZE];
	size_t to_server_len, to_server_used;
	bool eof;
	enum tls_status status;		 /* of the server's last call */
	uint8_t plain[LINK_BUFFER_SIZE]; /* what it decrypted */
	size_t plain_len;
	size_t server_output_len;
};

/* client_ctx is borrowed; versions 0: any. */
SSL_CTX *fixture_client_ctx(int version_min, int version_max);
void link_open(
    struct link *link, struct tls_context *context, SSL_CTX *client_ctx);
void link_close(struct link *link);

/* Until both are done or one has failed; true: both are done. */
bool link_handshake(struct link *link);
/* What the client wrote becomes the server's input. */
void link_collect(struct link *link);
/* Lets the server go on with its handshake on what was collected. */
void link_serve_handshake(struct link *link);
/* Lets it read all that was collected into plain. */
void link_serve_read(struct link *link);
/* Writes and flushes all of it. */
void link_serve_write(struct link *link, const void *plain, size_t plain_len);

#endif
