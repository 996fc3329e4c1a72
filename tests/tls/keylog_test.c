/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/keylog.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tls/fixture.h"

TestSuite(keylog, .init = fixture_init, .fini = fixture_fini);

static struct tls_context *create(const char *file)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("p256"));

	options.proxy_tls_keylog_file = file;
	fixture_findings[0] = '\0';
	return tls_context_create(&options, &fixture_report);
}

static void shake_hands(struct tls_context *context)
{
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
	struct link link;

	link_open(&link, context, client_ctx);
	cr_assert(link_handshake(&link));
	link_close(&link);
	SSL_CTX_free(client_ctx);
}

/* The lines that begin with this word. */
static unsigned count_lines(const char *path, const char *word)
{
	FILE *file = fopen(path, "r");
	char line[512];
	unsigned count = 0;

	cr_assert_not_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		cr_assert_eq(line[strlen(line) - 1], '\n');
		count += strncmp(line, word, strlen(word)) == 0;
	}
	fclose(file);
	return count;
}

Test(keylog, on_the_explicit_word)
{
	const char *path = fixture_path("keys.log");
	struct tls_context *context = create(path);
	char expected[1024];
	struct stat status;

	cr_assert_not_null(context);
	snprintf(expected, sizeof(expected),
	    "warning proxy_tls_keylog_file: THE SECRETS OF EVERY SESSION ARE "
	    "WRITTEN TO \"%s\": whoever reads it reads all mail, and forward "
	    "secrecy is void. Must be empty but for debugging\n",
	    path);
	cr_expect_str_eq(fixture_findings, expected);
	shake_hands(context);
	shake_hands(context);
	cr_expect_eq(count_lines(path, "SERVER_TRAFFIC_SECRET_0 "), 2);
	cr_assert_eq(stat(path, &status), 0);
	cr_expect_eq(status.st_mode & 0777, 0600);
	tls_context_destroy(&context);
	/* It is appended to. */
	context = create(path);
	shake_hands(context);
	cr_expect_eq(count_lines(path, "SERVER_TRAFFIC_SECRET_0 "), 3);
	tls_context_destroy(&context);
}

/* What a worker must not close. */
Test(keylog, descriptors)
{
	int fds[TLS_KEYLOG_DESCRIPTORS_MAX];
	struct tls_context *contexts[TLS_KEYLOG_DESCRIPTORS_MAX + 1];
	const char *base = fixture_path("many");
	char path[256];

	cr_expect_eq(tls_keylog_descriptors(fds), 0);
	contexts[0] = create(fixture_path("one.log"));
	contexts[1] = create(fixture_path("one.log"));
	cr_assert_eq(tls_keylog_descriptors(fds), 1);
	cr_expect_neq(fcntl(fds[0], F_GETFD), -1);
	tls_context_destroy(&contexts[0]);
	shake_hands(contexts[1]);
	cr_expect_eq(tls_keylog_descriptors(fds), 1);
	tls_context_destroy(&contexts[1]);
	cr_expect_eq(tls_keylog_descriptors(fds), 0);
	cr_expect_eq(fcntl(fds[0], F_GETFD), -1);
	for (size_t i = 0; i <= TLS_KEYLOG_DESCRIPTORS_MAX; i++) {
		snprintf(path, sizeof(path), "%s%zu", base, i);
		contexts[i] = create(path);
		cr_expect_eq(
		    contexts[i] != NULL, i < TLS_KEYLOG_DESCRIPTORS_MAX);
	}
	cr_expect_eq(tls_keylog_descriptors(fds), TLS_KEYLOG_DESCRIPTORS_MAX);
	for (size_t i = 0; i < TLS_KEYLOG_DESCRIPTORS_MAX; i++)
		tls_context_destroy(&contexts[i]);
}

Test(keylog, not_by_the_environment)
{
	static const char *const values[] = {NULL, ""};
	const char *path = fixture_path("environment.log");

	setenv("SSLKEYLOGFILE", path, 1);
	for (size_t i = 0; i < 2; i++) {
		struct tls_context *context = create(values[i]);

		cr_assert_not_null(context);
		cr_expect_str_eq(fixture_findings, "");
		shake_hands(context);
		cr_expect_eq(access(path, F_OK), -1);
		tls_context_destroy(&context);
	}
}

Test(keylog, a_file_that_cannot_be_written)
{
	cr_expect_null(create("/nonexistent/keys.log"));
	cr_expect_str_eq(fixture_findings,
	    "error proxy_tls_keylog_file: \"/nonexistent/keys.log\": No such "
	    "file or directory; must be a file that can be written, or "
	    "empty\n");
}
