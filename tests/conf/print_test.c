/* SPDX-License-Identifier: Apache-2.0 */
/* `postern conf` against what postconf 3.7.11 printed for the same two files.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/print.h"
#include "fixture.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const char *directory;
static struct report report;

static void set_up(void)
{
	directory = fixture_directory();
	report_init(&report);
	fixture_write("main.cf", "proxy_backend = builtin:sink\n"
				 "myhostname = mx.example.test\n"
				 "foo = bar\n"
				 "used   =  x    y\n"
				 "  z\n"
				 "smtpd_banner = $used ESMTP\n"
				 "smtpd_timeout = 10\n"
				 "relayhost = [10.0.0.1]\n"
				 "mail_name =\n");
	fixture_write("master.cf",
	    "smtp inet n - n - - smtpd\n"
	    "submission inet n - n - - smtpd\n"
	    "  -o syslog_name=postfix/submission\n"
	    "# comment\n"
	    "  -o { smtpd_banner = hello   $used , x }\n"
	    "  -o smtpd_timeout=5 -v\n"
	    "[::1]:465 inet n - n - - smtpd -vv -D\n"
	    "10.0.0.1:2525 inet n - n - 50 smtpd\n"
	    "foo unix - n n 10? 1 pipe flags=F user=nobody   argv=/bin/x "
	    "$sender {a   b}\n"
	    "x inet n - n - - pipe -o a= -o {b = } -o { c = {x} } -o {d={ q "
	    "r}} -o { e =   }\n");
}

static void tear_down(void)
{
	report_finish(&report);
	fixture_remove();
}

TestSuite(print, .init = set_up, .fini = tear_down);

struct request {
	enum print_what what;
	bool expand;
	const char *names[3];
	const char *expected;
	bool is_false;
	const char *warning; /* one of several, where names matter */
};

static const struct request requests[] = {
    {PRINT_SERVICES, false, {NULL},
	"smtp       inet  n       -       n       -       -       smtpd\n"
	"submission inet  n       -       n       -       -       smtpd -o "
	"syslog_name=postfix/submission -o {smtpd_banner=hello   $used , x} -o "
	"smtpd_timeout=5 -v\n"
	"[::1]:465  inet  n       -       n       -       -       smtpd -vv "
	"-D\n"
	"10.0.0.1:2525 inet n     -       n       -       50      smtpd\n"
	"foo        unix  -       n       n       10?     1       pipe flags=F "
	"user=nobody argv=/bin/x $sender {a   b}\n"
	"x          inet  n       -       n       -       -       pipe -o a= "
	"-o b= -o c={x} -o {d={ q r}} -o e=\n",
	false, NULL},
    {PRINT_SERVICES, true, {"submission"},
	"submission inet  n       -       n       -       -       smtpd -o "
	"syslog_name=postfix/submission -o {smtpd_banner=hello   x    y  z , "
	"x} -o smtpd_timeout=5 -v\n",
	false, NULL},
    {PRINT_SERVICES, false, {"foo/unix", "smtp/inet"},
	"foo        unix  -       n       n       10?     1       pipe flags=F "
	"user=nobody argv=/bin/x $sender {a   b}\n"
	"smtp       inet  n       -       n       -       -       smtpd\n",
	false, NULL},
    {PRINT_SERVICES, false, {"*/unix"},
	"foo        unix  -       n       n       10?     1       pipe flags=F "
	"user=nobody argv=/bin/x $sender {a   b}\n",
	false, NULL},
    {PRINT_SERVICES, false, {"nope/inet"}, "", true,
	"unmatched request: \"nope/inet\""},
    {PRINT_OVERRIDES, false, {NULL},
	"submission/inet/smtpd_banner = hello $used , x\n"
	"submission/inet/smtpd_timeout = 5\n"
	"submission/inet/syslog_name = postfix/submission\n"
	"x/inet/a =\nx/inet/b =\nx/inet/c = {x}\nx/inet/d = { q r}\n"
	"x/inet/e =\n",
	false, NULL},
    {PRINT_OVERRIDES, true, {"submission/inet"},
	"submission/inet/smtpd_banner = hello x y z , x\n"
	"submission/inet/smtpd_timeout = 5\n"
	"submission/inet/syslog_name = postfix/submission\n",
	false, NULL},
    {PRINT_OVERRIDES, false,
	{"submission/inet/smtpd_timeout", "submission/inet/smtpd_banner"},
	"submission/inet/smtpd_timeout = 5\n"
	"submission/inet/smtpd_banner = hello $used , x\n",
	false, NULL},
    {PRINT_OVERRIDES, false, {"*/inet/smtpd_timeout"},
	"submission/inet/smtpd_timeout = 5\n", false, NULL},
    {PRINT_OVERRIDES, false, {"submission/inet/nope"}, "", true,
	"unmatched request: \"submission/inet/nope\""},
    {PRINT_OVERRIDES, false, {"smtpd_timeout"}, "", true,
	"unmatched request: \"smtpd_timeout\""},
    {PRINT_ALL, false, {"smtpd_timeout", "myhostname"},
	"smtpd_timeout = 10\nmyhostname = mx.example.test\n", false, NULL},
    {PRINT_ALL, false, {"smtpd_starttls_timeout", "used", "mail_name"},
	"smtpd_starttls_timeout = ${stress?{10}:{300}}s\nused = x y z\n"
	"mail_name =\n",
	false, NULL},
    {PRINT_ALL, true, {"smtpd_banner", "smtpd_starttls_timeout", "stress"},
	"smtpd_banner = x y z ESMTP\nsmtpd_starttls_timeout = 300s\nstress =\n",
	false, NULL},
    {PRINT_ALL, false, {"foo"}, "", true, "foo: unknown parameter"},
    {PRINT_ALL, false, {"nope", "smtpd_timeout"}, "smtpd_timeout = 10\n", true,
	"nope: unknown parameter"},
    {PRINT_DEFAULTS, false, {"smtpd_timeout", "smtpd_banner"},
	"smtpd_timeout = ${stress?{10}:{300}}s\n"
	"smtpd_banner = $myhostname ESMTP $mail_name\n",
	false, NULL},
    {PRINT_DEFAULTS, false, {"relayhost"}, "", true,
	"relayhost: unknown parameter"},
    {PRINT_SET, false, {"smtpd_timeout", "smtpd_starttls_timeout"},
	"smtpd_timeout = 10\n", false, NULL},
    {PRINT_SET, false, {"foo"}, "", true, "foo: unknown parameter"},
};

/* What is printed; to be freed. */
static char *printed(const struct request *request, bool *result_out)
{
	char *text = NULL;
	size_t size = 0, count = 0;
	FILE *out = open_memstream(&text, &size);
	cr_assert_not_null(out);
	while (count < COUNT(request->names) && request->names[count] != NULL)
		count++;
	report_finish(&report);
	*result_out = print_configuration(out, directory, request->what,
	    request->expand, request->names, count, &report);
	fclose(out);
	return text;
}

static bool was_told(const char *text)
{
	for (size_t i = 0; i < report.message_count; i++) {
		if (strcmp(report.messages[i].text, text) == 0)
			return true;
	}
	return false;
}

Test(print, prints_what_postconf_prints)
{
	for (size_t i = 0; i < COUNT(requests); i++) {
		bool result;
		char *text = printed(&requests[i], &result);
		cr_expect_str_eq(
		    text, requests[i].expected, "%zu:\n%s", i, text);
		cr_expect_eq(result, !requests[i].is_false, "%zu", i);
		cr_expect(requests[i].warning == NULL ||
			      was_told(requests[i].warning),
		    "%s", requests[i].warning);
		free(text);
	}
}

Test(print, prints_what_is_set)
{
	static const struct request request = {.what = PRINT_SET};
	char expected[600];
	snprintf(expected, sizeof(expected),
	    "config_directory = %s\n"
	    "mail_name =\n"
	    "myhostname = mx.example.test\n"
	    "proxy_backend = builtin:sink\n"
	    "relayhost = [10.0.0.1]\n"
	    "smtpd_banner = $used ESMTP\n"
	    "smtpd_timeout = 10\n"
	    "used = x y z\n",
	    directory);
	bool result;
	char *text = printed(&request, &result);
	cr_expect_str_eq(text, expected, "%s", text);
	cr_expect(result);
	char warning[300];
	snprintf(warning, sizeof(warning),
	    "%s/main.cf:3: foo = bar: unknown parameter, ignored", directory);
	cr_expect(was_told(warning));
	free(text);
}

/* Each line of `text` is greater than the one before; returns their number. */
static size_t count_sorted(char *text)
{
	size_t count = 0;
	const char *last = "";
	for (char *line = strtok(text, "\n"); line != NULL;
	     line = strtok(NULL, "\n")) {
		cr_expect_lt(strncmp(last, line, strcspn(line, " ") + 1), 0,
		    "%s\n%s", last, line);
		last = line;
		count++;
	}
	return count;
}

Test(print, prints_all_that_there_is)
{
	static const struct request all = {.what = PRINT_ALL},
				    defaults = {.what = PRINT_DEFAULTS};
	size_t count;
	bool result;
	settings_parameters(&count);
	char *text = printed(&all, &result);
	cr_expect(result);
	cr_expect_not_null(strstr(text, "\nsmtpd_timeout = 10\n"));
	cr_expect_not_null(strstr(text, "\nproxy_drain_timeout = 60s\n"));
	cr_expect_not_null(strstr(text, "\nrelayhost = [10.0.0.1]\n"));
	cr_expect_not_null(strstr(text, "\nused = x y z\n"));
	cr_expect_eq(count_sorted(text), count + 2);
	free(text);
	text = printed(&defaults, &result);
	cr_expect(result);
	cr_expect_not_null(
	    strstr(text, "\nsmtpd_timeout = ${stress?{10}:{300}}s\n"));
	cr_expect_null(strstr(text, "relayhost"));
	cr_expect_eq(count_sorted(text), count);
	free(text);
}

Test(print, shows_a_broken_configuration)
{
	static const struct request set = {
	    .what = PRINT_SET, .names = {"smtpd_timeout"}};
	static const struct request expanded = {
	    .what = PRINT_ALL, .expand = true, .names = {"mail_name"}};
	fixture_write("main.cf", "smtpd_timeout = junk\nmail_name = ${x\n");
	bool result;
	char *text = printed(&set, &result);
	cr_expect_str_eq(text, "smtpd_timeout = junk\n");
	cr_expect(result);
	free(text);
	text = printed(&expanded, &result);
	cr_expect_str_eq(text, "mail_name = ${x\n");
	cr_expect_not(result);
	char error[300];
	snprintf(error, sizeof(error),
	    "%s/main.cf:2: mail_name = ${x: has no '}' for \"${x\"", directory);
	cr_expect(was_told(error));
	free(text);
}

Test(print, needs_the_files)
{
	static const struct request all = {.what = PRINT_ALL};
	bool result;
	fixture_write("main.cf", "no equals\n");
	char *text = printed(&all, &result);
	cr_expect_not(result);
	free(text);
	fixture_remove();
	text = printed(&all, &result);
	cr_expect_str_eq(text, "");
	cr_expect_not(result);
	free(text);
	directory = fixture_directory();
}
