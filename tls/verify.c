/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/verify.h"

#include <stdio.h>
#include <string.h>

#include <openssl/x509_vfy.h>

#include "tls/debug_tell.h"
#include "tls/handles.h"
#include "tls/slot.h"
#include "tls/trust.h"

#define DIGEST_DEFAULT "sha256"
#define NAME_SIZE      256

struct policy {
	const EVP_MD *digest;
};

static struct tls_slot policies;

static const struct policy *policy_of(const SSL *ssl)
{
	return tls_slot_get(&policies, SSL_get_SSL_CTX(ssl));
}

void tls_verdict_finish(struct tls_verdict *verdict)
{
	OPENSSL_free(verdict->issuer);
	*verdict = (struct tls_verdict){0};
}

/* Faults near the client's own certificate tell more than those of its issuers,
 * which OpenSSL finds first. */
static void note(
    struct tls_verdict *verdict, int error, int depth, const X509 *certificate)
{
	char issuer[NAME_SIZE];

	if (verdict->error != X509_V_OK && verdict->depth <= depth)
		return;
	tls_verdict_finish(verdict);
	verdict->error = error;
	verdict->depth = depth;
	if (certificate == NULL)
		return;
	X509_NAME_oneline(
	    X509_get_issuer_name(certificate), issuer, sizeof(issuer));
	verdict->issuer = OPENSSL_strdup(issuer);
}

static void tell_certificate(
    const SSL *ssl, int depth, int is_fine, const X509 *certificate)
{
	char subject[NAME_SIZE] = "<unknown>";

	if (certificate != NULL)
		X509_NAME_oneline(X509_get_subject_name(certificate), subject,
		    sizeof(subject));
	tls_debug_tell(ssl, TLS_DEBUG_VERBOSE, "depth=%d verify=%d subject=%s",
	    depth, is_fine, subject);
}

/* Lets every handshake go on: a client that is refused here may come back in
 * clear. What was wrong becomes the result of the verification, which OpenSSL
 * keeps in tickets, too. */
static int on_certificate(int is_fine, X509_STORE_CTX *store)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(
	    store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_verdict *verdict = tls_session_verdict(tls_session_of(ssl));
	const X509 *certificate = X509_STORE_CTX_get_current_cert(store);
	int depth = X509_STORE_CTX_get_error_depth(store);

	if (is_fine != 1)
		note(verdict, X509_STORE_CTX_get_error(store), depth,
		    certificate);
	X509_STORE_CTX_set_error(store, verdict->error);
	tell_certificate(ssl, depth, is_fine, certificate);
	return 1;
}

bool tls_verify_requires(const struct tls_peer_options *options)
{
	return options->is_tls_enforced && options->smtpd_tls_req_ccert;
}

bool tls_verify_asks(const struct tls_peer_options *options)
{
	return options->smtpd_tls_ask_ccert || tls_verify_requires(options);
}

static void set_digest(
    struct policy *policy, const char *name, struct tls_findings *findings)
{
	if (name == NULL || name[0] == '\0')
		name = DIGEST_DEFAULT;
	policy->digest = EVP_get_digestbyname(name);
	if (policy->digest == NULL)
		tls_findings_error(findings, "smtpd_tls_fingerprint_digest",
		    "\"%s\" is no message digest that %s knows; must be one "
		    "such as sha256",
		    name, OpenSSL_version(OPENSSL_VERSION));
}

/* A ticket stands for a client whose certificate was checked so, or not checked
 * at all: it must be of no use where another policy rules (CVE-2025-23419). */
static void identify(
    const struct tls_peer_options *options, EVP_MD_CTX *identity)
{
	char policy[64];

	snprintf(policy, sizeof(policy), "ask=%d require=%d depth=%d",
	    tls_verify_asks(options), tls_verify_requires(options),
	    options->smtpd_tls_ccert_verifydepth);
	EVP_DigestUpdate(identity, policy, strlen(policy) + 1);
}

static struct policy *add_policy(SSL_CTX *ctx, struct tls_findings *findings)
{
	struct policy *policy = OPENSSL_zalloc(sizeof(*policy));

	if (policy != NULL && tls_slot_put(&policies, ctx, policy))
		return policy;
	OPENSSL_free(policy);
	tls_findings_error(findings, "smtpd_tls_ask_ccert",
	    "OpenSSL cannot keep the policy: %s",
	    tls_findings_library_reason());
	return NULL;
}

void tls_verify_apply(SSL_CTX *ctx, const struct tls_peer_options *options,
    EVP_MD_CTX *identity, struct tls_findings *findings)
{
	struct policy *policy = add_policy(ctx, findings);

	if (policy == NULL)
		return;
	set_digest(policy, options->smtpd_tls_fingerprint_digest, findings);
	identify(options, identity);
	tls_trust_load(
	    ctx, options, tls_verify_asks(options), identity, findings);
	if (options->smtpd_tls_req_ccert && !options->is_tls_enforced)
		tls_findings_warning(findings, "smtpd_tls_req_ccert",
		    "Can't require client certs unless TLS is required: is "
		    "ignored; smtpd_tls_security_level must be encrypt, or "
		    "smtpd_tls_wrappermode yes");
	if (!tls_verify_asks(options))
		return;
	SSL_CTX_set_verify(
	    ctx, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, on_certificate);
	/* As in Postfix, where 1 is enough for an authority of CAfile. OpenSSL
	 * counts neither the client's certificate nor the one that is trusted.
	 */
	SSL_CTX_set_verify_depth(ctx, options->smtpd_tls_ccert_verifydepth + 1);
	/* Keys and digests of less than 80 bits prove no identity. */
	if (tls_verify_requires(options))
		SSL_CTX_set_security_level(ctx, 1);
}

const EVP_MD *tls_verify_apply_client(SSL_CTX *ctx,
    const struct tls_peer_options *options, bool must_match,
    struct tls_findings *findings)
{
	struct policy *policy = add_policy(ctx, findings);
	EVP_MD_CTX *unused =
	    EVP_MD_CTX_new(); /* sessions are bound to nobody */

	if (policy != NULL && unused != NULL &&
	    EVP_DigestInit_ex(unused, EVP_sha256(), NULL) == 1) {
		set_digest(
		    policy, options->smtpd_tls_fingerprint_digest, findings);
		tls_trust_load(ctx, options, false, unused, findings);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, on_certificate);
		SSL_CTX_set_verify_depth(
		    ctx, options->smtpd_tls_ccert_verifydepth + 1);
		if (must_match)
			SSL_CTX_set_security_level(ctx, 1);
	}
	EVP_MD_CTX_free(unused);
	return policy != NULL ? policy->digest : NULL;
}

const EVP_MD *tls_verify_digest(const SSL *ssl)
{
	const struct policy *policy = policy_of(ssl);

	return policy != NULL ? policy->digest : EVP_sha256();
}
