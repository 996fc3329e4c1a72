/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <string.h>

#include "proxy/command_line.h"

#define WORDS_MAX 12

/* Splits at blanks; behind "postern". */
static bool parse(
    const char *text, struct command_line *line, char *why, size_t why_size)
{
	static char copy[256];
	static char *words[WORDS_MAX + 2];
	int count = 0;

	snprintf(copy, sizeof(copy), "postern %s", text);
	for (char *word = strtok(copy, " "); word != NULL;
	     word = strtok(NULL, " ")) {
		cr_assert_lt(count, WORDS_MAX);
		words[count++] = word;
	}
	words[count] = NULL;
	return command_line_parse(count, words, line, why, why_size);
}

Test(command_line, what_is_understood)
{
	static const struct {
		const char *text;
		enum verb verb;
		const char *directory;
		unsigned verbose;
	} rows[] = {
	    {"start-fg", VERB_START_FG, "/etc/postern", 0},
	    {"-c /x start", VERB_START, "/x", 0},
	    {"start -c /x", VERB_START, "/x", 0},
	    {"-c/x stop", VERB_STOP, "/x", 0},
	    {"-c /x reload -c /y", VERB_RELOAD, "/y", 0},
	    {"-v start-fg", VERB_START_FG, "/etc/postern", 1},
	    {"-vv -c /x start-fg -v", VERB_START_FG, "/x", 3},
	    {"-vc /x status", VERB_STATUS, "/x", 1},
	    {"check", VERB_CHECK, "/etc/postern", 0},
	    {"-c /x check --backends", VERB_CHECK, "/x", 0},
	    {"ciphers", VERB_CIPHERS, "/etc/postern", 0},
	    {"--help", VERB_HELP, "/etc/postern", 0},
	    {"-c x --version", VERB_VERSION, "x", 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct command_line line;
		char why[256] = "";

		cr_assert(parse(rows[i].text, &line, why, sizeof(why)),
		    "%s: %s", rows[i].text, why);
		cr_assert_eq(line.verb, rows[i].verb, "%s", rows[i].text);
		cr_assert_str_eq(line.directory, rows[i].directory);
		cr_assert_eq(line.verbose, rows[i].verbose, "%s", rows[i].text);
		cr_assert_eq(line.name_count, 0);
	}
}

Test(command_line, what_conf_prints)
{
	static const struct {
		const char *text;
		enum print_what print;
		bool expand;
		size_t name_count;
		const char *last_name;
	} rows[] = {
	    {"conf", PRINT_ALL, false, 0, NULL},
	    {"conf -n", PRINT_SET, false, 0, NULL},
	    {"conf -d -c /x", PRINT_DEFAULTS, false, 0, NULL},
	    {"conf -M", PRINT_SERVICES, false, 0, NULL},
	    {"conf -Px", PRINT_OVERRIDES, true, 0, NULL},
	    {"conf -n -n -x myhostname", PRINT_SET, true, 1, "myhostname"},
	    {"conf a b c", PRINT_ALL, false, 3, "c"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct command_line line;
		char why[256] = "";

		cr_assert(parse(rows[i].text, &line, why, sizeof(why)),
		    "%s: %s", rows[i].text, why);
		cr_assert_eq(line.verb, VERB_CONF);
		cr_assert_eq(line.print, rows[i].print, "%s", rows[i].text);
		cr_assert_eq(line.expand, rows[i].expand, "%s", rows[i].text);
		cr_assert_eq(line.name_count, rows[i].name_count);
		if (rows[i].last_name != NULL)
			cr_assert_str_eq(
			    line.names[line.name_count - 1], rows[i].last_name);
	}
}

Test(command_line, what_dhparam_makes)
{
	static const struct {
		const char *text;
		long bits;
		bool allow_weak;
	} rows[] = {
	    {"dhparam dh.pem", 0, false},
	    {"dhparam --bits 3072 dh.pem", 3072, false},
	    {"dhparam --allow-weak --bits 1024 -v dh.pem", 1024, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct command_line line;
		char why[256] = "";

		cr_assert(parse(rows[i].text, &line, why, sizeof(why)),
		    "%s: %s", rows[i].text, why);
		cr_assert_eq(line.verb, VERB_DHPARAM);
		cr_assert_eq(line.bits, rows[i].bits);
		cr_assert_eq(line.allow_weak, rows[i].allow_weak);
		cr_assert_eq(line.name_count, 1);
		cr_assert_str_eq(line.names[0], "dh.pem");
	}
}

Test(command_line, what_report_reads)
{
	struct command_line line;
	char why[256] = "";

	cr_assert(parse("report --format html --since 2026-11-01 -v --until "
			"2026-11-30 a -",
	    &line, why, sizeof(why)));
	cr_assert_eq(line.verb, VERB_REPORT);
	cr_assert_eq(line.report.format, SESSION_REPORT_HTML);
	cr_assert_str_eq(line.report.since, "2026-11-01");
	cr_assert_str_eq(line.report.until, "2026-11-30");
	cr_assert_eq(line.report.path_count, 2);
	cr_assert_str_eq(line.report.paths[1], "-");
	cr_assert(parse("report a", &line, why, sizeof(why)));
	cr_assert_eq(line.report.format, SESSION_REPORT_TEXT);
	cr_assert_null(line.report.since);
}

Test(command_line, what_top_shows)
{
	struct command_line line;
	char why[256] = "";

	cr_assert(parse("top -c /x", &line, why, sizeof(why)));
	cr_assert_eq(line.verb, VERB_TOP);
	cr_assert_not(line.top.once);
	cr_assert_eq(line.top.sort, TOP_BY_SESSIONS);
	cr_assert_null(line.top.filter);
	cr_assert(parse("top --once --json --sort age --filter 192.0.2", &line,
	    why, sizeof(why)));
	cr_assert(line.top.once);
	cr_assert(line.top.json);
	cr_assert_eq(line.top.sort, TOP_BY_AGE);
	cr_assert_str_eq(line.top.filter, "192.0.2");
}

Test(command_line, what_is_not_understood)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
	    {"", "there is no verb; see \"postern --help\""},
	    {"-v", "there is no verb; see \"postern --help\""},
	    {"begin", "unknown verb \"begin\"; see \"postern --help\""},
	    {"--begin", "unknown verb \"--begin\"; see \"postern --help\""},
	    {"-z start", "unknown option \"-z\"; see \"postern --help\""},
	    {"start -n", "unknown option \"-n\"; see \"postern --help\""},
	    {"-n conf", "unknown option \"-n\"; see \"postern --help\""},
	    {"start-fg now",
		"there is no use for \"now\"; see \"postern --help\""},
	    {"start -c", "there is no directory behind \"-c\"; see \"postern "
			 "--help\""},
	    {"dhparam", "dhparam wants the name of a file; see \"postern "
			"--help\""},
	    {"dhparam a b", "there is no use for \"b\"; see \"postern "
			    "--help\""},
	    {"dhparam --bits", "there is nothing behind \"--bits\"; see "
			       "\"postern --help\""},
	    {"dhparam --bits 2k a", "--bits wants a number, not \"2k\"; see "
				    "\"postern --help\""},
	    {"dhparam --bytes 2 a", "unknown option \"--bytes\"; see "
				    "\"postern --help\""},
	    {"report", "report wants the name of a file; see \"postern "
		       "--help\""},
	    {"report --format pdf a",
		"--format wants text, json or html, not \"pdf\"; see "
		"\"postern --help\""},
	    {"report --since",
		"there is nothing behind \"--since\"; see \"postern --help\""},
	    {"status --once", "there is no use for \"--once\"; see \"postern "
			      "--help\""},
	    {"top --json", "--json goes with --once; see \"postern --help\""},
	    {"top --sort name",
		"--sort wants sessions, bytes, messages or age, not \"name\"; "
		"see \"postern --help\""},
	    {"top x", "there is no use for \"x\"; see \"postern --help\""},
	    {"ciphers a b", "there is no use for \"b\"; see \"postern "
			    "--help\""},
	    {"conf -nd", "another of -n, -d, -M and -P stands before \"-d\"; "
			 "see \"postern --help\""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct command_line line;
		char why[256] = "";

		cr_assert_not(parse(rows[i].text, &line, why, sizeof(why)),
		    "%s", rows[i].text);
		cr_assert_str_eq(why, rows[i].why);
	}
}
