/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/path.h"

static const struct {
	const char *argument;
	const char *address; /* NULL: not understood */
	const char *parameters;
} rows[] = {
    {"TO:<a@b>", "a@b", ""},
    {"to: \t<a@b>", "a@b", ""},
    {"FROM:<>", "", ""},
    {"FROM:<> SIZE=1  SMTPUTF8", "", "SIZE=1  SMTPUTF8"},
    {"FROM:<a@b>\tSIZE=1", "a@b", "SIZE=1"},
    {"TO:a@b", "a@b", ""},
    {"TO:a@b ORCPT=x", "a@b", "ORCPT=x"},
    {"TO:<postmaster>", "postmaster", ""},
    {"TO:<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", ""},
    {"TO:<a+b/c=d@e>", "a+b/c=d@e", ""},
    {"TO:<\"a b>\\\"c\"@d>", "\"a b>\\\"c\"@d", ""},
    {"TO:<\"a\\\\\"@d> X", "\"a\\\\\"@d", "X"},
    {"TO:<\xc3\xa4@b> X", "\xc3\xa4@b", "X"},
    {"", NULL, NULL},
    {"TO", NULL, NULL},
    {"TO:", NULL, NULL},
    {"TO:  ", NULL, NULL},
    {"<a@b>", NULL, NULL},
    {"TO <a@b>", NULL, NULL},
    {"TO:<a@b", NULL, NULL},
    {"TO:<a@b>x", NULL, NULL},
    {"TO:a@b>", NULL, NULL},
    {"TO:<a b@c>", NULL, NULL},
    {"TO:<a@b,c>", NULL, NULL},
    {"TO:<@a,@b:c@d>", NULL, NULL},
    {"TO:<a(b)@c>", NULL, NULL},
    {"TO:<a;b@c>", NULL, NULL},
    {"TO:<a\\b@c>", NULL, NULL},
    {"TO:<\"a@b>", NULL, NULL},
    {"TO:<\"a\\", NULL, NULL},
    {"TO:<\"a\\\x01\"@b>", NULL, NULL},
    {"TO:<\"a\tb\"@c>", NULL, NULL},
    {"TO:<a\x7f@b>", NULL, NULL},
    {"TO:<a\x1b@b>", NULL, NULL},
};

static bool is(const char *text, size_t len, const char *expected)
{
	return len == strlen(expected) && memcmp(text, expected, len) == 0;
}

Test(path, parses)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* Nothing lies behind it, so that reading on is seen. */
		size_t len = strlen(rows[i].argument);
		char *argument = malloc(len > 0 ? len : 1);
		memcpy(argument, rows[i].argument, len);
		struct smtp_path path;
		bool understood = smtp_path_parse(argument, len, &path);
		cr_expect_eq(understood, rows[i].address != NULL, "%s",
		    rows[i].argument);
		if (understood && rows[i].address != NULL) {
			cr_expect(
			    is(path.address, path.address_len, rows[i].address),
			    "%s", rows[i].argument);
			cr_expect(is(path.parameters, path.parameters_len,
				      rows[i].parameters),
			    "%s", rows[i].argument);
		}
		free(argument);
	}
}

Test(path, finds_parameters)
{
	static const struct {
		const char *argument;
		bool has;
	} mails[] = {
	    {"FROM:<a@b> SMTPUTF8", true},
	    {"FROM:<a@b> smtputf8", true},
	    {"FROM:<a@b> SIZE=1 SMTPUTF8 BODY=8BITMIME", true},
	    {"FROM:<a@b>", false},
	    {"FROM:<SMTPUTF8>", false},
	    {"FROM:<\"x SMTPUTF8 y\"@b>", false},
	    {"FROM:<a@b> SMTPUTF8=1", false},
	    {"FROM:<a@b> SMTPUTF88", false},
	    {"FROM:<a@b> XSMTPUTF8", false},
	};
	for (size_t i = 0; i < sizeof(mails) / sizeof(mails[0]); i++) {
		struct smtp_path path;
		cr_assert(smtp_path_parse(
		    mails[i].argument, strlen(mails[i].argument), &path));
		cr_expect_eq(smtp_path_has(&path, "SMTPUTF8"), mails[i].has,
		    "%s", mails[i].argument);
	}
}
