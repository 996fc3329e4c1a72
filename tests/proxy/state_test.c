/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proxy/state.h"

static char folder[] = "/tmp/postern-state-XXXXXX";
static char path[128];
static struct state *state;

static void make_state(void)
{
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/state", folder);
	state = state_create(path);
	cr_assert_not_null(state, "%s", strerror(errno));
}

static void remove_state(void)
{
	const struct state *gone = state;

	state_close(&gone);
	unlink(path);
	rmdir(folder);
}

TestSuite(state, .init = make_state, .fini = remove_state, .timeout = 60);

Test(state, is_shared_with_who_opens_it)
{
	const struct state *seen = state_open(path);
	struct state_block *block =
	    state_block_claim(state, STATE_WORKER, 1, 0);

	cr_assert_not_null(seen);
	cr_assert_not_null(block);
	atomic_store(&state->generation, 7);
	metric_add(block, METRIC_log_lines_lost, 5);
	cr_assert_eq(atomic_load(&seen->generation), 7);
	cr_assert_eq(state_metric_total(seen, METRIC_log_lines_lost), 5);
	state_close(&seen);
	cr_assert_null(seen);
}

Test(state, everyone_may_read_it_and_nobody_else_write)
{
	struct stat status;

	cr_assert_eq(stat(path, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0644);
}

Test(state, of_another_build_is_refused)
{
	atomic_store(&state->generation, 1);
	state->layout++;
	cr_assert_null(state_open(path));
	cr_assert_eq(errno, EPROTO);
	state->layout--;
	state->magic ^= 1;
	cr_assert_null(state_open(path));
	cr_assert_eq(errno, EPROTO);
	state->magic ^= 1;
	cr_assert_eq(truncate(path, sizeof(struct state) - 1), 0);
	cr_assert_null(state_open(path));
	cr_assert_eq(errno, EPROTO);
	unlink(path);
	cr_assert_null(state_open(path));
	cr_assert_eq(errno, ENOENT);
}

Test(state, is_made_anew_whatever_was_there)
{
	struct state *second;

	state_listener_claim(state, "smtp");
	second = state_create(path);
	cr_assert_not_null(second);
	cr_assert_str_empty(second->listeners[0]);
	state_close((const struct state **)&second);
}

Test(state, without_room_is_an_error_and_no_crash_later)
{
	struct rlimit limit = {.rlim_cur = 65536, .rlim_max = 65536};
	char other[160];

	signal(SIGXFSZ, SIG_IGN);
	snprintf(other, sizeof(other), "%s.other", path);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_null(state_create(other));
	cr_assert_eq(access(other, F_OK), -1);
}

/* Writes a byte at `cell` in a child that is confined; returns whether it
 * lived. */
static bool can_write(struct state_block *own, bool control, void *cell)
{
	volatile unsigned char *byte = cell;
	int status;
	pid_t child = fork();

	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		if (!state_confine(state, own, control))
			_exit(2);
		*byte = (unsigned char)(*byte + 1);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(!WIFEXITED(status) || WEXITSTATUS(status) != 2);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

Test(state, a_confined_worker_writes_its_own_block_only)
{
	struct state_block *own = &state->blocks[5];

	cr_assert(can_write(own, false, &own->role));
	cr_assert(
	    can_write(own, false, &own->sessions[STATE_SESSIONS_MAX - 1]));
	cr_assert_not(can_write(own, false, &state->blocks[4]));
	cr_assert_not(can_write(own, false, &state->blocks[6]));
	cr_assert_not(can_write(own, false, &state->blocks[0]));
	cr_assert_not(
	    can_write(own, false, &state->blocks[STATE_BLOCKS_MAX - 1]));
	cr_assert_not(can_write(own, false, &state->generation));
	cr_assert_not(can_write(own, false, &state->backends[0]));
	cr_assert_not(
	    can_write(own, false, &state->backends[STATE_BACKENDS_MAX - 1]));
}

Test(state, the_first_and_the_last_block_are_confined_too)
{
	struct state_block *last = &state->blocks[STATE_BLOCKS_MAX - 1];

	cr_assert(can_write(&state->blocks[0], false, &state->blocks[0]));
	cr_assert_not(can_write(&state->blocks[0], false, &state->blocks[1]));
	cr_assert_not(can_write(&state->blocks[0], false,
	    &state->backends[STATE_BACKENDS_MAX - 1].ehlo));
	cr_assert(can_write(last, false, last));
	cr_assert_not(can_write(last, false, last - 1));
}

Test(state, control_writes_backends_too)
{
	struct state_block *own = &state->blocks[0];

	cr_assert(can_write(own, true, &own->pid));
	cr_assert(can_write(own, true, &state->backends[0].ehlo));
	cr_assert(can_write(own, true,
	    &state->backends[STATE_BACKENDS_MAX - 1].ehlo.arguments));
	cr_assert_not(can_write(own, true, &state->master_pid));
	cr_assert_not(can_write(own, true, &state->blocks[1]));
}

Test(state, who_is_confined_cannot_take_it_back)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (!state_confine(state, &state->blocks[1], false))
			_exit(2);
		_exit(mprotect(&state->blocks[0], STATE_PAGE_SIZE,
			  PROT_READ | PROT_WRITE) == -1 &&
			      errno == EACCES
			  ? 0
			  : 1);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
}

Test(state, what_the_owner_writes_is_seen_by_all)
{
	struct state_block *own = state_block_claim(state, STATE_WORKER, 1, 0);
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (!state_confine(state, own, false))
			_exit(2);
		metric_add(own, METRIC_log_lines_lost, 41);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	cr_assert_eq(state_metric_total(state, METRIC_log_lines_lost), 41);
}

Test(state, a_block_goes_on_counting_and_forgets_what_was_open)
{
	struct state_block *first =
	    state_block_claim(state, STATE_WORKER, 3, 1);
	struct state_block *second =
	    state_block_claim(state, STATE_CONTROL, 3, 0);

	struct state_session session = {.serial = 1};

	cr_assert_not_null(first);
	cr_assert_not_null(second);
	cr_assert_neq(first, second);
	cr_assert_eq(atomic_load(&first->role), STATE_WORKER);
	cr_assert_eq(atomic_load(&first->generation), 3);
	cr_assert_eq(atomic_load(&first->index), 1);
	metric_add_for(first, METRIC_sessions_accepted, 2, 10);
	metric_add_for(first, METRIC_sessions_open, 2, 4);
	metric_add_for(second, METRIC_sessions_accepted, 2, 1);
	state_session_publish(first, 7, &session);
	atomic_fetch_add(&first->sessions[3].sequence, 1);
	atomic_store(&first->accepting, 7);
	atomic_store(&first->pid, 123);
	cr_assert_eq(state_metric_total(state, METRIC_sessions_accepted), 11);
	cr_assert_eq(state_metric_total(state, METRIC_sessions_open), 4);
	state_block_release(first);
	cr_assert_eq(atomic_load(&first->role), STATE_FREE);
	cr_assert_eq(atomic_load(&first->pid), 0);
	cr_assert_eq(atomic_load(&first->accepting), 0);
	cr_assert_not(state_session_read(&first->sessions[7], &session));
	state_session_publish(first, 3, &session);
	cr_assert_eq(state_metric_total(state, METRIC_sessions_accepted), 11);
	cr_assert_eq(state_metric_total(state, METRIC_sessions_open), 0);
	cr_assert_eq(state_block_claim(state, STATE_WORKER, 4, 9), first);
	cr_assert_eq(
	    atomic_load(metric_cell(first, METRIC_sessions_accepted, 2, 0)),
	    10);
}

Test(state, blocks_come_to_an_end)
{
	/* Claimed one by one they would fill a disk. */
	for (unsigned i = 0; i < STATE_BLOCKS_MAX - 1; i++)
		atomic_store(&state->blocks[i].role, STATE_WORKER);
	cr_assert_eq(state_block_claim(state, STATE_CONTROL, 1, 0),
	    &state->blocks[STATE_BLOCKS_MAX - 1]);
	cr_assert_null(state_block_claim(state, STATE_WORKER, 1, 0));
	cr_assert_eq(errno, EAGAIN);
	metric_add(
	    &state->blocks[STATE_BLOCKS_MAX - 1], METRIC_log_lines_lost, 2);
	cr_assert_eq(state_metric_total(state, METRIC_log_lines_lost), 2);
}

Test(state, a_block_without_room_in_the_file_system_is_an_error)
{
	int writable_fd = state->writable_fd;

	/* It gives no room, as a full file system gives none. */
	state->writable_fd = state->read_only_fd;
	cr_assert_null(state_block_claim(state, STATE_WORKER, 1, 0));
	cr_assert_eq(errno, EBADF);
	cr_assert_eq(atomic_load(&state->blocks[0].role), STATE_FREE);
	cr_assert_eq(atomic_load(&state->block_count), 0);
	state->writable_fd = writable_fd;
	cr_assert_not_null(state_block_claim(state, STATE_WORKER, 1, 0));
}

Test(state, has_room_where_blocks_are_claimed_and_holes_elsewhere)
{
	struct stat status;

	cr_assert_eq(stat(path, &status), 0);
	cr_assert_lt(status.st_blocks * 512, 4 << 20);
	cr_assert_not_null(state_block_claim(state, STATE_WORKER, 1, 0));
	cr_assert_eq(stat(path, &status), 0);
	cr_assert_geq(
	    (size_t)status.st_blocks * 512, sizeof(struct state_block));
	cr_assert_eq((size_t)status.st_size, sizeof(struct state));
}

Test(state, a_backend_is_claimed_once)
{
	char name[STATE_NAME_SIZE];
	int first = state_backend_claim(state, "inet:127.0.0.1:25");
	int second = state_backend_claim(state, "unix:/run/lmtp");

	cr_assert_geq(first, 0);
	cr_assert_geq(second, 0);
	cr_assert_neq(first, second);
	cr_assert_eq(state_backend_claim(state, "inet:127.0.0.1:25"), first);
	cr_assert_str_eq(state->backends[first].name, "inet:127.0.0.1:25");
	for (unsigned i = 2; i < STATE_BACKENDS_MAX; i++) {
		snprintf(name, sizeof(name), "inet:host:%u", i);
		cr_assert_geq(state_backend_claim(state, name), 0);
	}
	cr_assert_eq(state_backend_claim(state, "one too many"), -1);
	cr_assert_eq(state_backend_claim(state, "unix:/run/lmtp"), second);
	state_backend_release(state, first);
	cr_assert_eq(state_backend_claim(state, "one too many"), first);
}

static void publish(struct state_backend *backend, const struct smtp_ehlo *ehlo)
{
	const struct state_probe probe = {.ehlo = ehlo, .rise = 1, .fall = 1};

	state_backend_publish(backend, &probe);
}

Test(state, publishing_keeps_what_was_learnt)
{
	int index = state_backend_claim(state, "inet:127.0.0.1:25");
	struct state_backend *backend = &state->backends[index];
	struct smtp_ehlo ehlo = {
	    .keywords = 1u << SMTP_KEYWORD_SIZE,
	    .argument_len[SMTP_KEYWORD_SIZE] = 4,
	    .arguments_len = 4,
	    .arguments = "1234",
	};
	struct state_backend seen;

	state_backend_read(backend, &seen);
	cr_assert_eq(seen.probes, 0);
	cr_assert_not(seen.ever_reached);
	publish(backend, NULL);
	state_backend_read(backend, &seen);
	cr_assert_eq(seen.probes, 1);
	cr_assert_not(seen.up);
	cr_assert_not(seen.ever_reached);
	publish(backend, &ehlo);
	publish(backend, NULL);
	state_backend_read(backend, &seen);
	cr_assert_eq(seen.probes, 3);
	cr_assert_not(seen.up);
	cr_assert(seen.ever_reached);
	cr_assert_eq(seen.ehlo.keywords, 1u << SMTP_KEYWORD_SIZE);
	cr_assert_str_eq(seen.ehlo.arguments, "1234");
	cr_assert_str_eq(seen.name, "inet:127.0.0.1:25");
}

Test(state, a_backend_that_moved_is_known_for_what_it_offers_alone)
{
	int index = state_backend_claim(state, "inet:mx.example.test:25");
	struct state_backend *backend = &state->backends[index];
	const struct smtp_ehlo ehlo = {.keywords = 1u << SMTP_KEYWORD_SIZE};
	struct sockaddr_in6 address = {.sin6_family = AF_INET6};
	struct state_backend seen;

	state_backend_move(backend, &address, 1000);
	publish(backend, &ehlo);
	state_backend_read(backend, &seen);
	cr_assert(seen.up);
	cr_assert_eq(seen.address.sin6_family, AF_INET6);
	cr_assert_eq(seen.risen_ms, 0, "it was never away");
	address.sin6_port = 1;
	state_backend_move(backend, &address, 2000);
	state_backend_read(backend, &seen);
	cr_assert_eq(seen.address.sin6_port, 1);
	cr_assert_eq(seen.probes, 0);
	cr_assert_not(seen.up);
	cr_assert(seen.ever_reached);
	cr_assert_eq(seen.risen_ms, 2000);
	address.sin6_family = 0;
	state_backend_move(backend, &address, 3000);
	state_backend_read(backend, &seen);
	cr_assert_eq(seen.probes, 1, "that it is down is known");
	cr_assert_not(state_backend_is_spare(&seen));
}

Test(state, spare_ones_are_those_of_names_with_fewer_addresses)
{
	static const struct {
		const char *name;
		sa_family_t family;
		bool spare;
	} rows[] = {
	    {"inet:mx.example.test:25", 0, false},
	    {"inet:mx.example.test:25#2", 0, true},
	    {"inet:mx.example.test:25#2", AF_INET, false},
	    {"unix:/run/a#2", 0, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct state_backend backend = {
		    .address.sin6_family = rows[i].family};

		strcpy(backend.name, rows[i].name);
		cr_expect_eq(state_backend_is_spare(&backend), rows[i].spare,
		    "%s", rows[i].name);
	}
}

/* One probe may err. */
Test(state, it_takes_a_run_of_probes_to_change_what_a_backend_is)
{
	struct state_backend *backend = &state->backends[0];
	const struct smtp_ehlo ehlo = {.keywords = 1};
	const struct {
		bool well, is_up;
		int64_t risen_ms;
	} rows[] = {
	    {true, true, 0}, /* the first decides alone */
	    {false, true, 0},
	    {false, true, 0},
	    {true, true, 0}, /* two are no run of three */
	    {false, true, 0},
	    {false, true, 0},
	    {false, false, 0},
	    {true, false, 0},
	    {false, false, 0},
	    {true, false, 0},
	    {true, true, 10},
	    {true, true, 10},
	    {false, true, 10},
	    {false, true, 10},
	    {false, false, 10},
	    {true, false, 10},
	    {true, true, 16},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct state_probe probe = {
		    .ehlo = rows[i].well ? &ehlo : NULL,
		    .rise = 2,
		    .fall = 3,
		    .now_ms = (int64_t)i,
		};

		state_backend_publish(backend, &probe);
		cr_assert_eq(backend->up, rows[i].is_up, "row %zu", i);
		cr_assert_eq(backend->risen_ms, rows[i].risen_ms, "row %zu", i);
	}
}

Test(state, a_released_backend_is_a_new_one_to_its_readers)
{
	int index = state_backend_claim(state, "first");
	struct state_backend *backend = &state->backends[index];
	struct smtp_ehlo ehlo = {.keywords = 1};
	struct state_backend before;
	struct state_backend after;

	publish(backend, &ehlo);
	state_backend_read(backend, &before);
	state_backend_release(state, index);
	cr_assert_eq(state_backend_claim(state, "second"), index);
	state_backend_read(backend, &after);
	cr_assert_neq(
	    atomic_load(&before.sequence), atomic_load(&after.sequence));
	cr_assert_eq(after.probes, 0);
	cr_assert_not(after.ever_reached);
	cr_assert_eq(after.ehlo.keywords, 0);
}

/* Each publication has all its bytes alike, so a mixture of two shows. */
static void publish_for_ever(struct state_backend *backend)
{
	/* Without a pause a reader on a busy machine might never get in. */
	const struct timespec pause = {.tv_nsec = 10000};
	struct smtp_ehlo ehlo;

	/* Also when the suite's limit of time ends the reader. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned char value = 0;; value++) {
		memset(&ehlo, value, sizeof(ehlo));
		publish(backend, &ehlo);
		if (value % 8 == 0)
			nanosleep(&pause, NULL);
	}
}

#define CHANGES_WANTED 2000

Test(state, a_copy_is_never_a_mixture)
{
	struct state_backend *backend = &state->backends[0];
	struct state_backend seen;
	unsigned changes = 0;
	uint32_t sequence = 0;
	pid_t writer = fork();

	if (writer == 0)
		publish_for_ever(backend);
	/* The suite's limit of time ends it, should the writer not run. */
	while (changes < CHANGES_WANTED) {
		const unsigned char *bytes = (const unsigned char *)&seen.ehlo;

		state_backend_read(backend, &seen);
		if (!seen.ever_reached)
			continue;
		changes += atomic_load(&seen.sequence) != sequence;
		sequence = atomic_load(&seen.sequence);
		cr_assert_eq(
		    memcmp(bytes, bytes + 1, sizeof(seen.ehlo) - 1), 0);
		cr_assert_eq(seen.probes, sequence / 2);
	}
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
}

Test(state, a_writer_that_died_in_the_middle_is_mended)
{
	struct state_backend *backend = &state->backends[0];
	struct smtp_ehlo ehlo = {.keywords = 5};
	struct state_backend seen;

	publish(backend, &ehlo);
	atomic_fetch_add(&backend->sequence, 1);
	backend->ehlo.keywords = 99;
	/* Before: it comes to an end, and trusts nothing. */
	state_backend_read(backend, &seen);
	cr_assert_not(seen.ever_reached);
	state_backends_mend(state);
	state_backend_read(backend, &seen);
	cr_assert_not(seen.ever_reached);
	cr_assert_eq(seen.probes, 1);
	publish(backend, &ehlo);
	state_backend_read(backend, &seen);
	cr_assert(seen.ever_reached);
	cr_assert_eq(seen.ehlo.keywords, 5);
}
