/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/service.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proxy/backend_list.h"
#include "proxy/listener_addresses.h"
#include "proxy/state.h"
#include "smtp/ehlo.h"

/* What tls/ tells about a context, with the place of the parameter. */
struct finder {
	const struct settings *settings;
	struct report *report;
};

static void tell_finding(
    void *argument, bool is_error, const char *parameter, const char *text)
{
	const struct finder *finder = argument;

	report_add(finder->report, is_error ? REPORT_ERROR : REPORT_WARNING,
	    settings_place(finder->settings, parameter), "%s: %s", parameter,
	    text);
}

/* Reference 1.2, with the level's word already checked by conf/. */
static void read_tls_level(struct service *service)
{
	const struct settings *settings = service->settings;
	bool use = settings->smtpd_use_tls;
	bool enforce = settings->smtpd_enforce_tls;
	int level = settings->smtpd_tls_security_level;

	service->wrappermode = settings->smtpd_tls_wrappermode;
	if (!service->wrappermode && level != SETTINGS_TLS_UNSET) {
		use = level != SETTINGS_TLS_NONE;
		enforce = level == SETTINGS_TLS_ENCRYPT;
	}
	enforce = enforce || service->wrappermode;
	use = use || enforce;
	service->policy.tls_level = enforce ? SMTP_TLS_ENCRYPT
				    : use   ? SMTP_TLS_MAY
					    : SMTP_TLS_NONE;
	service->policy.auth_only = settings->smtpd_tls_auth_only || enforce;
}

static uint32_t read_discarded(
    const struct settings *settings, struct report *report)
{
	const char *cursor = settings->smtpd_discard_ehlo_keywords;
	uint32_t discarded = 0;
	const char *word;
	size_t len;

	while (settings_list_next(&cursor, &word, &len)) {
		enum smtp_keyword keyword = smtp_keyword_find(word, len);

		if (keyword != SMTP_KEYWORD_COUNT)
			discarded |= UINT32_C(1) << keyword;
		else if (len != strlen("silent-discard") ||
			 strncasecmp(word, "silent-discard", len) != 0)
			report_add(report, REPORT_WARNING,
			    settings_place(
				settings, "smtpd_discard_ehlo_keywords"),
			    "smtpd_discard_ehlo_keywords: \"%.*s\" is no "
			    "keyword that Postern offers, so there is nothing "
			    "to leave out",
			    (int)len, word);
	}
	return discarded;
}

static void read_policy(struct service *service, struct report *report)
{
	const struct settings *settings = service->settings;
	struct smtp_policy *policy = &service->policy;

	policy->hostname = settings->myhostname;
	policy->banner = settings->smtpd_banner;
	policy->forbid_pipelining = settings->smtpd_forbid_unauth_pipelining;
	policy->forbidden_commands = settings->smtpd_forbidden_commands;
	policy->discarded_keywords = read_discarded(settings, report);
	policy->line_size_max = (size_t)settings->line_length_limit;
	policy->auth_line_size_max =
	    (size_t)settings->smtpd_sasl_response_limit;
	policy->hard_error_limit = (unsigned)settings->smtpd_hard_error_limit;
	policy->junk_command_limit =
	    (unsigned)settings->smtpd_junk_command_limit;
	read_tls_level(service);
}

static bool has_certificate(const struct settings *settings)
{
	return settings->smtpd_tls_chain_files[0] != '\0' ||
	       settings->smtpd_tls_cert_file[0] != '\0' ||
	       settings->smtpd_tls_dcert_file[0] != '\0' ||
	       settings->smtpd_tls_eccert_file[0] != '\0';
}

static void read_tls(struct service *service, struct report *report)
{
	const struct settings *settings = service->settings;
	struct finder finder = {.settings = settings, .report = report};
	struct tls_report tls_report = {
	    .argument = &finder, .tell = tell_finding};
	bool enforced = service->policy.tls_level == SMTP_TLS_ENCRYPT;
	struct tls_context_options options = {
	    .smtpd_tls_chain_files = settings->smtpd_tls_chain_files,
	    .smtpd_tls_cert_file = settings->smtpd_tls_cert_file,
	    .smtpd_tls_key_file = settings->smtpd_tls_key_file,
	    .smtpd_tls_dcert_file = settings->smtpd_tls_dcert_file,
	    .smtpd_tls_dkey_file = settings->smtpd_tls_dkey_file,
	    .smtpd_tls_eccert_file = settings->smtpd_tls_eccert_file,
	    .smtpd_tls_eckey_file = settings->smtpd_tls_eckey_file,
	    .protocols = enforced ? settings->smtpd_tls_mandatory_protocols
				  : settings->smtpd_tls_protocols,
	    .protocols_parameter = enforced ? "smtpd_tls_mandatory_protocols"
					    : "smtpd_tls_protocols",
	    .groups = {.smtpd_tls_eecdh_grade = "auto",
		.tls_eecdh_strong_curve = "",
		.tls_eecdh_ultra_curve = "",
		.tls_eecdh_auto_curves = settings->tls_eecdh_auto_curves,
		.tls_ffdhe_auto_groups = ""},
	    .ciphers = {.grade = "medium",
		.grade_parameter = "smtpd_tls_ciphers",
		.tls_high_cipherlist = "aNULL:-aNULL:HIGH:@STRENGTH",
		.tls_medium_cipherlist =
		    "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH",
		.tls_null_cipherlist = "eNULL:!aNULL",
		.smtpd_tls_exclude_ciphers = "",
		.smtpd_tls_mandatory_exclude_ciphers =
		    enforced ? "aNULL" : ""},
	    .proxy_tls_quick_key_check = true,
	    .prefer_server_ciphers = settings->tls_preempt_cipherlist,
	    .session_timeout_s =
		(int)settings->smtpd_tls_session_cache_timeout_s,
	    .service = service->listener->service,
	};

	if (service->policy.tls_level == SMTP_TLS_NONE)
		return;
	if (has_certificate(settings))
		service->tls = tls_context_create(&options, &tls_report);
	else
		report_add(report, REPORT_ERROR, service->listener->place,
		    "service \"%s\" has TLS turned on, but no certificate: set "
		    "smtpd_tls_chain_files to a PEM file with the private key, "
		    "the certificate and its issuers, or "
		    "smtpd_tls_security_level = none",
		    service->listener->service);
}

static void read_service(struct service *service,
    const struct listener *listener, struct report *report)
{
	service->listener = listener;
	service->settings = listener->settings;
	snprintf(service->log_name, sizeof(service->log_name), "%s/smtpd",
	    listener->settings->syslog_name);
	read_policy(service, report);
	read_tls(service, report);
	listener_addresses_read(service, report);
	backend_list_read(service, report);
}

/* Two lines with one address: one of them would never see a client. */
static void check_unique(const struct services *services, size_t index,
    const struct service_address *address, struct report *report)
{
	const struct listener *listener = services->services[index].listener;

	for (size_t i = 0; i < index; i++) {
		const struct service *other = &services->services[i];

		for (size_t j = 0; j < other->address_count; j++)
			if (strcmp(other->addresses[j].text, address->text) ==
			    0)
				report_add(report, REPORT_ERROR,
				    listener->place,
				    "service \"%s\" listens on %s, which is "
				    "taken by %s; remove one of the two lines",
				    listener->service, address->text,
				    other->listener->place);
	}
}

static void check_addresses(
    const struct services *services, struct report *report)
{
	size_t count = 0;

	for (size_t i = 0; i < services->count; i++) {
		const struct service *service = &services->services[i];

		count += service->address_count;
		for (size_t j = 0; j < service->address_count; j++)
			check_unique(
			    services, i, &service->addresses[j], report);
	}
	if (count > STATE_LISTENERS_MAX)
		report_add(report, REPORT_ERROR, NULL,
		    "the lines of master.cf have %zu addresses to listen on; "
		    "there must not be more than %d",
		    count, STATE_LISTENERS_MAX);
}

static void read_services(struct services *services, struct report *report)
{
	const struct configuration *configuration = services->configuration;

	for (size_t i = 0; i < services->count; i++)
		read_service(&services->services[i],
		    &configuration->listeners[i], report);
	check_addresses(services, report);
	/* struct worker_listener counts services in eight bits. */
	if (services->count > UINT8_MAX)
		report_add(report, REPORT_ERROR, configuration->directory,
		    "master.cf must not have more than %d lines with the "
		    "command smtpd",
		    UINT8_MAX);
}

struct services *services_load(const char *directory, struct report *report)
{
	struct configuration *configuration =
	    configuration_load(directory, report);
	struct services *services;

	if (configuration == NULL)
		return NULL;
	services = calloc(1, sizeof(*services));
	if (services == NULL)
		goto no_memory;
	services->configuration = configuration;
	services->count = configuration->listener_count;
	services->services =
	    calloc(services->count + 1, sizeof(*services->services));
	if (services->services == NULL)
		goto no_memory;
	read_services(services, report);
	if (report->error_count != 0)
		services_destroy(&services);
	return services;
no_memory:
	report_add(report, REPORT_ERROR, NULL, "out of memory");
	free(services);
	configuration_destroy(&configuration);
	return NULL;
}

void services_destroy(struct services **services)
{
	struct services *gone = *services;

	if (gone == NULL)
		return;
	for (size_t i = 0; i < gone->count; i++)
		tls_context_destroy(&gone->services[i].tls);
	free(gone->services);
	configuration_destroy(&gone->configuration);
	free(gone);
	*services = NULL;
}
