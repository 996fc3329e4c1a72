/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "proxy/poison.h"

bool buffer_pool_init(struct buffer_pool *pool, uint32_t count)
{
	size_t size = (size_t)count * BUFFER_SIZE;

	*pool = (struct buffer_pool){.count = count, .free_count = count};
	pool->free = malloc(count * sizeof(*pool->free));
	pool->taken = calloc(count, sizeof(*pool->taken));
	if (pool->free == NULL || pool->taken == NULL)
		goto free_lists;
	pool->memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool->memory == MAP_FAILED)
		goto free_lists;
	for (uint32_t i = 0; i < count; i++)
		pool->free[i] = count - 1 - i;
	poison(pool->memory, size);
	return true;

free_lists:
	free(pool->free);
	free(pool->taken);
	*pool = (struct buffer_pool){0};
	return false;
}

void buffer_pool_finish(struct buffer_pool *pool)
{
	size_t size = (size_t)pool->count * BUFFER_SIZE;

	if (pool->memory == NULL)
		return;
	unpoison(pool->memory, size);
	munmap(pool->memory, size);
	free(pool->free);
	free(pool->taken);
	*pool = (struct buffer_pool){0};
}

uint8_t *buffer_take(struct buffer_pool *pool)
{
	uint32_t number;
	uint8_t *buffer;

	if (pool->free_count == 0)
		return NULL;
	number = pool->free[--pool->free_count];
	pool->taken[number] = true;
	buffer = pool->memory + (size_t)number * BUFFER_SIZE;
	unpoison(buffer, BUFFER_SIZE);
	return buffer;
}

void buffer_give(struct buffer_pool *pool, uint8_t **buffer)
{
	size_t offset, number;

	if (*buffer == NULL)
		return;
	offset = (size_t)(*buffer - pool->memory);
	number = offset / BUFFER_SIZE;
	assert(offset % BUFFER_SIZE == 0);
	assert(number < pool->count);
	assert(pool->taken[number]);
	poison(*buffer, BUFFER_SIZE);
	pool->taken[number] = false;
	pool->free[pool->free_count++] = (uint32_t)number;
	*buffer = NULL;
}

uint32_t buffer_pool_in_use(const struct buffer_pool *pool)
{
	return pool->count - pool->free_count;
}
