/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/tls_client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

struct tls_client {
	SSL_CTX *ctx;
	BIO_METHOD *method;
	const char *name;
};

struct tls_connection {
	SSL *ssl;
	struct tls_client_wire *wire; /* lent for one call, otherwise NULL */
	SSL_SESSION *newest;
	char fault[TLS_CLIENT_FAULT_SIZE];
};

/* OpenSSL's type under a name that other files may see. */
static SSL_SESSION *session_of(const struct tls_ticket *ticket)
{
	return (SSL_SESSION *)ticket;
}

static int read_wire(BIO *bio, char *data, int size)
{
	struct tls_connection *connection = BIO_get_data(bio);
	struct tls_client_wire *wire = connection->wire;
	size_t len = wire == NULL ? 0 : wire->in_len - wire->in_used;

	BIO_clear_retry_flags(bio);
	if (len == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	if (len > (size_t)size)
		len = (size_t)size;
	memcpy(data, wire->in + wire->in_used, len);
	wire->in_used += len;
	return (int)len;
}

static int write_wire(BIO *bio, const char *data, int len)
{
	struct tls_connection *connection = BIO_get_data(bio);
	struct tls_client_wire *wire = connection->wire;

	BIO_clear_retry_flags(bio);
	if (wire == NULL || (size_t)len > wire->out_size - wire->out_len)
		return -1;
	memcpy(wire->out + wire->out_len, data, (size_t)len);
	wire->out_len += (size_t)len;
	return len;
}

static long control_wire(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_connection *connection = SSL_get_app_data(ssl);

	SSL_SESSION_free(connection->newest);
	connection->newest = session;
	return 1; /* the reference is ours now */
}

/* NULL when all that is asked for exists in this OpenSSL. */
static const char *offer(SSL_CTX *ctx, const struct tls_client_options *options)
{
	static const int versions[] = {
	    0, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};
	int version = versions[options->protocol];

	if (SSL_CTX_set_min_proto_version(ctx, version) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, version) != 1)
		return "--protocol";
	if (options->groups != NULL &&
	    SSL_CTX_set1_groups_list(ctx, options->groups) != 1)
		return "--groups";
	if (options->ciphers != NULL &&
	    SSL_CTX_set_cipher_list(ctx, options->ciphers) != 1)
		return "--ciphers";
	if (options->suites != NULL &&
	    SSL_CTX_set_ciphersuites(ctx, options->suites) != 1)
		return "--suites";
	if (options->signatures != NULL &&
	    SSL_CTX_set1_sigalgs_list(ctx, options->signatures) != 1)
		return "--signatures";
	return NULL;
}

static BIO_METHOD *make_method(void)
{
	BIO_METHOD *method =
	    BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bench");

	if (method == NULL)
		return NULL;
	BIO_meth_set_read(method, read_wire);
	BIO_meth_set_write(method, write_wire);
	BIO_meth_set_ctrl(method, control_wire);
	return method;
}

struct tls_client *tls_client_create(
    const struct tls_client_options *options, char fault[TLS_CLIENT_FAULT_SIZE])
{
	struct tls_client *client = calloc(1, sizeof(*client));
	const char *bad;

	snprintf(fault, TLS_CLIENT_FAULT_SIZE, "no memory for TLS");
	if (client == NULL)
		return NULL;
	client->name = options->name;
	client->ctx = SSL_CTX_new(TLS_client_method());
	client->method = make_method();
	if (client->ctx == NULL || client->method == NULL) {
		tls_client_destroy(&client);
		return NULL;
	}
	SSL_CTX_set_session_cache_mode(
	    client->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(client->ctx, keep_session);
	SSL_CTX_set_mode(client->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					  SSL_MODE_RELEASE_BUFFERS);
	if (options->no_tickets)
		SSL_CTX_set_options(client->ctx, SSL_OP_NO_TICKET);
	bad = offer(client->ctx, options);
	if (bad != NULL) {
		snprintf(fault, TLS_CLIENT_FAULT_SIZE,
		    "%s: this OpenSSL (%s) has nothing of that name", bad,
		    tls_client_library());
		tls_client_destroy(&client);
	}
	return client;
}

void tls_client_destroy(struct tls_client **client)
{
	if (*client == NULL)
		return;
	SSL_CTX_free((*client)->ctx);
	BIO_meth_free((*client)->method);
	free(*client);
	*client = NULL;
}

const char *tls_client_library(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}

static bool attach(struct tls_client *client, struct tls_connection *connection)
{
	BIO *bio = BIO_new(client->method);

	if (bio == NULL)
		return false;
	BIO_set_data(bio, connection);
	BIO_set_init(bio, 1);
	SSL_set_bio(connection->ssl, bio, bio);
	SSL_set_app_data(connection->ssl, connection);
	SSL_set_connect_state(connection->ssl);
	return client->name == NULL ||
	       SSL_set_tlsext_host_name(connection->ssl, client->name) == 1;
}

/* A copy, for OpenSSL lets a client use a ticket of TLS 1.3 once only, while
 * servers need not give another with each resumption. */
static bool resume(SSL *ssl, const struct tls_ticket *ticket)
{
	SSL_SESSION *copy = SSL_SESSION_dup(session_of(ticket));
	bool fine = copy != NULL && SSL_set_session(ssl, copy) == 1;

	SSL_SESSION_free(copy);
	return fine;
}

struct tls_connection *tls_connection_create(
    struct tls_client *client, const struct tls_ticket *ticket)
{
	struct tls_connection *connection = calloc(1, sizeof(*connection));

	if (connection == NULL)
		return NULL;
	connection->ssl = SSL_new(client->ctx);
	if (connection->ssl == NULL || !attach(client, connection) ||
	    (ticket != NULL && !resume(connection->ssl, ticket)))
		tls_connection_destroy(&connection);
	return connection;
}

void tls_connection_destroy(struct tls_connection **connection)
{
	if (*connection == NULL)
		return;
	/* Or OpenSSL would never again resume a session that was not closed
	 * by both sides. */
	if ((*connection)->ssl != NULL)
		SSL_set_shutdown((*connection)->ssl,
		    SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free((*connection)->ssl);
	SSL_SESSION_free((*connection)->newest);
	free(*connection);
	*connection = NULL;
}

static enum tls_client_status judge(
    struct tls_connection *connection, int result)
{
	const char *reason;

	connection->wire = NULL;
	if (result > 0)
		return TLS_CLIENT_OK;
	switch (SSL_get_error(connection->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return TLS_CLIENT_NEED_INPUT;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLIENT_CLOSED;
	default: /* OpenSSL's numbers, not ours */
		reason = ERR_reason_error_string(ERR_peek_error());
		snprintf(connection->fault, sizeof(connection->fault), "%s",
		    reason != NULL ? reason : "no reason given");
		return TLS_CLIENT_FAILED;
	}
}

enum tls_client_status tls_connection_handshake(
    struct tls_connection *connection, struct tls_client_wire *wire)
{
	ERR_clear_error();
	connection->wire = wire;
	return judge(connection, SSL_do_handshake(connection->ssl));
}

enum tls_client_status tls_connection_read(struct tls_connection *connection,
    struct tls_client_wire *wire, char *text, size_t size, size_t *len_out)
{
	*len_out = 0;
	ERR_clear_error();
	connection->wire = wire;
	return judge(
	    connection, SSL_read_ex(connection->ssl, text, size, len_out));
}

enum tls_client_status tls_connection_write(struct tls_connection *connection,
    struct tls_client_wire *wire, const char *text, size_t len,
    size_t *used_out)
{
	assert(wire->out_size - wire->out_len >= TLS_CLIENT_RECORD_SIZE);
	*used_out = 0;
	if (len > SSL3_RT_MAX_PLAIN_LENGTH)
		len = SSL3_RT_MAX_PLAIN_LENGTH;
	ERR_clear_error();
	connection->wire = wire;
	return judge(
	    connection, SSL_write_ex(connection->ssl, text, len, used_out));
}

void tls_connection_close(
    struct tls_connection *connection, struct tls_client_wire *wire)
{
	ERR_clear_error();
	connection->wire = wire;
	SSL_shutdown(connection->ssl);
	connection->wire = NULL;
}

const char *tls_connection_fault(const struct tls_connection *connection)
{
	return connection->fault;
}

bool tls_connection_resumed(const struct tls_connection *connection)
{
	return SSL_session_reused(connection->ssl) == 1;
}

static void describe_key(EVP_PKEY *key, char text[TLS_CLIENT_TEXT_SIZE])
{
	char name[TLS_CLIENT_TEXT_SIZE - 24];
	size_t len;

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
	    EVP_PKEY_get_group_name(key, name, sizeof(name), &len) == 1)
		snprintf(text, TLS_CLIENT_TEXT_SIZE, "EC %s", name);
	else
		snprintf(text, TLS_CLIENT_TEXT_SIZE, "%.20s %d bits",
		    EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
}

void tls_connection_facts(
    const struct tls_connection *connection, struct tls_client_facts *facts_out)
{
	SSL *ssl = connection->ssl;
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	EVP_PKEY *key = NULL;

	memset(facts_out, 0, sizeof(*facts_out));
	snprintf(facts_out->protocol, TLS_CLIENT_TEXT_SIZE, "%s",
	    SSL_get_version(ssl));
	snprintf(facts_out->cipher, TLS_CLIENT_TEXT_SIZE, "%s",
	    SSL_get_cipher_name(ssl));
	if (SSL_get_peer_tmp_key(ssl, &key) == 1) {
		describe_key(key, facts_out->group);
		EVP_PKEY_free(key);
	}
	if (certificate != NULL && X509_get0_pubkey(certificate) != NULL)
		describe_key(
		    X509_get0_pubkey(certificate), facts_out->certificate);
}

struct tls_ticket *tls_connection_take_ticket(struct tls_connection *connection)
{
	SSL_SESSION *session = connection->newest;

	if (session == NULL || !SSL_SESSION_is_resumable(session))
		return NULL;
	connection->newest = NULL;
	return (struct tls_ticket *)session;
}

void tls_ticket_destroy(struct tls_ticket **ticket)
{
	if (*ticket == NULL)
		return;
	SSL_SESSION_free(session_of(*ticket));
	*ticket = NULL;
}
