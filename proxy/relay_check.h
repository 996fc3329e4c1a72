/* SPDX-License-Identifier: Apache-2.0 */
/* postern check --backends: whether a stranger could relay through a backend
 * because it takes every client for Postern, whose address it trusts. A session
 * with a client from outside goes through the same flow as any other, handed
 * over as the listener does it, up to RCPT for a foreign domain. No message is
 * sent. */
#ifndef POSTERN_PROXY_RELAY_CHECK_H
#define POSTERN_PROXY_RELAY_CHECK_H

#include <stdio.h>

#include "conf/report.h"
#include "proxy/service.h"

/* Tries each backend of each listener in turn, at most smtp_connect_timeout and
 * proxy_backend_probe_timeout each. What is as it should be goes to out, one
 * line each; a backend that relays, or that could not be asked, is an error in
 * report. */
void relay_check_run(
    const struct services *services, FILE *out, struct report *report);

#endif
