/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/algorithms.h"

#include "tls/certificates.h"
#include "tls/ciphers.h"
#include "tls/dh.h"
#include "tls/groups.h"
#include "tls/protocols.h"
#include "tls/verify.h"

static bool allows_any(const struct tls_protocols *protocols, int ceiling)
{
	for (int version = TLS1_VERSION; version <= ceiling; version++)
		if (tls_protocols_allow(protocols, version))
			return true;
	return false;
}

static void set_protocols(SSL_CTX *ctx,
    const struct tls_context_options *options,
    struct tls_protocols *protocols_out, struct tls_findings *findings)
{
	char bad[64];

	if (!tls_protocols_parse(
		options->protocols, protocols_out, bad, sizeof(bad))) {
		tls_findings_error(findings, options->protocols_parameter,
		    "\"%s\" is no protocol version; must be a list such as "
		    "\">=TLSv1.2\" or \"!TLSv1.1, !TLSv1\", with the versions "
		    "TLSv1, TLSv1.1, TLSv1.2, TLSv1.3",
		    bad);
		return;
	}
	if (!allows_any(protocols_out, TLS1_3_VERSION)) {
		tls_findings_error(findings, options->protocols_parameter,
		    "leaves no protocol version; must allow TLSv1.2 or "
		    "TLSv1.3");
		return;
	}
	/* Set even when there is no bound: the system's configuration of
	 * OpenSSL has one, too, and main.cf rules. */
	SSL_CTX_set_options(ctx, protocols_out->excluded);
	if (SSL_CTX_set_min_proto_version(ctx, protocols_out->floor) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, protocols_out->ceiling) != 1)
		tls_findings_error(findings, options->protocols_parameter,
		    "%s supports none of these protocol versions",
		    OpenSSL_version(OPENSSL_VERSION));
}

/* TLS 1.3 knows no key exchange but in a group. */
static void do_without_groups(SSL_CTX *ctx, struct tls_protocols *protocols,
    struct tls_findings *findings)
{
	if (!tls_protocols_allow(protocols, TLS1_3_VERSION))
		return;
	if (!allows_any(protocols, TLS1_2_VERSION)) {
		tls_findings_error(findings, "smtpd_tls_eecdh_grade",
		    "none: TLSv1.3 needs a key-exchange group, and no other "
		    "version is allowed; must be auto, or "
		    "tls_ffdhe_auto_groups must name one");
		return;
	}
	tls_findings_warning(findings, "smtpd_tls_eecdh_grade",
	    "none: TLSv1.3 needs a key-exchange group and is turned off; "
	    "should be auto, or tls_ffdhe_auto_groups should name one");
	protocols->excluded |= SSL_OP_NO_TLSv1_3;
	SSL_CTX_set_options(ctx, SSL_OP_NO_TLSv1_3);
}

void tls_algorithms_apply(SSL_CTX *ctx, const struct tls_library *library,
    const struct tls_context_options *options,
    struct tls_exchange_policy *policy_out, struct tls_findings *findings)
{
	struct tls_cipher_limits limits;
	bool failed = findings->failed;

	*policy_out = (struct tls_exchange_policy){
	    .checks_quickly = library->checks_quickly,
	    .no_old_resumption = options->ciphers.forward_secrecy ==
				 TLS_FORWARD_SECRECY_REQUIRE};
	if (options->prefer_server_ciphers)
		SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	set_protocols(ctx, options, &policy_out->protocols, findings);
	tls_groups_apply(
	    ctx, library, &options->groups, &policy_out->groups, findings);
	if (policy_out->groups.count == 0 && findings->failed == failed)
		do_without_groups(ctx, &policy_out->protocols, findings);
	limits = (struct tls_cipher_limits){
	    .no_anonymous = tls_verify_asks(&options->peer),
	    .no_eecdh = !policy_out->groups.has_curves};
	tls_ciphers_apply(ctx, library, &options->ciphers, &limits, findings);
}

static bool has_anonymous_suite(const SSL_CTX *ctx)
{
	const STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(ctx);

	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++)
		if (SSL_CIPHER_get_auth_nid(sk_SSL_CIPHER_value(ciphers, i)) ==
		    NID_auth_null)
			return true;
	return false;
}

static void check_without_certificates(const SSL_CTX *ctx,
    const struct tls_protocols *protocols, struct tls_findings *findings)
{
	if (!allows_any(protocols, TLS1_2_VERSION))
		tls_findings_error(findings, "smtpd_tls_cert_file",
		    "none: TLSv1.3 needs a certificate; must be a PEM file, or "
		    "the protocols must allow TLSv1.2");
	else if (!has_anonymous_suite(ctx))
		tls_findings_error(findings, "smtpd_tls_cert_file",
		    "none: only anonymous suites do without a certificate, and "
		    "the cipher list has none; must be a PEM file, or aNULL "
		    "must not be excluded");
}

void tls_algorithms_finish(SSL_CTX *ctx, const struct tls_library *library,
    const struct tls_context_options *options,
    struct tls_exchange_policy *policy, struct tls_findings *findings)
{
	policy->has_certificate =
	    SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST) == 1;
	if (!policy->has_certificate && tls_certificates_unwanted(options))
		check_without_certificates(ctx, &policy->protocols, findings);
	tls_dh_apply(ctx, library, options, &policy->dh, findings);
	if (!tls_exchange_apply(ctx, policy))
		tls_findings_error(findings, "smtpd_tls_eecdh_grade",
		    "there is no memory for it");
}
