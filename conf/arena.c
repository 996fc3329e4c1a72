/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK_SIZE 16384

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	max_align_t bytes[];
};

static void *memory_or_end(size_t size)
{
	void *memory = calloc(1, size);
	if (memory == NULL) {
		fputs("postern: no memory for the configuration\n", stderr);
		abort();
	}
	return memory;
}

static void block_add(struct arena *arena, size_t size)
{
	if (size < ARENA_BLOCK_SIZE)
		size = ARENA_BLOCK_SIZE;
	struct arena_block *block = memory_or_end(sizeof(*block) + size);
	block->size = size;
	block->next = arena->blocks;
	arena->blocks = block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	const size_t align = sizeof(max_align_t);
	assert(size < SIZE_MAX / 2);
	size = (size + align - 1) / align * align;
	struct arena_block *block = arena->blocks;
	if (block == NULL || block->size - block->used < size) {
		block_add(arena, size);
		block = arena->blocks;
	}
	void *memory = (char *)block->bytes + block->used;
	block->used += size;
	return memory;
}

char *arena_copy(struct arena *arena, const char *text, size_t len)
{
	char *copy = arena_alloc(arena, len + 1);
	if (len > 0)
		memcpy(copy, text, len);
	return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	int len = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	assert(len >= 0);
	char *text = arena_alloc(arena, (size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	return text;
}

void arena_finish(struct arena *arena)
{
	while (arena->blocks != NULL) {
		struct arena_block *block = arena->blocks;
		arena->blocks = block->next;
		free(block);
	}
}
