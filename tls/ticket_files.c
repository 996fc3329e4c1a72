/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "tls/findings.h"
#include "tls/ticket_keys.h"

#define SEPARATORS   ", \t\r\n"
#define PATH_SIZE    4096
#define KEY_FILE_LEN 80
#define MUST_BE                                                  \
	"must be a file of 80 random bytes that only its owner " \
	"can read, as \"openssl rand -out FILE 80\" makes it"

struct reader {
	struct tls_findings *findings;
	const char *parameter;
	struct tls_ticket_files *files;
};

static bool refuse(
    const struct reader *reader, const char *path, const char *problem)
{
	tls_findings_error(reader->findings, reader->parameter,
	    "\"%s\": %s; " MUST_BE, path, problem);
	return false;
}

/* NULL: nothing is wrong with it. */
static const char *objection(const struct stat *status)
{
	if (!S_ISREG(status->st_mode))
		return "is not a regular file";
	if (status->st_size != KEY_FILE_LEN)
		return "does not have 80 bytes";
	/* Whoever has the key reads every session that it stands for. */
	if ((status->st_mode & (S_IROTH | S_IWOTH)) != 0)
		return "every user can read or write it";
	return NULL;
}

static bool is_all_zeros(const uint8_t *bytes, size_t len)
{
	uint8_t all = 0;

	for (size_t i = 0; i < len; i++)
		all |= bytes[i];
	return all == 0;
}

static bool is_known(
    const struct tls_ticket_files *files, const struct tls_ticket_key *key)
{
	for (size_t i = 0; i < files->count; i++) {
		const struct tls_ticket_key *other = &files->keys[i];

		if (memcmp(other->name, key->name, sizeof(key->name)) == 0 ||
		    memcmp(other->cipher, key->cipher, sizeof(key->cipher)) ==
			0)
			return true;
	}
	return false;
}

static bool take(const struct reader *reader, const char *path,
    const uint8_t bytes[KEY_FILE_LEN])
{
	struct tls_ticket_files *files = reader->files;
	struct tls_ticket_key *key = &files->keys[files->count];

	*key = (struct tls_ticket_key){
	    .made_at = TLS_TICKET_KEY_MADE_UNKNOWN,
	    .issues_until = TLS_TICKET_KEY_FOR_EVER,
	    .honoured_until = TLS_TICKET_KEY_FOR_EVER,
	};
	memcpy(key->name, bytes, sizeof(key->name));
	bytes += sizeof(key->name);
	memcpy(key->hmac, bytes, sizeof(key->hmac));
	bytes += sizeof(key->hmac);
	memcpy(key->cipher, bytes, sizeof(key->cipher));
	/* A key of zeros is what a key that was never made looks like
	 * (CVE-2020-13777). */
	if (is_all_zeros(key->hmac, sizeof(key->hmac)) ||
	    is_all_zeros(key->cipher, sizeof(key->cipher)))
		return refuse(reader, path, "holds zeros in place of a key");
	if (is_known(files, key))
		return refuse(
		    reader, path, "holds the key of a file before it");
	files->count++;
	return true;
}

static bool read_file(const struct reader *reader, const char *path)
{
	uint8_t bytes[KEY_FILE_LEN];
	struct stat status;
	const char *problem;
	bool fine;
	/* A FIFO in the file's place must not stop us. */
	int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (descriptor < 0 || fstat(descriptor, &status) != 0) {
		problem = strerror(errno);
		if (descriptor >= 0)
			close(descriptor);
		return refuse(reader, path, problem);
	}
	problem = objection(&status);
	if (problem == NULL &&
	    read(descriptor, bytes, sizeof(bytes)) != KEY_FILE_LEN)
		problem = "cannot be read whole";
	close(descriptor);
	if (problem != NULL)
		return refuse(reader, path, problem);
	fine = take(reader, path, bytes);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return fine;
}

bool tls_ticket_files_read(const char *names, const char *parameter,
    const struct tls_report *report, struct tls_ticket_files *files_out)
{
	struct tls_findings findings = {report, false};
	const struct reader reader = {&findings, parameter, files_out};
	bool fine = true;

	*files_out = (struct tls_ticket_files){0};
	for (const char *at = names + strspn(names, SEPARATORS);
	     fine && *at != '\0'; at += strspn(at, SEPARATORS)) {
		size_t len = strcspn(at, SEPARATORS);
		char path[PATH_SIZE];

		snprintf(path, sizeof(path), "%.*s", (int)len, at);
		at += len;
		if (files_out->count < TLS_TICKET_KEY_FILES_MAX) {
			fine = read_file(&reader, path);
			continue;
		}
		tls_findings_error(&findings, parameter,
		    "names more than %d files; must name the one that issues, "
		    "and those before it that still open",
		    TLS_TICKET_KEY_FILES_MAX);
		fine = false;
	}
	if (!fine)
		tls_ticket_files_finish(files_out);
	return fine;
}

void tls_ticket_files_finish(struct tls_ticket_files *files)
{
	OPENSSL_cleanse(files, sizeof(*files));
}
