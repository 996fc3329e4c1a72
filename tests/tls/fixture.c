/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define PATH_COUNT 64

static char directory[256];
static char paths[PATH_COUNT][512];
static unsigned path_count;

char fixture_findings[8192];

static void tell(
    void *argument, bool is_error, const char *parameter, const char *text)
{
	size_t len = strlen(fixture_findings);

	(void)argument;
	snprintf(fixture_findings + len, sizeof(fixture_findings) - len,
	    "%s %s: %s\n", is_error ? "error" : "warning", parameter, text);
}

const struct tls_report fixture_report = {.tell = tell};

void fixture_init(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(directory, sizeof(directory), "%s/postern-tls-XXXXXX",
	    base != NULL ? base : "/tmp");
	cr_assert_not_null(mkdtemp(directory));
	path_count = 0;
	fixture_findings[0] = '\0';
}

void fixture_fini(void)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	cr_assert_not_null(dir);
	while ((entry = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	cr_assert_eq(rmdir(directory), 0);
}

const char *fixture_path(const char *name)
{
	cr_assert_lt(path_count, PATH_COUNT);
	snprintf(paths[path_count], sizeof(paths[0]), "%s/%s", directory, name);
	return paths[path_count++];
}

EVP_PKEY *fixture_key(const char *type)
{
	EVP_PKEY *key = NULL;

	if (strcmp(type, "rsa") == 0)
		key = EVP_RSA_gen(2048);
	else if (strcmp(type, "rsa3072") == 0)
		key = EVP_RSA_gen(3072);
	else if (strcmp(type, "rsa1024") == 0)
		key = EVP_RSA_gen(1024);
	else if (strcmp(type, "p256") == 0)
		key = EVP_EC_gen("P-256");
	else if (strcmp(type, "p384") == 0)
		key = EVP_EC_gen("P-384");
	else if (strcmp(type, "ed25519") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	cr_assert_not_null(key, "%s", type);
	return key;
}

static X509 *certificate_of(EVP_PKEY *key, int begin_days, int end_days)
{
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);
	bool is_edwards = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;

	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_time_adj_ex(X509_getm_notBefore(certificate), begin_days, 0, NULL);
	X509_time_adj_ex(X509_getm_notAfter(certificate), end_days, 0, NULL);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)"mx.example.test", -1, -1, 0);
	X509_set_issuer_name(certificate, name);
	X509_set_pubkey(certificate, key);
	cr_assert_gt(
	    X509_sign(certificate, key, is_edwards ? NULL : EVP_sha256()), 0);
	return certificate;
}

const char *fixture_file(const char *name, unsigned parts, EVP_PKEY *key,
    int begin_days, int end_days)
{
	const char *path = fixture_path(name);
	BIO *file = BIO_new_file(path, "w");
	X509 *certificate = certificate_of(key, begin_days, end_days);

	cr_assert_not_null(file);
	if (parts & PART_CERTIFICATE_FIRST)
		PEM_write_bio_X509(file, certificate);
	if (parts & PART_KEY)
		PEM_write_bio_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	if (parts & PART_ENCRYPTED_KEY)
		PEM_write_bio_PrivateKey(file, key, EVP_aes_128_cbc(),
		    (const unsigned char *)"secret", 6, NULL, NULL);
	if (parts & PART_CERTIFICATE)
		PEM_write_bio_X509(file, certificate);
	X509_free(certificate);
	BIO_free(file);
	return path;
}

const char *fixture_text(const char *name, const char *text)
{
	const char *path = fixture_path(name);
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
	return path;
}

const char *fixture_group(const char *name, const char *type, const char *group)
{
	const char *path = fixture_path(name);
	EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *parameters = NULL;
	BIO *file = BIO_new_file(path, "w");

	cr_assert_eq(EVP_PKEY_paramgen_init(maker), 1);
	cr_assert_eq(EVP_PKEY_CTX_set_group_name(maker, group), 1);
	cr_assert_eq(EVP_PKEY_paramgen(maker, &parameters), 1);
	cr_assert_eq(PEM_write_bio_Parameters(file, parameters), 1);
	BIO_free(file);
	EVP_PKEY_free(parameters);
	EVP_PKEY_CTX_free(maker);
	return path;
}

const char *fixture_chain(const char *type)
{
	const char *path = fixture_path(type);
	EVP_PKEY *key;

	if (access(path, F_OK) == 0)
		return path;
	key = fixture_key(type);
	fixture_file(type, PART_KEY | PART_CERTIFICATE, key, -1, 30);
	EVP_PKEY_free(key);
	return path;
}

struct tls_context_options fixture_options(const char *chain_files)
{
	return (struct tls_context_options){
	    .smtpd_tls_chain_files = chain_files,
	    .smtpd_tls_cert_file = "",
	    .smtpd_tls_key_file = "",
	    .smtpd_tls_dcert_file = "",
	    .smtpd_tls_dkey_file = "",
	    .smtpd_tls_eccert_file = "",
	    .smtpd_tls_eckey_file = "",
	    .protocols = ">=TLSv1.2",
	    .protocols_parameter = "smtpd_tls_protocols",
	    .groups = {.smtpd_tls_eecdh_grade = "auto",
		.tls_eecdh_strong_curve = "prime256v1 X25519",
		.tls_eecdh_ultra_curve = "secp384r1 X448 X25519 prime256v1",
		.tls_eecdh_auto_curves =
		    "X25519 prime256v1 X448 secp384r1 secp521r1",
		.tls_ffdhe_auto_groups = ""},
	    .ciphers = {.grade = "medium",
		.grade_parameter = "smtpd_tls_ciphers",
		.tls_high_cipherlist = "aNULL:-aNULL:HIGH:@STRENGTH",
		.tls_medium_cipherlist = "ECDHE:DHE:kRSA:!aNULL:!eNULL",
		.tls_null_cipherlist = "eNULL:!aNULL",
		.smtpd_tls_exclude_ciphers = "",
		.smtpd_tls_mandatory_exclude_ciphers = ""},
	    .proxy_tls_quick_key_check = true,
	    .prefer_server_ciphers = true,
	    .session_timeout_s = 3600,
	    .service = "127.0.0.1:25",
	};
}

struct tls_context *fixture_context(const char *chain_files)
{
	struct tls_context_options options = fixture_options(chain_files);
	struct tls_context *context =
	    tls_context_create(&options, &fixture_report);

	cr_assert_not_null(context, "%s", fixture_findings);
	cr_assert_str_eq(fixture_findings, "");
	return context;
}

SSL_CTX *fixture_client_ctx(int version_min, int version_max)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	cr_assert_not_null(ctx);
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_min_proto_version(ctx, version_min);
	SSL_CTX_set_max_proto_version(ctx, version_max);
	return ctx;
}

void link_open(
    struct link *link, struct tls_context *context, SSL_CTX *client_ctx)
{
	BIO *in = BIO_new(BIO_s_mem());
	BIO *out = BIO_new(BIO_s_mem());

	*link =
	    (struct link){.slice = LINK_BUFFER_SIZE, .room = TLS_WIRE_ROOM_MIN};
	link->client = SSL_new(client_ctx);
	link->server = tls_session_create(context);
	cr_assert_not_null(link->client);
	cr_assert_not_null(link->server);
	BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(link->client, in, out);
	SSL_set_connect_state(link->client);
}

void link_close(struct link *link)
{
	SSL_free(link->client);
	tls_session_destroy(&link->server);
	cr_assert_null(link->server);
}

void link_collect(struct link *link)
{
	int len;

	memmove(link->to_server, link->to_server + link->to_server_used,
	    link->to_server_len - link->to_server_used);
	link->to_server_len -= link->to_server_used;
	link->to_server_used = 0;
	len = BIO_read(SSL_get_wbio(link->client),
	    link->to_server + link->to_server_len,
	    (int)(sizeof(link->to_server) - link->to_server_len));
	if (len > 0)
		link->to_server_len += (size_t)len;
}

/* The next slice of input, and an empty output that is as small as asked for.
 */
static struct tls_wire lend_wire(struct link *link, uint8_t *out)
{
	size_t left = link->to_server_len - link->to_server_used;
	size_t len = left < link->slice ? left : link->slice;

	return (struct tls_wire){
	    .in = link->to_server + link->to_server_used,
	    .in_len = len,
	    .in_eof = link->eof && len == left,
	    .out = out,
	    .out_size = link->room,
	};
}

static void take_wire(struct link *link, const struct tls_wire *wire)
{
	cr_assert_leq(wire->in_used, wire->in_len);
	cr_assert_leq(wire->out_len, wire->out_size);
	link->to_server_used += wire->in_used;
	link->server_output_len += wire->out_len;
	if (wire->out_len > 0)
		BIO_write(
		    SSL_get_rbio(link->client), wire->out, (int)wire->out_len);
}

static bool goes_on(const struct link *link)
{
	return link->status == TLS_WANT_ROOM ||
	       (link->status == TLS_WANT_INPUT &&
		   link->to_server_used < link->to_server_len);
}

void link_serve_handshake(struct link *link)
{
	static uint8_t out[LINK_BUFFER_SIZE];

	do {
		struct tls_wire wire = lend_wire(link, out);

		link->status = tls_session_handshake(link->server, &wire);
		if (link->status == TLS_WANT_INPUT)
			cr_assert_eq(wire.in_used, wire.in_len);
		take_wire(link, &wire);
	} while (goes_on(link));
}

void link_serve_read(struct link *link)
{
	static uint8_t out[LINK_BUFFER_SIZE];

	do {
		struct tls_wire wire = lend_wire(link, out);
		size_t len = 0;

		link->status = tls_session_read(link->server, &wire,
		    link->plain + link->plain_len,
		    sizeof(link->plain) - link->plain_len, &len);
		if (len > 0)
			cr_assert(link->status == TLS_DONE ||
				  link->status == TLS_WANT_INPUT);
		link->plain_len += len;
		take_wire(link, &wire);
	} while (goes_on(link) || link->status == TLS_DONE);
}

void link_serve_write(struct link *link, const void *plain, size_t plain_len)
{
	static uint8_t out[LINK_BUFFER_SIZE];
	const uint8_t *bytes = plain;
	size_t used = 0;

	do {
		struct tls_wire wire = {.out = out, .out_size = link->room};
		size_t len = 0;

		link->status = tls_session_write(
		    link->server, &wire, bytes + used, plain_len - used, &len);
		used += len;
		take_wire(link, &wire);
	} while (link->status == TLS_WANT_ROOM);
	if (link->status == TLS_DONE)
		cr_assert_eq(used, plain_len);
}

bool link_handshake(struct link *link)
{
	bool server_is_done = false;

	/* Nobody needs more flights than this. */
	for (int flight = 0; flight < 8; flight++) {
		int result = SSL_do_handshake(link->client);
		int error = SSL_get_error(link->client, result);

		link_collect(link);
		if (!server_is_done) {
			link_serve_handshake(link);
			server_is_done = link->status == TLS_DONE;
		}
		if (link->status == TLS_FAILED)
			return false;
		if (result == 1 && server_is_done)
			return true;
		if (result != 1 && error != SSL_ERROR_WANT_READ)
			return false;
	}
	return false;
}
