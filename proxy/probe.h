/* SPDX-License-Identifier: Apache-2.0 */
/* `postern probe`: what TLS a mail server does, from outside. */
#ifndef POSTERN_PROXY_PROBE_H
#define POSTERN_PROXY_PROBE_H

#include "proxy/probe_options.h"

/* Prints what it finds to standard output, what fails here to standard error.
 * Returns an exit status, of enum probe_status. */
int probe_run(const struct probe_options *options);

#endif
