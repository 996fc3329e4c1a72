/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/keylog.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tls/slot.h"

#define PARAMETER "proxy_tls_keylog_file"

/* A context has the descriptor plus one, so that NULL means none. */
static void close_file(void *file)
{
	close((int)((intptr_t)file - 1));
}

static struct tls_slot files = {.destroy = close_file};

/* One call writes the whole line, so that the workers' do not mix. */
static void write_line(const SSL *ssl, const char *line)
{
	void *file = tls_slot_get(&files, SSL_get_SSL_CTX(ssl));
	char end[] = "\n";
	struct iovec parts[] = {
	    {(void *)(uintptr_t)line, strlen(line)}, {end, 1}};

	if (writev((int)((intptr_t)file - 1), parts, 2) == -1)
		return; /* a log for debugging: no session ends for it */
}

void tls_keylog_apply(
    SSL_CTX *ctx, const char *file, struct tls_findings *findings)
{
	int fd;

	SSL_CTX_set_keylog_callback(ctx, NULL);
	if (file == NULL || file[0] == '\0')
		return;
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd == -1) {
		tls_findings_error(findings, PARAMETER,
		    "\"%s\": %s; must be a file that can be written, or empty",
		    file, strerror(errno));
		return;
	}
	if (!tls_slot_put(&files, ctx, (void *)(intptr_t)(fd + 1))) {
		tls_findings_error(
		    findings, PARAMETER, "there is no memory for it");
		close(fd);
		return;
	}
	SSL_CTX_set_keylog_callback(ctx, write_line);
	tls_findings_warning(findings, PARAMETER,
	    "THE SECRETS OF EVERY SESSION ARE WRITTEN TO \"%s\": whoever reads "
	    "it reads all mail, and forward secrecy is void. Must be empty but "
	    "for debugging",
	    file);
}
