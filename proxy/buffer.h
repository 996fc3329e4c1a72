/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's output buffers: a pool of one size, taken at start. A session
 * holds one per side only while bytes wait to be sent, so an idle session holds
 * none. */
#ifndef POSTERN_PROXY_BUFFER_H
#define POSTERN_PROXY_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUFFER_SIZE 65536

struct buffer_pool {
	uint8_t *memory;
	uint32_t *free; /* a stack: the last one given is the warmest */
	bool *taken; /* by number: given twice, it would serve two sessions */
	uint32_t free_count;
	uint32_t count;
};

/* The memory is reserved, and becomes real when it is first used. False without
 * memory. */
bool buffer_pool_init(struct buffer_pool *pool, uint32_t count);
void buffer_pool_finish(struct buffer_pool *pool);

/* BUFFER_SIZE bytes, or NULL when all are taken. */
uint8_t *buffer_take(struct buffer_pool *pool);

/* Gives *buffer back and sets it to NULL. Accepts NULL inside. Whoever touches
 * a buffer after that is caught by AddressSanitizer. */
void buffer_give(struct buffer_pool *pool, uint8_t **buffer);

/* How many are taken. */
uint32_t buffer_pool_in_use(const struct buffer_pool *pool);

#endif
