/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/pattern_parts.h"

#include <stdint.h>
#include <string.h>

#include <criterion/criterion.h>

static const struct row {
	const char *text;
	bool is_extended;
	size_t parts;
} rows[] = {
    {"", true, 1},
    {"abc", true, 4},
    {"a+", true, 3},
    {"a*b?", true, 3},
    {"a++", true, 5},
    {"a{3}", true, 4},
    {"a{3,}", true, 5},
    {"a{2,9}", true, 10},
    {"(ab)+", true, 7},
    {"((a+)+)+", true, 15},
    {"(a{9}){9}", true, 91},
    {"[a+{9}]", true, 2},
    {"[]a]+", true, 3},
    {"[^]a]+", true, 3},
    {"[[:alpha:]]+", true, 3},
    {"[[.].]]+", true, 3},
    {"[a", true, 2},
    {"[[:", true, 2},
    {"a\\+", true, 3},
    {"\\(a\\)+", true, 5},
    {"a)+", true, 3},
    {"a\\", true, 3},
    {"a{", true, 2},
    {"a{x}", true, 4},
    {"a+", false, 3},
    {"a\\+", false, 3},
    {"\\(a\\{3\\}\\)\\{2\\}", false, 9},
    {"(a{3}){2}", false, 10},
    {"a{1000000000000}", true, PATTERN_PARTS_MAX},
    {"a{999}{999}{999}", true, PATTERN_PARTS_MAX},
};

Test(pattern_parts, each_form)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(pattern_parts(rows[i].text, rows[i].is_extended),
		    rows[i].parts, "%s: %zu", rows[i].text,
		    pattern_parts(rows[i].text, rows[i].is_extended));
}

Test(pattern_parts, groups_that_are_too_deep)
{
	char text[201] = {0};

	memset(text, '(', 99);
	cr_expect_lt(pattern_parts(text, true), 300);
	memset(text, '(', 200);
	cr_expect_eq(pattern_parts(text, true), PATTERN_PARTS_MAX);
}
