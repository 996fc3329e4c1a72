/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/verb_daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "conf/configuration.h"
#include "proxy/findings.h"
#include "proxy/master.h"
#include "proxy/pid_file.h"
#include "proxy/service.h"
#include "proxy/state.h"
#include "proxy/status.h"

#define WAIT_TICK_MS 20
/* The master's own patience beyond proxy_drain_timeout, and some. */
#define STOP_GRACE_MS 10000
/* When the configuration that would tell is broken. */
#define DRAIN_MS_UNKNOWN 60000
/* Loading, an old control process that hangs, workers that start slowly. */
#define RELOAD_GRACE_MS 60000

static int fail(const char *text)
{
	fprintf(stderr, "postern: fatal: %s\n", text);
	return EXIT_FAILURE;
}

static int64_t now_in_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void sleep_tick(void)
{
	struct timespec tick = {.tv_nsec = WAIT_TICK_MS * 1000000};

	nanosleep(&tick, NULL);
}

/* proxy_runtime_directory of files that may be broken otherwise: a program that
 * runs must be found all the same. False with a message on standard error. */
static bool find_runtime_directory(
    const char *directory, char *out, size_t out_size)
{
	static const char *const names[] = {"proxy_runtime_directory"};
	struct report report;
	const char *value;
	char *text = NULL;
	size_t text_len = 0;
	FILE *memory = open_memstream(&text, &text_len);
	bool done;

	if (memory == NULL)
		return false;
	report_init(&report);
	done = print_configuration(
	    memory, directory, PRINT_ALL, true, names, 1, &report);
	fclose(memory);
	value = strstr(text, " = ");
	done = done && value != NULL;
	if (done)
		snprintf(out, out_size, "%.*s", (int)strcspn(value + 3, "\n"),
		    value + 3);
	else
		findings_print(&report, 0, stderr);
	report_finish(&report);
	free(text);
	return done;
}

/* The master that runs on this configuration; 0 with a message. */
static pid_t find_master(const char *directory, char *runtime, size_t size)
{
	pid_t master;

	if (!find_runtime_directory(directory, runtime, size))
		return 0;
	master = pid_file_master(runtime);
	if (master == 0)
		fail("the Postern mail gate is not running");
	return master;
}

static const struct state *open_state(const char *runtime)
{
	char path[PATH_MAX];
	const struct state *state;

	snprintf(path, sizeof(path), "%s/state", runtime);
	state = state_open(path);
	if (state == NULL && errno == EPROTO)
		fail("the Postern mail gate that runs is of another version; "
		     "stop and start it");
	else if (state == NULL)
		fprintf(
		    stderr, "postern: fatal: %s: %s\n", path, strerror(errno));
	return state;
}

static bool send_signal(pid_t master, int number)
{
	if (kill(master, number) == 0)
		return true;
	fprintf(stderr,
	    "postern: fatal: cannot signal the master, PID %d: %s\n",
	    (int)master, strerror(errno));
	return false;
}

static int run_master(
    const struct command_line *line, int ready_fd, FILE *terminal)
{
	struct master_options options = {
	    .directory = line->directory,
	    .verbose = line->verbose != 0,
	    .ready_fd = ready_fd,
	    .terminal = terminal,
	};

	return master_run(&options);
}

/* Leaves the terminal, or whatever reads what we print: no process of the
 * daemon may hold that open. Only the start may still say something there. */
static FILE *detach(void)
{
	int terminal_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	FILE *terminal = NULL;

	setsid();
	if (terminal_fd != -1)
		terminal = fdopen(terminal_fd, "w");
	if (terminal == NULL || null_fd == -1)
		return NULL;
	setvbuf(terminal, NULL, _IONBF, 0);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(null_fd, fd);
	close(null_fd);
	return terminal;
}

static noreturn void become_daemon(
    const struct command_line *line, int ready_fd)
{
	FILE *terminal = detach();

	if (terminal == NULL)
		exit(fail(strerror(errno)));
	exit(run_master(line, ready_fd, terminal));
}

/* How long the master may take for its end. */
static int64_t stop_limit_ms(const char *directory)
{
	int64_t drain_ms = DRAIN_MS_UNKNOWN;
	struct configuration *configuration;
	struct report report;

	report_init(&report);
	configuration = configuration_load(directory, &report);
	if (configuration != NULL)
		drain_ms =
		    configuration->settings->proxy_drain_timeout_s * 1000;
	configuration_destroy(&configuration);
	report_finish(&report);
	return drain_ms + STOP_GRACE_MS;
}

/* What a bad file is told for right here, without troubling the master. */
static bool check_files(const char *directory)
{
	struct services *services;
	struct report report;
	bool is_good;

	report_init(&report);
	services = services_load(directory, NULL, &report);
	is_good = services != NULL;
	findings_print(&report, 0, stderr);
	services_destroy(&services);
	report_finish(&report);
	return is_good;
}

static int reload_and_wait(pid_t master, const struct state *state)
{
	uint32_t generation = atomic_load(&state->generation);
	uint64_t failed = atomic_load(&state->reloads_failed);
	int64_t until_ms = now_in_ms() + RELOAD_GRACE_MS;

	if (!send_signal(master, SIGHUP))
		return EXIT_FAILURE;
	while (now_in_ms() < until_ms && kill(master, 0) == 0) {
		if (atomic_load(&state->generation) != generation) {
			printf("postern/master: reloaded: generation %u\n",
			    atomic_load(&state->generation));
			return EXIT_SUCCESS;
		}
		if (atomic_load(&state->reloads_failed) != failed)
			return fail("the reload failed and the configuration "
				    "stays as it was; the log says why");
		sleep_tick();
	}
	return fail("the master has not taken the configuration into use yet; "
		    "the log may say why");
}

int verb_start_fg(const struct command_line *line)
{
	return run_master(line, -1, stderr);
}

int verb_start(const struct command_line *line)
{
	char ready = '\0';
	int ends[2];
	int status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return fail(strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid == -1)
		return fail(strerror(errno));
	if (pid == 0) {
		close(ends[0]);
		become_daemon(line, ends[1]);
	}
	close(ends[1]);
	/* Its end without a byte means that the master has given up, and has
	 * said why. */
	if (read(ends[0], &ready, 1) == 1)
		return EXIT_SUCCESS;
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return fail("the master died; the log may say why");
	return WEXITSTATUS(status) == EXIT_SUCCESS ? EXIT_FAILURE
						   : WEXITSTATUS(status);
}

int verb_stop(const struct command_line *line)
{
	char runtime[PATH_MAX];
	pid_t master = find_master(line->directory, runtime, sizeof(runtime));
	int64_t until_ms;

	if (master == 0 || !send_signal(master, SIGTERM))
		return EXIT_FAILURE;
	until_ms = now_in_ms() + stop_limit_ms(line->directory);
	while (now_in_ms() < until_ms) {
		if (pid_file_master(runtime) != master)
			return EXIT_SUCCESS;
		sleep_tick();
	}
	return fail("the master has not ended yet");
}

int verb_reload(const struct command_line *line)
{
	char runtime[PATH_MAX];
	pid_t master = find_master(line->directory, runtime, sizeof(runtime));
	const struct state *state;
	int status;

	if (master == 0 || !check_files(line->directory))
		return EXIT_FAILURE;
	state = open_state(runtime);
	if (state == NULL)
		return EXIT_FAILURE;
	status = reload_and_wait(master, state);
	state_close(&state);
	return status;
}

int verb_status(const struct command_line *line)
{
	char runtime[PATH_MAX];
	const struct state *state;
	pid_t master;

	if (!find_runtime_directory(line->directory, runtime, sizeof(runtime)))
		return EXIT_FAILURE;
	master = pid_file_master(runtime);
	if (master == 0) {
		puts("postern/master: not running");
		return EXIT_FAILURE;
	}
	state = open_state(runtime);
	if (state == NULL)
		return EXIT_FAILURE;
	status_print(stdout, master, state);
	state_close(&state);
	return EXIT_SUCCESS;
}

int verb_top(const struct command_line *line)
{
	char runtime[PATH_MAX];
	char path[PATH_MAX];

	if (find_master(line->directory, runtime, sizeof(runtime)) == 0)
		return EXIT_FAILURE;
	if (snprintf(path, sizeof(path), "%s/state", runtime) >=
	    (int)sizeof(path))
		return fail("proxy_runtime_directory is too long");
	return top_run(&line->top, path);
}
