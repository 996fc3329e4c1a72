/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/service_tls.h"

#include <stdio.h>

static void tell_finding(
    void *argument, bool is_error, const char *parameter, const char *text)
{
	const struct service_tls_finder *finder = argument;

	report_add(finder->report, is_error ? REPORT_ERROR : REPORT_WARNING,
	    settings_place(finder->settings, parameter), "%s: %s", parameter,
	    text);
}

struct tls_report service_tls_report(struct service_tls_finder *finder)
{
	return (struct tls_report){.argument = finder, .tell = tell_finding};
}

static bool has_certificate(const struct settings *settings)
{
	return settings->smtpd_tls_chain_files[0] != '\0' ||
	       settings->smtpd_tls_cert_file[0] != '\0' ||
	       settings->smtpd_tls_dcert_file[0] != '\0' ||
	       settings->smtpd_tls_eccert_file[0] != '\0';
}

static struct tls_peer_options peer_options(
    const struct settings *settings, bool enforced)
{
	return (struct tls_peer_options){
	    .smtpd_tls_ask_ccert = settings->smtpd_tls_ask_ccert,
	    .smtpd_tls_req_ccert = settings->smtpd_tls_req_ccert,
	    .is_tls_enforced = enforced,
	    .smtpd_tls_CAfile = settings->smtpd_tls_CAfile,
	    .smtpd_tls_CApath = settings->smtpd_tls_CApath,
	    .tls_append_default_CA = settings->tls_append_default_CA,
	    .smtpd_tls_ccert_verifydepth =
		(int)settings->smtpd_tls_ccert_verifydepth,
	    .smtpd_tls_fingerprint_digest =
		settings->smtpd_tls_fingerprint_digest,
	};
}

static struct tls_ticket_options ticket_options(
    const struct settings *settings, const struct shared *shared)
{
	return (struct tls_ticket_options){
	    .keys = shared == NULL ? NULL : shared->ticket_keys,
	    .tls_session_ticket_cipher = settings->tls_session_ticket_cipher,
	};
}

static struct tls_group_options group_options(const struct settings *settings)
{
	static const char *const words[] = {
	    [SETTINGS_EECDH_NONE] = "none",
	    [SETTINGS_EECDH_STRONG] = "strong",
	    [SETTINGS_EECDH_ULTRA] = "ultra",
	    [SETTINGS_EECDH_AUTO] = "auto",
	};

	return (struct tls_group_options){
	    .smtpd_tls_eecdh_grade = words[settings->smtpd_tls_eecdh_grade],
	    .tls_eecdh_strong_curve = settings->tls_eecdh_strong_curve,
	    .tls_eecdh_ultra_curve = settings->tls_eecdh_ultra_curve,
	    .tls_eecdh_auto_curves = settings->tls_eecdh_auto_curves,
	    .tls_ffdhe_auto_groups = settings->tls_ffdhe_auto_groups,
	};
}

static enum tls_forward_secrecy forward_secrecy(const struct settings *settings)
{
	static const enum tls_forward_secrecy meanings[] = {
	    [SETTINGS_FORWARD_SECRECY_PREFER] = TLS_FORWARD_SECRECY_PREFER,
	    [SETTINGS_FORWARD_SECRECY_REQUIRE] = TLS_FORWARD_SECRECY_REQUIRE,
	    [SETTINGS_FORWARD_SECRECY_NO] = TLS_FORWARD_SECRECY_NO,
	};

	return meanings[settings->proxy_tls_forward_secrecy];
}

const char *service_tls_grade(int grade)
{
	static const char *const grades[] = {
	    [SETTINGS_GRADE_HIGH] = "high",
	    [SETTINGS_GRADE_MEDIUM] = "medium",
	    [SETTINGS_GRADE_LOW] = "low",
	    [SETTINGS_GRADE_EXPORT] = "export",
	    [SETTINGS_GRADE_NULL] = "null",
	};

	return grades[grade];
}

struct tls_context_options service_tls_common(const struct settings *settings)
{
	return (struct tls_context_options){
	    .groups = group_options(settings),
	    .ciphers = {.tls_high_cipherlist = settings->tls_high_cipherlist,
		.tls_medium_cipherlist = settings->tls_medium_cipherlist,
		.tls_null_cipherlist = settings->tls_null_cipherlist,
		.proxy_tls_ciphersuites = settings->proxy_tls_ciphersuites,
		.forward_secrecy = forward_secrecy(settings)},
	    .proxy_tls_keylog_file = settings->proxy_tls_keylog_file,
	    .tls_config_file = settings->tls_config_file,
	    .tls_config_name = settings->tls_config_name,
	    .tls_ssl_options = settings->tls_ssl_options,
	    .tls_disable_workarounds = settings->tls_disable_workarounds,
	};
}

static void set_ciphers(const struct settings *settings, bool enforced,
    struct tls_cipher_options *ciphers)
{
	ciphers->grade =
	    service_tls_grade(enforced ? settings->smtpd_tls_mandatory_ciphers
				       : settings->smtpd_tls_ciphers);
	ciphers->grade_parameter =
	    enforced ? "smtpd_tls_mandatory_ciphers" : "smtpd_tls_ciphers";
	ciphers->smtpd_tls_exclude_ciphers =
	    settings->smtpd_tls_exclude_ciphers;
	ciphers->smtpd_tls_mandatory_exclude_ciphers =
	    enforced ? settings->smtpd_tls_mandatory_exclude_ciphers : "";
}

/* A result made of a part of the name is refused when the table is opened, so
 * that nothing is ever put into the buffer. */
static const char *find_chains(void *table, const char *name)
{
	char buffer[1];
	const char *files;

	switch (table_find(table, name, &files, buffer, sizeof(buffer))) {
	case TABLE_FOUND:
		return files;
	case TABLE_ABSENT:
		return NULL;
	case TABLE_FAILED:
		return "";
	}
	return "";
}

/* False when report has an error. */
static bool open_sni(struct service *service, struct tls_sni_options *sni_out,
    struct report *report)
{
	static const char name[] = "tls_server_sni_maps";
	const struct settings *settings = service->settings;
	char place[1024];

	if (settings->tls_server_sni_maps[0] == '\0')
		return true;
	snprintf(place, sizeof(place), "%s: %s", settings_place(settings, name),
	    name);
	service->sni = table_open(settings->tls_server_sni_maps, place, report);
	if (service->sni == NULL ||
	    !table_results(
		service->sni, report, &sni_out->values, &sni_out->value_count))
		return false;
	sni_out->find = find_chains;
	sni_out->argument = service->sni;
	return true;
}

static void set_policy(
    const struct service *service, struct tls_context_options *options)
{
	const struct settings *settings = service->settings;
	bool enforced = service->policy.tls_level == SMTP_TLS_ENCRYPT;

	options->protocols = enforced ? settings->smtpd_tls_mandatory_protocols
				      : settings->smtpd_tls_protocols;
	options->protocols_parameter =
	    enforced ? "smtpd_tls_mandatory_protocols" : "smtpd_tls_protocols";
	set_ciphers(settings, enforced, &options->ciphers);
	options->prefer_server_ciphers = settings->tls_preempt_cipherlist;
	options->smtpd_tls_dh1024_param_file =
	    settings->smtpd_tls_dh1024_param_file;
	options->smtpd_tls_dh512_param_file =
	    settings->smtpd_tls_dh512_param_file;
	options->proxy_tls_quick_key_check =
	    settings->proxy_tls_quick_key_check;
	options->session_timeout_s =
	    (int)settings->smtpd_tls_session_cache_timeout_s;
	options->service = service->listener->service;
	options->peer = peer_options(settings, enforced);
}

static struct tls_context_options context_options(
    const struct service *service, const struct shared *shared)
{
	const struct settings *settings = service->settings;
	struct tls_context_options options = service_tls_common(settings);

	options.smtpd_tls_chain_files = settings->smtpd_tls_chain_files;
	options.smtpd_tls_cert_file = settings->smtpd_tls_cert_file;
	options.smtpd_tls_key_file = settings->smtpd_tls_key_file;
	options.smtpd_tls_dcert_file = settings->smtpd_tls_dcert_file;
	options.smtpd_tls_dkey_file = settings->smtpd_tls_dkey_file;
	options.smtpd_tls_eccert_file = settings->smtpd_tls_eccert_file;
	options.smtpd_tls_eckey_file = settings->smtpd_tls_eckey_file;
	options.tickets = ticket_options(settings, shared);
	set_policy(service, &options);
	return options;
}

void service_tls_read(
    struct service *service, const struct shared *shared, struct report *report)
{
	const struct settings *settings = service->settings;
	struct service_tls_finder finder = {settings, report};
	struct tls_report tls_report = service_tls_report(&finder);
	struct tls_context_options options = context_options(service, shared);

	if (service->policy.tls_level == SMTP_TLS_NONE)
		return;
	if (!has_certificate(settings)) {
		report_add(report, REPORT_ERROR, service->listener->place,
		    "service \"%s\" has TLS turned on, but no certificate: set "
		    "smtpd_tls_chain_files to a PEM file with the private key, "
		    "the certificate and its issuers, or "
		    "smtpd_tls_security_level = none",
		    service->listener->service);
		return;
	}
	if (open_sni(service, &options.sni, report))
		service->tls = tls_context_create(&options, &tls_report);
}

void service_tls_finish(struct service *service)
{
	tls_context_destroy(&service->tls);
	table_close(&service->sni);
}
