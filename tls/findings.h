/* SPDX-License-Identifier: Apache-2.0 */
/* Counts and forwards what is found wrong while a context is built. For the
 * files of tls/ alone; others see tls/report.h. */
#ifndef POSTERN_TLS_FINDINGS_H
#define POSTERN_TLS_FINDINGS_H

#include <stdbool.h>

#include "tls/report.h"

struct tls_findings {
	const struct tls_report *report;
	bool failed; /* one of them was an error */
	/* Of the client's side: what is called smtpd_tls_… in the rooms that
	 * both sides share is told by the name of its twin, smtp_tls_…. */
	bool is_client;
};

/* printf-like; the text names the file or value at fault and what would be
 * right. */
void tls_findings_error(struct tls_findings *findings, const char *parameter,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
void tls_findings_warning(struct tls_findings *findings, const char *parameter,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* OpenSSL's reason for what just failed, in its words; empties its queue. */
const char *tls_findings_library_reason(void);

#endif
