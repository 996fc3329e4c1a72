/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/cipher_report.h"

#include <string.h>
#include <time.h>

#include "tls/describe.h"

static const char *level_text(const struct service *service)
{
	if (service->wrappermode)
		return "TLS from the first byte";
	switch (service->policy.tls_level) {
	case SMTP_TLS_NONE:
		return "no TLS";
	case SMTP_TLS_MAY:
		return "TLS may be used";
	case SMTP_TLS_ENCRYPT:
		return "TLS is required";
	}
	return "";
}

static void print_suites(FILE *out, const struct tls_context *context)
{
	size_t count = tls_describe_cipher_count(context);
	size_t unusable_count = 0;

	fprintf(out, "  suites:\n");
	for (size_t i = 0; i < count; i++) {
		struct tls_cipher_description suite;

		tls_describe_cipher(context, i, &suite);
		if (!suite.is_usable) {
			unusable_count++;
			continue;
		}
		fprintf(out,
		    "    %-31s Kx=%-8s Au=%-6s Enc=%-24s %3d bits  %-7s "
		    "FS=%s\n",
		    suite.name, suite.exchange, suite.authentication,
		    suite.encryption, suite.bits, suite.protocol,
		    suite.forward_secret ? "yes" : "no");
	}
	if (unusable_count > 0)
		fprintf(out,
		    "    (and %zu that need a certificate, a group or a "
		    "version that is not there)\n",
		    unusable_count);
}

static void print_groups(FILE *out, const struct tls_context *context)
{
	size_t count = tls_describe_group_count(context);

	fprintf(out, "  groups:");
	for (size_t i = 0; i < count; i++)
		fprintf(out, " %s", tls_describe_group(context, i));
	fprintf(out, "%s\n", count == 0 ? " none" : "");
}

static void print_prime(FILE *out, const struct tls_context *context)
{
	struct tls_dh_description prime;

	tls_describe_dh(context, &prime);
	if (prime.bits == 0) {
		fprintf(out, "  EDH in TLS 1.2: none\n");
		return;
	}
	fprintf(out,
	    "  EDH in TLS 1.2: %s%s, %d bits, exponents of %d bits, %s check "
	    "of the client's value\n",
	    prime.name[0] == '\0' ? "a prime of its own" : prime.name,
	    prime.is_from_file ? " from smtpd_tls_dh1024_param_file" : "",
	    prime.bits, prime.exponent_bits,
	    prime.checks_quickly ? "quick" : "full");
}

static void print_certificates(FILE *out, const struct tls_context *context)
{
	size_t count = tls_describe_certificate_count(context);

	for (size_t i = 0; i < count; i++) {
		struct tls_certificate_description certificate;
		char expiry[32] = "";
		struct tm when;
		time_t at;

		tls_describe_certificate(context, i, &certificate);
		at = (time_t)certificate.not_after_s;
		if (gmtime_r(&at, &when) != NULL)
			strftime(expiry, sizeof(expiry), "%F %T UTC", &when);
		fprintf(out,
		    "  certificate%s: %s, for %s, %s %d bits, expires %s\n",
		    certificate.is_for_sni ? " (tls_server_sni_maps)" : "",
		    certificate.subject,
		    certificate.names[0] == '\0' ? "no name"
						 : certificate.names,
		    certificate.key_type, certificate.key_bits, expiry);
	}
	if (count == 0)
		fprintf(out, "  certificate: none\n");
}

bool cipher_report_print(
    FILE *out, const struct services *services, const char *service)
{
	bool is_found = false;

	for (size_t i = 0; i < services->count; i++) {
		const struct service *at = &services->services[i];

		if (service != NULL &&
		    strcmp(at->listener->service, service) != 0)
			continue;
		is_found = true;
		fprintf(out, "%s: %s\n", at->listener->service, level_text(at));
		if (at->tls == NULL)
			continue;
		print_suites(out, at->tls);
		print_groups(out, at->tls);
		print_prime(out, at->tls);
		print_certificates(out, at->tls);
	}
	return is_found;
}
