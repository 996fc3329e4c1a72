/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "smtp/counts.h"

static void count(struct smtp_counts *counts, enum smtp_verb verb, unsigned ok,
    unsigned total)
{
	for (unsigned i = 0; i < total; i++) {
		smtp_counts_came(counts, verb);
		if (i < ok)
			smtp_counts_obeyed(counts, verb);
	}
}

static void check(const struct smtp_counts *counts, const char *expected)
{
	char out[512];
	size_t len = smtp_counts_format(counts, out, sizeof(out));
	cr_assert_str_eq(out, expected);
	cr_assert_eq(len, strlen(expected));
}

/* Lines that a Postfix 3.7 wrote. */
Test(counts, writes_the_disconnect_line)
{
	struct smtp_counts counts = {0};
	check(&counts, "commands=0/0");
	count(&counts, SMTP_VERB_QUIT, 1, 1);
	count(&counts, SMTP_VERB_RCPT, 0, 1);
	count(&counts, SMTP_VERB_MAIL, 1, 1);
	count(&counts, SMTP_VERB_STARTTLS, 1, 1);
	count(&counts, SMTP_VERB_EHLO, 2, 2);
	check(&counts, "ehlo=2 starttls=1 mail=1 rcpt=0/1 quit=1 commands=5/6");
	cr_assert_eq(smtp_counts_total(&counts), 6);
}

Test(counts, keeps_the_order_of_postfix)
{
	struct smtp_counts counts = {0};
	count(&counts, SMTP_VERB_UNKNOWN, 0, 2);
	count(&counts, SMTP_VERB_HELO, 1, 1);
	count(&counts, SMTP_VERB_EHLO, 1, 1);
	count(&counts, SMTP_VERB_XCLIENT, 0, 1);
	count(&counts, SMTP_VERB_XFORWARD, 0, 1);
	count(&counts, SMTP_VERB_AUTH, 0, 1);
	count(&counts, SMTP_VERB_MAIL, 0, 1);
	count(&counts, SMTP_VERB_RCPT, 0, 1);
	count(&counts, SMTP_VERB_DATA, 0, 1);
	count(&counts, SMTP_VERB_BDAT, 0, 1);
	count(&counts, SMTP_VERB_RSET, 0, 1);
	count(&counts, SMTP_VERB_NOOP, 1, 1);
	count(&counts, SMTP_VERB_VRFY, 0, 1);
	count(&counts, SMTP_VERB_ETRN, 0, 1);
	count(&counts, SMTP_VERB_QUIT, 1, 1);
	check(&counts,
	    "helo=1 ehlo=1 xclient=0/1 xforward=0/1 auth=0/1 mail=0/1 rcpt=0/1 "
	    "data=0/1 bdat=0/1 rset=0/1 noop=1 vrfy=0/1 etrn=0/1 quit=1 "
	    "unknown=0/2 commands=4/16");
}

Test(counts, saturates)
{
	struct smtp_counts counts = {0};
	count(&counts, SMTP_VERB_NOOP, 70000, 70000);
	check(&counts, "noop=65535 commands=65535");
}

Test(counts, is_cut_off_where_there_is_no_room)
{
	struct smtp_counts counts = {0};
	static const char whole[] = "ehlo=1 noop=1/2 commands=2/3";
	count(&counts, SMTP_VERB_EHLO, 1, 1);
	count(&counts, SMTP_VERB_NOOP, 1, 2);
	for (size_t size = 1; size <= sizeof(whole); size++) {
		char out[sizeof(whole) + 1];
		memset(out, 'x', sizeof(out));
		size_t len = smtp_counts_format(&counts, out, size);
		cr_assert_eq(len, size - 1, "with %zu bytes", size);
		cr_assert_eq(memcmp(out, whole, len), 0);
		cr_assert_eq(out[len], '\0');
		cr_assert_eq(out[size], 'x', "with %zu bytes", size);
	}
}
