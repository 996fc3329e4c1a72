/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations from texts, and what is said of them. */
#ifndef POSTERN_TESTS_CONF_FIXTURE_H
#define POSTERN_TESTS_CONF_FIXTURE_H

#include <stdbool.h>

#include "conf/configuration.h"
#include "conf/report.h"

/* One listener on 127.0.0.1:2525. */
#define FIXTURE_MASTER "127.0.0.1:2525 inet n - n - - smtpd\n"

/* What every good main.cf of a test begins with: three lines. The name keeps
 * tests apart from the machine they run on. */
#define FIXTURE_MAIN                     \
	"proxy_backend = builtin:sink\n" \
	"myhostname = mx.example.test\n" \
	"mydomain = example.test\n"

/* Parses both as those of the directory "/c"; the report is the fixture's. */
struct configuration *fixture_parse(const char *main, const char *master);

/* Of what was parsed last. */
const struct report *fixture_report(void);

/* Was exactly that said? Errors begin with "E ", warnings with "W ", notices
 * with "N ". */
bool fixture_was_told(const char *message);

/* Everything that was said, for the message of a failed test. */
const char *fixture_told(void);

/* A new directory, private to this process, removed with what is in it by
 * fixture_remove. */
const char *fixture_directory(void);
void fixture_write(const char *name, const char *text);
void fixture_remove(void);

#endif
