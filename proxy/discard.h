/* SPDX-License-Identifier: Apache-2.0 */
/* smtpd_discard_ehlo_keywords, and what its maps say of a client. */
#ifndef POSTERN_PROXY_DISCARD_H
#define POSTERN_PROXY_DISCARD_H

#include <netinet/in.h>
#include <stdint.h>

#include "conf/report.h"
#include "proxy/service.h"

/* Words -> a set of enum smtp_keyword; one that Postern never offers is told in
 * report, unless that is NULL. */
uint32_t discard_read(
    const char *words, const char *place, struct report *report);

/* What is not offered to a client with this address, besides what the policy
 * says. A map that cannot tell counts as one that has nothing. */
uint32_t discard_for(
    const struct service *service, const struct sockaddr_in6 *client);

#endif
