/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/findings.h"

static const char *prefix_of(enum report_severity severity)
{
	switch (severity) {
	case REPORT_NOTICE:
		return "";
	case REPORT_WARNING:
		return "warning: ";
	case REPORT_ERROR:
		return "fatal: ";
	}
	return "";
}

static enum log_level level_of(
    enum report_severity severity, enum log_level error_level)
{
	switch (severity) {
	case REPORT_NOTICE:
		return LOG_LEVEL_INFO;
	case REPORT_WARNING:
		return LOG_LEVEL_WARNING;
	case REPORT_ERROR:
		return error_level;
	}
	return error_level;
}

void findings_print(const struct report *report, size_t first, FILE *out)
{
	for (size_t i = first; i < report->message_count; i++)
		fprintf(out, "postern: %s%s\n",
		    prefix_of(report->messages[i].severity),
		    report->messages[i].text);
}

void findings_log(const struct report *report, size_t first, struct log *log,
    enum log_level error_level)
{
	for (size_t i = first; i < report->message_count; i++)
		log_line(log,
		    level_of(report->messages[i].severity, error_level), NULL,
		    "%s", report->messages[i].text);
}
