/* SPDX-License-Identifier: Apache-2.0 */
/* From name = value to struct settings. */
#ifndef POSTERN_CONF_SETTINGS_BUILD_H
#define POSTERN_CONF_SETTINGS_BUILD_H

#include "conf/arena.h"
#include "conf/scope.h"
#include "conf/report.h"
#include "conf/settings.h"

/* Expands and checks every parameter with the names in `scope`, which holds a
 * value for each. What is wrong is told in report; the settings are complete
 * all the same, but only good when nothing was. All in the arena; `scope` must
 * live as long. */
const struct settings *settings_build(
    struct arena *arena, const struct scope *scope, struct report *report);

#endif
