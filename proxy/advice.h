/* SPDX-License-Identifier: Apache-2.0 */
/* What `postern check` says of a configuration that works, but does something
 * that its author may not have thought of: mostly what FORWARD_SECRECY_README
 * warns of. */
#ifndef POSTERN_PROXY_ADVICE_H
#define POSTERN_PROXY_ADVICE_H

#include <stdint.h>

#include "conf/report.h"
#include "proxy/service.h"

/* now_s: of the day, since 1970. */
void advice_give(
    const struct services *services, int64_t now_s, struct report *report);

#endif
