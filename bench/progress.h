/* SPDX-License-Identifier: Apache-2.0 */
/* The bar on a terminal, on the standard error. */
#ifndef POSTERN_BENCH_PROGRESS_H
#define POSTERN_BENCH_PROGRESS_H

#include <stdint.h>

struct progress {
	int wanted;
	const char *what; /* what is under way */
	double share;	  /* of it that is done, 0 to 1 */
	uint64_t units, errors;
};

void progress_show(const struct progress *progress);
void progress_clear(const struct progress *progress);

#endif
