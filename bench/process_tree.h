/* SPDX-License-Identifier: Apache-2.0 */
/* What a server costs: processor time and memory of processes and of all their
 * descendants.
 *
 * Processor time is, for each process that lives, what the kernel's clock of
 * that process says (all its threads, also those that ended, in nanoseconds),
 * and what its children had used that it has waited for (from /proc/PID/stat,
 * in clock ticks, which are 10 ms). So a child that lives and dies between two
 * readings counts, if its parent lives on and waits for it. Not counted: what a
 * process used that left the tree (its parent died first), and what the kernel
 * does in nobody's name. Work of the kernel for packets counts with whoever it
 * interrupts; on a machine whose cores are shared by client and server that is
 * not always the server.
 *
 * Memory is the proportional set size of /proc/PID/smaps_rollup: a page that n
 * processes share counts as 1/n in each. Buffers of sockets are not in it. */
#ifndef POSTERN_BENCH_PROCESS_TREE_H
#define POSTERN_BENCH_PROCESS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCESS_TREE_MAX 8192

struct process_usage {
	uint64_t cpu_ns;
	uint64_t pss_bytes; /* 0 unless asked for */
	size_t process_count;
};

/* False when one of `roots` is not there, or cannot be read: *bad_out is it. */
bool process_tree_read(const long *roots, size_t root_count, bool with_memory,
    struct process_usage *usage_out, long *bad_out);

#endif
