/* SPDX-License-Identifier: Apache-2.0 */
/* A scope of name = value: the defaults, main.cf, or one service's -o. Scopes
 * lie in one another; a name is sought from the innermost outwards. */
#ifndef POSTERN_CONF_SCOPE_H
#define POSTERN_CONF_SCOPE_H

#include <stdbool.h>
#include <stddef.h>

struct scope_entry {
	const char *name;
	size_t name_len;
	const char *value;	  /* as written, not expanded */
	const char *place;	  /* "FILE:LINE", or "default" */
	struct scope_entry *next; /* in the order in which names first came */
};

struct scope {
	const struct scope *outer; /* NULL: none */
	struct scope_entry *first;
	struct scope_entry **end;
	void *tree; /* by name, for tsearch(3) */
};

void scope_init(struct scope *scope, const struct scope *outer);

/* Accepts one that is zeroed. The entries themselves belong to the caller's
 * arena. */
void scope_finish(struct scope *scope);

/* Takes the entry in. When the name is there already, this value and place
 * replace the old ones, which *entry then holds, and true is returned. */
bool scope_set(struct scope *scope, struct scope_entry *entry);

/* NULL: in no scope. */
const struct scope_entry *scope_find(
    const struct scope *scope, const char *name, size_t name_len);

/* As scope_find, in this scope alone. */
const struct scope_entry *scope_find_here(
    const struct scope *scope, const char *name, size_t name_len);

#endif
