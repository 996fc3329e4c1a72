/* SPDX-License-Identifier: Apache-2.0 */
/* Marks memory that nobody may touch now, so that AddressSanitizer catches who
 * does; nothing in other builds. */
#ifndef POSTERN_PROXY_POISON_H
#define POSTERN_PROXY_POISON_H

#include <stddef.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>

static inline void poison(const void *memory, size_t size)
{
	ASAN_POISON_MEMORY_REGION(memory, size);
}

static inline void unpoison(const void *memory, size_t size)
{
	ASAN_UNPOISON_MEMORY_REGION(memory, size);
}

#else

static inline void poison(const void *memory, size_t size)
{
	(void)memory;
	(void)size;
}

static inline void unpoison(const void *memory, size_t size)
{
	(void)memory;
	(void)size;
}

#endif

#endif
