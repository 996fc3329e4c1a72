/* SPDX-License-Identifier: Apache-2.0 */
/* maillog_file and its kin -> an open log. */
#ifndef POSTERN_PROXY_LOG_SETTINGS_H
#define POSTERN_PROXY_LOG_SETTINGS_H

#include <stdbool.h>

#include "conf/configuration.h"
#include "proxy/log.h"

/* Reports what is wrong with the parameters, as errors. */
void log_settings_check(const struct settings *settings, struct report *report);

/* Opens the log that checked settings ask for, with the name "syslog_name/
 * master". NULL when report has an error. */
struct log *log_settings_open(
    const struct settings *settings, bool verbose, struct report *report);

#endif
