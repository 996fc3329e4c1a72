/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of main.cf, as Postfix 3.7.11 reads them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/main_cf.h"

static struct arena arena;
static struct scope scope;
static struct report report;

static void set_up(void)
{
	arena = (struct arena){0};
	scope_init(&scope, NULL);
	report_init(&report);
}

static void tear_down(void)
{
	scope_finish(&scope);
	report_finish(&report);
	arena_finish(&arena);
}

TestSuite(main_cf, .init = set_up, .fini = tear_down);

static bool parse_bytes(const char *text, size_t len)
{
	struct lines lines = {
	    .file = "main.cf",
	    .text = text,
	    .len = len,
	    .arena = &arena,
	    .report = &report,
	};
	return main_cf_parse(&lines, &scope);
}

static void parse_fresh(const char *text)
{
	tear_down();
	set_up();
	cr_assert(parse_bytes(text, strlen(text)), "%s", text);
}

static const struct {
	const char *text, *name, *value, *place;
} rows[] = {
    {"a = b\n", "a", "b", "main.cf:1"},
    {"a=b", "a", "b", "main.cf:1"},
    {"a   =\t  b  \t\n", "a", "b", "main.cf:1"},
    {"a =\n", "a", "", "main.cf:1"},
    {"a = b = c\n", "a", "b = c", "main.cf:1"},
    {"a = \"x\" # y\n", "a", "\"x\" # y", "main.cf:1"},
    {"#c\n\n  # c\n \t\na = b\n", "a", "b", "main.cf:5"},
    {"a = b\n  c\n\td\n", "a", "b  c\td", "main.cf:1"},
    {"a = b\n#c\n\n   \n  # c\n  d\nx = y\n", "a", "b  d", "main.cf:1"},
    {"a =\n b\n", "a", "b", "main.cf:1"},
    {"a\n = b\n", "a", "b", "main.cf:1"},
    {"a = b\r\nc = d\r\n", "a", "b", "main.cf:1"},
    {"a = b\r\n  c\r\n\r\n# x\r\n  d\r\n", "a", "b  c  d", "main.cf:1"},
    {"a = b\r", "a", "b", "main.cf:1"},
    {"A = b\na = c\n", "A", "b", "main.cf:1"},
    {"a = 1\nb = 2\na = 3\n", "a", "3", "main.cf:3"},
    {"a = \xc3\xa9\n", "a", "\xc3\xa9", "main.cf:1"},
};

static void expect_row(size_t i)
{
	const struct scope_entry *entry =
	    scope_find(&scope, rows[i].name, strlen(rows[i].name));
	cr_assert_not_null(entry, "%s", rows[i].text);
	cr_expect_str_eq(entry->value, rows[i].value, "%s", rows[i].text);
	cr_expect_str_eq(entry->place, rows[i].place, "%s", rows[i].text);
}

Test(main_cf, reads_lines)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		parse_fresh(rows[i].text);
		expect_row(i);
		cr_expect_eq(report.error_count, 0);
	}
}

static const struct {
	const char *text, *message;
	enum report_severity severity;
} messages[] = {
    {"noequals\n",
	"main.cf:1: missing '=' after attribute name: \"noequals\": must be "
	"name = value",
	REPORT_ERROR},
    {"# c\na b = c\n",
	"main.cf:2: missing '=' after attribute name: \"a b = c\": must be "
	"name = value",
	REPORT_ERROR},
    {"= noname\n",
	"main.cf:1: missing attribute name: \"= noname\": must be name = value",
	REPORT_ERROR},
    {"  a = b\nc = d\n",
	"main.cf:1: logical line must not start with whitespace: \"  a = b\" "
	"is ignored",
	REPORT_WARNING},
    {"a = OLD\n\na = NEW\n", "main.cf:3: overriding earlier entry: a=OLD",
	REPORT_WARNING},
};

Test(main_cf, tells_what_is_wrong)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		parse_fresh(messages[i].text);
		cr_assert_eq(report.message_count, 1, "%s", messages[i].text);
		cr_expect_str_eq(report.messages[0].text, messages[i].message);
		cr_expect_eq(report.messages[0].severity, messages[i].severity);
	}
}

Test(main_cf, goes_on_behind_a_bad_line)
{
	parse_fresh("bad\na = b\nworse\nc = d\n");
	cr_expect_eq(report.error_count, 2);
	cr_expect_str_eq(scope_find(&scope, "a", 1)->value, "b");
	cr_expect_str_eq(scope_find(&scope, "c", 1)->value, "d");
}

Test(main_cf, drops_a_first_line_with_blanks_in_front)
{
	parse_fresh("  a = b\n  more\nc = d\n");
	cr_expect_null(scope_find(&scope, "a", 1));
	cr_expect_str_eq(scope_find(&scope, "c", 1)->value, "d");
}

Test(main_cf, keeps_the_order_of_names)
{
	parse_fresh("z = 1\ny = 2\nz = 3\nx = 4\n");
	cr_expect_str_eq(scope.first->name, "z");
	cr_expect_str_eq(scope.first->value, "3");
	cr_expect_str_eq(scope.first->next->name, "y");
	cr_expect_str_eq(scope.first->next->next->name, "x");
	cr_expect_null(scope.first->next->next->next);
}

static const struct {
	const char *text;
	size_t len;
	const char *message;
} binary[] = {
    {"a = b\nc = d\0e\n", 14,
	"main.cf:2: the byte 0x00 is a control character: must be a text file"},
    {"a = b\rc\n", 8,
	"main.cf:1: the byte 0x0d is a control character: must be a text file"},
    {"a = \x1b[2J\n", 9,
	"main.cf:1: the byte 0x1b is a control character: must be a text file"},
    {"\x7f", 1,
	"main.cf:1: the byte 0x7f is a control character: must be a text file"},
};

Test(main_cf, refuses_what_is_no_text)
{
	for (size_t i = 0; i < sizeof(binary) / sizeof(*binary); i++) {
		tear_down();
		set_up();
		cr_expect_not(parse_bytes(binary[i].text, binary[i].len));
		cr_assert_eq(report.error_count, 1);
		cr_expect_str_eq(report.messages[0].text, binary[i].message);
		cr_expect_null(scope.first);
	}
}

/* "a = xxx…" with `len` bytes in all, then a good line. */
static char *long_line(size_t len)
{
	static const char behind[] = "\n# c\nb = c\n";
	char *text = malloc(len + sizeof(behind));
	cr_assert_not_null(text);
	memset(text, 'x', len);
	memcpy(text, "a = ", 4);
	memcpy(text + len, behind, sizeof(behind));
	return text;
}

Test(main_cf, bounds_a_line)
{
	char *text = long_line(65536);
	parse_fresh(text);
	cr_expect_eq(report.error_count, 0);
	cr_expect_eq(strlen(scope_find(&scope, "a", 1)->value), 65532);
	free(text);

	text = long_line(65537);
	parse_fresh(text);
	cr_assert_eq(report.error_count, 1);
	cr_expect_str_eq(report.messages[0].text,
	    "main.cf:1: the line and its continuation lines have 65537 bytes: "
	    "must be at most 65536");
	cr_expect_null(scope_find(&scope, "a", 1));
	cr_expect_str_eq(scope_find(&scope, "b", 1)->value, "c");
	free(text);
}

Test(main_cf, bounds_continuation_lines_together)
{
	size_t size = 20 * 5000 + 100;
	char *text = malloc(size);
	cr_assert_not_null(text);
	strcpy(text, "\n# c\na = b\n");
	for (int i = 0; i < 20; i++)
		snprintf(text + strlen(text), 4500, " %04000d\n", i);
	parse_fresh(text);
	free(text);
	cr_assert_eq(report.error_count, 1);
	cr_expect_str_eq(report.messages[0].text,
	    "main.cf:3: the line and its continuation lines have 80025 bytes: "
	    "must be at most 65536");
}
