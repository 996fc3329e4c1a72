/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/descriptors.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
	int left = *(const int *)a;
	int right = *(const int *)b;

	return (left > right) - (left < right);
}

static void close_between(unsigned first, unsigned last)
{
	struct rlimit limit;

	if (first > last || close_range(first, last, 0) == 0)
		return;
	/* Valgrind knows no close_range. */
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	for (unsigned fd = first; fd <= last && fd < limit.rlim_cur; fd++)
		close((int)fd);
}

void descriptors_keep(int *kept, size_t kept_count)
{
	unsigned next = STDERR_FILENO + 1;

	qsort(kept, kept_count, sizeof(*kept), compare);
	for (size_t i = 0; i < kept_count; i++) {
		if (kept[i] < (int)next)
			continue;
		close_between(next, (unsigned)kept[i] - 1);
		next = (unsigned)kept[i] + 1;
	}
	close_between(next, ~0U);
}
