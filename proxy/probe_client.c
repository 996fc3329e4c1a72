/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/probe_client.h"

#include <stdio.h>
#include <string.h>

/* As smtp_tls_session_cache_timeout: long enough for a second connection. */
#define SESSION_TIMEOUT_S 3600
#define DEPTH_MAX	  9 /* smtp_tls_scert_verifydepth */

/* The options by which the user knows the parameters. */
static const struct {
	const char *parameter, *option;
} names[] = {
    {"smtp_tls_CAfile", "--CAfile"},
    {"smtp_tls_CApath", "--CApath"},
    {"smtp_tls_trust_anchor_file", "--trust-anchor-file"},
    {"smtp_tls_fingerprint_digest", "--digest"},
    {"smtp_tls_servername", "--servername"},
    {"tls_high_cipherlist", "--ciphers"},
};

static void tell(
    void *argument, bool is_error, const char *parameter, const char *text)
{
	(void)argument;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].parameter, parameter) == 0)
			parameter = names[i].option;
	fprintf(stderr, "postern: %s: %s: %s\n", is_error ? "fatal" : "warning",
	    parameter, text);
}

static void be_silent(
    void *argument, bool is_error, const char *parameter, const char *text)
{
	(void)argument;
	(void)is_error;
	(void)parameter;
	(void)text;
}

struct probe_offer probe_offer_usual(const struct probe_options *options)
{
	return (struct probe_offer){
	    .protocols =
		options->protocols != NULL ? options->protocols : ">=TLSv1",
	    .suites = options->ciphers != NULL
			  ? options->ciphers
			  : "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH",
	    .excluded = "",
	    .suites_13 = "",
	    .groups = "X25519MLKEM768 X25519 prime256v1 X448 secp384r1 "
		      "secp521r1",
	};
}

static struct tls_peer_options peer_options(
    const struct probe_options *options, bool is_trial)
{
	bool has_own =
	    options->ca_file[0] != '\0' || options->ca_path[0] != '\0';

	if (is_trial)
		return (struct tls_peer_options){
		    .smtpd_tls_ccert_verifydepth = DEPTH_MAX,
		    .smtpd_tls_fingerprint_digest = options->digest,
		};
	return (struct tls_peer_options){
	    .smtpd_tls_CAfile = options->ca_file,
	    .smtpd_tls_CApath = options->ca_path,
	    .tls_append_default_CA = !has_own,
	    .smtpd_tls_ccert_verifydepth = DEPTH_MAX,
	    .smtpd_tls_fingerprint_digest = options->digest,
	};
}

static struct tls_context_options shared_options(
    const struct probe_options *options, const struct probe_offer *offer)
{
	return (struct tls_context_options){
	    .smtpd_tls_chain_files = "",
	    .smtpd_tls_cert_file = "",
	    .smtpd_tls_key_file = "",
	    .smtpd_tls_dcert_file = "",
	    .smtpd_tls_dkey_file = "",
	    .smtpd_tls_eccert_file = "",
	    .smtpd_tls_eckey_file = "",
	    .protocols = offer->protocols,
	    .protocols_parameter = "--protocols",
	    .groups = {.smtpd_tls_eecdh_grade = "auto",
		.tls_eecdh_auto_curves = offer->groups,
		.tls_ffdhe_auto_groups = ""},
	    .ciphers = {.grade = "high",
		.grade_parameter = "--ciphers",
		.tls_high_cipherlist = offer->suites,
		.smtpd_tls_exclude_ciphers = offer->excluded,
		.smtpd_tls_mandatory_exclude_ciphers = "",
		.proxy_tls_ciphersuites = offer->suites_13,
		.forward_secrecy = offer->is_trial
				       ? TLS_FORWARD_SECRECY_NO
				       : TLS_FORWARD_SECRECY_PREFER},
	    .proxy_tls_keylog_file = "",
	    .tls_config_file = "default",
	    .tls_config_name = "",
	    .session_timeout_s = offer->resumes ? SESSION_TIMEOUT_S : 0,
	    .peer = peer_options(options, offer->is_trial),
	};
}

struct tls_client *probe_client_create(
    const struct probe_options *options, const struct probe_offer *offer)
{
	struct tls_report report = {
	    .tell = offer->is_trial ? be_silent : tell,
	};
	struct tls_client_options client_options = {
	    .shared = shared_options(options, offer),
	    /* Also those without a certificate, and without encryption. */
	    .level = offer->is_trial ? TLS_CLIENT_MAY : options->level,
	    .matches = options->matches,
	    .match_count = options->match_count,
	    .match_parameter = "--level",
	    .smtp_tls_trust_anchor_file =
		offer->is_trial ? "" : options->trust_anchor_file,
	    .trust_anchor_parameter = "--trust-anchor-file",
	    .servername = options->servername,
	};
	struct tls_client *client = tls_client_create(&client_options, &report);

	if (client != NULL && offer->signatures != NULL &&
	    !tls_client_limit_signatures(client, offer->signatures))
		tls_client_destroy(&client);
	return client;
}
