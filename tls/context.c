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
#include "tls/invariants.h"
#include "tls/keylog.h"
#include "tls/library.h"
#include "tls/tickets.h"
#include "tls/verify.h"

struct tls_context {
	SSL_CTX *ctx;
};

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

	tls_invariants_apply(ctx, options, findings);
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
	struct tls_findings findings = {.report = report};
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
