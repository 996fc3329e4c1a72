/* SPDX-License-Identifier: Apache-2.0 */
/* A server session to which anything is said. The first byte chooses the
 * listener and what the gate before EDH answers, the second how the rest is cut
 * up. After each piece it is asked all that the trunk may ask. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "tls/context.h"
#include "tls/debug.h"
#include "tls/hello.h"
#include "tls/session.h"
#include "tls/sni.h"

#define CONTEXT_COUNT 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tls_context *contexts[CONTEXT_COUNT];
static char chain[] = "/tmp/postern-fuzz-XXXXXX";
static size_t line_count;

static void tell(
    void *argument, bool is_error, const char *parameter, const char *text)
{
	(void)argument;
	if (is_error)
		fprintf(stderr, "%s: %s\n", parameter, text);
}

static void write_chain(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	FILE *file = fdopen(mkstemp(chain), "w");

	assert(file != NULL);
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

static const char *find_chain(void *argument, const char *name)
{
	(void)argument;
	if (strcmp(name, ".fails.test") == 0)
		return "";
	return strcmp(name, ".a.test") == 0 ? chain : NULL;
}

/* The first takes all that it can, and asks for certificates; with the second
 * most clients must send a second ClientHello. */
static struct tls_context *make_context(bool is_second)
{
	const struct tls_report report = {NULL, tell};
	static const char *const values[] = {chain};
	struct tls_context_options options = {
	    .smtpd_tls_chain_files = chain,
	    .smtpd_tls_cert_file = "",
	    .smtpd_tls_dcert_file = "",
	    .smtpd_tls_eccert_file = "",
	    .protocols = is_second ? "TLSv1.3" : "",
	    .protocols_parameter = "smtpd_tls_protocols",
	    .groups = {.smtpd_tls_eecdh_grade = "auto",
		.tls_eecdh_auto_curves =
		    is_second ? "X448" : "X25519 P-256 P-384",
		.tls_ffdhe_auto_groups = is_second ? "" : "ffdhe2048"},
	    .ciphers = {.grade = "medium",
		.grade_parameter = "smtpd_tls_ciphers",
		.tls_medium_cipherlist = "ALL:aNULL:eNULL",
		.smtpd_tls_exclude_ciphers = "",
		.smtpd_tls_mandatory_exclude_ciphers = ""},
	    .prefer_server_ciphers = true,
	    .smtpd_tls_dh1024_param_file = "auto",
	    .proxy_tls_quick_key_check = true,
	    .session_timeout_s = 3600,
	    .service = "fuzz",
	    .peer = {.smtpd_tls_ask_ccert = is_second,
		.smtpd_tls_ccert_verifydepth = 9},
	    .sni = {find_chain, NULL, values, 1},
	};
	struct tls_context *context = tls_context_create(&options, &report);

	assert(context != NULL);
	return context;
}

static enum tls_edh_verdict answer(void *argument, bool client_can_do_ecdhe)
{
	static const enum tls_edh_verdict verdicts[] = {
	    TLS_EDH_ALLOW, TLS_EDH_WITHOUT, TLS_EDH_WAIT, TLS_EDH_REFUSE};
	unsigned *seed = argument;
	enum tls_edh_verdict verdict = verdicts[*seed & 3];

	(void)client_can_do_ecdhe;
	*seed >>= 2;
	return verdict;
}

static void count_line(void *argument, const char *line)
{
	(void)argument;
	assert(strlen(line) < 4096);
	line_count++;
}

static void ask(const struct tls_session *session)
{
	const struct tls_client_offer *offer =
	    tls_session_client_offer(session);
	char note[512];

	tls_session_does_edh(session);
	assert(!offer->is_known || offer->version != NULL);
	tls_session_asked_name(session);
	tls_sni_note(session, "peer", note, sizeof(note));
	assert(tls_fault_word(tls_session_fault(session)) != NULL);
	assert(tls_session_library_errors(session) != NULL);
	assert(tls_session_alert(session) >= -1);
}

static enum tls_status step(struct tls_session *session, const uint8_t *bytes,
    size_t len, bool is_last, size_t *used_out)
{
	static uint8_t out[TLS_WIRE_ROOM_MIN];
	struct tls_wire wire = {.in = bytes,
	    .in_len = len,
	    .in_eof = is_last,
	    .out = out,
	    .out_size = sizeof(out)};
	enum tls_status status = tls_session_handshake(session, &wire);

	assert(wire.in_used <= wire.in_len);
	assert(wire.out_len <= wire.out_size);
	assert(status != TLS_WANT_ROOM && status != TLS_CLOSED);
	ask(session);
	*used_out = wire.in_used;
	return status;
}

static void talk(struct tls_session *session, const uint8_t *data, size_t size,
    size_t piece_size)
{
	enum tls_status status = TLS_WANT_INPUT;
	unsigned waits = 0;

	while (size > 0 && (status == TLS_WANT_INPUT || status == TLS_WAIT)) {
		size_t len = size < piece_size ? size : piece_size;
		size_t used;

		status = step(session, data, len, len == size, &used);
		/* The gate's seed runs out of WAITs. */
		assert(status != TLS_WAIT || ++waits < 64);
		assert(status != TLS_WANT_INPUT || used == len);
		data += used;
		size -= used;
	}
	while (status == TLS_WAIT) {
		size_t used;

		assert(++waits < 64);
		status = step(session, data, 0, true, &used);
	}
}

static void set_up(void)
{
	write_chain();
	for (int i = 0; i < CONTEXT_COUNT; i++)
		contexts[i] = make_context(i == 1);
	unlink(chain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_session *session;
	unsigned seed;
	const struct tls_edh_gate gate = {&seed, answer};
	const struct tls_debug_options debug = {
	    .topics = 0x1f, .peer = "peer", .number = 1, .tell = count_line};

	if (contexts[0] == NULL)
		set_up();
	if (size < 2)
		return 0;
	seed = data[0] >> 1;
	session = tls_session_create(contexts[data[0] & 1]);
	assert(session != NULL);
	tls_session_set_edh_gate(session, &gate);
	tls_debug_begin(session, &debug);
	ask(session);
	talk(session, data + 2, size - 2, (size_t)data[1] + 1);
	ask(session);
	tls_session_destroy(&session);
	return 0;
}
