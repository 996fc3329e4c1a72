/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/log_output.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A regular file takes any write as one piece among those of other processes;
 * this is only so that no disk holds up a loop for long. */
#define FILE_WRITE_SIZE_MAX 65536

/* /dev/stdout opened by name is another open file description: O_NONBLOCK on it
 * does not change the terminal or pipe of the shell that started us. */
static bool open_stdout(struct log_output *output, const struct stat *status)
{
	output->fd = -1;
	if (S_ISSOCK(status->st_mode)) {
		output->kind = LOG_OUTPUT_STREAM;
	} else {
		output->kind = LOG_OUTPUT_PIPE;
		output->fd = open("/dev/stdout",
		    O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	}
	if (output->fd != -1)
		return true;
	if (output->kind == LOG_OUTPUT_PIPE)
		output->kind = LOG_OUTPUT_SHARED;
	output->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	return output->fd != -1;
}

static int open_named(const char *file, unsigned mode)
{
	const int flags =
	    O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
	int fd = open(file, flags | O_CREAT | O_EXCL, mode);

	if (fd != -1) {
		/* The mode is the administrator's word, whatever the umask. */
		if (fchmod(fd, mode) == 0)
			return fd;
		close(fd);
		return -1;
	}
	if (errno != EEXIST)
		return -1;
	fd = open(file, flags);
	/* A FIFO that nobody reads yet: with a reader of our own, lines wait in
	 * it. */
	if (fd == -1 && errno == ENXIO)
		fd = open(file, (flags & ~O_WRONLY) | O_RDWR);
	return fd;
}

/* The length of the whole lines at the start of `lines` that fit `limit`. */
static size_t whole_lines(const char *lines, size_t len, size_t limit)
{
	const char *end;

	if (len <= limit)
		return len;
	end = memrchr(lines, '\n', limit);
	return end == NULL ? limit : (size_t)(end - lines) + 1;
}

static size_t write_descriptor(
    const struct log_output *output, const char *lines, size_t len)
{
	struct pollfd ready = {.fd = output->fd, .events = POLLOUT};
	size_t limit = PIPE_BUF; /* more than this is not one piece in a pipe */
	ssize_t written;

	if (output->kind == LOG_OUTPUT_FILE)
		limit = FILE_WRITE_SIZE_MAX;
	if (output->kind == LOG_OUTPUT_SHARED &&
	    (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0))
		return 0;
	len = whole_lines(lines, len, limit);
	if (output->kind == LOG_OUTPUT_STREAM)
		written =
		    send(output->fd, lines, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		written = write(output->fd, lines, len);
	return written > 0 ? (size_t)written : 0;
}

static void connect_syslog(struct log_output *output)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s",
	    output->syslog_socket);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		output->fd = fd;
	else
		close(fd);
}

/* https://systemd.io/JOURNAL_NATIVE_PROTOCOL: each field is a line. */
static ssize_t send_fields(int fd, const char *line, size_t line_len)
{
	char fields[LOG_OUTPUT_LINE_SIZE];

	assert(line_len < sizeof(fields));
	for (size_t i = 0; i < line_len; i++)
		fields[i] = line[i] == LOG_OUTPUT_FIELD_END ? '\n' : line[i];
	fields[line_len] = '\n';
	return send(fd, fields, line_len + 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t send_line(
    const struct log_output *output, const char *line, size_t line_len)
{
	if (output->kind == LOG_OUTPUT_JOURNAL)
		return send_fields(output->fd, line, line_len);
	return send(output->fd, line, line_len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* One datagram per line, without its '\n'. */
static size_t send_syslog(
    struct log_output *output, const char *lines, size_t len)
{
	const char *end = memchr(lines, '\n', len);
	size_t line_len = end == NULL ? len : (size_t)(end - lines);

	for (unsigned tries = 0; tries < 2; tries++) {
		if (output->fd == -1)
			connect_syslog(output);
		if (output->fd == -1)
			return 0;
		if (send_line(output, lines, line_len) >= 0 ||
		    errno == EMSGSIZE)
			return end == NULL ? len : line_len + 1;
		if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR)
			return 0;
		/* The daemon was restarted and has made its socket anew. */
		close(output->fd);
		output->fd = -1;
	}
	return 0;
}

bool log_output_open_file(
    struct log_output *output, const char *file, unsigned mode)
{
	struct stat status;
	int cause;

	output->syslog_socket = NULL;
	if (strcmp(file, "/dev/stdout") == 0) {
		if (fstat(STDOUT_FILENO, &status) != 0 ||
		    !open_stdout(output, &status))
			return false;
	} else {
		output->fd = open_named(file, mode);
		if (output->fd == -1)
			return false;
		output->kind = LOG_OUTPUT_PIPE;
	}
	if (fstat(output->fd, &status) != 0) {
		cause = errno;
		log_output_close(output);
		errno = cause;
		return false;
	}
	if (S_ISREG(status.st_mode))
		output->kind = LOG_OUTPUT_FILE;
	return true;
}

void log_output_open_syslog(struct log_output *output, const char *socket_path)
{
	output->kind = LOG_OUTPUT_SYSLOG;
	output->fd = -1;
	output->syslog_socket = socket_path;
	connect_syslog(output);
}

void log_output_open_journal(struct log_output *output, const char *socket_path)
{
	log_output_open_syslog(output, socket_path);
	output->kind = LOG_OUTPUT_JOURNAL;
}

void log_output_close(struct log_output *output)
{
	if (output->fd != -1)
		close(output->fd);
	output->fd = -1;
}

size_t log_output_write(
    struct log_output *output, const char *lines, size_t len)
{
	if (output->kind == LOG_OUTPUT_SYSLOG ||
	    output->kind == LOG_OUTPUT_JOURNAL)
		return send_syslog(output, lines, len);
	return write_descriptor(output, lines, len);
}
