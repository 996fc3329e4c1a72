/* SPDX-License-Identifier: Apache-2.0 */
/* `postern ciphers`: what each listener negotiates, in its order of
 * preference. */
#ifndef POSTERN_PROXY_CIPHER_REPORT_H
#define POSTERN_PROXY_CIPHER_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "proxy/service.h"

/* Of all listeners, or of those with that name in master.cf. False when there
 * is none. */
bool cipher_report_print(
    FILE *out, const struct services *services, const char *service);

#endif
