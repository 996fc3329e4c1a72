/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/match_list.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "fixture.h"

#define PLACE "main.cf:3: mynetworks"

static struct report report;
static const char *directory;

static void set_up(void)
{
	report_init(&report);
	directory = fixture_directory();
}

static void tear_down(void)
{
	report_finish(&report);
	fixture_remove();
}

TestSuite(match_list, .init = set_up, .fini = tear_down);

static struct match_list *open_fresh(const char *text)
{
	report_finish(&report);
	report_init(&report);
	return match_list_open(text, PLACE, &report);
}

static const struct {
	const char *text, *address;
	bool holds;
} rows[] = {
    {"", "192.0.2.1", false},
    {"192.0.2.1", "192.0.2.1", true},
    {"192.0.2.1", "192.0.2.2", false},
    {"192.0.2.1", "::ffff:192.0.2.1", true},
    {"192.0.2.1", "mail.example.test", false},
    {"192.0.2.0/24", "192.0.2.255", true},
    {"192.0.2.0/24", "192.0.3.0", false},
    {"192.0.2.0/31 198.51.100.0/30", "198.51.100.3", true},
    {"192.0.2.0/31, 198.51.100.0/30", "198.51.100.4", false},
    {"0.0.0.0/0", "203.0.113.9", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"[2001:db8::1]", "2001:db8::1", true},
    {"[2001:db8::1]", "2001:DB8:0::1", true},
    {"[2001:db8::]/32", "2001:db8:ffff::1", true},
    {"[2001:db8::/32]", "2001:db8:ffff::1", true},
    {"[2001:db8::/32]", "2001:db9::1", false},
    {"!192.0.2.1 192.0.2.0/24", "192.0.2.1", false},
    {"!192.0.2.1 192.0.2.0/24", "192.0.2.2", true},
    {"192.0.2.0/24 !192.0.2.1", "192.0.2.1", true},
    {"!!192.0.2.1", "192.0.2.1", true},
    {"inline:{192.0.2.1=x}", "192.0.2.1", true},
    {"inline:{192.0.2.1=x}", "192.0.2.2", false},
    {"inline:{2001:db8::1=x}", "2001:0DB8::1", true},
    {"cidr:{ {192.0.2.0/24 x} }", "192.0.2.9", true},
    {"!cidr:{ {192.0.2.0/24 x} } 0.0.0.0/0", "192.0.2.9", false},
    {"!cidr:{ {192.0.2.0/24 x} } 0.0.0.0/0", "192.0.3.9", true},
};

Test(match_list, holds)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct match_list *list = open_fresh(rows[i].text);
		cr_assert_not_null(list, "%s", rows[i].text);
		cr_expect_eq(match_list_holds(list, rows[i].address),
		    rows[i].holds, "%s: %s", rows[i].text, rows[i].address);
		cr_expect_eq(report.message_count, 0, "%s", rows[i].text);
		match_list_close(&list);
		cr_expect_null(list);
	}
}

Test(match_list, reads_files)
{
	char text[512];
	fixture_write("nets", "# ours\n192.0.2.0/24\n!198.51.100.1\n"
			      "198.51.100.0/24\n");
	snprintf(text, sizeof(text), "%s/nets", directory);
	struct match_list *list = open_fresh(text);
	cr_assert_not_null(list);
	cr_expect(match_list_holds(list, "192.0.2.7"));
	cr_expect(match_list_holds(list, "198.51.100.2"));
	cr_expect_not(match_list_holds(list, "198.51.100.1"));
	match_list_close(&list);

	snprintf(text, sizeof(text), "!%s/nets 0.0.0.0/0", directory);
	list = open_fresh(text);
	cr_assert_not_null(list);
	cr_expect_not(match_list_holds(list, "192.0.2.7"));
	cr_expect(match_list_holds(list, "198.51.100.1"));
	cr_expect(match_list_holds(list, "203.0.113.1"));
	match_list_close(&list);
}

Test(match_list, ends_with_a_file_that_names_itself)
{
	char text[256];
	snprintf(text, sizeof(text), "%s/nets", directory);
	fixture_write("nets", text);
	cr_expect_null(open_fresh(text));
	cr_assert_eq(report.error_count, 1);
	cr_expect_not_null(strstr(
	    report.messages[0].text, "files name each other more than 8 deep"));
}

static const struct {
	const char *text, *message;
} wrong[] = {
    {"10.0.0.1/8", PLACE ": non-null host address bits in \"10.0.0.1/8\", "
			 "perhaps you should use \"10.0.0.0/8\" instead"},
    {"[2001:db8::1]/32",
	PLACE ": non-null host address bits in \"[2001:db8::1]/32\", perhaps "
	      "you should use \"[2001:db8::]/32\" instead"},
    {"[2001:db8::1/32]",
	PLACE ": non-null host address bits in \"[2001:db8::1/32]\", perhaps "
	      "you should use \"[2001:db8::/32]\" instead"},
    {"2001:db8::/32", PLACE ": \"2001:db8::/32\" would be a table: an address "
			    "of IPv6 must stand in brackets"},
    {"mail.example.test",
	PLACE ": \"mail.example.test\" is no address and no net: must be such "
	      "as 192.0.2.1, 192.0.2.0/24, [2001:db8::1] or [2001:db8::]/32"},
    {"192.0.2.0/24/1", PLACE ": \"192.0.2.0/24/1\" has no good prefix "
			     "length: must be from 0 to 32"},
    {"[::1", PLACE ": \"[::1\" is no address and no net: must be such as "
		   "192.0.2.1, 192.0.2.0/24, [2001:db8::1] or "
		   "[2001:db8::]/32"},
    {"/nonexistent", "/nonexistent: cannot be read: No such file or "
		     "directory"},
    {"hash:/x", PLACE ": table \"hash:/x\": indexed files are not read here: "
		      "must be \"texthash:/x\", which reads the text file "
		      "itself"},
};

Test(match_list, tells_what_is_wrong)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_expect_null(open_fresh(wrong[i].text), "%s", wrong[i].text);
		cr_assert_eq(report.error_count, 1, "%s", wrong[i].text);
		cr_expect_str_eq(report.messages[0].text, wrong[i].message);
	}
}
