/* SPDX-License-Identifier: Apache-2.0 */
/* The names of parameters: ours, Postfix's, and which one was meant. */
#ifndef POSTERN_CONF_PARAMETER_H
#define POSTERN_CONF_PARAMETER_H

#include <stdbool.h>

#include "conf/arena.h"
#include "conf/settings.h"

/* NULL: not one of ours. */
const struct settings_parameter *parameter_find(const char *name);

/* Has Postfix such a parameter, while we have not? */
bool parameter_is_foreign(const char *name);

/* The name of ours or Postfix's that a slip of the keyboard turns into this
 * one; NULL when none is near. */
const char *parameter_nearest(const char *name);

/* What its values must be, in words, such as "a number of bytes from 512 to
 * 65536"; NULL: any text, or a list. May lie in the arena. */
const char *parameter_allowed(
    struct arena *arena, const struct settings_parameter *parameter);

#endif
