/* SPDX-License-Identifier: Apache-2.0 */
/* Postfix's macro language: $name, ${name?{x}:{y}}, ${{a} <level {b}?{x}:{y}}.
 * Lazy: a value is expanded where it is used, with the names of the innermost
 * scope. Whether a name is empty, for ? and :, is asked of the value as
 * written, as Postfix does. Pure. */
#ifndef POSTERN_CONF_EXPAND_H
#define POSTERN_CONF_EXPAND_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/arena.h"
#include "conf/scope.h"

#define EXPAND_DEPTH_MAX 100   /* Postfix's recursion limit */
#define EXPAND_SIZE_MAX	 65536 /* of the result */
#define EXPAND_STEPS_MAX 10000 /* macros looked at, for one value */

struct expand_result {
	const char *text;  /* NULL: a fault */
	const char *fault; /* then: what is wrong, and what would be right */
	/* Then: the entry in whose value the fault is; NULL: in the text. */
	const struct scope_entry *culprit;
	/* A name that has no value anywhere and was used as if it had (not
	 * tested with ? or :), and where; NULL when there is none. */
	const char *undefined;
	const struct scope_entry *undefined_in; /* NULL: in the text */
};

/* All in the arena. */
struct expand_result expand_text(
    struct arena *arena, const struct scope *scope, const char *text);

/* Finds each name that the text refers to, as a macro, at any depth. *cursor
 * starts as the text and is moved on; false at the end. Works on text that has
 * faults, too. */
bool expand_next_reference(
    const char **cursor, const char **name_out, size_t *len_out);

#endif
