/* SPDX-License-Identifier: Apache-2.0 */
/* Lookup tables as Postfix's manuals describe them. */
#include "conf/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <criterion/criterion.h>

#include "fixture.h"

#define PLACE "main.cf:7: tls_server_sni_maps"

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

TestSuite(table, .init = set_up, .fini = tear_down);

/* What was said first; "" when nothing was. */
static const char *said(void)
{
	return report.message_count > 0 ? report.messages[0].text : "";
}

static struct table *open_fresh(const char *text)
{
	report_finish(&report);
	report_init(&report);
	return table_open(text, PLACE, &report);
}

/* A file of that text, and a table of that type over it. */
static struct table *open_file(const char *type, const char *text)
{
	char name[256];
	fixture_write("table", text);
	snprintf(name, sizeof(name), "%s:%s/table", type, directory);
	return open_fresh(name);
}

/* NULL: the key is not there. */
static void expect(
    struct table *table, const char *what, const char *key, const char *wanted)
{
	char buffer[64];
	const char *result = NULL;
	cr_assert_not_null(table, "%s: %s", what, said());
	enum table_answer answer =
	    table_find(table, key, &result, buffer, sizeof(buffer));
	if (wanted == NULL) {
		cr_expect_eq(answer, TABLE_ABSENT, "%s: %s", what, key);
		cr_expect_null(result, "%s: %s", what, key);
		return;
	}
	cr_expect_eq(answer, TABLE_FOUND, "%s: %s", what, key);
	if (answer == TABLE_FOUND)
		cr_expect_str_eq(result, wanted, "%s: %s", what, key);
}

static const struct {
	const char *text, *key, *result;
} rows[] = {
    {"", "a", NULL},
    {"inline:{a=b}", "a", "b"},
    {"inline:{a=b}", "A", "b"},
    {"inline:{ a=b, c=d\te=f }", "e", "f"},
    {"inline:{ { Key.Test = one, two } c=d}", "key.test", "one, two"},
    {"inline:{ { k = a = b } }", "k", "a = b"},
    {"inline:{ { k = {x} } }", "k", "{x}"},
    {"inline:{}", "a", NULL},
    {"static:/etc/a.pem", "whatever", "/etc/a.pem"},
    {"static:{ /a.pem, /b.pem }", "", "/a.pem, /b.pem"},
    {"inline:{a=1}, inline:{a=2 b=3}", "a", "1"},
    {"inline:{a=1}, inline:{a=2 b=3}", "b", "3"},
    {"inline:{a=1} static:x inline:{c=9}", "c", "x"},
    {"pcre:{ {/^mail\\./ yes} }", "mail.example.test", "yes"},
    {"pcre:{ {/^mail\\./ yes} }", "MAIL.example.test", "yes"},
    {"pcre:{ {/^mail\\./i yes} }", "MAIL.example.test", NULL},
    {"pcre:{ {/^a$/ 1} {/^a/ 2} }", "ab", "2"},
    {"pcre:{ {!/^a/ not} }", "b", "not"},
    {"pcre:{ {!/^a/ not} }", "a", NULL},
    {"pcre:{ {/^(.*)\\.(test)$/ $2-$1.$$1} }", "a.test", "test-a.$1"},
    {"pcre:{ {/^(a)?(b)/ <${1}|$(2)>} }", "b", "<|b>"},
    {"pcre:{ {|^/x/| slash} }", "/x/y", "slash"},
    {"pcre:{ {/a\\/b/ slash} }", "a/b", "slash"},
    {"pcre:{ {/^a{2,3}$/ braces} }", "aaa", "braces"},
    {"pcre:{ {/a b/x spaced} }", "ab", "spaced"},
    {"regexp:{ {/^(a|ab)(c|bcd)$/ $1,$2} }", "abcd", "a,bcd"},
    {"regexp:{ {/^x/i lower} {/^X/i upper} }", "X", "upper"},
    {"cidr:{ {192.0.2.0/24 net} {192.0.2.1 host} }", "192.0.2.1", "net"},
    {"cidr:{ {192.0.2.0/25 low} {192.0.2.0/24 net} }", "192.0.2.128", "net"},
    {"cidr:{ {2001:db8::/33 six} }", "2001:db8:7fff::1", "six"},
    {"cidr:{ {2001:db8::/33 six} }", "2001:db8:8000::1", NULL},
    {"cidr:{ {[2001:db8::]/32 six} }", "2001:db8::1", "six"},
    {"cidr:{ {!192.0.2.0/24 out} }", "198.51.100.1", "out"},
    {"cidr:{ {!192.0.2.0/24 out} }", "not.an.address", NULL},
    {"cidr:{ {0.0.0.0/0 four} {::/0 six} }", "::ffff:192.0.2.1", "four"},
    {"cidr:{ {0.0.0.0/0 $1 stays} }", "192.0.2.1", "$1 stays"},
};

Test(table, finds)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct table *table = open_fresh(rows[i].text);
		expect(table, rows[i].text, rows[i].key, rows[i].result);
		cr_expect_str_eq(said(), "", "%s", rows[i].text);
		table_close(&table);
		cr_expect_null(table);
	}
}

Test(table, reads_texthash)
{
	struct table *table =
	    open_file("texthash", "# comment\n"
				  "Mx.Example.Test\t/a.pem,\n"
				  "# in between\n"
				  "   /b.pem\n"
				  "\n"
				  ".example.test  /c.pem  \r\n"
				  "mx.example.test /late.pem\n");
	expect(table, "file", "mx.example.test", "/a.pem,   /b.pem");
	expect(table, "file", ".EXAMPLE.test", "/c.pem");
	expect(table, "file", "other", NULL);
	cr_assert_eq(report.message_count, 1);
	cr_expect_eq(report.messages[0].severity, REPORT_WARNING);
	cr_expect_not_null(strstr(said(),
	    "/table:7: duplicate entry: \"mx.example.test\": is ignored, the "
	    "first one counts"));
	table_close(&table);
}

Test(table, obeys_if)
{
	struct table *table = open_file("pcre", "if /\\.test$/\n"
						"if !/^a/\n"
						"/^b/ b\n"
						"endif\n"
						"/^a/ a\n"
						"ENDIF\n"
						"/^c/ c\n");
	expect(table, "if", "a.test", "a");
	expect(table, "if", "b.test", "b");
	expect(table, "if", "b.other", NULL);
	expect(table, "if", "c.test", "c");
	expect(table, "if", "c.other", "c");
	table_close(&table);
	table = open_file("cidr", "if 192.0.2.0/24\n192.0.2.1 one\n"
				  "!192.0.2.2 rest\nendif\n");
	expect(table, "cidr if", "192.0.2.1", "one");
	expect(table, "cidr if", "192.0.2.3", "rest");
	expect(table, "cidr if", "198.51.100.3", NULL);
	table_close(&table);
}

static const struct {
	const char *text, *message;
} wrong[] = {
    {"hash:/etc/postfix/sni",
	PLACE ": table \"hash:/etc/postfix/sni\": indexed files are not read "
	      "here: must be \"texthash:/etc/postfix/sni\", which reads the "
	      "text file itself"},
    {"lmdb:/x",
	PLACE ": table \"lmdb:/x\": indexed files are not read here: must be "
	      "\"texthash:/x\", which reads the text file itself"},
    {"ldap:/x", PLACE ": table \"ldap:/x\": no such type: must be inline, "
		      "texthash, pcre, regexp, cidr or static"},
    {"/etc/table", PLACE ": table \"/etc/table\": must be type:name, such as "
			 "texthash:/etc/postern/table"},
    {"texthash:sni",
	PLACE ": table \"texthash:sni\": must be texthash: and an absolute "
	      "path"},
    {"texthash:/nonexistent/sni",
	"/nonexistent/sni: cannot be read: No such file or directory"},
    {"inline:a=b", PLACE ": table \"inline:a=b\": must be such as inline:{ "
			 "key=value, { key = value with blanks } }"},
    {"inline:{a}", PLACE ": \"a\" is no entry of a table: must be key = value"},
    {"inline:{=b}",
	PLACE ": \"=b\" is no entry of a table: must be key = value"},
    {"inline:{a=}",
	PLACE ": \"a=\" is no entry of a table: must be key = value"},
    {"inline:{a=b", PLACE ": a brace is not closed: must be a list of "
			  "type:name"},
    {"static:", PLACE ": table \"static:\": there is no value"},
    {"static:{ }", PLACE ": table \"static:{ }\": there is no value"},
    {"pcre:{ {/a b} }",
	PLACE ": \"/a b\": the pattern is not closed: no second '/'"},
    {"pcre:{ {/a/ } }", PLACE ": \"/a/\": there is no result behind it"},
    {"pcre:{ {/a/q b} }", PLACE ": \"/a/q b\": 'q' is no flag of a pattern"},
    {"pcre:{ {a b} }", PLACE ": \"a b\": a pattern must stand between "
			     "delimiters, as in /pattern/"},
    {"pcre:{ {/a(/ b} }",
	PLACE ": \"/a(/ b\": missing closing parenthesis, at character 3 of "
	      "\"a(\""},
    {"pcre:{ {/a/ $1} }",
	PLACE ": \"/a/ $1\": $1 refers to no group: the pattern has 0"},
    {"pcre:{ {/(a)/ $0} }",
	PLACE ": \"/(a)/ $0\": $0 refers to no group: the pattern has 1"},
    {"pcre:{ {!/(a)/ $1} }",
	PLACE ": \"!/(a)/ $1\": $1 refers to no group: the pattern has 0"},
    {"pcre:{ {/(a)/ $name} }",
	PLACE ": \"/(a)/ $name\": \"$name\" is no reference: must be such as "
	      "$1 or ${1}, or $$ for one $"},
    {"pcre:{ {if /a/} }", PLACE ": if without an endif behind it"},
    {"pcre:{ endif }", PLACE ": endif without an if before it"},
    {"pcre:{ {if /a/ b} endif }",
	PLACE ": \"if /a/ b\": something stands behind the condition of an "
	      "if"},
    {"regexp:{ {/a(/ b} }", PLACE ": \"/a(/ b\": Unmatched ( or \\(: \"a(\""},
    {"regexp:{ {/(a++++++++++++++++)/ b} }",
	PLACE ": \"/(a++++++++++++++++)/ b\": its repetitions multiply to "
	      "more than 4000 parts, write fewer or smaller ones: "
	      "\"(a++++++++++++++++)\""},
    {"regexp:{ {/\\(a\\{90\\}\\)\\{90\\}/x b} }",
	PLACE ": \"/\\(a\\{90\\}\\)\\{90\\}/x b\": its repetitions multiply "
	      "to more than 4000 parts, write fewer or smaller ones: "
	      "\"\\(a\\{90\\}\\)\\{90\\}\""},
    {"cidr:{ {10.0.0.1/8 x} }",
	PLACE ": \"10.0.0.1/8 x\": non-null host address bits in "
	      "\"10.0.0.1/8\", perhaps you should use \"10.0.0.0/8\" "
	      "instead"},
    {"cidr:{ {10.0.0.0/33 x} }",
	PLACE ": \"10.0.0.0/33 x\": \"10.0.0.0/33\" has no good prefix "
	      "length: must be from 0 to 32"},
    {"cidr:{ {mail x} }",
	PLACE ": \"mail x\": \"mail\" is no address and no net: must be such "
	      "as 192.0.2.1, 192.0.2.0/24, [2001:db8::1] or [2001:db8::]/32"},
};

Test(table, tells_what_is_wrong)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct table *table = open_fresh(wrong[i].text);
		cr_expect_null(table, "%s", wrong[i].text);
		cr_expect_eq(report.error_count, 1, "%s", wrong[i].text);
		cr_expect_str_eq(said(), wrong[i].message);
		table_close(&table);
	}
}

Test(table, refuses_a_file_that_all_may_write)
{
	char path[256];
	fixture_write("table", "a b\n");
	snprintf(path, sizeof(path), "%s/table", directory);
	cr_assert_eq(chmod(path, 0666), 0);
	char name[300];
	snprintf(name, sizeof(name), "texthash:%s", path);
	cr_expect_null(open_fresh(name));
	cr_expect_not_null(strstr(said(), "every user may write to it"));
}

Test(table, lists_results)
{
	struct table *table =
	    open_fresh("inline:{b=2 a=1} static:s cidr:{ {10.0.0.0/8 c} } "
		       "pcre:{ {if /x/} {/y/ p} endif {/z/ a$$b} }");
	const char *const *results;
	size_t count;
	char all[64] = "";
	cr_assert_not_null(table);
	cr_assert(table_results(table, &report, &results, &count));
	for (size_t i = 0; i < count; i++) {
		strcat(all, results[i]);
		strcat(all, " ");
	}
	cr_expect_str_eq(all, "1 2 s c p a$b ");
	table_close(&table);

	table = open_fresh("pcre:{ {/(z)/ /etc/$1.pem} }");
	cr_expect_not(table_results(table, &report, &results, &count));
	cr_expect_str_eq(said(),
	    PLACE ": the result \"/etc/$1.pem\" depends on the key: must be "
		  "without $1 here, since all results are looked at in "
		  "advance");
	table_close(&table);
}

/* Keys come from peers: neither their length nor what a pattern does with them
 * may hurt. */
Test(table, gives_up)
{
	struct table *table = open_fresh("pcre:{ {/^(a+)+$/ x} } static:y");
	char key[TABLE_KEY_LEN_MAX + 2];
	char buffer[8];
	const char *result = "kept";
	memset(key, 'a', 19); /* PCRE2's own limit would let it end */
	strcpy(key + 19, "!");
	cr_expect_eq(table_find(table, key, &result, buffer, sizeof(buffer)),
	    TABLE_FAILED);
	cr_expect_null(result);
	memset(key, 'b', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	cr_expect_eq(table_find(table, key, &result, buffer, sizeof(buffer)),
	    TABLE_ABSENT);
	table_close(&table);

	table = open_fresh("pcre:{ {/^(.*)$/ $1} }");
	for (size_t len = 6; len <= 8; len++) {
		memset(key, 'c', len);
		key[len] = '\0';
		cr_expect_eq(
		    table_find(table, key, &result, buffer, sizeof(buffer)),
		    len < sizeof(buffer) ? TABLE_FOUND : TABLE_FAILED);
	}
	table_close(&table);
}
