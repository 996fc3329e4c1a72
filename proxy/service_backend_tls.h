/* SPDX-License-Identifier: Apache-2.0 */
/* A listener's settings -> how TLS is spoken with each of its backends:
 * smtp_tls_security_level and its kin, and what smtp_tls_policy_maps says
 * otherwise (reference 2). */
#ifndef POSTERN_PROXY_SERVICE_BACKEND_TLS_H
#define POSTERN_PROXY_SERVICE_BACKEND_TLS_H

#include "conf/report.h"
#include "proxy/service.h"

/* Fills service->backends[…].tls. What is wrong goes into report. */
void service_backend_tls_read(struct service *service, struct report *report);

/* Gives back what service_backend_tls_read made. */
void service_backend_tls_finish(struct service *service);

#endif
