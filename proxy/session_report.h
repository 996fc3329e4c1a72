/* SPDX-License-Identifier: Apache-2.0 */
/* `postern report`: records of sessions out of logs -> the forward secrecy
 * report. */
#ifndef POSTERN_PROXY_SESSION_REPORT_H
#define POSTERN_PROXY_SESSION_REPORT_H

#include <stddef.h>

enum session_report_format {
	SESSION_REPORT_TEXT,
	SESSION_REPORT_JSON,
	SESSION_REPORT_HTML,
};

struct session_report_options {
	enum session_report_format format;
	/* "2026-11-23" or "2026-11-23T15:04:05Z"; NULL: no limit. `until` is
	 * the first second that is left out, or a day that is not. */
	const char *since, *until;
	const char *const *paths; /* "-": standard input */
	size_t path_count;	  /* at least 1 */
};

/* Prints to standard output; what is broken is told on standard error, and how
 * far it is, if that is a terminal. Returns an exit status: a line that is
 * broken is no failure, a file that cannot be read is one. */
int session_report_run(const struct session_report_options *options);

#endif
