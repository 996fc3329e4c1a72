/* SPDX-License-Identifier: Apache-2.0 */
/* The checked settings of one listener: main.cf's values with the listener's -o
 * applied. One row of conf/parameters.def per parameter makes the field, the
 * default, the check, `postern conf`, the manual and the tests. Immutable. */
#ifndef POSTERN_CONF_SETTINGS_H
#define POSTERN_CONF_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct settings {
/* BOOL(name, default, help) */
#define BOOL(name, default_, help) bool name;
/* INT(name, default, minimum, maximum, unit, help) */
#define INT(name, default_, minimum, maximum, unit, help) int64_t name;
/* TIME(name, default, minimum_s, maximum_s, help): seconds */
#define TIME(name, default_, minimum, maximum, help) int64_t name##_s;
/* MILLISECONDS(name, default, minimum_ms, maximum_ms, help): a time with the
 * further unit "ms"; the field is in milliseconds */
#define MILLISECONDS(name, default_, minimum, maximum, help) int64_t name##_ms;
/* ENUM(name, default, "word|word|…", help): the index of the word */
#define ENUM(name, default_, words, help) int name;
/* STRING(name, default, help): expanded text, "" when not set; never NULL */
#define STRING(name, default_, help) const char *name;
/* LIST(name, default, help): as STRING; split it with settings_list_next */
#define LIST(name, default_, help) const char *name;
#include "conf/parameters.def"
#undef BOOL
#undef INT
#undef TIME
#undef MILLISECONDS
#undef ENUM
#undef STRING
#undef LIST
};

/* The value's place, for messages of those who check what it means: "FILE:LINE"
 * where it was set, or "default". Borrowed from the configuration. `name` must
 * be a parameter of ours. */
const char *settings_place(const struct settings *settings, const char *name);

/* Splits a list at commas and white space; { … } groups an element that holds
 * them, and is given without the braces. *cursor starts as the list and is
 * moved on. False at the end, or with *len_out == SIZE_MAX when a brace is not
 * closed. */
bool settings_list_next(
    const char **cursor, const char **element_out, size_t *len_out);

#endif
