/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/keylog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "tls/context.h"
#include "tls/slot.h"

#define PARAMETER "proxy_tls_keylog_file"

/* One for all contexts that name it. */
struct file {
	int fd;
	unsigned use_count;
	char path[PATH_MAX];
	struct file *next;
};

static struct file *opened;

static void let_go(void *thing)
{
	struct file *file = thing;
	struct file **link = &opened;

	if (--file->use_count > 0)
		return;
	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
	close(file->fd);
	OPENSSL_free(file);
}

static struct tls_slot files = {.destroy = let_go};

static struct file *find(const char *path, size_t *count_out)
{
	struct file *file = opened;

	for (*count_out = 0; file != NULL; file = file->next, ++*count_out)
		if (strcmp(file->path, path) == 0)
			break;
	return file;
}

/* NULL, with errno. */
static struct file *take(const char *path)
{
	size_t count;
	struct file *file = find(path, &count);

	if (file == NULL && (strlen(path) >= sizeof(file->path) ||
				count == TLS_KEYLOG_DESCRIPTORS_MAX)) {
		errno =
		    count == TLS_KEYLOG_DESCRIPTORS_MAX ? EMFILE : ENAMETOOLONG;
		return NULL;
	}
	if (file == NULL) {
		int fd =
		    open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

		if (fd == -1)
			return NULL;
		file = OPENSSL_zalloc(sizeof(*file));
		if (file == NULL) {
			close(fd);
			errno = ENOMEM;
			return NULL;
		}
		file->fd = fd;
		strcpy(file->path, path);
		file->next = opened;
		opened = file;
	}
	file->use_count++;
	return file;
}

/* One call writes the whole line, so that the workers' do not mix. */
static void write_line(const SSL *ssl, const char *line)
{
	const struct file *file = tls_slot_get(&files, SSL_get_SSL_CTX(ssl));
	char end[] = "\n";
	struct iovec parts[] = {
	    {(void *)(uintptr_t)line, strlen(line)}, {end, 1}};

	if (writev(file->fd, parts, 2) == -1)
		return; /* a log for debugging: no session ends for it */
}

void tls_keylog_apply(
    SSL_CTX *ctx, const char *path, struct tls_findings *findings)
{
	struct file *file;

	SSL_CTX_set_keylog_callback(ctx, NULL);
	if (path == NULL || path[0] == '\0')
		return;
	file = take(path);
	if (file == NULL) {
		tls_findings_error(findings, PARAMETER,
		    "\"%s\": %s; must be a file that can be written, or empty",
		    path, strerror(errno));
		return;
	}
	if (!tls_slot_put(&files, ctx, file)) {
		tls_findings_error(
		    findings, PARAMETER, "there is no memory for it");
		let_go(file);
		return;
	}
	SSL_CTX_set_keylog_callback(ctx, write_line);
	tls_findings_warning(findings, PARAMETER,
	    "THE SECRETS OF EVERY SESSION ARE WRITTEN TO \"%s\": whoever reads "
	    "it reads all mail, and forward secrecy is void. Must be empty but "
	    "for debugging",
	    path);
}

size_t tls_keylog_descriptors(int out[TLS_KEYLOG_DESCRIPTORS_MAX])
{
	size_t count = 0;

	for (const struct file *file = opened; file != NULL; file = file->next)
		out[count++] = file->fd;
	return count;
}
