/* SPDX-License-Identifier: Apache-2.0 */
/* Files on disk, names that are no parameters, and both files together. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

/* The lines behind FIXTURE_MAIN begin with line 4. `message` NULL: nothing is
 * said. */
static const struct {
	const char *main, *master, *message;
} names[] = {
    {"smtpd_sasl_path = smtpd\n", "",
	"W /c/main.cf:4: smtpd_sasl_path = smtpd: has no meaning in Postern, "
	"ignored"},
    {"smtpd_tls_ciphers = high\n", "", NULL},
    {"smtpd_tls_trace_size_limit = 1\n", "",
	"W /c/main.cf:4: smtpd_tls_trace_size_limit = 1: has no meaning in "
	"Postern, ignored"},
    {"slow_destination_rate_delay = 1s\n", "",
	"W /c/main.cf:4: slow_destination_rate_delay = 1s: has no meaning in "
	"Postern, ignored"},
    {"smtpd_tls_cert_fil = x\n", "",
	"W /c/main.cf:4: smtpd_tls_cert_fil = x: unknown parameter, ignored; "
	"did you mean smtpd_tls_cert_file?"},
    {"proxy_worker_proceses = 2\n", "",
	"W /c/main.cf:4: proxy_worker_proceses = 2: unknown parameter, "
	"ignored; did you mean proxy_worker_processes?"},
    {"my_relayhost = 2\n", "",
	"W /c/main.cf:4: my_relayhost = 2: unknown parameter, ignored; did "
	"you mean relayhost?"},
    {"zzzzzzzzzzzzzzzz = 2\n", "",
	"W /c/main.cf:4: zzzzzzzzzzzzzzzz = 2: unknown parameter, ignored"},
    {"", "  -o smtpd_timeouts=3\n",
	"W /c/master.cf:2: smtpd_timeouts = 3: unknown parameter, ignored; "
	"did you mean smtpd_timeout?"},
    {"mine = 1\nmail_name = $mine\n", "", NULL},
    {"mine = 1\nmail_name = ${e?${mine}}x\n", "", NULL},
    {"mine = 1\n", "  -o mail_name=$(mine)\n", NULL},
    {"", "  -o mine=1 -o mail_name=$mine\n", NULL},
    {"mine = 1\n", "x unix - - n - - pipe argv=$mine\n", NULL},
    {"mine = 1\nmail_name = $$mine\n", "",
	"W /c/main.cf:4: mine = 1: unknown parameter, ignored"},
    {"mail_name = $mine\n", "",
	"W /c/main.cf:4: mail_name = $mine: $mine has no value here and "
	"counts as empty"},
    {"mail_name = a${mine?{b}}\n", "", NULL},
    {"mail_name = x$data_directory\n", "",
	"W /c/main.cf:4: mail_name = x$data_directory: $data_directory has "
	"no value here and counts as empty"},
    {"stress = yes\n", "", NULL},
    {"config_directory = /d\n", "",
	"W /c/main.cf:4: config_directory = /d: changes only "
	"$config_directory: the files are those of /c"},
    {"config_directory = /c\n", "", NULL},
};

Test(configuration, says_what_a_name_is)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char main[500], master[500];
		snprintf(
		    main, sizeof(main), "%s%s", FIXTURE_MAIN, names[i].main);
		snprintf(master, sizeof(master), "%s%s", FIXTURE_MASTER,
		    names[i].master);
		struct configuration *configuration =
		    fixture_parse(main, master);
		cr_assert_not_null(configuration, "%s", fixture_told());
		const char *message = names[i].message;
		if (message != NULL)
			cr_expect(fixture_was_told(message), "%s\n%s", message,
			    fixture_told());
		size_t warnings = 0;
		for (size_t j = 0; j < fixture_report()->message_count; j++)
			warnings += fixture_report()->messages[j].severity ==
				    REPORT_WARNING;
		cr_expect_eq(warnings, message != NULL, "%s%s\n%s",
		    names[i].main, names[i].master, fixture_told());
		configuration_destroy(&configuration);
	}
}

Test(configuration, warns_once_of_an_override_on_many_listeners)
{
	struct configuration *configuration = fixture_parse(FIXTURE_MAIN
	    "smtpd_restriction_classes = mine\nmine = reject\n",
	    "25 inet n - n - - smtpd -o smtpd_sasl_auth_enable=no\n"
	    "26 inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes\n"
	    "27 inet n - n - - smtpd -o smtpd_sasl_auth_enable=no\n"
	    "28 pass n - n - - smtpd -o smtpd_sasl_path=x\n");
	cr_assert_not_null(configuration, "%s", fixture_told());
	cr_expect_str_eq(fixture_told(),
	    "N /c/master.cf:4: 28/pass smtpd is skipped: only postscreen "
	    "connects to it\n"
	    "W /c/main.cf:4: smtpd_restriction_classes = mine: has no meaning "
	    "in Postern, ignored\n"
	    "W /c/master.cf:1: smtpd_sasl_auth_enable = no: has no meaning in "
	    "Postern, ignored\n");
	configuration_destroy(&configuration);
}

Test(configuration, tells_a_bad_value_once_for_all_listeners)
{
	cr_expect_null(fixture_parse(FIXTURE_MAIN "smtpd_timeout = x\n",
	    "25 inet n - n - - smtpd\n26 inet n - n - - smtpd\n"
	    "27 inet n - n - - smtpd -o smtpd_timeout=y\n"));
	cr_expect_str_eq(fixture_told(),
	    "E /c/main.cf:4: smtpd_timeout = x: must be a time such as 300s, "
	    "5m or 2h, from 1s to 1d\n"
	    "E /c/master.cf:3: smtpd_timeout = y: must be a time such as 300s, "
	    "5m or 2h, from 1s to 1d\n");
}

Test(configuration, finds_the_value_that_is_wrong_behind_macros)
{
	cr_expect_null(fixture_parse(FIXTURE_MAIN
	    "mail_name = $one\none = $two\ntwo = ${x\n",
	    FIXTURE_MASTER));
	cr_expect(fixture_was_told(
		      "E /c/main.cf:6: two = ${x: has no '}' for \"${x\""),
	    "%s", fixture_told());
	cr_expect_eq(fixture_report()->error_count, 1, "%s", fixture_told());
}

Test(configuration, names_a_loop)
{
	cr_expect_null(fixture_parse(FIXTURE_MAIN
	    "mail_name = $one\none = $two\ntwo = $one\n",
	    FIXTURE_MASTER));
	cr_expect(
	    fixture_was_told(
		"E /c/main.cf:6: two = $one: refers to itself: two -> one -> "
		"two") ||
		fixture_was_told("E /c/main.cf:5: one = $two: refers to "
				 "itself: one -> two -> one"),
	    "%s", fixture_told());
}

Test(configuration, wants_a_backend)
{
	cr_expect_null(
	    fixture_parse("myhostname = a.b\n#proxy_backend = builtin:sink\n",
		FIXTURE_MASTER));
	cr_expect_str_eq(fixture_told(),
	    "E /c/main.cf: proxy_backend = : must name the mail server behind "
	    "Postern, such as inet:127.0.0.1:10025 (or builtin:sink to throw "
	    "mail away)\n");
	cr_expect_null(fixture_parse(
	    FIXTURE_MAIN, "25 inet n - n - - smtpd -o proxy_backend=\n"));
	cr_expect(fixture_was_told(
		      "E /c/master.cf:1: proxy_backend = : must name the mail "
		      "server behind Postern, such as inet:127.0.0.1:10025 (or "
		      "builtin:sink to throw mail away)"),
	    "%s", fixture_told());
}

Test(configuration, takes_the_backend_of_each_listener)
{
	struct configuration *configuration =
	    fixture_parse("myhostname = a.b\n",
		"25 inet n - n - - smtpd -o proxy_backend=inet:10.0.0.1:25\n"
		"587 inet n - n - - smtpd -o proxy_backend=unix:x\n");
	cr_assert_not_null(configuration, "%s", fixture_told());
	cr_expect_str_eq(configuration->listeners[0].settings->proxy_backend,
	    "inet:10.0.0.1:25");
	cr_expect_str_eq(
	    configuration->listeners[1].settings->proxy_backend, "unix:x");
	configuration_destroy(&configuration);
}

Test(configuration, finds_the_names_of_this_host)
{
	static const struct {
		const char *main, *host, *domain;
	} rows[] = {
	    {"myhostname = mx.a.b\n", "mx.a.b", "a.b"},
	    {"mydomain = x.y\nmyhostname = mx.$mydomain\n", "mx.x.y", "x.y"},
	    {"myhostname = alone\n", "alone", "localdomain"},
	    {"myhostname = mx.a.b\nmydomain = c.d\n", "mx.a.b", "c.d"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char main[300];
		snprintf(main, sizeof(main), "proxy_backend = builtin:sink\n%s",
		    rows[i].main);
		struct configuration *configuration =
		    fixture_parse(main, FIXTURE_MASTER);
		cr_assert_not_null(configuration, "%s", fixture_told());
		cr_expect_str_eq(
		    configuration->settings->myhostname, rows[i].host);
		cr_expect_str_eq(
		    configuration->settings->mydomain, rows[i].domain);
		configuration_destroy(&configuration);
	}
}

Test(configuration, gives_the_host_a_domain)
{
	struct configuration *configuration =
	    fixture_parse("proxy_backend = builtin:sink\n", FIXTURE_MASTER);
	cr_assert_not_null(configuration, "%s", fixture_told());
	cr_expect_not_null(strchr(configuration->settings->myhostname, '.'));
	cr_expect_neq(*configuration->settings->mydomain, '\0');
	configuration_destroy(&configuration);
}

/* Loading from disk, told with the directory's name cut out. */
static const char *directory;
static struct report report;

static void set_up(void)
{
	directory = fixture_directory();
	report_init(&report);
	fixture_write("main.cf", FIXTURE_MAIN);
	fixture_write("master.cf", FIXTURE_MASTER);
}

static void tear_down(void)
{
	report_finish(&report);
	fixture_remove();
}

TestSuite(files, .init = set_up, .fini = tear_down);

static const char *path_of(const char *name)
{
	static char path[256];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void expect_refused(const char *name, const char *behind)
{
	char message[400];
	struct configuration *configuration =
	    configuration_load(directory, &report);
	cr_expect_null(configuration);
	cr_assert_eq(report.error_count, 1, "%s",
	    report.message_count > 1 ? report.messages[1].text : "none");
	snprintf(message, sizeof(message), "%s%s", path_of(name), behind);
	cr_expect_str_eq(report.messages[0].text, message);
}

Test(files, are_read)
{
	struct configuration *configuration =
	    configuration_load(directory, &report);
	cr_assert_not_null(configuration);
	cr_expect_str_eq(configuration->directory, directory);
	cr_expect_eq(configuration->listener_count, 1);
	cr_expect_str_eq(configuration->settings->config_directory, directory);
	cr_expect_eq(report.message_count, 0);
	configuration_destroy(&configuration);
	cr_expect_null(configuration);
	configuration_destroy(&configuration);
}

Test(files, must_be_there)
{
	unlink(path_of("main.cf"));
	expect_refused(
	    "main.cf", ": cannot be read: No such file or directory");
}

Test(files, must_both_be_there)
{
	unlink(path_of("master.cf"));
	expect_refused(
	    "master.cf", ": cannot be read: No such file or directory");
}

Test(files, must_not_be_writable_by_all)
{
	chmod(path_of("main.cf"), 0666);
	expect_refused("main.cf", ": every user may write to it: must not be "
				  "world-writable (chmod o-w)");
}

Test(files, must_not_be_writable_by_all_in_master_cf)
{
	chmod(path_of("master.cf"), 0646);
	expect_refused("master.cf", ": every user may write to it: must not "
				    "be world-writable (chmod o-w)");
}

Test(files, must_be_files)
{
	unlink(path_of("main.cf"));
	mkfifo(path_of("main.cf"), 0600);
	expect_refused("main.cf", ": is not a regular file");
}

Test(files, must_not_be_links_in_a_circle)
{
	unlink(path_of("main.cf"));
	cr_assert_eq(symlink("main.cf", path_of("main.cf")), 0);
	expect_refused(
	    "main.cf", ": cannot be read: Too many levels of symbolic links");
}

Test(files, must_be_of_a_sane_size)
{
	cr_assert_eq(truncate(path_of("main.cf"), 4 * 1024 * 1024 + 1), 0);
	expect_refused("main.cf", ": is larger than 4 MiB");
}

Test(files, must_have_lines_of_a_sane_size)
{
	static char text[1024 * 1024 + 10];
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, FIXTURE_MAIN "a = ", strlen(FIXTURE_MAIN "a = "));
	fixture_write("main.cf", text);
	struct configuration *configuration =
	    configuration_load(directory, &report);
	cr_expect_null(configuration);
	char message[300];
	snprintf(message, sizeof(message),
	    "%s:4: the line and its continuation lines have %zu bytes: must be "
	    "at most 65536",
	    path_of("main.cf"), sizeof(text) - 1 - strlen(FIXTURE_MAIN));
	cr_assert_eq(report.error_count, 1);
	cr_expect_str_eq(report.messages[0].text, message);
}

Test(files, must_hold_no_zero_bytes)
{
	cr_assert_eq(truncate(path_of("main.cf"), 200), 0);
	expect_refused("main.cf", ":4: the byte 0x00 is a control character: "
				  "must be a text file");
}

Test(files, must_be_in_a_directory)
{
	struct configuration *configuration =
	    configuration_load("/dev/null", &report);
	cr_expect_null(configuration);
	cr_assert_eq(report.message_count, 1);
	cr_expect_str_eq(
	    report.messages[0].text, "/dev/null: is not a directory");
}

Test(files, must_be_in_a_directory_that_exists)
{
	struct configuration *configuration =
	    configuration_load("/nonexistent/postern", &report);
	cr_expect_null(configuration);
	cr_assert_eq(report.message_count, 1);
	cr_expect_str_eq(report.messages[0].text,
	    "/nonexistent/postern: cannot be read: No such file or directory");
}

Test(files, must_be_in_a_directory_that_is_not_for_all)
{
	chmod(directory, 0777);
	struct configuration *configuration =
	    configuration_load(directory, &report);
	cr_expect_null(configuration);
	cr_assert_eq(report.message_count, 1);
	char message[300];
	snprintf(message, sizeof(message),
	    "%s: every user may put files there: must not be world-writable "
	    "(chmod o-w)",
	    directory);
	cr_expect_str_eq(report.messages[0].text, message);
}
