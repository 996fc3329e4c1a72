/* SPDX-License-Identifier: Apache-2.0 */
/* /pattern/flags as pcre: and regexp: tables have them. */
#ifndef POSTERN_CONF_PATTERN_H
#define POSTERN_CONF_PATTERN_H

#include <stddef.h>

#include "conf/arena.h"

#define PATTERN_GROUPS_MAX 100 /* $0, which nobody can name, to $99 */

enum pattern_language {
	PATTERN_PCRE,  /* pcre_table(5) */
	PATTERN_POSIX, /* regexp_table(5): extended, from the C library */
};

struct pattern; /* opaque */

enum pattern_answer {
	PATTERN_MATCHES,
	PATTERN_DIFFERS,
	PATTERN_FAILED, /* it took too long */
};

/* Where in the subject each group matched; len 0 where it did not. */
struct pattern_groups {
	size_t start[PATTERN_GROUPS_MAX];
	size_t len[PATTERN_GROUPS_MAX];
};

/* Compiles what stands between delimiters at the head of `text`, with the flags
 * behind it; *rest_out is what follows. NULL, with *problem_out in the arena,
 * when it is no pattern. */
struct pattern *pattern_compile(struct arena *arena,
    enum pattern_language language, const char *text, const char **rest_out,
    const char **problem_out);

/* Accepts NULL. */
void pattern_finish(struct pattern *pattern);

enum pattern_answer pattern_match(const struct pattern *pattern,
    const char *subject, struct pattern_groups *groups_out);

/* How many groups it has, without the whole. */
unsigned pattern_group_count(const struct pattern *pattern);

#endif
