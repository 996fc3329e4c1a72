/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/dhparam.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tls/dh_generate.h"

#define SHOW_EVERY_MS 200
#define BITS_STRONG   2048 /* RFC 9325, 4.3 */

struct display {
	bool is_terminal;
	int bits;
	unsigned long candidates;
	int64_t begun_ms, shown_ms;
};

__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...)
{
	va_list arguments;

	fputs("postern: fatal: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return EXIT_FAILURE;
}

static int64_t now_in_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How long it takes is luck, so there is no end to show the way to. */
static bool show(void *argument, enum tls_dh_progress progress)
{
	struct display *display = argument;
	int64_t now_ms = now_in_ms();

	if (progress == TLS_DH_CANDIDATE)
		display->candidates++;
	if (!display->is_terminal || now_ms - display->shown_ms < SHOW_EVERY_MS)
		return true;
	display->shown_ms = now_ms;
	fprintf(stderr,
	    "\rlooking for a safe prime of %d bits: %lu candidates, %lld s",
	    display->bits, display->candidates,
	    (long long)(now_ms - display->begun_ms) / 1000);
	return true;
}

static bool write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t written = write(fd, text, len);

		if (written < 0)
			return false;
		text += written;
		len -= (size_t)written;
	}
	/* A group is no secret: every TLS client is shown it. */
	return fchmod(fd, 0644) == 0 && fsync(fd) == 0;
}

/* So that the new name outlives a crash of the machine, too. */
static void sync_directory(const char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd;

	if (slash == NULL)
		snprintf(directory, sizeof(directory), ".");
	else
		snprintf(directory, sizeof(directory), "%.*s",
		    (int)(slash - path) + 1, path);
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return;
	fsync(fd);
	close(fd);
}

static int replace(const char *path, const char *text, size_t len)
{
	char temporary[PATH_MAX];
	int fd, error;

	if (snprintf(temporary, sizeof(temporary), "%s.tmp", path) >=
	    (int)sizeof(temporary))
		return fail("%s: %s", path, strerror(ENAMETOOLONG));
	/* One that was left behind; anew, so that no link is followed. */
	unlink(temporary);
	fd = open(temporary,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return fail("%s: %s", temporary, strerror(errno));
	if (write_all(fd, text, len) && rename(temporary, path) == 0) {
		close(fd);
		sync_directory(path);
		return EXIT_SUCCESS;
	}
	error = errno;
	close(fd);
	unlink(temporary);
	return fail("%s: %s", path, strerror(error));
}

static int check(const struct dhparam_options *options)
{
	if (options->bits < TLS_DH_BITS_MIN || options->bits > TLS_DH_BITS_MAX)
		return fail("--bits %d: must be a number of bits from %d to %d",
		    options->bits, TLS_DH_BITS_MIN, TLS_DH_BITS_MAX);
	if (options->bits < BITS_STRONG && !options->allow_weak)
		return fail(
		    "--bits %d: a prime of fewer than %d bits is too weak "
		    "(RFC 9325, 4.3); say --allow-weak if clients need it",
		    options->bits, BITS_STRONG);
	return EXIT_SUCCESS;
}

int dhparam_run(const struct dhparam_options *options)
{
	struct display display = {
	    .is_terminal = isatty(STDERR_FILENO) == 1,
	    .bits = options->bits,
	    .begun_ms = now_in_ms(),
	};
	struct tls_dh_watch watch = {.tell = show, .argument = &display};
	size_t pem_len;
	char *pem;
	int status;

	if (check(options) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	pem = tls_dh_generate(options->bits, &watch, &pem_len);
	if (display.is_terminal)
		fputc('\n', stderr);
	if (pem == NULL)
		return fail(
		    "OpenSSL cannot make a prime of %d bits", options->bits);
	status = replace(options->path, pem, pem_len);
	free(pem);
	return status;
}
