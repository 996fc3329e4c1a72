/* SPDX-License-Identifier: Apache-2.0 */
/* What does a handshake cost the server, with the quick check of tls/ and
 * without it? Client and server are joined in memory, so that the network's
 * cost is not in the figure; only the server's calls are timed, by the CPU
 * clock of this thread. The two ways take turns, and each figure is the median
 * of the rounds.
 *
 * handshake_cost [ROUNDS [HANDSHAKES_PER_ROUND]] */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tls/context.h"
#include "tls/dh_generate.h"
#include "tls/session.h"

#define ROUNDS_DEFAULT	   5
#define ROUNDS_MAX	   101
#define HANDSHAKES_DEFAULT 100
#define WIRE_SIZE	   65536
#define PATH_SIZE	   256

/* One kind of handshake; always TLS 1.2 and an RSA-2048 key. */
struct cell {
	const char *name;
	const char *suite, *group; /* that the client offers */
	const char *dh_group;	   /* OpenSSL's name; "custom": a new prime */
};

static const struct cell cells[] = {
    {"EDH ffdhe2048", "DHE-RSA-AES128-GCM-SHA256", "X25519", "ffdhe2048"},
    {"EDH own 2048-bit prime", "DHE-RSA-AES128-GCM-SHA256", "X25519", "custom"},
    {"EDH ffdhe3072", "DHE-RSA-AES128-GCM-SHA256", "X25519", "ffdhe3072"},
    {"EECDH P-256", "ECDHE-RSA-AES128-GCM-SHA256", "P-256", "ffdhe2048"},
    {"EECDH P-384", "ECDHE-RSA-AES128-GCM-SHA256", "P-384", "ffdhe2048"},
    {"EECDH X25519", "ECDHE-RSA-AES128-GCM-SHA256", "X25519", "ffdhe2048"},
};
#define CELL_COUNT (sizeof(cells) / sizeof(cells[0]))

static char directory[PATH_SIZE];

static void fail(const char *what)
{
	fprintf(stderr, "handshake_cost: %s\n", what);
	exit(1);
}

static void tell(
    void *argument, bool is_error, const char *parameter, const char *text)
{
	(void)argument;
	if (is_error)
		fprintf(stderr, "handshake_cost: %s: %s\n", parameter, text);
}

static FILE *create(const char *name, char path_out[PATH_SIZE])
{
	FILE *file;

	snprintf(path_out, PATH_SIZE, "%.200s/%.40s", directory, name);
	file = fopen(path_out, "w");
	if (file == NULL)
		fail("cannot write to the temporary directory");
	return file;
}

static void write_chain(char path_out[PATH_SIZE])
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	X509 *certificate = X509_new();
	FILE *file = create("chain.pem", path_out);

	if (key == NULL || certificate == NULL)
		fail("cannot make a key");
	X509_set_version(certificate, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	X509_set_pubkey(certificate, key);
	X509_sign(certificate, key, EVP_sha256());
	PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	PEM_write_X509(file, certificate);
	fclose(file);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static bool show_progress(void *argument, enum tls_dh_progress progress)
{
	(void)argument;
	if (progress == TLS_DH_FOUND)
		fputc('.', stderr);
	return true;
}

static void write_custom_prime(FILE *file)
{
	const struct tls_dh_watch watch = {.tell = show_progress};
	size_t len = 0;
	char *pem;

	fputs("making a prime ", stderr);
	pem = tls_dh_generate(2048, &watch, &len);
	if (pem == NULL)
		fail("cannot make a prime");
	fputc('\n', stderr);
	fwrite(pem, 1, len, file);
	free(pem);
}

static void write_parameters(FILE *file, const EVP_PKEY *parameters)
{
	BIO *bio = BIO_new_fp(file, BIO_NOCLOSE);

	if (bio == NULL || PEM_write_bio_Parameters(bio, parameters) != 1)
		fail("cannot write DH parameters");
	BIO_free(bio);
}

static void write_named_group(FILE *file, const char *name)
{
	EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	EVP_PKEY *parameters = NULL;

	if (maker == NULL || EVP_PKEY_paramgen_init(maker) != 1 ||
	    EVP_PKEY_CTX_set_group_name(maker, name) != 1 ||
	    EVP_PKEY_paramgen(maker, &parameters) != 1)
		fail("cannot make a named group");
	write_parameters(file, parameters);
	EVP_PKEY_free(parameters);
	EVP_PKEY_CTX_free(maker);
}

static struct tls_context *make_context(
    const char *chain, const char *dh_file, bool quick)
{
	const struct tls_report report = {.tell = tell};
	const struct tls_context_options options = {
	    .smtpd_tls_chain_files = chain,
	    .smtpd_tls_cert_file = "",
	    .smtpd_tls_key_file = "",
	    .smtpd_tls_dcert_file = "",
	    .smtpd_tls_dkey_file = "",
	    .smtpd_tls_eccert_file = "",
	    .smtpd_tls_eckey_file = "",
	    .protocols = "TLSv1.2",
	    .protocols_parameter = "smtpd_tls_protocols",
	    .groups = {.smtpd_tls_eecdh_grade = "auto",
		.tls_eecdh_auto_curves = "X25519 P-256 P-384",
		.tls_ffdhe_auto_groups = ""},
	    .ciphers = {.grade = "high",
		.grade_parameter = "smtpd_tls_ciphers",
		.tls_high_cipherlist = "HIGH",
		.tls_medium_cipherlist = "",
		.tls_null_cipherlist = "",
		.smtpd_tls_exclude_ciphers = "aNULL",
		.smtpd_tls_mandatory_exclude_ciphers = ""},
	    .prefer_server_ciphers = true,
	    .smtpd_tls_dh1024_param_file = dh_file,
	    .proxy_tls_quick_key_check = quick,
	    .service = "bench",
	};
	struct tls_context *context = tls_context_create(&options, &report);

	if (context == NULL)
		fail("cannot make a context");
	return context;
}

static SSL_CTX *make_client(const struct cell *cell)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL || SSL_CTX_set_cipher_list(ctx, cell->suite) != 1 ||
	    SSL_CTX_set1_groups_list(ctx, cell->group) != 1)
		fail("cannot make a client");
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	return ctx;
}

static double cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Returns the server's microseconds. */
static double shake_hands(struct tls_context *context, SSL_CTX *client_ctx)
{
	static uint8_t to_server[WIRE_SIZE];
	static uint8_t to_client[WIRE_SIZE];
	double begin = cpu_us();
	struct tls_session *server = tls_session_create(context);
	double total = cpu_us() - begin;
	SSL *client = SSL_new(client_ctx);
	BIO *in = BIO_new(BIO_s_mem());
	BIO *out = BIO_new(BIO_s_mem());
	enum tls_status status = TLS_WANT_INPUT;

	SSL_set_bio(client, in, out);
	SSL_set_connect_state(client);
	while (status == TLS_WANT_INPUT) {
		struct tls_wire wire = {
		    .in = to_server, .out = to_client, .out_size = WIRE_SIZE};
		int len;

		SSL_do_handshake(client);
		len = BIO_read(out, to_server, WIRE_SIZE);
		wire.in_len = len > 0 ? (size_t)len : 0;
		begin = cpu_us();
		status = tls_session_handshake(server, &wire);
		total += cpu_us() - begin;
		BIO_write(in, to_client, (int)wire.out_len);
	}
	if (status != TLS_DONE || SSL_do_handshake(client) != 1)
		fail("a handshake failed");
	begin = cpu_us();
	tls_session_destroy(&server);
	total += cpu_us() - begin;
	SSL_free(client);
	return total;
}

/* The two take turns, so that what else the machine does meets both. */
static void run_round(struct tls_context *const contexts[2],
    SSL_CTX *client_ctx, int handshake_count, double us_out[2])
{
	us_out[0] = 0;
	us_out[1] = 0;
	for (int i = 0; i < handshake_count; i++)
		for (int j = 0; j < 2; j++)
			us_out[j] += shake_hands(contexts[j], client_ctx) /
				     handshake_count;
}

static int compare(const void *left, const void *right)
{
	double difference = *(const double *)left - *(const double *)right;

	return (difference > 0) - (difference < 0);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), compare);
	return values[count / 2];
}

static void measure(const struct cell *cell, const char *chain,
    const char *dh_file, int round_count, int handshake_count)
{
	struct tls_context *contexts[2] = {make_context(chain, dh_file, false),
	    make_context(chain, dh_file, true)};
	SSL_CTX *client_ctx = make_client(cell);
	double plain_us[ROUNDS_MAX];
	double quick_us[ROUNDS_MAX];
	double ratio[ROUNDS_MAX];
	double us[2];

	/* What OpenSSL keeps after a first time. */
	run_round(contexts, client_ctx, 1, us);
	for (int i = 0; i < round_count; i++) {
		run_round(contexts, client_ctx, handshake_count, us);
		plain_us[i] = us[0];
		quick_us[i] = us[1];
		ratio[i] = us[1] / us[0];
	}
	printf("%-24s %10.0f %10.0f %8.2f\n", cell->name,
	    median(plain_us, round_count), median(quick_us, round_count),
	    median(ratio, round_count));
	fflush(stdout);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&contexts[0]);
	tls_context_destroy(&contexts[1]);
}

static void measure_all(int round_count, int handshake_count)
{
	char chain[PATH_SIZE];
	char dh_files[CELL_COUNT][PATH_SIZE];

	write_chain(chain);
	printf("%s, TLS 1.2, RSA-2048, server's CPU in us per handshake\n",
	    tls_library_version());
	printf("%-24s %10s %10s %8s\n", "", "plain", "quick", "ratio");
	for (size_t i = 0; i < CELL_COUNT; i++) {
		FILE *file;
		char name[16];

		snprintf(name, sizeof(name), "dh%zu.pem", i);
		file = create(name, dh_files[i]);
		if (strcmp(cells[i].dh_group, "custom") == 0)
			write_custom_prime(file);
		else
			write_named_group(file, cells[i].dh_group);
		fclose(file);
		measure(&cells[i], chain, dh_files[i], round_count,
		    handshake_count);
		unlink(dh_files[i]);
	}
	unlink(chain);
}

int main(int argc, char **argv)
{
	const char *base = getenv("TMPDIR");
	int round_count = argc > 1 ? atoi(argv[1]) : ROUNDS_DEFAULT;
	int handshake_count = argc > 2 ? atoi(argv[2]) : HANDSHAKES_DEFAULT;

	if (round_count < 1 || round_count > ROUNDS_MAX || handshake_count < 1)
		fail("usage: handshake_cost [ROUNDS [HANDSHAKES_PER_ROUND]]");
	snprintf(directory, sizeof(directory), "%.180s/handshake-cost-XXXXXX",
	    base != NULL ? base : "/tmp");
	if (mkdtemp(directory) == NULL)
		fail("cannot make a temporary directory");
	measure_all(round_count, handshake_count);
	rmdir(directory);
	return 0;
}
