/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/master_internal.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tls/ticket_keys.h"

/* How often it looks while something is under way that no signal tells of. */
#define TICK_MS 20
/* What is due later is looked at again then. */
#define ROTATE_S_MAX 3600
/* Beyond proxy_drain_timeout, which the workers keep themselves. */
#define STOP_GRACE_MS 5000
/* When it could not start there is nothing to drain. */
#define FAIL_GRACE_MS 1000

static void stop(struct master *master, int64_t grace_ms, int64_t now_ms)
{
	master->is_stopping = true;
	master->coming = COMING_NONE;
	master->kill_at_ms = now_ms + grace_ms;
	trial_kill(&master->trial);
	for (struct generation *generation = master->newest; generation != NULL;
	     generation = generation->older)
		generation_order(generation, WORKER_STOP, master->sockets);
}

static void kill_all(const struct master *master)
{
	for (const struct generation *generation = master->newest;
	     generation != NULL; generation = generation->older)
		generation_kill(generation);
}

static void stop_on_signal(
    struct master *master, uint32_t number, int64_t now_ms)
{
	const struct settings *settings =
	    master->newest->services->configuration->settings;

	if (master->is_stopping) {
		kill_all(master);
		return;
	}
	log_line(master_log(master), LOG_LEVEL_INFO, NULL,
	    "terminating on signal %u", number);
	stop(master, settings->proxy_drain_timeout_s * 1000 + STOP_GRACE_MS,
	    now_ms);
}

static bool is_death_expected(const struct master *master,
    const struct generation *generation, const struct process *process)
{
	if (generation->is_ending)
		return true;
	return process->is_control && generation == master->current &&
	       master->coming == COMING_AFTER_CONTROL;
}

/* Not waitpid(-1): a trial is waited for by the one who started it. */
static void reap(struct master *master, struct generation *generation,
    struct process *process, int64_t now_ms)
{
	bool expected = is_death_expected(master, generation, process);
	int status;

	if (process->pid == 0 ||
	    waitpid(process->pid, &status, WNOHANG) != process->pid)
		return;
	process_died(process, status, expected, master_log(master), now_ms);
	if (process->is_control)
		state_backends_mend(master->state);
	if (!expected && master->coming != COMING_NONE &&
	    generation == master->newest)
		reload_lost_process(master, now_ms);
}

static void reap_all(struct master *master, int64_t now_ms)
{
	for (struct generation *generation = master->newest; generation != NULL;
	     generation = generation->older) {
		reap(master, generation, &generation->control, now_ms);
		for (size_t i = 0; i < generation->worker_count; i++)
			reap(master, generation, &generation->workers[i],
			    now_ms);
	}
}

static void obey_signals(struct master *master, int signal_fd, int64_t now_ms)
{
	struct signalfd_siginfo info;

	while (read(signal_fd, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			reap_all(master, now_ms);
			break;
		case SIGHUP:
			reload_ask(master);
			break;
		case SIGTERM:
		case SIGINT:
			stop_on_signal(master, info.ssi_signo, now_ms);
			break;
		}
	}
}

static bool is_accepted(const void *argument, int fd)
{
	const struct master *master = argument;

	for (const struct generation *generation = master->newest;
	     generation != NULL; generation = generation->older)
		if (generation_accepts_on(generation, fd))
			return true;
	return false;
}

static void forget_ended_generations(struct master *master)
{
	struct generation **link = &master->newest;

	while (*link != NULL) {
		struct generation *generation = *link;

		if (generation == master->current || !generation->is_ending ||
		    generation_has_process(generation)) {
			link = &generation->older;
			continue;
		}
		*link = generation->older;
		generation_destroy(&generation);
		master_release_names(master);
	}
}

/* Does what is due. Returns whether more is under way. */
static bool advance(struct master *master, int64_t now_ms)
{
	bool is_quiet = true;
	size_t restarted;

	if (master->is_stopping) {
		if (now_ms >= master->kill_at_ms)
			kill_all(master);
		return true;
	}
	reload_advance(master, now_ms);
	if (master->current != NULL) {
		restarted = generation_restart(
		    master->current, master->coming == COMING_NONE, now_ms);
		atomic_fetch_add(&master->state->worker_restarts, restarted);
		is_quiet = generation_is_whole(master->current);
	}
	/* Until it has come, what is new looks unwanted. */
	if (master->coming == COMING_NONE && !master->is_stopping &&
	    !sockets_close_unwanted(master->sockets, is_accepted, master))
		is_quiet = false;
	if (!master->is_stopping)
		forget_ended_generations(master);
	return master->coming != COMING_NONE || !is_quiet;
}

/* Returns for how many ms nothing more is due with them. */
static int rotate_ticket_keys(struct master *master)
{
	int64_t now_s = tls_ticket_keys_now();

	if (now_s >= master->rotate_at_s) {
		int64_t wait_s =
		    tls_ticket_keys_rotate(master->shared.ticket_keys, now_s);

		master->rotate_at_s =
		    now_s + (wait_s < ROTATE_S_MAX ? wait_s : ROTATE_S_MAX);
	}
	return (int)(master->rotate_at_s - now_s) * 1000;
}

static bool has_process(const struct master *master)
{
	for (const struct generation *generation = master->newest;
	     generation != NULL; generation = generation->older)
		if (generation_has_process(generation))
			return true;
	return false;
}

int64_t master_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct log *master_log(const struct master *master)
{
	if (master->current != NULL)
		return master->current->log;
	return master->newest->log;
}

void master_fail(struct master *master, int64_t now_ms)
{
	fputs("postern: fatal: the workers do not start; the log says why\n",
	    master->terminal);
	master->has_failed = true;
	stop(master, FAIL_GRACE_MS, now_ms);
}

void master_loop(struct master *master, int signal_fd)
{
	while (!master->is_stopping || has_process(master)) {
		bool is_busy = advance(master, master_now_ms());
		bool is_written = log_flush(master_log(master));
		int rotate_ms = rotate_ticket_keys(master);
		struct pollfd ready[2] = {
		    {.fd = signal_fd, .events = POLLIN},
		    {.fd = master->trial.pid == 0 ? -1 : master->trial.fd,
			.events = POLLIN},
		};

		poll(ready, 2, is_busy || !is_written ? TICK_MS : rotate_ms);
		if (ready[0].revents != 0)
			obey_signals(master, signal_fd, master_now_ms());
		if (ready[1].revents != 0 && master->trial.pid != 0)
			reload_hear_trial(master, master_now_ms());
	}
}
