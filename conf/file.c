/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE_MAX (4 * 1024 * 1024)

static void fail(struct report *report, const char *path)
{
	report_add(
	    report, REPORT_ERROR, path, "cannot be read: %s", strerror(errno));
}

/* What keeps a file that is open from being used; NULL: nothing. Settings name
 * keys and the user to run as: who may write them is root. */
static const char *objection(const struct stat *status)
{
	if (!S_ISREG(status->st_mode))
		return "is not a regular file";
	if ((status->st_mode & S_IWOTH) != 0)
		return "every user may write to it: must not be "
		       "world-writable (chmod o-w)";
	if (status->st_size > FILE_SIZE_MAX)
		return "is larger than 4 MiB";
	return NULL;
}

/* False, with errno set, when that fails; a file that shrinks is short. */
static bool read_all(int descriptor, char *text, size_t size, size_t *len_out)
{
	size_t len = 0;
	while (len < size) {
		ssize_t got = read(descriptor, text + len, size - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	*len_out = len;
	return true;
}

const char *file_read(struct arena *arena, const char *path,
    struct report *report, size_t *len_out)
{
	/* A FIFO in the file's place must not stop us. */
	int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (descriptor < 0) {
		fail(report, path);
		return NULL;
	}
	char *text = NULL;
	struct stat status;
	if (fstat(descriptor, &status) != 0) {
		fail(report, path);
		goto close_descriptor;
	}
	const char *problem = objection(&status);
	if (problem != NULL) {
		report_add(report, REPORT_ERROR, path, "%s", problem);
		goto close_descriptor;
	}
	size_t size = (size_t)status.st_size;
	text = arena_alloc(arena, size + 1);
	if (!read_all(descriptor, text, size, len_out)) {
		fail(report, path);
		text = NULL;
	}
close_descriptor:
	close(descriptor);
	return text;
}

bool file_check_directory(const char *path, struct report *report)
{
	struct stat status;
	if (stat(path, &status) != 0) {
		fail(report, path);
		return false;
	}
	if (!S_ISDIR(status.st_mode)) {
		report_add(report, REPORT_ERROR, path, "is not a directory");
		return false;
	}
	if ((status.st_mode & S_IWOTH) != 0 &&
	    (status.st_mode & S_ISVTX) == 0) {
		report_add(report, REPORT_ERROR, path,
		    "every user may put files there: must not be "
		    "world-writable (chmod o-w)");
		return false;
	}
	return true;
}
