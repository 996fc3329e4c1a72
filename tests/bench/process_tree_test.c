/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/process_tree.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#define BURNT_MS 200

static void burn(long milliseconds)
{
	struct timespec used;

	do {
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	} while (used.tv_sec * 1000 + used.tv_nsec / 1000000 < milliseconds);
}

static struct process_usage usage_of(long pid, bool with_memory)
{
	struct process_usage usage;
	long bad;

	cr_assert(process_tree_read(&pid, 1, with_memory, &usage, &bad));
	return usage;
}

Test(process_tree, a_child_that_was_waited_for_counts)
{
	uint64_t before_ns = usage_of(getpid(), false).cpu_ns;
	uint64_t used_ns;
	pid_t child = fork();

	if (child == 0) {
		burn(BURNT_MS);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	used_ns = usage_of(getpid(), false).cpu_ns - before_ns;
	/* Of children the kernel tells ticks, rounded down. */
	cr_assert_geq(used_ns, (BURNT_MS - 10) * UINT64_C(1000000));
}

/* One that lives, and its own child that lives, count with all that they used.
 */
Test(process_tree, descendants_that_live_count)
{
	struct process_usage alone = usage_of(getpid(), true);
	struct process_usage together;
	int pipes[2];
	char byte;
	pid_t child;

	cr_assert_eq(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		fork();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		burn(BURNT_MS);
		if (write(pipes[1], "x", 1) == 1)
			pause();
		_exit(0);
	}
	cr_assert_eq(read(pipes[0], &byte, 1), 1);
	cr_assert_eq(read(pipes[0], &byte, 1), 1);
	together = usage_of(getpid(), true);
	cr_assert_eq(together.process_count, alone.process_count + 2);
	cr_assert_geq(
	    together.cpu_ns - alone.cpu_ns, 2 * BURNT_MS * UINT64_C(1000000));
	cr_assert_gt(together.pss_bytes, 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static bool counts_what_is_used(size_t size)
{
	uint64_t before = usage_of(getpid(), true).pss_bytes;
	/* Not by malloc(), which a compiler leaves out when it sees no use. */
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	bool counts;

	cr_assert_neq(memory, MAP_FAILED);
	counts = usage_of(getpid(), true).pss_bytes >= before + size - 65536;
	munmap(memory, size);
	return counts;
}

/* A page that others have mapped, too, counts by their number, and other tests
 * begin and end between two readings: a quiet moment is waited for. */
Test(process_tree, memory_that_is_used_counts)
{
	bool counts = false;

	for (int tries = 0; tries < 100 && !counts; tries++)
		counts = counts_what_is_used(16U << 20);
	cr_assert(counts);
}

Test(process_tree, one_that_is_not_there_is_named)
{
	long pids[] = {getpid(), 4194304};
	struct process_usage usage;
	long bad;

	cr_assert_not(process_tree_read(pids, 2, false, &usage, &bad));
	cr_assert_eq(bad, 4194304);
}
