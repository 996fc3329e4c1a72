/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/progress.h"

#include <stdio.h>

#define WIDTH 30

void progress_show(const struct progress *progress)
{
	int full = (int)(progress->share * WIDTH);

	if (!progress->wanted)
		return;
	fprintf(stderr, "\r%-10s [", progress->what);
	for (int i = 0; i < WIDTH; i++)
		fputc(i < full ? '#' : '.', stderr);
	fprintf(stderr, "] %3.0f %%  %llu done, %llu failed\033[K",
	    progress->share * 100, (unsigned long long)progress->units,
	    (unsigned long long)progress->errors);
	fflush(stderr);
}

void progress_clear(const struct progress *progress)
{
	if (!progress->wanted)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
}
