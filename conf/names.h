/* SPDX-License-Identifier: Apache-2.0 */
/* What the names that a configuration sets are: ours, Postfix's, macros of its
 * own, or slips of the keyboard. */
#ifndef POSTERN_CONF_NAMES_H
#define POSTERN_CONF_NAMES_H

#include "conf/arena.h"
#include "conf/report.h"
#include "conf/scope.h"
#include "conf/source.h"

enum name_kind {
	NAME_OURS,    /* a parameter, or stress */
	NAME_FOREIGN, /* a parameter of Postfix that has no meaning here */
	NAME_MACRO,   /* some value refers to it */
	NAME_UNKNOWN,
};

struct names {
	struct arena arena;
	struct scope used; /* what values refer to; no values in it */
};

/* Looks through all values of the source, which must live as long. */
void names_init(struct names *names, const struct source *source);
void names_finish(struct names *names);

enum name_kind names_kind(const struct names *names, const char *name);

/* Warns, once per name, of what is set in main.cf or with a listener's -o and
 * is foreign or unknown. */
void names_check(
    struct names *names, const struct source *source, struct report *report);

#endif
