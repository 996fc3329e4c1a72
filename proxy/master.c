/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/master_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "proxy/findings.h"
#include "proxy/log_settings.h"
#include "proxy/pid_file.h"

/* At the end, for a log that is slow. */
#define LAST_FLUSH_TRIES   50
#define LAST_FLUSH_TICK_MS 20

/* -1 with errno. The children undo this (child_reset_signals). */
static int watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void name_state(const struct master *master, char *out, size_t out_size)
{
	snprintf(out, out_size, "%s/state", master->runtime_directory);
}

static bool create_shared(struct master *master, struct report *report)
{
	char path[sizeof(master->runtime_directory) + 16];

	name_state(master, path, sizeof(path));
	master->state = state_create(path);
	master->sockets = sockets_create();
	if (master->state == NULL)
		report_add(report, REPORT_ERROR, NULL, "%s: %s", path,
		    strerror(errno));
	else if (master->sockets == NULL)
		report_add(report, REPORT_ERROR, NULL, "out of memory");
	else
		atomic_store(&master->state->master_pid, getpid());
	return report->error_count == 0;
}

static void destroy_shared(struct master *master)
{
	char path[sizeof(master->runtime_directory) + 16];
	const struct state *state = master->state;

	sockets_destroy(&master->sockets);
	metrics_listen_keep(&master->metrics, NULL);
	if (state == NULL)
		return;
	name_state(master, path, sizeof(path));
	unlink(path);
	close(state->read_only_fd);
	close(state->writable_fd);
	state_close(&state);
}

static void destroy_generations(struct master *master)
{
	for (unsigned tries = 0; tries < LAST_FLUSH_TRIES; tries++) {
		struct timespec tick = {
		    .tv_nsec = LAST_FLUSH_TICK_MS * 1000000};

		if (log_flush(master_log(master)))
			break;
		nanosleep(&tick, NULL);
	}
	while (master->newest != NULL) {
		struct generation *generation = master->newest;

		master->newest = generation->older;
		generation_destroy(&generation);
	}
}

/* From the first generation to the last. */
static void serve(struct master *master, struct services *services,
    struct log *log, struct report *report)
{
	int signal_fd = watch_signals();

	/* It holds each worker's socket of each listener. */
	privileges_raise_descriptors();
	if (signal_fd == -1 || !create_shared(master, report)) {
		if (signal_fd == -1)
			report_add(report, REPORT_ERROR, NULL, "signalfd: %s",
			    strerror(errno));
		services_destroy(&services);
		log_destroy(&log);
	} else if (reload_begin(
		       master, services, log, report, master_now_ms())) {
		log_line(log, LOG_LEVEL_INFO, NULL,
		    "daemon started -- version %s, configuration %s",
		    POSTERN_VERSION, master->options->directory);
		findings_log(report, 0, log, LOG_LEVEL_FATAL);
		log_flush(log);
		findings_print(report, 0, master->terminal);
		master->told = report->message_count;
		master_loop(master, signal_fd);
		destroy_generations(master);
	}
	destroy_shared(master);
	if (signal_fd != -1)
		close(signal_fd);
}

/* Whether workers could run here at all. */
static bool check_worker(const struct settings *settings, struct report *report)
{
	struct privileges privileges;

	if (privileges_find(&privileges, settings, report))
		trial_ring(&privileges, report);
	return report->error_count == 0;
}

/* With the lock of the runtime directory held. */
static void run_alone(
    struct master *master, struct services *services, struct report *report)
{
	const struct settings *settings = services->configuration->settings;
	struct log *log = NULL;

	if (check_worker(settings, report))
		log = master_open_log(master->options, settings, report);
	if (log != NULL)
		serve(master, services, log, report);
	else
		services_destroy(&services);
}

struct log *master_open_log(const struct master_options *options,
    const struct settings *settings, struct report *report)
{
	bool is_daemon = options->ready_fd != -1;

	if (is_daemon && strcmp(settings->maillog_file, "/dev/stdout") == 0) {
		report_add(report, REPORT_ERROR,
		    settings_place(settings, "maillog_file"),
		    "maillog_file = /dev/stdout: works only with start-fg; "
		    "name a file, or leave it empty for the system log");
		return NULL;
	}
	return log_settings_open(settings, options->verbose, report);
}

void master_serves(struct master *master)
{
	int ready_fd = master->options->ready_fd;

	if (master->is_serving) {
		log_line(master_log(master), LOG_LEVEL_INFO, NULL,
		    "reload -- version %s, configuration %s", POSTERN_VERSION,
		    master->options->directory);
		return;
	}
	master->is_serving = true;
	if (ready_fd == -1)
		return;
	(void)!write(ready_fd, "1", 1);
	close(ready_fd);
	fclose(master->terminal);
	master->terminal = NULL;
}

void master_release_names(struct master *master)
{
	for (int i = 0; i < STATE_BACKENDS_MAX; i++) {
		bool is_used = master->state->backends[i].name[0] == '\0';

		for (const struct generation *generation = master->newest;
		     generation != NULL && !is_used;
		     generation = generation->older)
			is_used = generation_uses_backend(generation, i);
		if (!is_used)
			state_backend_release(master->state, i);
	}
	for (int i = 0; i < METRIC_LISTENERS_MAX; i++) {
		bool is_used = master->state->listeners[i][0] == '\0';

		for (const struct generation *generation = master->newest;
		     generation != NULL && !is_used;
		     generation = generation->older)
			is_used = generation_uses_listener(generation, i);
		if (!is_used)
			state_listener_release(master->state, i);
	}
}

/* Loads, and takes the lock of the runtime directory. NULL when report has an
 * error. */
static struct services *prepare(
    struct master *master, int *lock_fd_out, struct report *report)
{
	struct services *services =
	    services_load(master->options->directory, &master->shared, report);
	const char *directory;

	if (services == NULL)
		return NULL;
	directory = services->configuration->settings->proxy_runtime_directory;
	snprintf(master->runtime_directory, sizeof(master->runtime_directory),
	    "%s", directory);
	if (pid_file_check_directory(directory, report))
		*lock_fd_out = pid_file_take(directory, report);
	if (*lock_fd_out == -1)
		services_destroy(&services);
	return services;
}

int master_run(const struct master_options *options)
{
	struct master *master = calloc(1, sizeof(*master));
	struct services *services;
	struct report report;
	int lock_fd = -1;
	int status;

	if (master == NULL) {
		fputs("postern: fatal: out of memory\n", options->terminal);
		return EXIT_FAILURE;
	}
	report_init(&report);
	master->options = options;
	master->terminal = options->terminal;
	services = shared_create(&master->shared, &report)
		       ? prepare(master, &lock_fd, &report)
		       : NULL;
	if (services != NULL)
		run_alone(master, services, &report);
	if (master->terminal != NULL)
		findings_print(&report, master->told, master->terminal);
	status = report.error_count != 0 || master->has_failed ? EXIT_FAILURE
							       : EXIT_SUCCESS;
	if (lock_fd != -1) {
		pid_file_remove(master->runtime_directory);
		close(lock_fd);
	}
	shared_destroy(&master->shared);
	report_finish(&report);
	free(master);
	return status;
}
