/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a configuration file, if it can be trusted. */
#ifndef POSTERN_CONF_FILE_H
#define POSTERN_CONF_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/arena.h"
#include "conf/report.h"

/* The whole file, in the arena. NULL, told in report, when it cannot be read,
 * is not a regular file, is larger than 4 MiB, or when every user of the
 * machine may write to it. */
const char *file_read(struct arena *arena, const char *path,
    struct report *report, size_t *len_out);

/* False, told in report, when it is none, or when every user may put files
 * there. */
bool file_check_directory(const char *path, struct report *report);

#endif
