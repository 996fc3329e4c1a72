/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#define TEXT_SIZE 1024

/* Parameters of the server's side whose twin has another name, or that have
 * none and rule both sides. */
static const char *const odd_twins[][2] = {
    {"smtpd_tls_ccert_verifydepth", "smtp_tls_scert_verifydepth"},
    {"smtpd_tls_eecdh_grade", "smtpd_tls_eecdh_grade"},
};

/* NULL, or the pair of names of which the first begins `text`. */
static const char *const *twins_at(const char *text)
{
	static const char *const prefixes[] = {"smtpd_tls_", "smtp_tls_"};

	for (size_t i = 0; i < sizeof(odd_twins) / sizeof(odd_twins[0]); i++)
		if (strncmp(text, odd_twins[i][0], strlen(odd_twins[i][0])) ==
		    0)
			return odd_twins[i];
	if (strncmp(text, prefixes[0], strlen(prefixes[0])) == 0)
		return prefixes;
	return NULL;
}

/* Copies `text` with the names in it replaced by those of their twins, but not
 * in the names of files. */
static void name_twins(const char *text, char out[TEXT_SIZE])
{
	char before = ' ';
	size_t len = 0;

	while (*text != '\0' && len + 1 < TEXT_SIZE) {
		const char *const *twins = twins_at(text);
		bool begins_name = before == ' ' || before == '(';

		if (twins == NULL || !begins_name) {
			before = *text++;
			out[len++] = before;
			continue;
		}
		text += strlen(twins[0]);
		len += (size_t)snprintf(
		    out + len, TEXT_SIZE - len, "%s", twins[1]);
		before = '_';
	}
	out[len < TEXT_SIZE ? len : TEXT_SIZE - 1] = '\0';
}

__attribute__((format(printf, 4, 0))) static void tell(
    struct tls_findings *findings, bool is_error, const char *parameter,
    const char *format, va_list arguments)
{
	char text[TEXT_SIZE], twin_text[TEXT_SIZE], twin_parameter[TEXT_SIZE];

	vsnprintf(text, sizeof(text), format, arguments);
	findings->failed = findings->failed || is_error;
	if (findings->is_client) {
		name_twins(parameter, twin_parameter);
		name_twins(text, twin_text);
		findings->report->tell(findings->report->argument, is_error,
		    twin_parameter, twin_text);
		return;
	}
	findings->report->tell(
	    findings->report->argument, is_error, parameter, text);
}

void tls_findings_error(struct tls_findings *findings, const char *parameter,
    const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tell(findings, true, parameter, format, arguments);
	va_end(arguments);
}

void tls_findings_warning(struct tls_findings *findings, const char *parameter,
    const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tell(findings, false, parameter, format, arguments);
	va_end(arguments);
}

const char *tls_findings_library_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return reason != NULL ? reason : "no reason given";
}
