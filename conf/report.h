/* SPDX-License-Identifier: Apache-2.0 */
/* Collects what is wrong with a configuration, so that all of it is told at
 * once. A message names the place, the object, the value and the remedy:
 *   main.cf:12: smtpd_timeout = 5y: must be a time such as 300s, from 1s to 1h
 */
#ifndef POSTERN_CONF_REPORT_H
#define POSTERN_CONF_REPORT_H

#include <stdbool.h>
#include <stddef.h>

enum report_severity { REPORT_NOTICE, REPORT_WARNING, REPORT_ERROR };

struct report_message {
	enum report_severity severity;
	char *text; /* owned by the report */
};

struct report {
	struct report_message *messages;
	size_t message_count;
	size_t error_count;
};

void report_init(struct report *report);
void report_finish(struct report *report);

/* `place` is "FILE:LINE" or "FILE" or NULL. printf-like. Control characters in
 * the result become '?'. The same message is kept once; past a thousand
 * messages (500, for warnings and notices) they are only counted. */
void report_add(struct report *report, enum report_severity severity,
    const char *place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
