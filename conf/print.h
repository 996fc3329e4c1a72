/* SPDX-License-Identifier: Apache-2.0 */
/* `postern conf`: what postconf prints (reference 4.3). */
#ifndef POSTERN_CONF_PRINT_H
#define POSTERN_CONF_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "conf/report.h"

enum print_what {
	PRINT_ALL,	 /* every parameter, as set or default */
	PRINT_SET,	 /* -n: those set in main.cf, unexpanded, sorted */
	PRINT_DEFAULTS,	 /* -d */
	PRINT_SERVICES,	 /* -M: the lines of master.cf, in columns */
	PRINT_OVERRIDES, /* -P: service/type/name = value */
};

/* Prints to `out` what is asked of the files in `directory`; with names, only
 * these (unknown names are told as postconf does). Reads the files without
 * checking the values, so that a broken configuration can be looked at. False
 * when a file cannot be read or parsed, or a name is unknown: see report. */
bool print_configuration(FILE *out, const char *directory, enum print_what what,
    bool expand, const char *const *names, size_t name_count,
    struct report *report);

#endif
