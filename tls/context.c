/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/context.h"

#include <assert.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "tls/algorithms.h"
#include "tls/certificates.h"
#include "tls/chains.h"
#include "tls/client_hello.h"
#include "tls/findings.h"
#include "tls/handles.h"
#include "tls/keylog.h"
#include "tls/library.h"
#include "tls/options.h"
#include "tls/tickets.h"
#include "tls/verify.h"

struct tls_context {
	SSL_CTX *ctx;
};

/* What holds for all contexts, whatever the operator wrote. */
static void set_invariants(SSL_CTX *ctx)
{
	/* Debian's configuration of OpenSSL sets level 2, which would refuse in
	 * silence what protocols, ciphers and groups allow: TLS 1.0 needs level
	 * 0 (its handshake signs SHA-1), and so do primes of 1024 bits. With
	 * STARTTLS a refused handshake often means that the mail comes in clear
	 * (RFC 7435). First of all, since loading checks keys against it. */
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_options(
	    ctx, SSL_OP_ALL | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		     SSL_OP_SINGLE_DH_USE | SSL_OP_SINGLE_ECDH_USE);
	/* An end without close_notify is a fault of its own (truncation), so
	 * OpenSSL must not hide it from us, whatever its configuration says. */
	SSL_CTX_clear_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* Buffers only while they have bytes in them: most sessions idle. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
				  SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	/* Early data can be replayed (RFC 8446, 8): no MAIL twice. */
	SSL_CTX_set_max_early_data(ctx, 0);
	/* A resumed session has keys of its own (psk_dhe_ke), whatever the
	 * configuration of OpenSSL says. */
	SSL_CTX_clear_options(ctx, SSL_OP_ALLOW_NO_DHE_KEX);
}

/* A ticket holds the session id context of the session that it stands for, and
 * OpenSSL resumes it under no other. */
static void bind_sessions(SSL_CTX *ctx, EVP_MD_CTX *identity,
    unsigned char context_out[SHA256_DIGEST_LENGTH])
{
	unsigned len = 0;

	EVP_DigestFinal_ex(identity, context_out, &len);
	assert(len == SHA256_DIGEST_LENGTH);
	SSL_CTX_set_session_id_context(ctx, context_out, len);
}

/* What the operator adds to the options of OpenSSL. */
static void set_options(
    SSL_CTX *ctx, const char *list, struct tls_findings *findings)
{
	struct tls_options options;
	char bad[64];

	if (list == NULL)
		return;
	if (!tls_options_parse(list, &options, bad, sizeof(bad))) {
		tls_findings_error(findings, "tls_ssl_options",
		    "\"%s\" is no option; must be names such as NO_TICKET, or "
		    "a mask such as 0x4000",
		    bad);
		return;
	}
	if (options.refused != 0)
		tls_findings_warning(findings, "tls_ssl_options",
		    "0x%llx is ignored: other parameters rule these bits, or "
		    "sessions would be unsafe with them",
		    (unsigned long long)options.refused);
	SSL_CTX_set_options(ctx, options.bits);
}

/* What he takes from them. */
static void clear_workarounds(
    SSL_CTX *ctx, const char *list, struct tls_findings *findings)
{
	struct tls_options options;
	char bad[64];

	if (list == NULL)
		return;
	if (tls_options_parse_workarounds(list, &options, bad, sizeof(bad)))
		SSL_CTX_clear_options(ctx, options.bits);
	else
		tls_findings_error(findings, "tls_disable_workarounds",
		    "\"%s\" is no workaround; must be names such as "
		    "TLSEXT_PADDING, or a mask such as 0x10",
		    bad);
}

static void set_certificates(SSL_CTX *ctx,
    const struct tls_context_options *options, struct tls_findings *findings)
{
	unsigned char session_context[SHA256_DIGEST_LENGTH];
	EVP_MD_CTX *identity = EVP_MD_CTX_new();

	if (identity == NULL ||
	    EVP_DigestInit_ex(identity, EVP_sha256(), NULL) != 1) {
		tls_findings_error(findings, "smtpd_tls_chain_files",
		    "OpenSSL cannot compute SHA-256: %s",
		    tls_findings_library_reason());
		EVP_MD_CTX_free(identity);
		return;
	}
	/* With its NUL, so that no certificate continues the name. */
	EVP_DigestUpdate(
	    identity, options->service, strlen(options->service) + 1);
	tls_certificates_load(ctx, options, identity, findings);
	if (tls_certificates_unwanted(options) &&
	    tls_verify_asks(&options->peer))
		tls_findings_error(findings, "smtpd_tls_ask_ccert",
		    "Need a server cert to request client certs: "
		    "smtpd_tls_cert_file must be a PEM file");
	tls_verify_apply(ctx, &options->peer, identity, findings);
	bind_sessions(ctx, identity, session_context);
	EVP_MD_CTX_free(identity);
	tls_chains_apply(ctx, &options->sni, session_context, findings);
}

static SSL_CTX *make_handle(const struct tls_library *library)
{
	return SSL_CTX_new_ex(
	    library->handle, library->query, TLS_server_method());
}

/* The order matters: keys are checked against the security level, the prime
 * follows the certificates, tickets know whom they are bound to. */
static void apply(SSL_CTX *ctx, const struct tls_library *library,
    const struct tls_context_options *options, struct tls_findings *findings)
{
	struct tls_exchange_policy policy;

	set_invariants(ctx);
	set_options(ctx, options->tls_ssl_options, findings);
	clear_workarounds(ctx, options->tls_disable_workarounds, findings);
	tls_algorithms_apply(ctx, library, options, &policy, findings);
	set_certificates(ctx, options, findings);
	tls_algorithms_finish(ctx, library, options, &policy, findings);
	tls_tickets_apply(ctx, options, findings);
	tls_client_hello_watch(ctx);
	tls_keylog_apply(ctx, options->proxy_tls_keylog_file, findings);
}

struct tls_context *tls_context_create(
    const struct tls_context_options *options, const struct tls_report *report)
{
	struct tls_findings findings = {report, false};
	const struct tls_library *library =
	    tls_library_find(options, &findings);
	struct tls_context *context;

	if (library == NULL)
		return NULL;
	context = OPENSSL_zalloc(sizeof(*context));
	if (context != NULL)
		context->ctx = make_handle(library);
	if (context != NULL && context->ctx != NULL)
		apply(context->ctx, library, options, &findings);
	else
		tls_findings_error(&findings, options->protocols_parameter,
		    "OpenSSL cannot make a context: %s",
		    tls_findings_library_reason());
	ERR_clear_error();
	if (findings.failed)
		tls_context_destroy(&context);
	return context;
}

void tls_context_destroy(struct tls_context **context)
{
	if (*context == NULL)
		return;
	SSL_CTX_free((*context)->ctx);
	OPENSSL_free(*context);
	*context = NULL;
}

SSL_CTX *tls_context_handle(const struct tls_context *context)
{
	return context->ctx;
}

const char *tls_library_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}
