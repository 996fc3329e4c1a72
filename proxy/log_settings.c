/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/log_settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct log *log_settings_open(
    const struct settings *settings, bool verbose, struct report *report)
{
	struct log_options options = {
	    .file = settings->maillog_file,
	    /* Octal digits, as conf/ has checked. */
	    .file_mode =
		(unsigned)strtoul(settings->maillog_file_permissions, NULL, 8),
	    .syslog_facility = settings_syslog_facility(settings),
	    .journal_socket =
		settings->proxy_log_journal ? JOURNAL_SOCKET : NULL,
	    .level = verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
	};
	char name[256];
	struct log *log;

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
