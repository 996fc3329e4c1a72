/* SPDX-License-Identifier: Apache-2.0 */
/* A listener's settings -> its TLS context. */
#ifndef POSTERN_PROXY_SERVICE_TLS_H
#define POSTERN_PROXY_SERVICE_TLS_H

#include "conf/report.h"
#include "proxy/service.h"
#include "proxy/shared.h"
#include "tls/report.h"

/* Makes the context, unless the policy is to do without TLS. What is wrong goes
 * into report. */
void service_tls_read(struct service *service, const struct shared *shared,
    struct report *report);

/* Gives back what service_tls_read made. */
void service_tls_finish(struct service *service);

/* What is the same on the clients' side and towards the backends; the rest is
 * zero. */
struct tls_context_options service_tls_common(const struct settings *settings);

/* "medium", of an index of smtpd_tls_ciphers and its kin. */
const char *service_tls_grade(int grade);

/* Where the findings of tls/ go: they get the place of their parameter. */
struct service_tls_finder {
	const struct settings *settings;
	struct report *report;
};
struct tls_report service_tls_report(struct service_tls_finder *finder);

#endif
