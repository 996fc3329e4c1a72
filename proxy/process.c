/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/process.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/child.h"

#define QUICK_DEATH_MS	1000
#define THROTTLE_MS	1000
#define THROTTLE_MS_MAX 60000

static int64_t throttle_ms(unsigned quick_deaths)
{
	int64_t wait_ms = THROTTLE_MS;

	/* One can be an accident. */
	if (quick_deaths < 2)
		return 0;
	for (unsigned i = 2; i < quick_deaths && wait_ms < THROTTLE_MS_MAX; i++)
		wait_ms *= 2;
	return wait_ms < THROTTLE_MS_MAX ? wait_ms : THROTTLE_MS_MAX;
}

static noreturn void become(const struct process *process,
    const struct process_options *options, int command_fd)
{
	struct child_options child = {
	    .worker =
		{
		    .services = options->services,
		    .state = options->state,
		    .block = process->block,
		    .log = options->log,
		    .listeners = process->listeners,
		    .listener_count = process->listener_count,
		    .http_fds = options->http_fds,
		    .http_fd_count =
			process->is_control ? options->http_fd_count : 0,
		    .command_fd = command_fd,
		    .is_control = process->is_control,
		},
	    .privileges = options->privileges,
	    .log_name = process->name,
	};

	child_run(&child);
}

/* False with errno. */
static bool fork_child(
    struct process *process, const struct process_options *options)
{
	int ends[2];
	pid_t pid;

	/* Packets: an order is heard whole or not at all. A ring can receive
	 * from sockets, not from pipes. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	/* What stdio still holds would be written twice. */
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		become(process, options, ends[0]);
	close(ends[0]);
	if (pid == -1) {
		close(ends[1]);
		return false;
	}
	process->command_fd = ends[1];
	process->pid = pid;
	return true;
}

bool process_start(struct process *process,
    const struct process_options *options, int64_t now_ms)
{
	assert(process->pid == 0);
	process->started_ms = now_ms;
	process->block = state_block_claim(options->state,
	    process->is_control ? STATE_CONTROL : STATE_WORKER,
	    options->generation, process->index);
	errno = EAGAIN;
	if (process->block != NULL && fork_child(process, options))
		return true;
	log_line(options->log, LOG_LEVEL_WARNING, NULL,
	    "cannot start process %s: %s", process->name, strerror(errno));
	if (process->block != NULL)
		state_block_release(process->block);
	process->block = NULL;
	process->start_at_ms = now_ms + THROTTLE_MS;
	return false;
}

void process_order(
    const struct process *process, enum worker_order order, uint64_t leaving)
{
	struct worker_command command = {.order = order, .leaving = leaving};

	if (process->pid == 0)
		return;
	/* Fails when it has just died, which waitpid tells, or when it has long
	 * not read: then it is killed at its time. */
	(void)!send(process->command_fd, &command, sizeof(command),
	    MSG_DONTWAIT | MSG_NOSIGNAL);
}

void process_kill(const struct process *process)
{
	if (process->pid != 0)
		kill(process->pid, SIGKILL);
}

void process_died(struct process *process, int wait_status, bool expected,
    struct log *log, int64_t now_ms)
{
	int64_t wait_ms;

	if (WIFSIGNALED(wait_status))
		log_line(log, LOG_LEVEL_WARNING, NULL,
		    "process %s pid %d killed by signal %d", process->name,
		    (int)process->pid, WTERMSIG(wait_status));
	else if (WEXITSTATUS(wait_status) != 0 || !expected)
		log_line(log, LOG_LEVEL_WARNING, NULL,
		    "process %s pid %d exit status %d", process->name,
		    (int)process->pid, WEXITSTATUS(wait_status));
	close(process->command_fd);
	process->command_fd = -1;
	process->pid = 0;
	state_block_release(process->block);
	process->block = NULL;
	if (expected)
		return;
	if (now_ms - process->started_ms < QUICK_DEATH_MS)
		process->quick_deaths++;
	else
		process->quick_deaths = 0;
	wait_ms = throttle_ms(process->quick_deaths);
	process->start_at_ms = now_ms + wait_ms;
	if (wait_ms != 0)
		log_line(log, LOG_LEVEL_WARNING, NULL,
		    "%s: bad command startup -- throttling", process->name);
}
