/* SPDX-License-Identifier: Apache-2.0 */
/* What a POSIX pattern grows to: the C library copies what is repeated, and
 * repetitions of repetitions multiply. "(a++++++++++++++++++++)" takes
 * gigabytes. For conf/pattern.c alone. */
#ifndef POSTERN_CONF_PATTERN_PARTS_H
#define POSTERN_CONF_PATTERN_PARTS_H

#include <stdbool.h>
#include <stddef.h>

/* As many as it ever tells. */
#define PATTERN_PARTS_MAX 1000000

/* How many parts (characters, sets and groups) the pattern has once its
 * repetitions are written out; at most PATTERN_PARTS_MAX. Of a pattern that is
 * not well formed, any number. */
size_t pattern_parts(const char *text, bool is_extended);

#endif
