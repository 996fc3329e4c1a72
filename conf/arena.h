/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of one configuration: taken piece by piece, given back at once.
 * Without memory the program ends: configurations are made at start, or by the
 * short-lived child of a reload, which nobody's session depends on. */
#ifndef POSTERN_CONF_ARENA_H
#define POSTERN_CONF_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks; /* NULL: empty, which is how it starts */
};

/* Zeroed, aligned for anything, never NULL. */
void *arena_alloc(struct arena *arena, size_t size);

/* A NUL-terminated copy of len bytes. */
char *arena_copy(struct arena *arena, const char *text, size_t len);

char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Gives everything back; the arena is empty again. */
void arena_finish(struct arena *arena);

#endif
