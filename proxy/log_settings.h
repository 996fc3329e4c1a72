/* SPDX-License-Identifier: Apache-2.0 */
/* maillog_file and its kin -> an open log. */
#ifndef POSTERN_PROXY_LOG_SETTINGS_H
#define POSTERN_PROXY_LOG_SETTINGS_H

#include <stdbool.h>

#include "conf/configuration.h"
#include "proxy/log.h"

/* Opens the log that checked settings ask for, with the name
. NULL when report has an error. */
struct log *log_settings_open(
    const struct settings *settings, bool verbose, struct report *report);

#endif
