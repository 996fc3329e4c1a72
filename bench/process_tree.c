/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/process_tree.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct process {
	long pid, parent;
	uint64_t children_ticks;
	bool wanted;
};

static bool read_file(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t len;

	if (file == NULL)
		return false;
	len = fread(text, 1, size - 1, file);
	fclose(file);
	text[len] = '\0';
	return len > 0;
}

/* proc(5): behind the name come the state (3), the parent (4), and as 16 and 17
 * the ticks of the children that were waited for. */
static bool read_process(long pid, struct process *process)
{
	char path[64];
	char text[1024];
	long long user, system;
	const char *at;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	if (!read_file(path, text, sizeof(text)))
		return false;
	at = strrchr(text, ')'); /* the name may have one itself */
	if (at == NULL)
		return false;
	process->pid = pid;
	process->wanted = false;
	if (sscanf(at + 1,
		" %*c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %lld "
		"%lld",
		&process->parent, &user, &system) != 3)
		return false;
	process->children_ticks = (uint64_t)(user + system);
	return true;
}

static size_t read_all(struct process *processes)
{
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	if (directory == NULL)
		return 0;
	while (
	    (entry = readdir(directory)) != NULL && count < PROCESS_TREE_MAX) {
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid > 0 && read_process(pid, &processes[count]))
			count++;
	}
	closedir(directory);
	return count;
}

static bool mark_root(struct process *processes, size_t count, long pid)
{
	for (size_t i = 0; i < count; i++)
		if (processes[i].pid == pid) {
			processes[i].wanted = true;
			return true;
		}
	return false;
}

static bool parent_is_wanted(
    const struct process *processes, size_t count, const struct process *child)
{
	for (size_t i = 0; i < count; i++)
		if (processes[i].pid == child->parent)
			return processes[i].wanted;
	return false;
}

/* Once more as long as another generation was found. */
static void mark_descendants(struct process *processes, size_t count)
{
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < count; i++) {
			if (processes[i].wanted ||
			    !parent_is_wanted(processes, count, &processes[i]))
				continue;
			processes[i].wanted = true;
			again = true;
		}
	}
}

static uint64_t cpu_of(long pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid((pid_t)pid, &clock) != 0 ||
	    clock_gettime(clock, &used) != 0)
		return 0;
	return (uint64_t)used.tv_sec * UINT64_C(1000000000) +
	       (uint64_t)used.tv_nsec;
}

static bool pss_of(long pid, uint64_t *bytes_out)
{
	char path[64];
	char text[2048];
	const char *at;
	unsigned long long kilobytes;

	snprintf(path, sizeof(path), "/proc/%ld/smaps_rollup", pid);
	if (!read_file(path, text, sizeof(text)))
		return false;
	at = strstr(text, "\nPss:");
	if (at == NULL || sscanf(at, "\nPss: %llu kB", &kilobytes) != 1)
		return false;
	*bytes_out = (uint64_t)kilobytes * 1024;
	return true;
}

static void add_up(const struct process *processes, size_t count,
    bool with_memory, struct process_usage *usage)
{
	uint64_t tick_ns =
	    UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);

	for (size_t i = 0; i < count; i++) {
		uint64_t bytes = 0;

		if (!processes[i].wanted)
			continue;
		usage->process_count++;
		usage->cpu_ns += processes[i].children_ticks * tick_ns +
				 cpu_of(processes[i].pid);
		/* A process that has just ended has no memory. */
		if (with_memory && pss_of(processes[i].pid, &bytes))
			usage->pss_bytes += bytes;
	}
}

bool process_tree_read(const long *roots, size_t root_count, bool with_memory,
    struct process_usage *usage_out, long *bad_out)
{
	struct process *processes =
	    calloc(PROCESS_TREE_MAX, sizeof(*processes));
	size_t count;
	uint64_t bytes;

	*usage_out = (struct process_usage){0};
	*bad_out = root_count > 0 ? roots[0] : 0;
	if (processes == NULL)
		return false;
	count = read_all(processes);
	for (size_t i = 0; i < root_count; i++) {
		*bad_out = roots[i];
		if (!mark_root(processes, count, roots[i]) ||
		    (with_memory && !pss_of(roots[i], &bytes))) {
			free(processes);
			return false;
		}
	}
	mark_descendants(processes, count);
	add_up(processes, count, with_memory, usage_out);
	free(processes);
	return true;
}
