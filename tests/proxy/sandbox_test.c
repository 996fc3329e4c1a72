/* SPDX-License-Identifier: Apache-2.0 */
/* Each row is tried twice in a child: without the sandbox it must work, so that
 * its failing inside proves something. */
#include "proxy/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#define SKIPPED 77

static char folder[] = "/tmp/postern-sandbox-XXXXXX";
static char granted[128], other[128];

static void init(void)
{
	FILE *file;

	cr_assert_not_null(mkdtemp(folder));
	snprintf(granted, sizeof(granted), "%s/granted", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	file = fopen(granted, "w");
	fclose(file);
	file = fopen(other, "w");
	fclose(file);
}

static void fini(void)
{
	unlink(granted);
	unlink(other);
	rmdir(folder);
}

TestSuite(sandbox, .init = init, .fini = fini, .timeout = 60);

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1u) >= 1;
}

static int outcome(bool worked)
{
	return worked ? 0 : errno;
}

static int reads(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return outcome(fd != -1 && close(fd) == 0);
}

static int read_granted(void)
{
	return reads(granted);
}

static int read_other(void)
{
	return reads(other);
}

static int write_granted(void)
{
	return outcome(open(granted, O_WRONLY | O_CLOEXEC) != -1);
}

static int make_a_file(void)
{
	return outcome(open(other, O_RDONLY | O_CREAT | O_TRUNC, 0600) != -1);
}

static int run_a_program(void)
{
	char *const arguments[] = {(char *)"true", NULL};

	execv("/bin/true", arguments);
	return errno;
}

static int make_a_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return outcome(pid != -1 && waitpid(pid, NULL, 0) == pid);
}

static int signal_another(void)
{
	return outcome(kill(getppid(), 0) == 0);
}

static int make_a_raw_socket(void)
{
	return outcome(socket(AF_NETLINK, SOCK_RAW, 0) != -1);
}

static int make_a_socket(void)
{
	return outcome(socket(AF_INET6, SOCK_STREAM, 0) != -1);
}

static int make_code(void)
{
	return outcome(mmap(NULL, 4096, PROT_READ | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

static int take_memory(void)
{
	void *memory = malloc(64u << 20);

	if (memory != NULL)
		memset(memory, 1, 64u << 20);
	free(memory);
	return outcome(memory != NULL);
}

static int make_a_ring(void)
{
	unsigned char parameters[120] = {0};

	return outcome(syscall(SYS_io_uring_setup, 4, parameters) != -1);
}

static int tell_the_time(void)
{
	time_t now = time(NULL);
	struct tm local;

	tzset();
	return outcome(localtime_r(&now, &local) != NULL);
}

static const struct {
	const char *name;
	int (*act)(void);
	int inside; /* its errno in the sandbox, 0: it works */
	bool is_landlock;
} rows[] = {
    {"read a file that is granted", read_granted, 0, false},
    {"read another file", read_other, EACCES, true},
    {"write", write_granted, EPERM, false},
    {"make a file", make_a_file, EPERM, false},
    {"run a program", run_a_program, EPERM, false},
    {"make a process", make_a_process, EPERM, false},
    {"signal another process", signal_another, EPERM, false},
    {"make a raw socket", make_a_raw_socket, EPERM, false},
    {"make a socket", make_a_socket, 0, false},
    {"make code", make_code, EPERM, false},
    {"take memory", take_memory, 0, false},
    {"make a ring without restrictions", make_a_ring, EPERM, false},
    {"tell the time", tell_the_time, 0, false},
};

/* The errno that the act ends with in a child. */
static int try(int (*act)(void), bool confined)
{
	const char *const readable[] = {"", granted};
	struct sandbox_options options = {
	    .readable = readable,
	    .readable_count = 2,
	};
	char why[256];
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (confined && !sandbox_enter(&options, why, sizeof(why)))
			_exit(SKIPPED);
		_exit(act());
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status), "killed by %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

Test(sandbox, what_is_not_needed_fails)
{
	if (!sandbox_is_built())
		cr_skip("a build with sanitizers has none");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int without = try(rows[i].act, false);
		int within = try(rows[i].act, true);

		if (within == SKIPPED)
			cr_skip("this kernel has no seccomp");
		if (rows[i].is_landlock && !has_landlock())
			continue;
		cr_expect(without == 0 || rows[i].act == make_a_ring,
		    "%s: %s without a sandbox", rows[i].name,
		    strerror(without));
		cr_expect_eq(within, rows[i].inside, "%s: %s", rows[i].name,
		    strerror(within));
	}
}

/* A crash must still be seen as one. */
Test(sandbox, abort_ends_the_process_with_its_signal)
{
	const struct sandbox_options options = {0};
	char why[256];
	int status = 0;
	pid_t pid;

	if (!sandbox_is_built())
		cr_skip("a build with sanitizers has none");
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		(void)sandbox_enter(&options, why, sizeof(why));
		abort();
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
