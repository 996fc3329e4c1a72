/* SPDX-License-Identifier: Apache-2.0 */
/* What each verb of the command line does. */
#ifndef POSTERN_PROXY_VERB_H
#define POSTERN_PROXY_VERB_H

#include "proxy/command_line.h"

/* Returns the exit status of the program. */
int verb_run(const struct command_line *line);

#endif
