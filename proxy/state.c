/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/state.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_MAGIC 0x706f737465726e31u /* "postern1" */

/* A publication takes well under a microsecond. Whoever finds one under way
 * looks again at once so often, and then lets others run in between: enough for
 * a writer that was put to sleep in the middle, and for the master to mend what
 * a dead one left. */
#define READ_TRIES_AT_ONCE 1000
#define READ_TRIES_MAX	   20000

static const struct {
	const char *name, *help;
	bool is_gauge;
} metrics[METRIC_COUNT] = {
#define COUNTER(name, help) {#name, help, false},
#define GAUGE(name, help)   {#name, help, true},
#include "proxy/metrics.def"
#undef COUNTER
#undef GAUGE
};

_Static_assert(sizeof(struct state_block) == STATE_PAGE_SIZE,
    "a block is one page: its owner alone may write there");
_Static_assert(offsetof(struct state, backends) % STATE_PAGE_SIZE == 0 &&
		   offsetof(struct state, blocks) % STATE_PAGE_SIZE == 0,
    "each writer's part starts with a page");

/* The new file gets its name only when it is whole: who opens the name
 * meanwhile sees the one before, or none. */
static struct state *map_new(int fd, const char *temporary, const char *path)
{
	struct state *state;

	/* Not sparse: a full file system would be a SIGBUS in some worker. */
	errno = posix_fallocate(fd, 0, sizeof(*state));
	if (errno != 0 || fchmod(fd, 0644) != 0)
		return NULL;
	state = mmap(
	    NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (state == MAP_FAILED)
		return NULL;
	state->magic = STATE_MAGIC;
	state->layout = sizeof(*state);
	state->read_only_fd = open(temporary, O_RDONLY | O_CLOEXEC);
	if (state->read_only_fd == -1)
		goto unmap;
	if (rename(temporary, path) != 0)
		goto close_read_only;
	return state;
close_read_only:
	close(state->read_only_fd);
unmap:
	munmap(state, sizeof(*state));
	return NULL;
}

/* Takes write permission from [from, to) for good: pages mapped anew from a
 * read-only descriptor cannot be made writable with mprotect. */
static bool take_away(
    const struct state *state, size_t from, size_t to, int read_only_fd)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *base = (char *)(uintptr_t)state;

	if (from != 0)
		from = (from + page - 1) / page * page;
	to = to == sizeof(*state) ? to : to / page * page;
	if (from >= to)
		return true;
	return mmap(base + from, to - from, PROT_READ, MAP_SHARED | MAP_FIXED,
		   read_only_fd, (off_t)from) != MAP_FAILED;
}

static void copy_cells(
    const struct state_backend *backend, struct state_backend *copy_out)
{
	memcpy(copy_out->name, backend->name, sizeof(copy_out->name));
	copy_out->probes = backend->probes;
	copy_out->ever_reached = backend->ever_reached;
	copy_out->up = backend->up;
	copy_out->ehlo = backend->ehlo;
}

struct state *state_create(const char *path)
{
	char temporary[4096];
	struct state *state;
	int fd;
	int cause;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >=
	    (int)sizeof(temporary)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	unlink(temporary);
	fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return NULL;
	state = map_new(fd, temporary, path);
	cause = errno;
	if (state == NULL)
		unlink(temporary);
	close(fd);
	errno = cause;
	return state;
}

const struct state *state_open(const char *path)
{
	const struct state *state;
	struct stat status;
	int cause;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return NULL;
	state = MAP_FAILED;
	errno = EPROTO;
	if (fstat(fd, &status) == 0 && status.st_size == (off_t)sizeof(*state))
		state =
		    mmap(NULL, sizeof(*state), PROT_READ, MAP_SHARED, fd, 0);
	cause = errno;
	close(fd);
	errno = cause;
	if (state == MAP_FAILED)
		return NULL;
	if (state->magic == STATE_MAGIC && state->layout == sizeof(*state))
		return state;
	state_close(&state);
	errno = EPROTO;
	return NULL;
}

void state_close(const struct state **state)
{
	if (*state == NULL)
		return;
	munmap((void *)(uintptr_t)*state, sizeof(**state));
	*state = NULL;
}

bool state_confine(
    struct state *state, struct state_block *own, bool backends_writable)
{
	const char *base = (const char *)state;
	size_t own_from = (size_t)((const char *)own - base);
	size_t own_to = own_from + sizeof(*own);
	size_t head_to = offsetof(struct state, blocks);
	int fd = state->read_only_fd;
	bool done;

	assert(own_from >= head_to);
	assert(own_to <= sizeof(*state));
	if (backends_writable)
		head_to = offsetof(struct state, backends);
	done = take_away(state, 0, head_to, fd) &&
	       take_away(state, offsetof(struct state, blocks), own_from, fd) &&
	       take_away(state, own_to, sizeof(*state), fd);
	close(fd);
	return done;
}

struct state_block *state_block_claim(struct state *state, enum state_role role,
    uint32_t generation, uint32_t index)
{
	struct state_block *block = NULL;

	assert(role != STATE_FREE);
	for (uint32_t i = 0; i < STATE_BLOCKS_MAX && block == NULL; i++) {
		if (atomic_load(&state->blocks[i].role) != STATE_FREE)
			continue;
		block = &state->blocks[i];
		if (i >= atomic_load(&state->block_count))
			atomic_store(&state->block_count, i + 1);
	}
	if (block == NULL)
		return NULL;
	atomic_store(&block->generation, generation);
	atomic_store(&block->index, index);
	atomic_store(&block->role, role);
	return block;
}

void state_block_release(struct state_block *block)
{
	for (size_t i = 0; i < METRIC_COUNT; i++)
		if (metrics[i].is_gauge)
			atomic_store(&block->metrics[i], 0);
	for (size_t i = 0; i < STATE_LISTENERS_MAX; i++)
		atomic_store(&block->sessions[i], 0);
	atomic_store(&block->accepting, 0);
	atomic_store(&block->pid, 0);
	atomic_store(&block->role, STATE_FREE);
}

int state_backend_claim(struct state *state, const char *name)
{
	struct state_backend *backend;
	int unused = -1;

	for (int i = STATE_BACKENDS_MAX - 1; i >= 0; i--) {
		if (state->backends[i].name[0] == '\0')
			unused = i;
		else if (strcmp(state->backends[i].name, name) == 0)
			return i;
	}
	if (unused == -1)
		return -1;
	backend = &state->backends[unused];
	snprintf(backend->name, sizeof(backend->name), "%s", name);
	return unused;
}

void state_backend_release(struct state *state, int index)
{
	struct state_backend *backend = &state->backends[index];
	uint32_t sequence = atomic_load(&backend->sequence);

	/* The sequence goes on, so that no reader takes the next backend here
	 * for the one that it has read before. */
	atomic_store(&backend->sequence, sequence | 1);
	atomic_thread_fence(memory_order_release);
	memset(backend->name, 0, sizeof(backend->name));
	backend->probes = 0;
	backend->ever_reached = false;
	backend->up = false;
	memset(&backend->ehlo, 0, sizeof(backend->ehlo));
	atomic_store_explicit(
	    &backend->sequence, (sequence | 1) + 1, memory_order_release);
}

void state_backends_mend(struct state *state)
{
	for (size_t i = 0; i < STATE_BACKENDS_MAX; i++) {
		struct state_backend *backend = &state->backends[i];
		uint32_t sequence = atomic_load(&backend->sequence);

		if (sequence % 2 == 0)
			continue;
		/* Half written: the next probe tells again. */
		backend->ever_reached = false;
		backend->up = false;
		atomic_store_explicit(
		    &backend->sequence, sequence + 1, memory_order_release);
	}
}

void state_backend_read(
    const struct state_backend *backend, struct state_backend *copy_out)
{
	for (unsigned tries = 0; tries < READ_TRIES_MAX; tries++) {
		uint32_t before = atomic_load_explicit(
		    &backend->sequence, memory_order_acquire);

		if (tries >= READ_TRIES_AT_ONCE)
			sched_yield();
		if (before % 2 != 0)
			continue;
		copy_cells(backend, copy_out);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(
			&backend->sequence, memory_order_relaxed) == before) {
			atomic_store(&copy_out->sequence, before);
			return;
		}
	}
	memset(copy_out, 0, sizeof(*copy_out));
}

void state_backend_publish(
    struct state_backend *backend, const struct smtp_ehlo *ehlo)
{
	uint32_t sequence =
	    atomic_load_explicit(&backend->sequence, memory_order_relaxed);

	assert(sequence % 2 == 0);
	atomic_store_explicit(
	    &backend->sequence, sequence + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	backend->probes++;
	backend->up = ehlo != NULL;
	if (ehlo != NULL) {
		backend->ever_reached = true;
		backend->ehlo = *ehlo;
	}
	atomic_store_explicit(
	    &backend->sequence, sequence + 2, memory_order_release);
}

uint64_t state_metric_total(const struct state *state, enum metric metric)
{
	uint32_t count = atomic_load(&state->block_count);
	uint64_t total = 0;

	for (uint32_t i = 0; i < count && i < STATE_BLOCKS_MAX; i++)
		total += atomic_load_explicit(
		    &state->blocks[i].metrics[metric], memory_order_relaxed);
	return total;
}

const char *metric_name(enum metric metric)
{
	return metrics[metric].name;
}

const char *metric_help(enum metric metric)
{
	return metrics[metric].help;
}

bool metric_is_gauge(enum metric metric)
{
	return metrics[metric].is_gauge;
}
