/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/pid_file.h"

static char parent[] = "/tmp/postern-pid-XXXXXX";
static char folder[64];
static struct report report;

static void make_folder(void)
{
	cr_assert_not_null(mkdtemp(parent));
	snprintf(folder, sizeof(folder), "%s/run", parent);
	report_init(&report);
}

static void remove_folder(void)
{
	pid_file_remove(folder);
	rmdir(folder);
	rmdir(parent);
	report_finish(&report);
}

TestSuite(pid_file, .init = make_folder, .fini = remove_folder);

Test(pid_file, the_directory_is_made_for_all_to_read)
{
	struct stat status;

	umask(077);
	cr_assert(pid_file_check_directory(folder, &report));
	cr_assert_eq(stat(folder, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0755);
	cr_assert(pid_file_check_directory(folder, &report), "a second time");
}

Test(pid_file, a_directory_that_others_write_is_refused)
{
	cr_assert_eq(mkdir(folder, 0755), 0);
	cr_assert_eq(chmod(folder, 0777), 0);
	cr_assert_not(pid_file_check_directory(folder, &report));
	cr_assert_not_null(
	    strstr(report.messages[0].text, "that nobody else can write"));
}

Test(pid_file, a_directory_of_someone_else_is_refused)
{
	if (geteuid() != 0)
		cr_skip_test("only root can give it away");
	cr_assert_eq(mkdir(folder, 0755), 0);
	cr_assert_eq(chown(folder, 12345, 12345), 0);
	cr_assert_not(pid_file_check_directory(folder, &report));
}

Test(pid_file, a_file_in_its_place_is_refused)
{
	close(creat(folder, 0644));
	cr_assert_not(pid_file_check_directory(folder, &report));
	unlink(folder);
}

Test(pid_file, a_directory_that_cannot_be_made)
{
	cr_assert_not(pid_file_check_directory("/nonexistent/run", &report));
	cr_assert_str_eq(report.messages[0].text,
	    "proxy_runtime_directory = /nonexistent/run: cannot make it: No "
	    "such file or directory");
}

/* Takes the lock in another process, which then waits for the end of a pipe. */
static pid_t start_master(int *end_out)
{
	char ready;
	int ends[2];
	int answer[2];
	pid_t child;

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(pipe(answer), 0);
	child = fork();
	if (child == 0) {
		close(ends[1]);
		if (pid_file_take(folder, &report) == -1)
			_exit(1);
		if (write(answer[1], "1", 1) != 1)
			_exit(1);
		_exit(read(ends[0], &ready, 1) == 0 ? 0 : 1);
	}
	close(ends[0]);
	close(answer[1]);
	cr_assert_eq(read(answer[0], &ready, 1), 1);
	close(answer[0]);
	*end_out = ends[1];
	return child;
}

Test(pid_file, one_master_at_a_time)
{
	char expected[128];
	pid_t master;
	int end;
	int fd;

	cr_assert(pid_file_check_directory(folder, &report));
	cr_assert_eq(pid_file_master(folder), 0);
	master = start_master(&end);
	cr_assert_eq(pid_file_master(folder), master);
	cr_assert_eq(pid_file_take(folder, &report), -1);
	snprintf(expected, sizeof(expected),
	    "the Postern mail gate is already running: PID: %d", (int)master);
	cr_assert_str_eq(report.messages[0].text, expected);
	close(end);
	cr_assert_eq(waitpid(master, NULL, 0), master);
	/* It left the file behind, as after a kill -9. */
	cr_assert_eq(pid_file_master(folder), 0);
	fd = pid_file_take(folder, &report);
	cr_assert_neq(fd, -1);
	cr_assert_eq(pid_file_master(folder), getpid());
	pid_file_remove(folder);
	cr_assert_eq(pid_file_master(folder), 0);
}

Test(pid_file, a_link_in_its_place_is_not_followed)
{
	char path[128];
	char target[128];

	cr_assert(pid_file_check_directory(folder, &report));
	snprintf(path, sizeof(path), "%s/master.pid", folder);
	snprintf(target, sizeof(target), "%s/target", folder);
	cr_assert_eq(symlink(target, path), 0);
	cr_assert_eq(pid_file_take(folder, &report), -1);
	cr_assert_eq(access(target, F_OK), -1);
}
