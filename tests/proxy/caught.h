/* SPDX-License-Identifier: Apache-2.0 */
/* Whether AddressSanitizer catches a deed: it is done in a child, whose last
 * words are read. */
#ifndef POSTERN_TESTS_PROXY_CAUGHT_H
#define POSTERN_TESTS_PROXY_CAUGHT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "proxy/poison.h"

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define CAUGHT_IS_POSSIBLE true
#else
#define CAUGHT_IS_POSSIBLE false
#endif

static inline void skip_without_sanitizer(void)
{
	if (!CAUGHT_IS_POSSIBLE)
		cr_skip("AddressSanitizer is not in this build");
}

static inline bool is_caught(const volatile uint8_t *touched)
{
	static char words[65536];
	size_t words_len = 0;
	ssize_t len;
	int ends[2];
	int status;
	pid_t child;

	cr_assert_eq(pipe(ends), 0);
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		(void)*touched;
		_exit(EXIT_SUCCESS);
	}
	close(ends[1]);
	while ((len = read(ends[0], words + words_len,
		    sizeof(words) - 1 - words_len)) > 0)
		words_len += (size_t)len;
	words[words_len] = '\0';
	close(ends[0]);
	cr_assert_eq(waitpid(child, &status, 0), child);
	return !(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) &&
	       strstr(words, "AddressSanitizer: use-after-poison") != NULL;
}

#endif
