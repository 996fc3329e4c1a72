/* SPDX-License-Identifier: Apache-2.0 */
/* main.cf: text -> name = value. Knows no parameter by name. Pure. */
#ifndef POSTERN_CONF_MAIN_CF_H
#define POSTERN_CONF_MAIN_CF_H

#include <stdbool.h>

#include "conf/scope.h"
#include "conf/lines.h"

/* Puts every name = value into `scope`, a later one over an earlier one. What
 * is wrong is told in lines->report; false when the text could not be read at
 * all. */
bool main_cf_parse(struct lines *lines, struct scope *scope);

#endif
