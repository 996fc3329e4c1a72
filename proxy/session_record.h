/* SPDX-License-Identifier: Apache-2.0 */
/* A session -> its record. */
#ifndef POSTERN_PROXY_SESSION_RECORD_H
#define POSTERN_PROXY_SESSION_RECORD_H

#include "proxy/flow.h"
#include "proxy/record.h"

/* At the end of the session, before its legs are finished. */
void session_record_fill(const struct flow *flow,
    const struct flow_environment *env, struct record *record_out);

#endif
