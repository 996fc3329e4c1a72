/* SPDX-License-Identifier: Apache-2.0 */
/* What was found wrong, for the terminal and for the log. */
#ifndef POSTERN_PROXY_FINDINGS_H
#define POSTERN_PROXY_FINDINGS_H

#include <stdio.h>

#include "conf/report.h"
#include "proxy/log.h"

/* Messages from `first` on: "postern: fatal: …", "postern: warning: …", one
 * line each. */
void findings_print(const struct report *report, size_t first, FILE *out);

/* Messages from `first` on. Errors are told with the level given: an error at a
 * reload is not fatal. */
void findings_log(const struct report *report, size_t first, struct log *log,
    enum log_level error_level);

#endif
