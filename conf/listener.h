/* SPDX-License-Identifier: Apache-2.0 */
/* A service of master.cf -> where to listen. */
#ifndef POSTERN_CONF_LISTENER_H
#define POSTERN_CONF_LISTENER_H

#include <stdbool.h>

#include "conf/arena.h"
#include "conf/configuration.h"
#include "conf/master_cf.h"
#include "conf/report.h"

/* Fills in all of *listener from the service; its settings are there already.
 * False, told in report, when it cannot be listened on. */
bool listener_make(struct arena *arena, const struct service *service,
    const struct settings *main_settings, struct listener *listener,
    struct report *report);

/* Do both listen in the same place? */
bool listener_equals(const struct listener *left, const struct listener *right);

#endif
