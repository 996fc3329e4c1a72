/* SPDX-License-Identifier: Apache-2.0 */
/* What the process itself uses. It tells by itself, so that what it used is
 * still counted when it is gone, and nobody needs to see /proc. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proxy/worker_internal.h"

#define COUNT_EVERY_MS 1000

static uint64_t microseconds(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

static void count_processor(struct worker *worker)
{
	struct worker_usage *usage = &worker->usage;
	struct rusage used;
	uint64_t now_us;

	if (getrusage(RUSAGE_SELF, &used) != 0)
		return;
	now_us = microseconds(&used.ru_utime) + microseconds(&used.ru_stime);
	/* The two parts are made of one sum, and can each go back a little. */
	if (now_us <= usage->cpu_us)
		return;
	metric_add_for(worker->env.block, METRIC_process_cpu_seconds,
	    worker_role(worker), now_us - usage->cpu_us);
	usage->cpu_us = now_us;
}

static void count_memory(const struct worker *worker)
{
	uint64_t all, resident;
	char text[128];
	ssize_t len;

	if (worker->usage.memory_fd == -1)
		return;
	len = pread(worker->usage.memory_fd, text, sizeof(text) - 1, 0);
	if (len <= 0)
		return;
	text[len] = '\0';
	if (sscanf(text, "%lu %lu", &all, &resident) != 2)
		return;
	metric_set_for(worker->env.block, METRIC_process_resident_memory_bytes,
	    worker_role(worker), resident * (uint64_t)sysconf(_SC_PAGESIZE));
}

void worker_usage_init(struct worker *worker)
{
	worker->usage.memory_fd =
	    open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

void worker_usage_count(struct worker *worker)
{
	struct worker_usage *usage = &worker->usage;

	metric_add_for(worker->env.block, METRIC_ring_submissions,
	    worker_role(worker), worker->ring.submissions - usage->submissions);
	usage->submissions = worker->ring.submissions;
	if (worker->env.now_ms < usage->next_ms)
		return;
	usage->next_ms = worker->env.now_ms + COUNT_EVERY_MS;
	count_processor(worker);
	count_memory(worker);
}

void worker_usage_finish(struct worker *worker)
{
	count_processor(worker);
	if (worker->usage.memory_fd != -1)
		close(worker->usage.memory_fd);
}
