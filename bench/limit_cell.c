/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/limit_cell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define TICKETS_LIVE_S 3600

bool limit_cell_parse(struct limit_cell *cell, const char *name)
{
	char protocol[16];
	char kind[16];

	memset(cell, 0, sizeof(*cell));
	snprintf(cell->name, sizeof(cell->name), "%s", name);
	if (sscanf(name, "%15[^/]/%31[^/]/%31[^/]/%15s", protocol, cell->group,
		cell->key, kind) != 4)
		return false;
	cell->protocol = strcmp(protocol, "TLSv1.3") == 0 ? 3 : 2;
	cell->is_edh = strncmp(cell->group, "ffdhe", 5) == 0 ||
		       strcmp(cell->group, "custom") == 0;
	cell->resumed = strcmp(kind, "resumed") == 0;
	return (cell->protocol == 3 || strcmp(protocol, "TLSv1.2") == 0) &&
	       (cell->resumed || strcmp(kind, "full") == 0);
}

static EVP_PKEY *make_key(const char *name)
{
	if (strncmp(name, "rsa-", 4) == 0)
		return EVP_RSA_gen((unsigned)atoi(name + 4));
	if (strcmp(name, "ecdsa-p256") == 0)
		return EVP_EC_gen("P-256");
	if (strcmp(name, "ed25519") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return NULL;
}

/* As bench/run has them: one certificate, signed with its own key. */
static bool write_chain(EVP_PKEY *key, const char *path)
{
	X509 *certificate = X509_new();
	X509_NAME *name;
	const EVP_MD *digest =
	    EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
	FILE *file = fopen(path, "w");
	bool fine = certificate != NULL && file != NULL;

	if (fine) {
		X509_set_version(certificate, X509_VERSION_3);
		name = X509_get_subject_name(certificate);
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		    (const unsigned char *)"mx.example.test", -1, -1, 0);
		X509_set_issuer_name(certificate, name);
		X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
		X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
		X509_set_pubkey(certificate, key);
		fine = X509_sign(certificate, key, digest) > 0 &&
		       PEM_write_PrivateKey(
			   file, key, NULL, NULL, 0, NULL, NULL) == 1 &&
		       PEM_write_X509(file, certificate) == 1;
	}
	X509_free(certificate);
	if (file != NULL && fclose(file) != 0)
		fine = false;
	return fine;
}

static EVP_PKEY *read_parameters(const char *path)
{
	FILE *file = fopen(path, "r");
	EVP_PKEY *parameters = NULL;
	BIO *bio;

	if (file == NULL)
		return NULL;
	bio = BIO_new_fp(file, BIO_CLOSE);
	if (bio != NULL)
		parameters = PEM_read_bio_Parameters(bio, NULL);
	BIO_free(bio);
	return parameters;
}

static EVP_PKEY *named_parameters(const char *group)
{
	EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	EVP_PKEY *parameters = NULL;

	if (maker != NULL && EVP_PKEY_paramgen_init(maker) == 1 &&
	    EVP_PKEY_CTX_set_group_name(maker, group) == 1)
		EVP_PKEY_paramgen(maker, &parameters);
	EVP_PKEY_CTX_free(maker);
	return parameters;
}

static bool write_parameters(EVP_PKEY *parameters, const char *path)
{
	BIO *bio = BIO_new_file(path, "w");
	bool fine =
	    bio != NULL && PEM_write_bio_Parameters(bio, parameters) == 1;

	BIO_free(bio);
	return fine;
}

static void tell(
    void *argument, bool is_error, const char *parameter, const char *text)
{
	(void)argument;
	if (is_error)
		fprintf(stderr, "limit: %s: %s\n", parameter, text);
}

/* In TLS 1.2 an ECDSA certificate is for clients that list its curve, too
 * (RFC 8422, 5.1); the group of the cell comes first. */
static void list_groups(
    const struct limit_cell *cell, const char *separator, char *list_out)
{
	const char *group = cell->is_edh ? "X25519" : cell->group;
	/* OpenSSL takes no group twice. */
	bool two = cell->protocol == 2 &&
		   strcmp(cell->key, "ecdsa-p256") == 0 &&
		   strcmp(group, "P-256") != 0;

	snprintf(list_out, LIMIT_PATH_SIZE, "%s%s%s", group,
	    two ? separator : "", two ? "P-256" : "");
}

/* As Postern makes it, with one ticket. */
static struct tls_context *make_context(
    const struct limit_cell *cell, const char *chain, const char *dh_file)
{
	char curves[LIMIT_PATH_SIZE];
	const struct tls_report report = {.tell = tell};
	const struct tls_context_options options = {
	    .smtpd_tls_chain_files = chain,
	    .smtpd_tls_cert_file = "",
	    .smtpd_tls_key_file = "",
	    .smtpd_tls_dcert_file = "",
	    .smtpd_tls_dkey_file = "",
	    .smtpd_tls_eccert_file = "",
	    .smtpd_tls_eckey_file = "",
	    .protocols = cell->protocol == 3 ? "TLSv1.3" : "TLSv1.2",
	    .protocols_parameter = "smtpd_tls_protocols",
	    .groups = {.smtpd_tls_eecdh_grade = "auto",
		.tls_eecdh_auto_curves = curves,
		.tls_ffdhe_auto_groups = "ffdhe2048 ffdhe3072 ffdhe4096"},
	    .ciphers = {.grade = "high",
		.grade_parameter = "smtpd_tls_ciphers",
		.tls_high_cipherlist = "HIGH",
		.tls_medium_cipherlist = "",
		.tls_null_cipherlist = "",
		.smtpd_tls_exclude_ciphers = "aNULL",
		.smtpd_tls_mandatory_exclude_ciphers = "",
		.proxy_tls_ciphersuites = ""},
	    .prefer_server_ciphers = true,
	    .smtpd_tls_dh1024_param_file = dh_file,
	    .proxy_tls_quick_key_check = true,
	    .session_timeout_s = TICKETS_LIVE_S,
	    .service = "limit",
	    .tickets = {.keys = cell->ticket_keys,
		.tls_session_ticket_cipher = "aes-256-cbc"},
	};

	list_groups(cell, " ", curves);
	return tls_context_create(&options, &report);
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct limit_cell *cell = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (!cell->resumed || cell->session != NULL)
		return 0;
	cell->session = session;
	return 1;
}

static SSL_CTX *make_client(struct limit_cell *cell)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int version = cell->protocol == 3 ? TLS1_3_VERSION : TLS1_2_VERSION;
	bool by_suite = cell->is_edh && cell->protocol == 2;
	char groups[LIMIT_PATH_SIZE];

	if (ctx == NULL)
		return NULL;
	list_groups(cell, ":", groups);
	if (cell->is_edh && cell->protocol == 3)
		snprintf(groups, sizeof(groups), "%s", cell->group);
	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	SSL_CTX_set_app_data(ctx, cell);
	SSL_CTX_set_session_cache_mode(
	    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, keep_session);
	if (SSL_CTX_set_cipher_list(
		ctx, by_suite ? "DHE+AESGCM" : "ECDHE+AESGCM") == 1 &&
	    SSL_CTX_set1_groups_list(ctx, groups) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static const char *make_files(struct limit_cell *cell, const char *dh_file,
    const char *chain_path, const char *dh_path)
{
	cell->server_key = make_key(cell->key);
	if (cell->server_key == NULL)
		return "no such key: rsa-2048, rsa-3072, ecdsa-p256, ed25519";
	if (!write_chain(cell->server_key, chain_path))
		return "cannot write a certificate";
	if (!cell->is_edh)
		return NULL;
	if (strcmp(cell->group, "custom") == 0)
		cell->dh_parameters =
		    dh_file == NULL ? NULL : read_parameters(dh_file);
	else
		cell->dh_parameters = named_parameters(cell->group);
	if (cell->dh_parameters == NULL)
		return "no DH parameters; for custom give --dh FILE";
	if (!write_parameters(cell->dh_parameters, dh_path))
		return "cannot write DH parameters";
	return NULL;
}

const char *limit_cell_open(
    struct limit_cell *cell, const char *directory, const char *dh_file)
{
	char chain_path[LIMIT_PATH_SIZE];
	char dh_path[LIMIT_PATH_SIZE];
	const char *fault;

	snprintf(chain_path, sizeof(chain_path), "%.200s/chain", directory);
	snprintf(dh_path, sizeof(dh_path), "%.200s/dh", directory);
	cell->ticket_keys = calloc(1, sizeof(*cell->ticket_keys));
	if (cell->ticket_keys == NULL ||
	    !tls_ticket_keys_configure(
		cell->ticket_keys, TICKETS_LIVE_S, NULL, tls_ticket_keys_now()))
		return "no memory for ticket keys";
	fault = make_files(cell, dh_file, chain_path, dh_path);
	if (fault == NULL) {
		cell->context =
		    make_context(cell, chain_path, cell->is_edh ? dh_path : "");
		cell->client = make_client(cell);
		if (cell->context == NULL || cell->client == NULL)
			fault = "no such cell in this OpenSSL";
	}
	unlink(chain_path);
	unlink(dh_path);
	return fault;
}

void limit_cell_close(struct limit_cell *cell)
{
	tls_context_destroy(&cell->context);
	SSL_SESSION_free(cell->session);
	SSL_CTX_free(cell->client);
	EVP_PKEY_free(cell->server_key);
	EVP_PKEY_free(cell->dh_parameters);
	free(cell->ticket_keys);
}
