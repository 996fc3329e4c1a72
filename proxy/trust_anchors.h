/* SPDX-License-Identifier: Apache-2.0 */
/* The keys with which the chains of DNSSEC begin, for libunbound. */
#ifndef POSTERN_PROXY_TRUST_ANCHORS_H
#define POSTERN_PROXY_TRUST_ANCHORS_H

#include <stdbool.h>

#include "conf/report.h"
#include "conf/settings.h"

struct ub_ctx;

/* Adds those of a file: a DS or DNSKEY record in each line, comments behind a
 * semicolon. Before anything is asked. NULL, or what is wrong with it. */
const char *trust_anchors_add(struct ub_ctx *unbound, const char *path);

/* Whether proxy_dns_trust_anchor_file can be used; for who needs it. */
bool trust_anchors_check(
    const struct settings *settings, struct report *report);

#endif
