/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of the command line that start the daemon, or speak to the one that
 * runs. Each returns the exit status of the program. */
#ifndef POSTERN_PROXY_VERB_DAEMON_H
#define POSTERN_PROXY_VERB_DAEMON_H

#include "proxy/command_line.h"

int verb_start_fg(const struct command_line *line);
int verb_start(const struct command_line *line);
int verb_stop(const struct command_line *line);
int verb_reload(const struct command_line *line);
int verb_status(const struct command_line *line);
int verb_top(const struct command_line *line);

#endif
