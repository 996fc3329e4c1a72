/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 6.2 added this one; the headers of Debian 12 are older. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#define LANDLOCK_OF_5_13 ((1ULL << 13) - 1)

/* localtime() looks for the time zone again and again. */
static const char *const always_readable[] = {
    "/etc/localtime", "/usr/share/zoneinfo"};

static const int everyone[] = {
    /* the ring, and what replaces it where it is not worth a turn */
    SCMP_SYS(io_uring_enter), SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write),
    SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(close), SCMP_SYS(lseek),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(fcntl), SCMP_SYS(fsync),
    /* sockets that are open, and the log's */
    SCMP_SYS(connect), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(shutdown),
    /* looking at files: which ones is Landlock's matter */
    SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat),
    SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat),
    SCMP_SYS(getdents64), SCMP_SYS(getcwd), SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    /* memory; new code is a matter of its own below */
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
    SCMP_SYS(futex), SCMP_SYS(getrandom),
    /* time, signals, and the end */
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time),
    SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(getpid),
    SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
    SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(uname), SCMP_SYS(getrusage),
    SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(exit),
    SCMP_SYS(exit_group)};

static const int control[] = {SCMP_SYS(accept), SCMP_SYS(accept4),
    SCMP_SYS(listen), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2), SCMP_SYS(ioctl), SCMP_SYS(sendfile), SCMP_SYS(sysinfo),
    SCMP_SYS(dup), SCMP_SYS(bind), SCMP_SYS(socketpair), SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list)};

static int allow_all(scmp_filter_ctx filter, const int *calls, size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count && error == 0; i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return error;
}

static int allow_memory(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp no_code =
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	int error = seccomp_rule_add(
	    filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, no_code);

	if (error == 0)
		error = seccomp_rule_add(
		    filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_code);
	return error;
}

static int allow_reading(scmp_filter_ctx filter)
{
	const unsigned changes = O_ACCMODE | O_CREAT | O_TRUNC;
	int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat),
	    1, SCMP_A2(SCMP_CMP_MASKED_EQ, changes, O_RDONLY));

	if (error == 0)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(open),
		    1, SCMP_A1(SCMP_CMP_MASKED_EQ, changes, O_RDONLY));
	return error;
}

static int allow_sockets(scmp_filter_ctx filter)
{
	static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
	int error = 0;

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (error == 0)
			error = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
			    SCMP_SYS(socket), 1,
			    SCMP_A0(SCMP_CMP_EQ, (unsigned)families[i]));
	return error;
}

/* libunbound works in a thread of its own. What clone3 does stands in memory,
 * where no filter can look: the C library takes clone where it is missing. */
static int allow_threads(scmp_filter_ctx filter)
{
	int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

	if (error == 0)
		error = seccomp_rule_add(
		    filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return error;
}

/* abort() sends its signal by tgkill. */
static int allow_own_end(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
	    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
}

static int filter_calls(const struct sandbox_options *options)
{
	/* Not death: a library's call that we did not think of would cost all
	 * sessions of the worker. */
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int error;

	if (filter == NULL)
		return -ENOMEM;
	error =
	    allow_all(filter, everyone, sizeof(everyone) / sizeof(everyone[0]));
	if (error == 0 && options->is_control)
		error = allow_all(
		    filter, control, sizeof(control) / sizeof(control[0]));
	if (error == 0 && options->is_control)
		error = allow_threads(filter);
	if (error == 0)
		error = allow_memory(filter);
	if (error == 0)
		error = allow_reading(filter);
	if (error == 0)
		error = allow_sockets(filter);
	if (error == 0)
		error = allow_own_end(filter);
	/* A tree of comparisons: the hot path asks several times a turn. */
	if (error == 0)
		error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (error == 0)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}

static uint64_t known_rights(long version)
{
	uint64_t rights = LANDLOCK_OF_5_13;

	if (version >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= 3)
		rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
	return rights;
}

static void allow_path(int rules, const char *path)
{
	struct landlock_path_beneath_attr beneath = {
	    .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
	    .parent_fd = open(path, O_PATH | O_CLOEXEC),
	};
	struct stat status;

	if (beneath.parent_fd == -1)
		return;
	if (fstat(beneath.parent_fd, &status) == 0 && S_ISDIR(status.st_mode))
		beneath.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
	(void)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH,
	    &beneath, 0);
	close(beneath.parent_fd);
}

/* Needs no_new_privs, as the filter does. */
static void close_files(const struct sandbox_options *options)
{
	struct landlock_ruleset_attr attributes = {0};
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	int rules;

	if (version < 1)
		return;
	attributes.handled_access_fs = known_rights(version);
	rules = (int)syscall(
	    SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
	if (rules == -1)
		return;
	for (size_t i = 0;
	     i < sizeof(always_readable) / sizeof(always_readable[0]); i++)
		allow_path(rules, always_readable[i]);
	for (size_t i = 0; i < options->readable_count; i++)
		if (options->readable[i][0] != '\0')
			allow_path(rules, options->readable[i]);
	if (options->is_control)
		allow_path(rules, "/proc");
	(void)syscall(SYS_landlock_restrict_self, rules, 0);
	close(rules);
}

bool sandbox_is_built(void)
{
	return POSTERN_SANDBOX != 0;
}

bool sandbox_enter(
    const struct sandbox_options *options, char *why, size_t why_size)
{
	int error;

	close_files(options);
	error = filter_calls(options);
	if (error == 0)
		return true;
	snprintf(why, why_size,
	    "the kernel takes no seccomp filter (%s): the process goes on "
	    "without one",
	    strerror(-error));
	return false;
}
