/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/advice.h"

#include <string.h>

#include "proxy/metrics_listen.h"
#include "tls/describe.h"

#define EXPIRY_NOTICE_S	  (14 * 86400)
#define TICKET_LIFETIME_S 86400 /* more than that is told */

static bool is_set(const struct settings *settings, const char *name)
{
	return strcmp(settings_place(settings, name), "default") != 0;
}

/* What Postfix has long ignored works here, which a copied line may not
 * expect. */
static void name_revived(const struct settings *settings, struct report *report)
{
	static const char *const names[] = {"smtpd_tls_eecdh_grade",
	    "tls_eecdh_strong_curve", "tls_eecdh_ultra_curve"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is_set(settings, names[i]))
			report_add(report, REPORT_NOTICE,
			    settings_place(settings, names[i]),
			    "%s: current Postfix ignores it, Postern obeys it",
			    names[i]);
}

static void name_unused(const struct settings *settings,
    const struct settings *main_settings, struct report *report)
{
	static const char cache[] = "smtpd_tls_session_cache_database";
	static const char files[] = "proxy_tls_ticket_key_files";

	if (strcmp(settings->proxy_tls_ticket_key_files,
		main_settings->proxy_tls_ticket_key_files) != 0)
		report_add(report, REPORT_WARNING,
		    settings_place(settings, files),
		    "%s: not used, since all listeners share the keys; set it "
		    "in main.cf",
		    files);

	if (settings->smtpd_tls_session_cache_database[0] != '\0')
		report_add(report, REPORT_NOTICE,
		    settings_place(settings, cache),
		    "%s: not used, since session tickets do its work", cache);
}

static void check_plaintext(
    const struct service *service, struct report *report)
{
	const struct settings *settings = service->settings;
	static const char secrecy[] = "proxy_tls_forward_secrecy";
	static const char grade[] = "smtpd_tls_ciphers";

	if (service->policy.tls_level != SMTP_TLS_MAY)
		return;
	if (settings->proxy_tls_forward_secrecy ==
	    SETTINGS_FORWARD_SECRECY_REQUIRE)
		report_add(report, REPORT_WARNING,
		    settings_place(settings, secrecy),
		    "%s = require: a client without forward secrecy can still "
		    "send in clear, since TLS is optional at service \"%s\"; "
		    "smtpd_tls_security_level = encrypt would end that",
		    secrecy, service->listener->service);
	if (settings->smtpd_tls_ciphers == SETTINGS_GRADE_HIGH)
		report_add(report, REPORT_WARNING,
		    settings_place(settings, grade),
		    "%s = high: where TLS is optional, as at service \"%s\", a "
		    "client that is refused a weak suite sends in clear",
		    grade, service->listener->service);
}

static bool has_group(const struct tls_context *context, const char *name)
{
	size_t count = tls_describe_group_count(context);

	for (size_t i = 0; i < count; i++)
		if (strcmp(tls_describe_group(context, i), name) == 0)
			return true;
	return false;
}

static void check_certificate(const struct service *service,
    const struct tls_certificate_description *certificate, int64_t now_s,
    struct report *report)
{
	int64_t left_s = certificate->not_after_s - now_s;
	const char *name = service->listener->service;

	if (left_s < 0)
		report_add(report, REPORT_WARNING, service->listener->place,
		    "service \"%s\": the certificate of %s has expired", name,
		    certificate->subject);
	else if (left_s < EXPIRY_NOTICE_S)
		report_add(report, REPORT_WARNING, service->listener->place,
		    "service \"%s\": the certificate of %s expires in %lld "
		    "days",
		    name, certificate->subject, (long long)left_s / 86400);
	/* In TLS 1.2 the curve of the key must be among the groups, too (RFC
	 * 8422, 5.1). */
	if (strcmp(certificate->key_type, "EC") == 0 &&
	    certificate->key_bits == 256 &&
	    !has_group(service->tls, "secp256r1"))
		report_add(report, REPORT_WARNING, service->listener->place,
		    "service \"%s\": the certificate of %s has a key of 256 "
		    "bits, and prime256v1 is not among the groups, so that no "
		    "client of TLS 1.2 can use it",
		    name, certificate->subject);
}

static void check_certificates(
    const struct service *service, int64_t now_s, struct report *report)
{
	size_t count = tls_describe_certificate_count(service->tls);

	for (size_t i = 0; i < count; i++) {
		struct tls_certificate_description certificate;

		tls_describe_certificate(service->tls, i, &certificate);
		check_certificate(service, &certificate, now_s, report);
	}
}

static void check_secrecy(const struct service *service, struct report *report)
{
	const struct settings *settings = service->settings;
	size_t count = tls_describe_cipher_count(service->tls);
	bool has_secrecy = false, has_other = false;

	for (size_t i = 0; i < count; i++) {
		struct tls_cipher_description suite;

		tls_describe_cipher(service->tls, i, &suite);
		has_secrecy =
		    has_secrecy || (suite.is_usable && suite.forward_secret);
		has_other =
		    has_other || (suite.is_usable && !suite.forward_secret);
	}
	if (!has_secrecy)
		report_add(report, REPORT_WARNING, service->listener->place,
		    "service \"%s\": no session can have forward secrecy; see "
		    "postern ciphers",
		    service->listener->service);
	if (has_secrecy && has_other && !settings->tls_preempt_cipherlist)
		report_add(report, REPORT_WARNING,
		    settings_place(settings, "tls_preempt_cipherlist"),
		    "tls_preempt_cipherlist = no: a client's order decides, "
		    "and may put suites without forward secrecy first");
	if (settings->smtpd_tls_session_cache_timeout_s > TICKET_LIFETIME_S)
		report_add(report, REPORT_WARNING,
		    settings_place(settings, "smtpd_tls_session_cache_timeout"),
		    "smtpd_tls_session_cache_timeout: whoever steals a ticket "
		    "key can read what was recorded in all that time");
}

static void check_metrics(
    const struct services *services, struct report *report)
{
	static const char listen[] = "proxy_metrics_listen";

	for (size_t i = 0; i < services->metrics_count; i++)
		if (!metrics_listen_is_local(&services->metrics[i]))
			report_add(report, REPORT_WARNING,
			    settings_place(
				services->configuration->settings, listen),
			    "%s: whoever reaches %s can read the addresses of "
			    "clients, since there is no password",
			    listen, services->metrics[i].text);
}

void advice_give(
    const struct services *services, int64_t now_s, struct report *report)
{
	const struct settings *main_settings =
	    services->configuration->settings;

	check_metrics(services, report);
	for (size_t i = 0; i < services->count; i++) {
		const struct service *service = &services->services[i];

		if (service->tls == NULL)
			continue;
		name_revived(service->settings, report);
		name_unused(service->settings, main_settings, report);
		check_plaintext(service, report);
		check_certificates(service, now_s, report);
		check_secrecy(service, report);
	}
}
