/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "conf/report.h"

static struct report report;

static void set_up(void)
{
	report_init(&report);
}

static void tear_down(void)
{
	report_finish(&report);
}

TestSuite(report, .init = set_up, .fini = tear_down);

Test(report, puts_the_place_in_front)
{
	report_add(&report, REPORT_ERROR, "main.cf:3", "a = %s", "b");
	report_add(&report, REPORT_NOTICE, NULL, "no place");
	cr_assert_eq(report.message_count, 2);
	cr_expect_str_eq(report.messages[0].text, "main.cf:3: a = b");
	cr_expect_eq(report.messages[0].severity, REPORT_ERROR);
	cr_expect_str_eq(report.messages[1].text, "no place");
	cr_expect_eq(report.error_count, 1);
}

Test(report, shows_no_control_characters)
{
	report_add(&report, REPORT_WARNING, "p", "a\x1b[2J\r\n\t\x7fz\xc3\xa9");
	cr_expect_str_eq(report.messages[0].text, "p: a?[2J????z\xc3\xa9");
}

Test(report, keeps_the_same_message_once)
{
	for (int i = 0; i < 3; i++) {
		report_add(&report, REPORT_ERROR, "p", "same");
		report_add(&report, REPORT_WARNING, "p", "same");
	}
	report_add(&report, REPORT_ERROR, "q", "same");
	cr_expect_eq(report.message_count, 3);
	cr_expect_eq(report.error_count, 2);
}

Test(report, keeps_room_for_errors_behind_warnings)
{
	for (int i = 0; i < 2000; i++)
		report_add(&report, REPORT_WARNING, NULL, "warning %d", i);
	cr_expect_eq(report.message_count, 500);
	for (int i = 0; i < 2000; i++)
		report_add(&report, REPORT_ERROR, NULL, "error %d", i);
	cr_expect_eq(report.message_count, 1000);
	cr_expect_eq(report.error_count, 2000);
}

Test(report, takes_long_messages_whole)
{
	char value[5000];
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	report_add(&report, REPORT_ERROR, NULL, "%s", value);
	cr_expect_str_eq(report.messages[0].text, value);
}
