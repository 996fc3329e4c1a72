/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/client.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/algorithms.h"
#include "tls/anchors.h"
#include "tls/certificates.h"
#include "tls/client_dane.h"
#include "tls/client_match.h"
#include "tls/findings.h"
#include "tls/handles.h"
#include "tls/invariants.h"
#include "tls/keylog.h"
#include "tls/library.h"
#include "tls/peer.h"
#include "tls/slot.h"
#include "tls/sni.h"
#include "tls/verify.h"

struct tls_client {
	SSL_CTX *ctx;
};

/* Belongs to the SSL_CTX, which sessions keep when the client goes. */
struct policy {
	enum tls_client_level level;
	struct tls_client_match match;
	struct tls_client_dane dane;
	struct tls_anchors anchors;
	char *servername; /* NULL: none */
	int session_timeout_s;
	bool resumes_13_only;
	/* The last one, from which the next may go on. It is of this policy and
	 * no other's: what was not verified never passes for verified. */
	SSL_SESSION *session;
};

static void destroy_policy(void *thing)
{
	struct policy *policy = thing;

	tls_client_match_finish(&policy->match);
	tls_anchors_finish(&policy->anchors);
	SSL_SESSION_free(policy->session);
	OPENSSL_free(policy->servername);
	OPENSSL_free(policy);
}

static struct tls_slot policies = {.destroy = destroy_policy};

static struct policy *policy_of(const SSL *ssl)
{
	return tls_slot_get(&policies, SSL_get_SSL_CTX(ssl));
}

static struct policy *add_policy(SSL_CTX *ctx)
{
	struct policy *policy = OPENSSL_zalloc(sizeof(*policy));

	if (policy != NULL && tls_slot_put(&policies, ctx, policy))
		return policy;
	OPENSSL_free(policy);
	return NULL;
}

static bool chain_is_trusted(const SSL *ssl)
{
	return SSL_get0_peer_certificate(ssl) != NULL &&
	       SSL_get_verify_result(ssl) == X509_V_OK;
}

static bool is_satisfied(const SSL *ssl, char *text_out)
{
	const struct policy *policy = policy_of(ssl);

	switch (policy->level) {
	case TLS_CLIENT_MAY:
	case TLS_CLIENT_ENCRYPT:
		return true;
	case TLS_CLIENT_DANE:
		return tls_client_dane_is_matched(ssl);
	case TLS_CLIENT_VERIFY:
	case TLS_CLIENT_SECURE:
		if (!chain_is_trusted(ssl))
			return false;
		break;
	case TLS_CLIENT_FINGERPRINT:
		break;
	}
	return tls_client_match_find(
	    &policy->match, SSL_get0_peer_certificate(ssl), text_out);
}

/* TLS 1.3 sends tickets behind the handshake: the last one counts. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct policy *policy = policy_of(ssl);

	if (!is_satisfied(ssl, NULL) ||
	    (policy->level == TLS_CLIENT_DANE &&
		!tls_client_dane_is_current(&policy->dane, ssl)) ||
	    (policy->resumes_13_only && SSL_version(ssl) != TLS1_3_VERSION))
		return 0;
	SSL_SESSION_free(policy->session);
	policy->session = session; /* its reference is ours now */
	return 1;
}

static void set_resumption(SSL_CTX *ctx,
    const struct tls_client_options *options, struct policy *policy)
{
	int timeout_s = options->shared.session_timeout_s;

	policy->session_timeout_s = timeout_s;
	/* TLS 1.2 resumes without a fresh exchange. */
	policy->resumes_13_only = options->shared.ciphers.forward_secrecy ==
				  TLS_FORWARD_SECRECY_REQUIRE;
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (timeout_s <= 0)
		return;
	SSL_CTX_set_session_cache_mode(
	    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_new_session);
}

static bool has_certificate(const struct tls_context_options *options)
{
	return options->smtpd_tls_chain_files[0] != '\0' ||
	       options->smtpd_tls_cert_file[0] != '\0' ||
	       options->smtpd_tls_dcert_file[0] != '\0' ||
	       options->smtpd_tls_eccert_file[0] != '\0';
}

static void set_certificates(SSL_CTX *ctx,
    const struct tls_client_options *options, struct tls_findings *findings)
{
	EVP_MD_CTX *unused =
	    EVP_MD_CTX_new(); /* sessions are bound to nobody */

	if (has_certificate(&options->shared) && unused != NULL &&
	    EVP_DigestInit_ex(unused, EVP_sha256(), NULL) == 1)
		tls_certificates_load(ctx, &options->shared, unused, findings);
	EVP_MD_CTX_free(unused);
}

static void set_servername(struct policy *policy,
    const struct tls_client_options *options, struct tls_findings *findings)
{
	const char *name = options->servername;

	if (name == NULL || name[0] == '\0')
		return;
	if (!tls_sni_is_host_name(name, strlen(name))) {
		tls_findings_error(findings, "smtp_tls_servername",
		    "\"%s\" is no host name; must be one, or \"hostname\" or "
		    "\"nexthop\"",
		    name);
		return;
	}
	policy->servername = OPENSSL_strdup(name);
}

static void set_peer(SSL_CTX *ctx, const struct tls_client_options *options,
    struct policy *policy, struct tls_findings *findings)
{
	struct tls_peer_options peer = options->shared.peer;
	const char *anchors = options->smtp_tls_trust_anchor_file;
	bool has_anchors = anchors != NULL && anchors[0] != '\0' &&
			   options->level != TLS_CLIENT_DANE;
	const EVP_MD *digest;

	if (has_anchors) {
		tls_anchors_load(&policy->anchors, anchors,
		    options->trust_anchor_parameter, findings);
		SSL_CTX_dane_enable(ctx);
		peer.smtpd_tls_CAfile = peer.smtpd_tls_CApath = "";
		peer.tls_append_default_CA = false;
	}
	digest = tls_verify_apply_client(
	    ctx, &peer, tls_client_level_must_match(options->level), findings);
	if (digest != NULL)
		tls_client_match_init(
		    &policy->match, options, digest, findings);
	policy->dane.name_flags = policy->match.name_flags;
	if (options->level == TLS_CLIENT_DANE)
		tls_client_dane_init(ctx, options->tls_dane_digests, findings);
}

static void apply(SSL_CTX *ctx, const struct tls_library *library,
    const struct tls_client_options *options, struct tls_findings *findings)
{
	struct tls_exchange_policy exchange;
	struct policy *policy = add_policy(ctx);

	if (policy == NULL) {
		tls_findings_error(findings, options->match_parameter,
		    "there is no memory for the policy");
		return;
	}
	policy->level = options->level;
	tls_invariants_apply(ctx, &options->shared, findings);
	tls_algorithms_apply(
	    ctx, library, &options->shared, &exchange, findings);
	/* It is for us alone whether we resume; a server that is told so in its
	 * answer would be taken for a faulty one. */
	exchange.no_old_resumption = false;
	if (!tls_exchange_apply(ctx, &exchange))
		tls_findings_error(findings, options->match_parameter,
		    "there is no memory for it");
	set_certificates(ctx, options, findings);
	set_peer(ctx, options, policy, findings);
	set_servername(policy, options, findings);
	set_resumption(ctx, options, policy);
	tls_keylog_apply(ctx, options->shared.proxy_tls_keylog_file, findings);
}

static SSL_CTX *make_handle(const struct tls_library *library)
{
	return SSL_CTX_new_ex(
	    library->handle, library->query, TLS_client_method());
}

/* What both sides have, as this side means it. */
static struct tls_client_options adapt(const struct tls_client_options *options)
{
	struct tls_client_options adapted = *options;
	struct tls_context_options *shared = &adapted.shared;

	shared->proxy_tls_quick_key_check = false;
	shared->prefer_server_ciphers = false;
	/* Whoever must be someone cannot be anonymous. */
	shared->ciphers.also_excluded =
	    tls_client_level_must_match(options->level) ? "aNULL"
	    : options->level == TLS_CLIENT_ENCRYPT	? "eNULL"
							: NULL;
	shared->peer.smtpd_tls_ask_ccert = false;
	shared->peer.smtpd_tls_req_ccert = false;
	return adapted;
}

struct tls_client *tls_client_create(
    const struct tls_client_options *options, const struct tls_report *report)
{
	struct tls_findings findings = {.report = report, .is_client = true};
	struct tls_client_options adapted = adapt(options);
	const struct tls_library *library =
	    tls_library_find(&adapted.shared, &findings);
	struct tls_client *client;

	if (library == NULL)
		return NULL;
	client = OPENSSL_zalloc(sizeof(*client));
	if (client != NULL)
		client->ctx = make_handle(library);
	if (client != NULL && client->ctx != NULL)
		apply(client->ctx, library, &adapted, &findings);
	else
		tls_findings_error(&findings, options->match_parameter,
		    "OpenSSL cannot make a context: %s",
		    tls_findings_library_reason());
	ERR_clear_error();
	if (findings.failed && client != NULL)
		tls_client_destroy(&client);
	return client;
}

void tls_client_destroy(struct tls_client **client)
{
	if (*client == NULL)
		return;
	SSL_CTX_free((*client)->ctx);
	OPENSSL_free(*client);
	*client = NULL;
}

/* What OpenSSL does not look at before it offers a session of TLS 1.2. */
static bool is_fresh(const struct policy *policy)
{
	time_t age = time(NULL) - SSL_SESSION_get_time(policy->session);

	return age >= 0 && age < policy->session_timeout_s &&
	       SSL_SESSION_is_resumable(policy->session) == 1;
}

static void forget(struct policy *policy)
{
	SSL_SESSION_free(policy->session);
	policy->session = NULL;
}

static bool prepare(SSL *ssl, const struct tls_dane *dane)
{
	struct policy *policy = policy_of(ssl);

	SSL_set_connect_state(ssl);
	if (dane != NULL) {
		if (tls_client_dane_apply(dane, policy->dane.name_flags, ssl) <=
		    0)
			return false;
		if (!tls_client_dane_note(&policy->dane, dane, ssl))
			forget(policy);
	} else if (!tls_anchors_apply(&policy->anchors, ssl)) {
		return false;
	}
	if (dane == NULL && policy->servername != NULL &&
	    SSL_set_tlsext_host_name(ssl, policy->servername) != 1)
		return false;
	if (policy->session == NULL)
		return true;
	if (!is_fresh(policy)) {
		forget(policy);
		return true;
	}
	return SSL_set_session(ssl, policy->session) == 1;
}

static struct tls_session *create_session(
    const struct tls_client *client, const struct tls_dane *dane)
{
	struct tls_session *session = tls_session_create_over(client->ctx);

	if (session != NULL && !prepare(tls_session_handle(session), dane))
		tls_session_destroy(&session);
	ERR_clear_error();
	return session;
}

struct tls_session *tls_client_session_create(const struct tls_client *client)
{
	return create_session(client, NULL);
}

struct tls_session *tls_dane_session_create(
    const struct tls_client *client, const struct tls_dane *dane)
{
	return create_session(client, dane);
}

size_t tls_dane_usable(
    const struct tls_client *client, const struct tls_dane *dane)
{
	const struct policy *policy = tls_slot_get(&policies, client->ctx);
	SSL *ssl = SSL_new(client->ctx);
	int count = ssl == NULL ? 0
				: tls_client_dane_apply(
				      dane, policy->dane.name_flags, ssl);

	SSL_free(ssl);
	ERR_clear_error();
	return count > 0 ? (size_t)count : 0;
}

void tls_client_forget_session(const struct tls_client *client)
{
	forget(tls_slot_get(&policies, client->ctx));
}

bool tls_client_limit_signatures(
    const struct tls_client *client, const char *algorithms)
{
	bool done = SSL_CTX_set1_sigalgs_list(client->ctx, algorithms) == 1;

	ERR_clear_error();
	return done;
}

struct tls_client_memory tls_client_memory(const struct tls_client *client)
{
	const struct policy *policy = tls_slot_get(&policies, client->ctx);
	const SSL_SESSION *session = policy->session;

	if (session == NULL || SSL_SESSION_is_resumable(session) != 1)
		return (struct tls_client_memory){0};
	return (struct tls_client_memory){
	    .is_there = true,
	    .is_ticket = SSL_SESSION_has_ticket(session) == 1,
	    .lifetime_s = SSL_SESSION_get_ticket_lifetime_hint(session),
	};
}

bool tls_client_is_satisfied(const struct tls_session *session)
{
	return is_satisfied(tls_session_handle(session), NULL);
}

enum tls_trust tls_client_trust(const struct tls_session *session)
{
	const SSL *ssl = tls_session_handle(session);
	const struct policy *policy = policy_of(ssl);

	if (tls_client_level_must_match(policy->level) &&
	    is_satisfied(ssl, NULL))
		return TLS_VERIFIED;
	/* Nobody asked for a chain where fingerprints or records rule. */
	if (policy->level == TLS_CLIENT_FINGERPRINT ||
	    policy->level == TLS_CLIENT_DANE || !chain_is_trusted(ssl))
		return TLS_UNTRUSTED;
	return TLS_TRUSTED;
}

/* The length of what snprintf() left in out. */
static size_t written(int len, size_t out_size)
{
	if (len < 0 || out_size == 0)
		return 0;
	return (size_t)len < out_size ? (size_t)len : out_size - 1;
}

size_t tls_client_verdict_line(const struct tls_session *session,
    const char *peer, char *out, size_t out_size)
{
	const SSL *ssl = tls_session_handle(session);
	enum tls_client_level level = policy_of(ssl)->level;
	/* The records of DANE are the business of OpenSSL, which tells of them
	 * as of chains. */
	bool by_fingerprint =
	    level == TLS_CLIENT_FINGERPRINT ||
	    (level == TLS_CLIENT_DANE &&
		SSL_get_verify_result(ssl) == X509_V_ERR_DANE_NO_MATCH);
	/* Fingerprints are records of DANE to Postfix. */
	int error = by_fingerprint ? X509_V_ERR_DANE_NO_MATCH
				   : X509_V_ERR_HOSTNAME_MISMATCH;

	if (!by_fingerprint && !chain_is_trusted(ssl))
		return tls_peer_verdict_line(session, peer, out, out_size);
	if (out_size > 0)
		out[0] = '\0';
	if (is_satisfied(ssl, NULL))
		return 0;
	return written(
	    snprintf(out, out_size,
		"%s certificate verification failed for %s: "
		"num=%d:%s",
		level == TLS_CLIENT_DANE ? tls_client_dane_failed(ssl)
					 : "server",
		peer, error, X509_verify_cert_error_string(error)),
	    out_size);
}

size_t tls_client_name_line(const struct tls_session *session, const char *peer,
    char *out, size_t out_size)
{
	const SSL *ssl = tls_session_handle(session);
	/* OpenSSL has one where it was to match, and did. */
	const char *name = SSL_get0_peername((SSL *)ssl);

	if (out_size > 0)
		out[0] = '\0';
	if (policy_of(ssl)->level != TLS_CLIENT_DANE || name == NULL ||
	    !is_satisfied(ssl, NULL))
		return 0;
	return written(
	    snprintf(out, out_size, "%s: matched peername: %s", peer, name),
	    out_size);
}

size_t tls_client_match_line(const struct tls_session *session,
    const char *peer, char *out, size_t out_size)
{
	const SSL *ssl = tls_session_handle(session);
	enum tls_client_level level = policy_of(ssl)->level;
	char text[TLS_CLIENT_MATCH_TEXT_SIZE];

	if (out_size > 0)
		out[0] = '\0';
	if (!tls_client_level_must_match(level) || !is_satisfied(ssl, text))
		return 0;
	if (level == TLS_CLIENT_DANE)
		return tls_client_dane_match_line(ssl, peer, out, out_size);
	return written(
	    snprintf(out, out_size, "%s: %s: %s", peer,
		level == TLS_CLIENT_FINGERPRINT ? "Matched fingerprint"
						: "matched peername",
		text),
	    out_size);
}

SSL_CTX *tls_client_handle(const struct tls_client *client)
{
	return client->ctx;
}
