/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of master.cf: fields, -o, and what is wrong with them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"

static const struct {
	const char *service, *host, *port;
} addresses[] = {
    {"smtp", "", "25"},
    {"submission", "", "587"},
    {"submissions", "", "465"},
    {"smtps", "", "465"},
    {"2525", "", "2525"},
    {"00025", "", "25"},
    {":2525", "", "2525"},
    {"127.0.0.1:smtp", "127.0.0.1", "25"},
    {"10.0.0.1:2525", "10.0.0.1", "2525"},
    {"mail.example.test:65535", "mail.example.test", "65535"},
    {"localhost:1", "localhost", "1"},
    {"[::1]:465", "::1", "465"},
    {"[2001:db8::1]:submission", "2001:db8::1", "587"},
    {"[127.0.0.1]:25", "127.0.0.1", "25"},
};

static struct configuration *parse_service(
    const char *service, const char *rest)
{
	char master[300];
	snprintf(master, sizeof(master), "%s %s\n", service, rest);
	return fixture_parse(FIXTURE_MAIN, master);
}

Test(master_cf, reads_inet_services)
{
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		const char *service = addresses[i].service;
		struct configuration *configuration =
		    parse_service(service, "inet n - n - - smtpd");
		cr_assert_not_null(configuration, "%s", fixture_told());
		cr_assert_eq(configuration->listener_count, 1);
		const struct listener *listener = &configuration->listeners[0];
		cr_expect_str_eq(listener->service, service);
		cr_expect_str_eq(listener->place, "/c/master.cf:1");
		cr_expect_not(listener->is_unix);
		cr_expect_str_eq(listener->host, addresses[i].host);
		cr_expect_str_eq(listener->port, addresses[i].port);
		configuration_destroy(&configuration);
	}
}

Test(master_cf, refuses_bad_inet_services)
{
	static const char *const bad[] = {"0", "65536", "99999999999", "a:0",
	    "no-such-service", "::1:25", "[::1]", "[::1]25", "[]:25", "[::1:25",
	    "a/b:25", "10.0.0.1:", "-1", "[a:b]:25"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char message[300];
		snprintf(message, sizeof(message),
		    "E /c/master.cf:1: invalid service field \"%s\": must be "
		    "port, host:port or [v6 address]:port, where the port is a "
		    "number from 1 to 65535 or a name of services(5)",
		    bad[i]);
		cr_expect_null(parse_service(bad[i], "inet n - n - - smtpd"));
		cr_expect(fixture_was_told(message), "%s:\n%s", bad[i],
		    fixture_told());
	}
}

Test(master_cf, reads_unix_services)
{
	static const struct {
		const char *service, *path;
	} rows[] = {
	    {"/run/x.sock", "/run/x.sock"},
	    {"public/smtp", "/var/spool/postern/public/smtp"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct configuration *configuration =
		    parse_service(rows[i].service, "unix - - n - - smtpd");
		cr_assert_not_null(configuration, "%s", fixture_told());
		cr_expect(configuration->listeners[0].is_unix);
		cr_expect_str_eq(
		    configuration->listeners[0].path, rows[i].path);
		configuration_destroy(&configuration);
	}
}

Test(master_cf, refuses_a_path_that_no_socket_has)
{
	char path[110];
	memset(path, 'x', 108);
	path[0] = '/';
	path[107] = '\0';
	struct configuration *configuration =
	    parse_service(path, "unix n - n - - smtpd");
	cr_expect_not_null(configuration, "%s", fixture_told());
	configuration_destroy(&configuration);
	path[107] = 'x';
	path[108] = '\0';
	cr_expect_null(parse_service(path, "unix n - n - - smtpd"));
}

Test(master_cf, reads_maxproc_and_verbosity)
{
	static const struct {
		const char *rest;
		int64_t maxproc;
		unsigned verbose;
	} rows[] = {
	    {"inet n - n - - smtpd", 77, 0},
	    {"inet n - n - 0 smtpd", 0, 0},
	    {"inet n y y 10 50 smtpd -v", 50, 1},
	    {"inet n - - 10? 999999999 smtpd -vv -D -v", 999999999, 3},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char master[100];
		snprintf(master, sizeof(master), "25 %s\n", rows[i].rest);
		struct configuration *configuration = fixture_parse(
		    FIXTURE_MAIN "default_process_limit = 77\n", master);
		cr_assert_not_null(configuration, "%s", fixture_told());
		const struct listener *listener = &configuration->listeners[0];
		cr_expect_eq(listener->maxproc, rows[i].maxproc);
		cr_expect_eq(listener->verbose, rows[i].verbose);
		configuration_destroy(&configuration);
	}
}

/* The forms of -o, in one service each; the setting is the banner. */
static const struct {
	const char *arguments, *banner;
} overrides[] = {
    {"-o smtpd_banner=x", "x"},
    {"-o smtpd_banner=x=y", "x=y"},
    {"-o { smtpd_banner = x y }", "x y"},
    {"-o {smtpd_banner=x y}", "x y"},
    {"-o { smtpd_banner=x {y} z }", "x {y} z"},
    {"-o\n  smtpd_banner=x", "x"},
    {"\n  -v\n# comment\n  # another\n\n  -o smtpd_banner=x\n# end", "x"},
    {"\r\n  -o smtpd_banner=x\r\n", "x"},
    {"-o smtpd_banner=$mail_name", "Main"},
    {"-o mail_name=Own", "mx.example.test ESMTP Own"},
    {"-o { mail_name = Own } -o smtpd_banner=$mail_name", "Own"},
    {"-o x_y=z -o smtpd_banner=${x_y}${stress?no}", "z"},
    {"-o smtpd_banner=x -o smtpd_banner=y", "y"},
};

Test(master_cf, overrides_win)
{
	for (size_t i = 0; i < sizeof(overrides) / sizeof(*overrides); i++) {
		char master[200];
		snprintf(master, sizeof(master),
		    "25 inet n - n - - smtpd %s\n26 inet n - n - - smtpd\n",
		    overrides[i].arguments);
		struct configuration *configuration =
		    fixture_parse(FIXTURE_MAIN "mail_name = Main\n", master);
		cr_assert_not_null(configuration, "%s", fixture_told());
		const struct listener *listeners = configuration->listeners;
		cr_expect_str_eq(listeners[0].settings->smtpd_banner,
		    overrides[i].banner, "%s", overrides[i].arguments);
		cr_expect_str_eq(listeners[1].settings->smtpd_banner,
		    "mx.example.test ESMTP Main");
		cr_expect_str_eq(configuration->settings->smtpd_banner,
		    "mx.example.test ESMTP Main");
		configuration_destroy(&configuration);
	}
}

Test(master_cf, knows_the_line_of_each_override)
{
	struct configuration *configuration =
	    fixture_parse(FIXTURE_MAIN, "# c\n25 inet n - n - - smtpd -v\n"
					"  -o smtpd_banner=x\n"
					"# c\n"
					"  -o { smtpd_timeout = 5 }\n");
	cr_assert_not_null(configuration, "%s", fixture_told());
	const struct settings *settings = configuration->listeners[0].settings;
	cr_expect_str_eq(configuration->listeners[0].place, "/c/master.cf:2");
	cr_expect_str_eq(
	    settings_place(settings, "smtpd_banner"), "/c/master.cf:3");
	cr_expect_str_eq(
	    settings_place(settings, "smtpd_timeout"), "/c/master.cf:5");
	cr_expect_str_eq(
	    settings_place(settings, "proxy_backend"), "/c/main.cf:1");
	cr_expect_str_eq(settings_place(settings, "mail_name"), "default");
	configuration_destroy(&configuration);
}

static const struct {
	const char *master, *message;
} errors[] = {
    {"25 inet n - n - -\n",
	"E /c/master.cf:1: bad field count: \"25 inet n - n - -\" has 7: must "
	"be service type private unpriv chroot wakeup maxproc command "
	"[argument\u2026]"},
    {"25 foo n - n - - smtpd\n",
	"E /c/master.cf:1: invalid type field \"foo\": must be inet, unix, "
	"unix-dgram, fifo or pass"},
    {"25 inet x - n - - smtpd\n",
	"E /c/master.cf:1: invalid private field \"x\": must be y, n or -"},
    {"25 inet n Y n - - smtpd\n",
	"E /c/master.cf:1: invalid unpriv field \"Y\": must be y, n or -"},
    {"25 inet n - x - - smtpd\n",
	"E /c/master.cf:1: invalid chroot field \"x\": must be y, n or -"},
    {"25 inet n - n -1 - smtpd\n",
	"E /c/master.cf:1: invalid wakeup field \"-1\": must be seconds, 0 for "
	"never, with ? behind when only if in use, or -"},
    {"25 inet n - n ? - smtpd\n",
	"E /c/master.cf:1: invalid wakeup field \"?\": must be seconds, 0 for "
	"never, with ? behind when only if in use, or -"},
    {"25 inet n - n - 5? smtpd\n",
	"E /c/master.cf:1: invalid maxproc field \"5?\": must be a number, 0 "
	"for no limit, or - for default_process_limit"},
    {"25 inet n - n - 1000000000 smtpd\n",
	"E /c/master.cf:1: invalid maxproc field \"1000000000\": must be a "
	"number, 0 for no limit, or - for default_process_limit"},
    {"25 inet - - n - - smtpd\n",
	"E /c/master.cf:1: invalid private field \"-\": must be n for type "
	"inet"},
    {"25 inet n - n - - smtpd\n  -ofoo=bar\n",
	"E /c/master.cf:2: invalid argument \"-ofoo=bar\" of smtpd: must be "
	"-o name=value, -o { name = value }, -v or -D"},
    {"25 inet n - n - - smtpd {-v}\n",
	"E /c/master.cf:1: invalid argument \"-v\" of smtpd: must be "
	"-o name=value, -o { name = value }, -v or -D"},
    {"25 inet n - n - - smtpd -o\n",
	"E /c/master.cf:1: -o at the end of the line: must be -o name=value, "
	"or -o { name = value }"},
    {"25 inet n - n - - smtpd -o name = value\n",
	"E /c/master.cf:1: -o name: must be -o name=value, or "
	"-o { name = value }"},
    {"25 inet n - n - - smtpd -o =value\n",
	"E /c/master.cf:1: -o =value: must be -o name=value, or "
	"-o { name = value }"},
    {"25 inet n - n - - smtpd -o { foo = bar\n",
	"E /c/master.cf:1: missing '}' in \"{ foo = bar\": must be "
	"{ name = value }"},
    {"25 inet n - n - - smtpd -o { foo = bar }x\n",
	"E /c/master.cf:1: syntax error after '}' in \"{ foo = bar }x\": must "
	"be { name = value }"},
    {"25 inet n - n - - smtpd\nsmtp inet n - n - - smtpd\n",
	"E /c/master.cf:2: service \"smtp\" listens where \"25\" of "
	"/c/master.cf:1 does: must be another port, address or path"},
    {"A:25 inet n - n - - smtpd\na:25 inet n - n - - smtpd\n",
	"E /c/master.cf:2: service \"a:25\" listens where \"A:25\" of "
	"/c/master.cf:1 does: must be another port, address or path"},
    {"/s unix n - n - - smtpd\n/s unix n - n - - smtpd\n",
	"E /c/master.cf:2: service \"/s\" listens where \"/s\" of "
	"/c/master.cf:1 does: must be another port, address or path"},
    {"", "E /c/master.cf: nothing to listen on: must have a line such as "
	 "\"smtp inet n - n - - smtpd\""},
    {"pickup unix n - y 60 1 pickup\n",
	"E /c/master.cf: nothing to listen on: must have a line such as "
	"\"smtp inet n - n - - smtpd\""},
};

Test(master_cf, refuses_bad_lines)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		struct configuration *configuration =
		    fixture_parse(FIXTURE_MAIN, errors[i].master);
		cr_expect_null(configuration, "%s", errors[i].master);
		cr_expect(fixture_was_told(errors[i].message), "%s%s\n%s",
		    errors[i].master, errors[i].message, fixture_told());
		configuration_destroy(&configuration);
	}
}

static const struct {
	const char *master, *message;
} remarks[] = {
    {"smtp inet n - y - - smtpd\n"
     "pickup unix n - y 60 1 pickup\n"
     "relay unix - - y - - smtp\n"
     "  -o syslog_name=${multi_instance_name?{$multi_instance_name}}x {a\n"
     "maildrop unix - n n - - pipe flags=DRXhu argv=/x -d ${recipient}\n",
	"N /c/master.cf: services with another command than smtpd are not "
	"Postern's, and are skipped: pickup/unix, relay/unix, maildrop/unix"},
    {"smtp inet n - y - - smtpd\nsmtpd pass - - y - - smtpd\n",
	"N /c/master.cf:2: smtpd/pass smtpd is skipped: only postscreen "
	"connects to it"},
    {"smtp inet n - y - - smtpd\nx fifo n - y - - smtpd\n",
	"N /c/master.cf:2: x/fifo smtpd is skipped: SMTP needs an answer"},
    {"smtp inet n - y - - smtpd\nx unix-dgram n - y - - smtpd\n",
	"N /c/master.cf:2: x/unix-dgram smtpd is skipped: SMTP needs a "
	"stream"},
    {"smtp inet n n y - - smtpd\n",
	"W /c/master.cf:1: unpriv = n has no meaning in Postern: its workers "
	"never have the rights of root"},
    {"smtp inet n - y 10? - smtpd\n",
	"W /c/master.cf:1: wakeup = 10? has no meaning in Postern, ignored"},
    {"smtp inet n - y - - smtpd -o mail_name=a\n -o mail_name=b\n",
	"W /c/master.cf:2: overriding earlier entry: mail_name=a"},
    {"  smtp inet n - y - - smtpd\n25 inet n - n - - smtpd\n",
	"W /c/master.cf:1: logical line must not start with whitespace: \"  "
	"smtp inet n - y - - smtpd\" is ignored"},
};

Test(master_cf, remarks_on_what_it_does_not_do)
{
	for (size_t i = 0; i < sizeof(remarks) / sizeof(*remarks); i++) {
		struct configuration *configuration =
		    fixture_parse(FIXTURE_MAIN, remarks[i].master);
		cr_assert_not_null(configuration, "%s", fixture_told());
		cr_expect_eq(configuration->listener_count, 1);
		cr_expect_eq(
		    fixture_report()->message_count, 1, "%s", fixture_told());
		cr_expect(fixture_was_told(remarks[i].message), "%s\n%s",
		    remarks[i].message, fixture_told());
		configuration_destroy(&configuration);
	}
}

Test(master_cf, lets_two_hosts_share_a_port)
{
	struct configuration *configuration =
	    fixture_parse(FIXTURE_MAIN, "127.0.0.1:25 inet n - n - - smtpd\n"
					"[::1]:25 inet n - n - - smtpd\n"
					"25 inet n - n - - smtpd\n");
	cr_assert_not_null(configuration, "%s", fixture_told());
	cr_expect_eq(configuration->listener_count, 3);
	configuration_destroy(&configuration);
}

/* The seed's example, as in the reference: comments between -o lines. */
Test(master_cf, reads_a_line_copied_from_postfix)
{
	struct configuration *configuration = fixture_parse(FIXTURE_MAIN,
	    "submission inet n       -       n       -       -       smtpd\n"
	    "  -o syslog_name=postfix/submission\n"
	    "  -o smtpd_tls_security_level=encrypt\n"
	    "# 1024-bit for old clients\n"
	    "  -o smtpd_tls_dh1024_param_file=${config_directory}/dh1024.pem\n"
	    "  -o {smtpd_client_restrictions=permit_sasl_authenticated, "
	    "reject}\n");
	cr_assert_not_null(configuration, "%s", fixture_told());
	const struct settings *settings = configuration->listeners[0].settings;
	cr_expect_str_eq(settings->syslog_name, "postfix/submission");
	cr_expect_eq(settings->smtpd_tls_security_level, SETTINGS_TLS_ENCRYPT);
	cr_expect_str_eq(
	    settings->smtpd_tls_dh1024_param_file, "/c/dh1024.pem");
	cr_expect(fixture_was_told(
	    "W /c/master.cf:6: smtpd_client_restrictions = "
	    "permit_sasl_authenticated, reject: has no meaning in Postern, "
	    "ignored"));
	configuration_destroy(&configuration);
}
