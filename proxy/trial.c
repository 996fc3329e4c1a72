/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/child.h"
#include "proxy/descriptors.h"
#include "proxy/service.h"
#include "proxy/worker.h"

/* The child writes one line per finding, its severity as a digit in front, and
 * this at the end: without it, the child did not come so far. */
#define END_MARK "end\n"

static void try_ring(const struct privileges *privileges, struct report *report)
{
	char why[512];

	if (!privileges_drop(privileges))
		report_add(report, REPORT_ERROR, NULL,
		    "cannot become the user %s: %s", privileges->user,
		    strerror(errno));
	else if (!worker_ring_available(why, sizeof(why)))
		report_add(report, REPORT_ERROR, NULL, "%s", why);
}

static void try_all(const char *directory, struct report *report)
{
	struct services *services = services_load(directory, NULL, report);
	struct privileges privileges;

	if (services == NULL)
		return;
	if (privileges_find(
		&privileges, services->configuration->settings, report))
		try_ring(&privileges, report);
	services_destroy(&services);
}

static void tell(const struct report *report, int fd)
{
	FILE *out = fdopen(fd, "w");

	if (out == NULL)
		return;
	for (size_t i = 0; i < report->message_count; i++)
		fprintf(out, "%d%s\n", (int)report->messages[i].severity,
		    report->messages[i].text);
	fputs(END_MARK, out);
	fclose(out);
}

static noreturn void run(
    const char *directory, const struct privileges *privileges, int fd)
{
	struct report report;

	/* It may wait for the resolver: not longer than its parent lives. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	child_reset_signals();
	descriptors_keep((int[]){fd}, 1);
	report_init(&report);
	if (directory != NULL)
		try_all(directory, &report);
	else
		try_ring(privileges, &report);
	tell(&report, fd);
	report_finish(&report);
	/* Not exit: what the parent registered to be done at its end, and its
	 * buffers of stdio, are the parent's. */
	_exit(EXIT_SUCCESS);
}

static bool start(struct trial *trial, const char *directory,
    const struct privileges *privileges)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		run(directory, privileges, ends[1]);
	close(ends[1]);
	if (pid == -1) {
		close(ends[0]);
		return false;
	}
	trial->pid = pid;
	trial->fd = ends[0];
	trial->text_len = 0;
	return true;
}

/* What does not fit is read all the same, so that the child comes to its end.
 */
static bool is_at_end(struct trial *trial)
{
	char spare[4096];
	size_t room = sizeof(trial->text) - 1 - trial->text_len;
	ssize_t len;

	if (room == 0)
		len = read(trial->fd, spare, sizeof(spare));
	else
		len = read(trial->fd, trial->text + trial->text_len, room);
	if (len > 0 && room != 0)
		trial->text_len += (size_t)len;
	return len == 0 || (len == -1 && errno != EINTR && errno != EAGAIN);
}

/* Returns whether the end mark is there. */
static bool read_findings(const struct trial *trial, struct report *report)
{
	const char *line = trial->text;
	const char *end;

	while ((end = strchr(line, '\n')) != NULL) {
		int len = (int)(end - line);

		if (strncmp(line, END_MARK, strlen(END_MARK)) == 0)
			return true;
		if (line[0] >= '0' + REPORT_NOTICE &&
		    line[0] <= '0' + REPORT_ERROR)
			report_add(report,
			    (enum report_severity)(line[0] - '0'), NULL, "%.*s",
			    len - 1, line + 1);
		line = end + 1;
	}
	return false;
}

static void finish(struct trial *trial)
{
	close(trial->fd);
	/* Its end is near: it has closed the pipe, or was killed. */
	waitpid(trial->pid, NULL, 0);
	trial->pid = 0;
}

bool trial_start(struct trial *trial, const char *directory)
{
	return start(trial, directory, NULL);
}

bool trial_listen(struct trial *trial, struct report *report)
{
	if (!is_at_end(trial))
		return false;
	trial->text[trial->text_len] = '\0';
	if (!read_findings(trial, report) && report->error_count == 0)
		report_add(report, REPORT_ERROR, NULL,
		    "the process that checks the configuration died, or had "
		    "too much to say; try \"postern check\"");
	finish(trial);
	return true;
}

void trial_kill(struct trial *trial)
{
	if (trial->pid == 0)
		return;
	kill(trial->pid, SIGKILL);
	finish(trial);
}

void trial_ring(const struct privileges *privileges, struct report *report)
{
	struct trial *trial = calloc(1, sizeof(*trial));

	if (trial == NULL || !start(trial, NULL, privileges))
		report_add(report, REPORT_ERROR, NULL,
		    "cannot start a process: %s", strerror(errno));
	else
		while (!trial_listen(trial, report))
			;
	free(trial);
}
