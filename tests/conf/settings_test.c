/* SPDX-License-Identifier: Apache-2.0 */
/* The types of values, their limits, and what is said about bad ones. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "fixture.h"

/* One more line behind FIXTURE_MAIN is line 4. */
static struct configuration *parse_line(const char *line)
{
	char main[2000];
	snprintf(main, sizeof(main), "%s%s\n", FIXTURE_MAIN, line);
	return fixture_parse(main, FIXTURE_MASTER);
}

static const struct {
	const char *value;
	int64_t seconds;
	bool is_warned;
} times[] = {
    {"10", 10, false},
    {"10s", 10, false},
    {"10m", 600, false},
    {"2h", 7200, false},
    {"1d", 86400, false},
    {"001", 1, false},
    {"86400", 86400, false},
    {"1", 1, false},
    {"10seconds", 10, true},
    {"1day", 86400, true},
    {"10s5m", 10, true},
    {"${stress?{10}:{300}}s", 300, false},
};

Test(settings, reads_times)
{
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		char line[100], warning[200];
		snprintf(
		    line, sizeof(line), "smtpd_timeout = %s", times[i].value);
		struct configuration *configuration = parse_line(line);
		cr_assert_not_null(configuration, "%s", fixture_told());
		cr_expect_eq(configuration->settings->smtpd_timeout_s,
		    times[i].seconds, "%s", line);
		snprintf(warning, sizeof(warning),
		    "W /c/main.cf:4: %s: read as %.*s, as Postfix does: must "
		    "be a number and one of s m h d w",
		    line, times[i].value[1] == '0' ? 3 : 2, times[i].value);
		cr_expect_eq(fixture_was_told(warning), times[i].is_warned,
		    "%s\n%s", warning, fixture_told());
		configuration_destroy(&configuration);
	}
}

Test(settings, reads_weeks)
{
	struct configuration *configuration =
	    parse_line("smtpd_tls_session_cache_timeout = 2w");
	cr_assert_not_null(configuration, "%s", fixture_told());
	cr_expect_eq(configuration->settings->smtpd_tls_session_cache_timeout_s,
	    1209600);
	configuration_destroy(&configuration);
}

Test(settings, reads_milliseconds)
{
	static const struct {
		const char *value;
		int64_t milliseconds;
	} rows[] = {{"5", 5}, {"5ms", 5}, {"1s", 1000}, {"1000", 1000}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char line[100];
		snprintf(line, sizeof(line), "proxy_handshake_turn_time = %s",
		    rows[i].value);
		struct configuration *configuration = parse_line(line);
		cr_assert_not_null(configuration, "%s", fixture_told());
		cr_expect_eq(
		    configuration->settings->proxy_handshake_turn_time_ms,
		    rows[i].milliseconds, "%s", line);
		configuration_destroy(&configuration);
	}
}

static const struct {
	const char *line, *behind; /* of "E /c/main.cf:4: " and the line */
} errors[] = {
    {"smtpd_timeout = 5y",
	"must be a time such as 300s, 5m or 2h, from 1s to 1d"},
    {"smtpd_timeout = 1.5",
	"must be a time such as 300s, 5m or 2h, from 1s to 1d"},
    {"smtpd_timeout = -1",
	"must be a time such as 300s, 5m or 2h, from 1s to 1d"},
    {"smtpd_timeout = 10 s",
	"must be a time such as 300s, 5m or 2h, from 1s to 1d"},
    {"smtpd_timeout = 10S",
	"must be a time such as 300s, 5m or 2h, from 1s to 1d"},
    {"smtpd_timeout = 0",
	"must be a time such as 300s, 5m or 2h, from 1s to 1d"},
    {"smtpd_timeout = 86401",
	"must be a time such as 300s, 5m or 2h, from 1s to 1d"},
    {"smtpd_timeout = 99999999999999999999",
	"must be a time such as 300s, 5m or 2h, from 1s to 1d"},
    {"smtpd_timeout = 99999999999999999w",
	"must be a time such as 300s, 5m or 2h, from 1s to 1d"},
    {"proxy_backend_probe_timeout = s",
	"must be a time such as 300s, 5m or 2h, from 1s to 1h"},
    {"smtpd_tls_session_cache_timeout = 101d",
	"must be a time such as 300s, 5m or 2h, from 0s to 100d"},
    {"proxy_handshake_turn_time = 0",
	"must be a time such as 5ms or 1s, from 1ms to 1000ms"},
    {"proxy_handshake_turn_time = 2s",
	"must be a time such as 5ms or 1s, from 1ms to 1000ms"},
    {"proxy_handshake_turn_time = 1millisecond",
	"must be a time such as 5ms or 1s, from 1ms to 1000ms"},
    {"proxy_handshake_turn_time = 1msec",
	"must be a time such as 5ms or 1s, from 1ms to 1000ms"},
    {"line_length_limit = 511", "must be a number of bytes from 512 to 65536"},
    {"line_length_limit = 65537",
	"must be a number of bytes from 512 to 65536"},
    {"line_length_limit = 2048 bytes",
	"must be a number of bytes from 512 to 65536"},
    {"line_length_limit = 0x800",
	"must be a number of bytes from 512 to 65536"},
    {"line_length_limit =", "must be a number of bytes from 512 to 65536"},
    {"proxy_worker_processes = -1",
	"must be a number of processes from 0 to 1024"},
    {"proxy_worker_processes = 1025",
	"must be a number of processes from 0 to 1024"},
    {"smtpd_tls_auth_only = true", "must be yes or no"},
    {"smtpd_tls_auth_only =", "must be yes or no"},
    {"smtpd_tls_security_level = dane", "must be empty, none, may or encrypt"},
    {"smtpd_tls_security_level = junk", "must be empty, none, may or encrypt"},
    {"smtpd_tls_loglevel = 10",
	"must be a level from 0 to 9, or words such as summary, untrusted, "
	"peercert, verbose, cache, ssl-debug"},
    {"proxy_ring_features = all", "must be auto or baseline"},
    {"syslog_facility = LOCAL8",
	"must be kern, user, mail, daemon, auth, syslog, lpr, news, uucp, "
	"cron, authpriv, ftp, local0, local1, local2, local3, local4, local5, "
	"local6 or local7"},
    {"smtpd_discard_ehlo_keywords = { a",
	"must be a list in which each '{' has its '}'"},
    {"compatibility_level = 3.x", "must be numbers and dots, such as 3.7"},
    {"compatibility_level = 3.", "must be numbers and dots, such as 3.7"},
    {"queue_directory = var", "must be the absolute path of a directory, "
			      "beginning with /"},
    {"proxy_runtime_directory =",
	"must be the absolute path of a directory, beginning with /, of at "
	"most 90 bytes"},
    {"maillog_file = log", "must be empty, /dev/stdout, or the absolute path "
			   "of a file"},
    {"maillog_file_permissions = 0680",
	"must be three or four octal digits, such as 0600"},
    {"maillog_file_permissions = 60",
	"must be three or four octal digits, such as 0600"},
    {"mail_owner =", "must be the name of a user"},
    {"mail_owner = a b", "must be the name of a user"},
    {"syslog_name =", "must be a name without blanks"},
    {"smtpd_banner =",
	"must be 1 to 506 bytes long, which is what a reply line holds (RFC "
	"5321, 4.5.3.1.5)"},
    {"inet_protocols = ipv5", "must be all, or a list of ipv4 and ipv6"},
    {"inet_protocols =", "must be all, or a list of ipv4 and ipv6"},
    {"inet_interfaces =",
	"must be all, loopback-only, or a list of names and addresses"},
    {"myhostname = mail..example",
	"must be a host name such as mail.example.com: letters, digits, '-', "
	"and dots between"},
    {"myhostname = mail.",
	"must be a host name such as mail.example.com: letters, digits, '-', "
	"and dots between"},
    {"mydomain = a b",
	"must be a host name such as mail.example.com: letters, digits, '-', "
	"and dots between"},
};

Test(settings, refuses_bad_values)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		char message[600];
		const char *line = errors[i].line;
		/* "name =" is shown with a blank for the empty value. */
		bool is_empty = line[strlen(line) - 1] == '=';
		snprintf(message, sizeof(message), "E /c/main.cf:4: %s%s: %s",
		    line, is_empty ? " " : "", errors[i].behind);
		cr_expect_null(parse_line(line), "%s", line);
		cr_expect(fixture_was_told(message), "%s\n%s", message,
		    fixture_told());
		cr_expect_eq(
		    fixture_report()->error_count, 1, "%s", fixture_told());
	}
}

static const struct {
	const char *value;
	bool is_good;
} backends[] = {
    {"builtin:sink", true},
    {"inet:127.0.0.1:25", true},
    {"inet:mail.example.test:smtp", true},
    {"inet:[::1]:10025, inet:[2001:db8::1]:25 unix:/run/x", true},
    {"unix:private/smtpd", true},
    {"{ inet:127.0.0.1:25 }", true},
    {"127.0.0.1:25", false},
    {"inet:127.0.0.1", false},
    {"inet:127.0.0.1:0", false},
    {"inet:127.0.0.1:65536", false},
    {"inet::25", false},
    {"inet:::1:25", false},
    {"inet:[::1]", false},
    {"inet:[::1:25", false},
    {"inet:[]:25", false},
    {"inet:a:b:25", false},
    {"inet:a:2 5", false},
    {"unix:", false},
    {"builtin:source", false},
    {"builtin:sink junk", false},
    {"smtp:[127.0.0.1]:25", false},
};

Test(settings, reads_backends)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(*backends); i++) {
		char line[200], message[400];
		snprintf(line, sizeof(line), "proxy_backend = %s",
		    backends[i].value);
		snprintf(message, sizeof(message),
		    "E /c/main.cf:4: %s: must be a list of inet:host:port, "
		    "inet:[v6 address]:port, unix:/path or builtin:sink",
		    line);
		struct configuration *configuration = parse_line(line);
		cr_expect_eq(configuration != NULL, backends[i].is_good,
		    "%s\n%s", line, fixture_told());
		cr_expect_eq(fixture_was_told(message), !backends[i].is_good,
		    "%s\n%s", line, fixture_told());
		configuration_destroy(&configuration);
	}
}

Test(settings, shows_what_a_value_expands_to)
{
	cr_expect_null(parse_line("t = 5\nsmtpd_timeout = ${t}y"));
	cr_expect(fixture_was_told(
		      "E /c/main.cf:5: smtpd_timeout = ${t}y (5y): must be a "
		      "time such as 300s, 5m or 2h, from 1s to 1d"),
	    "%s", fixture_told());
}

Test(settings, reads_words_in_any_letter_case)
{
	struct configuration *configuration = parse_line(
	    "smtpd_tls_security_level = ENCRYPT\n"
	    "smtpd_tls_auth_only = YES\nsmtpd_use_tls = No\n"
	    "proxy_ring_features = Baseline\nsmtpd_tls_loglevel = Debug,cache\n"
	    "syslog_facility = local0");
	cr_assert_not_null(configuration, "%s", fixture_told());
	const struct settings *settings = configuration->settings;
	cr_expect_eq(settings->smtpd_tls_security_level, SETTINGS_TLS_ENCRYPT);
	cr_expect(settings->smtpd_tls_auth_only);
	cr_expect_not(settings->smtpd_use_tls);
	cr_expect_eq(settings->proxy_ring_features, SETTINGS_RING_BASELINE);
	cr_expect_str_eq(settings->smtpd_tls_loglevel, "Debug,cache");
	cr_expect_eq(settings_syslog_facility(settings), LOG_LOCAL0);
	cr_expect_eq(fixture_report()->message_count, 0);
	configuration_destroy(&configuration);
}

Test(settings, numbers_facilities_as_syslog_does)
{
	static const struct {
		const char *word;
		int facility;
	} rows[] = {{"kern", LOG_KERN}, {"mail", LOG_MAIL},
	    {"daemon", LOG_DAEMON}, {"authpriv", LOG_AUTHPRIV},
	    {"cron", LOG_CRON}, {"ftp", LOG_FTP}, {"local0", LOG_LOCAL0},
	    {"local7", LOG_LOCAL7}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char line[100];
		snprintf(
		    line, sizeof(line), "syslog_facility = %s", rows[i].word);
		struct configuration *configuration = parse_line(line);
		cr_assert_not_null(configuration);
		cr_expect_eq(settings_syslog_facility(configuration->settings),
		    rows[i].facility, "%s", rows[i].word);
		configuration_destroy(&configuration);
	}
}

Test(settings, takes_client_levels_for_encrypt)
{
	static const char *const levels[] = {"fingerprint", "Verify", "secure"};
	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		char line[100], warning[200];
		snprintf(line, sizeof(line), "smtpd_tls_security_level = %s",
		    levels[i]);
		snprintf(warning, sizeof(warning),
		    "W /c/main.cf:4: %s: is no level for a server: encrypt is "
		    "used",
		    line);
		struct configuration *configuration = parse_line(line);
		cr_assert_not_null(configuration, "%s", fixture_told());
		cr_expect_eq(configuration->settings->smtpd_tls_security_level,
		    SETTINGS_TLS_ENCRYPT);
		cr_expect(fixture_was_told(warning), "%s", fixture_told());
		configuration_destroy(&configuration);
	}
}

/* What main.cf, the manual and Postfix say: written out once more here. */
Test(settings, has_the_documented_defaults)
{
	struct configuration *configuration = parse_line("");
	cr_assert_not_null(configuration, "%s", fixture_told());
	const struct settings *settings = configuration->settings;
	cr_expect_str_eq(
	    settings->smtpd_banner, "mx.example.test ESMTP Postern");
	cr_expect_eq(settings->smtpd_timeout_s, 300);
	cr_expect_eq(settings->smtpd_starttls_timeout_s, 300);
	cr_expect_eq(settings->smtpd_hard_error_limit, 20);
	cr_expect_eq(settings->smtpd_junk_command_limit, 100);
	cr_expect_eq(settings->smtpd_min_data_rate, 500);
	cr_expect_eq(settings->line_length_limit, 2048);
	cr_expect_eq(settings->default_process_limit, 0);
	cr_expect_eq(settings->smtpd_tls_security_level, SETTINGS_TLS_UNSET);
	cr_expect_str_eq(settings->smtpd_tls_loglevel, "1");
	cr_expect(settings->tls_preempt_cipherlist);
	cr_expect_str_eq(settings->smtpd_tls_protocols, ">=TLSv1.2");
	cr_expect_str_eq(settings->smtpd_tls_key_file, "");
	cr_expect_eq(settings->smtpd_tls_session_cache_timeout_s, 3600);
	cr_expect_str_eq(settings->syslog_name, "postern");
	cr_expect_eq(settings_syslog_facility(settings), LOG_MAIL);
	cr_expect_eq(settings->proxy_handshake_turn_time_ms, 1);
	cr_expect_eq(settings->proxy_client_connection_limit, 10000);
	cr_expect_eq(settings->proxy_ring_features, SETTINGS_RING_AUTO);
	cr_expect_str_eq(settings->config_directory, "/c");
	cr_expect_str_eq(settings->queue_directory, "/var/spool/postern");
	configuration_destroy(&configuration);
}

static const struct {
	const char *list, *elements; /* each between < and > */
	bool is_unclosed;
} lists[] = {
    {"", "", false},
    {" ,\t, ", "", false},
    {"a", "<a>", false},
    {"a b,c, d\te\r\nf", "<a><b><c><d><e><f>", false},
    {"{a b} c", "<a b><c>", false},
    {"{ a, b }", "<a, b>", false},
    {"{}", "<>", false},
    {"{ }x", "<{ }x>", false},
    {"{a}{b}", "<{a}{b}>", false},
    {"{{a}}", "<{a}>", false},
    {"CONNECT GET regexp:{{/^[^A-Z]/ Bogus}}",
	"<CONNECT><GET><regexp:{{/^[^A-Z]/ Bogus}}>", false},
    {"a} b", "<a}><b>", false},
    {"{, a ,}", "<, a ,>", false},
    {"a {b c", "<a>", true},
    {"{", "", true},
};

Test(settings, splits_lists)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		char found[200] = "";
		const char *cursor = lists[i].list, *element;
		size_t len;
		while (settings_list_next(&cursor, &element, &len)) {
			strcat(found, "<");
			strncat(found, element, len);
			strcat(found, ">");
		}
		cr_expect_str_eq(
		    found, lists[i].elements, "%s: %s", lists[i].list, found);
		cr_expect_eq(
		    len == SIZE_MAX, lists[i].is_unclosed, "%s", lists[i].list);
	}
}
