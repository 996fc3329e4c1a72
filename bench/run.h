/* SPDX-License-Identifier: Apache-2.0 */
/* One run of a load from its beginning to its figures. */
#ifndef POSTERN_BENCH_RUN_H
#define POSTERN_BENCH_RUN_H

#include "bench/load.h"
#include "bench/options.h"
#include "bench/process_tree.h"

struct run_memory {
	long held;
	struct process_usage usage;
};

struct run_result {
	double wall_s;			 /* that was measured */
	struct process_usage begin, end; /* around it; without --server-pid 0 */
	struct run_memory memory[OPTIONS_LIST_MAX + 1]; /* first without any */
	size_t memory_count;
	struct load_tally jobs[OPTIONS_JOBS_MAX];
	uint64_t error_count;
	bool interrupted;
};

/* False when nothing could be measured, with the reason in `fault`. Errors of
 * sessions are in the result. */
bool run_load(const struct options *options, struct run_result *result,
    char fault[LOAD_FAULT_SIZE]);

#endif
