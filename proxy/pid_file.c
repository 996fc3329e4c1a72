/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_TRIES_MAX 10

static void name_file(char *out, size_t out_size, const char *directory)
{
	snprintf(out, out_size, "%s/master.pid", directory);
}

/* The lock belongs to the open file and not to the process, and others can ask
 * about it without taking it: who asks cannot get in the way of who starts. */
static struct flock whole_file(void)
{
	return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

static pid_t read_pid(int fd)
{
	char text[32] = "";
	long pid;

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	pid = strtol(text, NULL, 10);
	return pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

static bool write_pid(int fd)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) == len;
}

bool pid_file_check_directory(const char *directory, struct report *report)
{
	struct stat status;

	if (mkdir(directory, 0755) == 0) {
		/* Whatever the umask: `postern status` is for everyone. */
		if (chmod(directory, 0755) == 0)
			return true;
	} else if (errno == EEXIST && stat(directory, &status) == 0) {
		if (S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
		    (status.st_mode & (S_IWGRP | S_IWOTH)) == 0)
			return true;
		report_add(report, REPORT_ERROR, NULL,
		    "proxy_runtime_directory = %s: must be a directory that "
		    "belongs to uid %d and that nobody else can write",
		    directory, (int)geteuid());
		return false;
	}
	report_add(report, REPORT_ERROR, NULL,
	    "proxy_runtime_directory = %s: cannot make it: %s", directory,
	    strerror(errno));
	return false;
}

/* A master that ends removes the file, perhaps between our open and our lock:
 * then what we have locked is not what the name stands for. */
static bool is_named(int fd, const char *path)
{
	struct stat of_file;
	struct stat of_name;

	return fstat(fd, &of_file) == 0 && stat(path, &of_name) == 0 &&
	       of_file.st_ino == of_name.st_ino &&
	       of_file.st_dev == of_name.st_dev;
}

static int open_locked(const char *path, struct report *report)
{
	for (unsigned tries = 0; tries < OPEN_TRIES_MAX; tries++) {
		struct flock lock = whole_file();
		int fd =
		    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

		if (fd == -1)
			break;
		if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
			report_add(report, REPORT_ERROR, NULL,
			    "the Postern mail gate is already running: PID: "
			    "%d",
			    (int)read_pid(fd));
			close(fd);
			return -1;
		}
		if (is_named(fd, path))
			return fd;
		close(fd);
		errno = EBUSY;
	}
	report_add(report, REPORT_ERROR, NULL, "%s: %s", path, strerror(errno));
	return -1;
}

int pid_file_take(const char *directory, struct report *report)
{
	char path[PATH_MAX];
	int fd;

	name_file(path, sizeof(path), directory);
	fd = open_locked(path, report);
	if (fd == -1)
		return -1;
	if (fchmod(fd, 0644) == 0 && write_pid(fd))
		return fd;
	report_add(report, REPORT_ERROR, NULL, "%s: %s", path, strerror(errno));
	close(fd);
	return -1;
}

void pid_file_remove(const char *directory)
{
	char path[PATH_MAX];

	name_file(path, sizeof(path), directory);
	unlink(path);
}

pid_t pid_file_master(const char *directory)
{
	char path[PATH_MAX];
	struct flock lock = whole_file();
	pid_t pid = 0;
	int fd;

	name_file(path, sizeof(path), directory);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return 0;
	if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		pid = read_pid(fd);
	close(fd);
	return pid;
}
