/* SPDX-License-Identifier: Apache-2.0 */
/* The text of one value -> what it means, by type. Pure. */
#ifndef POSTERN_CONF_VALUE_H
#define POSTERN_CONF_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* yes or no, in any letter case. */
bool value_bool(const char *text, bool *value_out);

/* A decimal number with nothing behind it. */
bool value_integer(const char *text, int64_t *value_out);

struct value_time {
	int64_t count;	  /* of the unit that was asked for */
	const char *tail; /* what stands behind the unit's letter */
};

/* 10, or 10 with one of s m h d w behind it, in seconds. default_unit is the
 * letter that counts when there is none. Postfix looks at no more than the
 * first letter: `tail` says what it does not see. */
bool value_seconds(
    const char *text, char default_unit, struct value_time *time_out);

/* The same in milliseconds, with the further unit ms, which is the default. */
bool value_milliseconds(const char *text, struct value_time *time_out);

/* The letter that the default value of a time ends with. */
char value_default_unit(const char *default_);

/* The index of text in "word|word|…", in any letter case; -1: it is none of
 * them. */
int value_word(const char *text, const char *words);

#endif
