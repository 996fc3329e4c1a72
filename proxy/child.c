/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/child.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxy/descriptors.h"
#include "tls/context.h"

static void keep_own_descriptors(const struct worker_options *worker)
{
	const struct name_channel *names = &worker->services->shared->names;
	int kept[STATE_LISTENERS_MAX + SERVICE_ADDRESSES_MAX + 3 +
		 TLS_KEYLOG_DESCRIPTORS_MAX];
	size_t count = 0;

	assert(worker->listener_count <= STATE_LISTENERS_MAX);
	assert(worker->http_fd_count <= SERVICE_ADDRESSES_MAX);
	kept[count++] = worker->command_fd;
	kept[count++] = log_descriptor(worker->log);
	kept[count++] = worker->is_control ? names->answers : names->asks;
	for (size_t i = 0; i < worker->listener_count; i++)
		kept[count++] = worker->listeners[i].fd;
	count += tls_keylog_descriptors(kept + count);
	for (size_t i = 0; i < worker->http_fd_count; i++)
		kept[count++] = worker->http_fds[i];
	descriptors_keep(kept, count);
}

/* Names the step that failed, or returns NULL; errno says why. */
static const char *confine(const struct child_options *options)
{
	const struct worker_options *worker = &options->worker;

	if (!state_confine(worker->state, worker->block, worker->is_control))
		return "confine the shared state";
	if (!shared_confine(worker->services->shared))
		return "confine the keys of session tickets";
	keep_own_descriptors(worker);
	privileges_raise_descriptors();
	if (!privileges_drop(options->privileges))
		return "give up the privileges of root";
	return NULL;
}

void child_reset_signals(void)
{
	sigset_t none;

	signal(SIGPIPE, SIG_IGN);
	/* Ctrl-C in the terminal of start-fg is for the master, who then tells
	 * its children. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

noreturn void child_run(const struct child_options *options)
{
	const struct worker_options *worker = &options->worker;
	const char *failed;
	int status = EXIT_FAILURE;

	child_reset_signals();
	log_after_fork(worker->log, options->log_name);
	atomic_store(&worker->block->pid, getpid());
	failed = confine(options);
	if (failed == NULL)
		status = worker_run(worker);
	else
		log_line(worker->log, LOG_LEVEL_FATAL, NULL, "cannot %s: %s",
		    failed, strerror(errno));
	log_flush(worker->log);
	exit(status);
}
