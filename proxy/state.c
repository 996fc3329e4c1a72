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
#include <time.h>
#include <unistd.h>

#define STATE_MAGIC 0x706f737465726e31u /* "postern1" */

/* A publication takes well under a microsecond. Whoever finds one under way
 * looks again at once so often, and then lets others run in between: enough for
 * a writer that was put to sleep in the middle, and for the master to mend what
 * a dead one left. */
#define READ_TRIES_AT_ONCE 1000
#define READ_TRIES_MAX	   20000

_Static_assert(sizeof(struct state_block) % STATE_PAGE_SIZE == 0,
    "a block is whole pages: its owner alone may write there");
_Static_assert(offsetof(struct state, backends) % STATE_PAGE_SIZE == 0 &&
		   offsetof(struct state, blocks) % STATE_PAGE_SIZE == 0,
    "each writer's part starts with a page");

/* The new file gets its name only when it is whole: who opens the name
 * meanwhile sees the one before, or none. */
static struct state *map_new(int fd, const char *temporary, const char *path)
{
	struct state *state;

	if (ftruncate(fd, sizeof(*state)) != 0 || fchmod(fd, 0644) != 0)
		return NULL;
	/* No holes where somebody writes: a full file system would be a SIGBUS.
	 * Those of the blocks are filled when they are claimed. */
	errno = posix_fallocate(fd, 0, offsetof(struct state, blocks));
	if (errno != 0)
		return NULL;
	state = mmap(
	    NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (state == MAP_FAILED)
		return NULL;
	state->magic = STATE_MAGIC;
	state->layout = sizeof(*state);
	state->started_s = (int64_t)time(NULL);
	state->writable_fd = fd;
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
	copy_out->streak = backend->streak;
	copy_out->risen_ms = backend->risen_ms;
	copy_out->ever_reached = backend->ever_reached;
	copy_out->up = backend->up;
	copy_out->ehlo = backend->ehlo;
	copy_out->address = backend->address;
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
	if (state == NULL) {
		unlink(temporary);
		close(fd);
	}
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
	close(state->writable_fd);
	return done;
}

/* Fills the holes of the file where this block will be written to. */
static bool take_room(
    const struct state *state, const struct state_block *block, bool sessions)
{
	off_t from = (const char *)block - (const char *)state;
	size_t size =
	    sessions ? sizeof(*block) : offsetof(struct state_block, sessions);

	if (state->writable_fd == -1)
		return true;
	errno = posix_fallocate(state->writable_fd, from, (off_t)size);
	return errno == 0;
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
	}
	errno = EAGAIN;
	if (block == NULL || !take_room(state, block, role == STATE_WORKER))
		return NULL;
	if (block >= &state->blocks[atomic_load(&state->block_count)])
		atomic_store(
		    &state->block_count, (uint32_t)(block - state->blocks) + 1);
	atomic_store(&block->generation, generation);
	atomic_store(&block->index, index);
	atomic_store(&block->role, role);
	return block;
}

static void clear_gauges(struct state_block *block)
{
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		const struct metric_family *family = &metric_families[i];
		size_t count = (size_t)family->values[0] * family->values[1];

		if (family->storage != METRIC_CELLS ||
		    family->type != METRIC_GAUGE)
			continue;
		for (size_t j = 0; j < count; j++)
			atomic_store(&block->cells[family->first_cell + j], 0);
	}
}

/* Their writer may have died in the middle. */
static void clear_sessions(struct state_block *block)
{
	uint32_t count = atomic_load(&block->session_count);

	for (uint32_t i = 0; i < count && i < STATE_SESSIONS_MAX; i++) {
		struct state_session *session = &block->sessions[i];

		session->serial = 0;
		atomic_store(&session->sequence,
		    (atomic_load(&session->sequence) | 1) + 1);
	}
	atomic_store(&block->session_count, 0);
}

void state_block_release(struct state_block *block)
{
	clear_gauges(block);
	clear_sessions(block);
	atomic_store(&block->accepting, 0);
	atomic_store(&block->pid, 0);
	atomic_store(&block->role, STATE_FREE);
}

/* What was counted for a name that goes is from now on that of names that are
 * gone, so that totals stay and the next name begins with nothing. Nobody
 * writes to these cells any more. */
static void forget_cells(
    struct state_block *block, const struct metric_family *family, size_t index)
{
	size_t count = (size_t)family->values[1] * family->cells;
	_Atomic uint64_t *from =
	    &block->cells[family->first_cell + index * count];
	_Atomic uint64_t *to =
	    &block->cells[family->first_cell +
			  (size_t)(family->values[0] - 1) * count];

	for (size_t i = 0; i < count; i++) {
		atomic_fetch_add(&to[i], atomic_load(&from[i]));
		atomic_store(&from[i], 0);
	}
}

static void forget_values(
    struct state *state, enum metric_label label, size_t index)
{
	uint32_t blocks = atomic_load(&state->block_count);

	for (size_t i = 0; i < METRIC_COUNT; i++) {
		const struct metric_family *family = &metric_families[i];

		if (family->storage != METRIC_CELLS ||
		    family->labels[0] != label)
			continue;
		for (uint32_t j = 0; j < blocks; j++)
			forget_cells(&state->blocks[j], family, index);
	}
}

/* Likewise its rows: nobody looks for a key with the name of one that is gone.
 */
static void forget_rows(struct state *state, int listener)
{
	uint32_t blocks = atomic_load(&state->block_count);

	for (uint32_t i = 0; i < blocks; i++) {
		struct state_block *block = &state->blocks[i];
		uint32_t count = atomic_load(&block->row_count);

		for (uint32_t j = 1; j < count; j++)
			if (block->rows[j].key.listener == listener)
				block->rows[j].key.listener =
				    METRIC_LISTENERS_MAX;
	}
}

int state_listener_claim(struct state *state, const char *name)
{
	int unused = -1;

	for (int i = METRIC_LISTENERS_MAX - 1; i >= 0; i--) {
		if (state->listeners[i][0] == '\0')
			unused = i;
		else if (strcmp(state->listeners[i], name) == 0)
			return i;
	}
	if (unused != -1)
		snprintf(state->listeners[unused],
		    sizeof(state->listeners[unused]), "%s", name);
	return unused;
}

void state_listener_release(struct state *state, int index)
{
	forget_values(state, METRIC_LABEL_LISTENER, (size_t)index);
	forget_rows(state, index);
	memset(state->listeners[index], 0, sizeof(state->listeners[index]));
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

	forget_values(state, METRIC_LABEL_BACKEND, (size_t)index);
	state_dane_forget(&state->danes[index]);
	/* The sequence goes on, so that no reader takes the next backend here
	 * for the one that it has read before. */
	atomic_store(&backend->sequence, sequence | 1);
	atomic_thread_fence(memory_order_release);
	memset(backend->name, 0, sizeof(backend->name));
	backend->probes = 0;
	backend->streak = 0;
	backend->risen_ms = 0;
	backend->ever_reached = false;
	backend->up = false;
	memset(&backend->ehlo, 0, sizeof(backend->ehlo));
	memset(&backend->address, 0, sizeof(backend->address));
	atomic_store_explicit(
	    &backend->sequence, (sequence | 1) + 1, memory_order_release);
}

void state_backends_mend(struct state *state)
{
	for (size_t i = 0; i < STATE_BACKENDS_MAX; i++) {
		struct state_backend *backend = &state->backends[i];
		uint32_t sequence = atomic_load(&backend->sequence);

		if (atomic_load(&state->danes[i].sequence) % 2 != 0)
			state_dane_forget(&state->danes[i]);
		if (sequence % 2 == 0)
			continue;
		/* Half written: the next probe tells again. */
		backend->ever_reached = false;
		backend->up = false;
		memset(&backend->address, 0, sizeof(backend->address));
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

/* One probe may err, so it takes a run of them; but for the first, which is all
 * that is known. */
static void count_probe(
    struct state_backend *backend, const struct state_probe *probe)
{
	bool well = probe->ehlo != NULL;

	if (backend->probes++ == 0) {
		backend->up = well;
		return;
	}
	backend->streak = well == backend->up ? 0 : backend->streak + 1;
	if (backend->streak == 0 ||
	    backend->streak < (well ? probe->rise : probe->fall))
		return;
	backend->streak = 0;
	backend->up = well;
	if (well)
		backend->risen_ms = probe->now_ms;
}

static uint32_t begin_writing(struct state_backend *backend)
{
	uint32_t sequence =
	    atomic_load_explicit(&backend->sequence, memory_order_relaxed);

	assert(sequence % 2 == 0);
	atomic_store_explicit(
	    &backend->sequence, sequence + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	return sequence;
}

void state_backend_publish(
    struct state_backend *backend, const struct state_probe *probe)
{
	uint32_t sequence = begin_writing(backend);

	count_probe(backend, probe);
	if (probe->ehlo != NULL) {
		backend->ever_reached = true;
		backend->ehlo = *probe->ehlo;
	}
	atomic_store_explicit(
	    &backend->sequence, sequence + 2, memory_order_release);
}

void state_backend_move(struct state_backend *backend,
    const struct sockaddr_in6 *address, int64_t now_ms)
{
	uint32_t sequence = begin_writing(backend);

	/* No breaker that the old address opened is in the way of the new. */
	if (backend->address.sin6_family != 0)
		backend->risen_ms = now_ms;
	backend->address = *address;
	backend->probes = address->sin6_family == 0 ? 1 : 0;
	backend->streak = 0;
	backend->up = false;
	atomic_store_explicit(
	    &backend->sequence, sequence + 2, memory_order_release);
}

bool state_backend_is_spare(const struct state_backend *backend)
{
	return backend->address.sin6_family == 0 &&
	       strncmp(backend->name, "inet:", 5) == 0 &&
	       strchr(backend->name, '#') != NULL;
}
