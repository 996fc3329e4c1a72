/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/log_settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODE_MAX 0777

/* False unless text is octal digits, of permissions that exist. */
static bool parse_mode(const char *text, unsigned *mode_out)
{
	size_t digits = strspn(text, "01234567");
	unsigned long mode;

	if (digits == 0 || digits > 4 || text[digits] != '\0')
		return false;
	mode = strtoul(text, NULL, 8);
	*mode_out = (unsigned)mode;
	return mode <= MODE_MAX;
}

void log_settings_check(const struct settings *settings, struct report *report)
{
	const char *file = settings->maillog_file;
	unsigned mode;

	if (file[0] != '\0' && file[0] != '/')
		report_add(report, REPORT_ERROR,
		    settings_place(settings, "maillog_file"),
		    "maillog_file = %s: must be an absolute path, /dev/stdout, "
		    "or empty for the system log",
		    file);
	if (!parse_mode(settings->maillog_file_permissions, &mode))
		report_add(report, REPORT_ERROR,
		    settings_place(settings, "maillog_file_permissions"),
		    "maillog_file_permissions = %s: must be octal digits from "
		    "0 to 0777, such as 0600",
		    settings->maillog_file_permissions);
}

struct log *log_settings_open(
    const struct settings *settings, bool verbose, struct report *report)
{
	struct log_options options = {
	    .file = settings->maillog_file,
	    .syslog_facility = settings_syslog_facility(settings),
	    .level = verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
	};
	char name[256];
	struct log *log;

	if (!parse_mode(settings->maillog_file_permissions, &options.file_mode))
		options.file_mode = 0600;
	snprintf(name, sizeof(name), "%s/master", settings->syslog_name);
	options.name = name;
	log = log_create(&options);
	if (log == NULL)
		report_add(report, REPORT_ERROR,
		    settings_place(settings, "maillog_file"),
		    "maillog_file = %s: cannot write to it: %s", options.file,
		    strerror(errno));
	return log;
}
