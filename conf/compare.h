/* SPDX-License-Identifier: Apache-2.0 */
/* The comparisons of the macro language: {left} operator {right}. Pure. */
#ifndef POSTERN_CONF_COMPARE_H
#define POSTERN_CONF_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

struct compare_operator; /* opaque */

/* The operator that the len bytes of text begin with, or NULL; *used_out is its
 * length. */
const struct compare_operator *compare_find(
    const char *text, size_t len, size_t *used_out);

enum compare_result {
	COMPARE_FALSE,
	COMPARE_TRUE,
	COMPARE_BAD_LEFT, /* is not a dotted number, as …level wants it */
	COMPARE_BAD_RIGHT,
};

/* As numbers when both sides are all digits, as dotted numbers (3.10 is above
 * 3.9, 3 is 3.0) when the operator ends in "level", else byte by byte. */
enum compare_result compare_texts(const struct compare_operator *compare,
    const char *left, const char *right);

#endif
