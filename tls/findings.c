/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/findings.h"

#include <stdarg.h>
#include <stdio.h>

#include <openssl/err.h>

#define TEXT_SIZE 1024

__attribute__((format(printf, 4, 0))) static void tell(
    struct tls_findings *findings, bool is_error, const char *parameter,
    const char *format, va_list arguments)
{
	char text[TEXT_SIZE];

	vsnprintf(text, sizeof(text), format, arguments);
	findings->failed = findings->failed || is_error;
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
