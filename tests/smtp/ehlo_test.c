/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/ehlo.h"

static const struct smtp_ehlo_view plain_view = {.hostname = "gate.example"};

static struct smtp_ehlo parse(const char *reply)
{
	/* A copy without a byte to spare, so that ASan sees a read too far. */
	size_t len = strlen(reply);
	uint8_t *copy = malloc(len > 0 ? len : 1);
	cr_assert_not_null(copy);
	memcpy(copy, reply, len);
	struct smtp_ehlo ehlo;
	smtp_ehlo_parse(copy, len, &ehlo);
	free(copy);
	return ehlo;
}

static void check_written(const struct smtp_ehlo *ehlo,
    const struct smtp_ehlo_view *view, const char *expected)
{
	char out[SMTP_EHLO_REPLY_SIZE_MAX];
	size_t len = smtp_ehlo_write(ehlo, view, out, sizeof(out));
	cr_assert_lt(len, sizeof(out));
	out[len] = '\0';
	cr_assert_str_eq(out, expected);
}

struct row {
	const char *name, *reply, *shown;
};

static const struct row rows[] = {
    {"Postfix 3.7",
	"250-mx.example.test\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n"
	"250-VRFY\r\n250-ETRN\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n"
	"250-AUTH=PLAIN LOGIN\r\n250-XCLIENT NAME ADDR\r\n"
	"250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n"
	"250 CHUNKING\r\n",
	"250-gate.example\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n"
	"250-VRFY\r\n250-ETRN\r\n250-AUTH PLAIN LOGIN\r\n"
	"250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n"
	"250 CHUNKING\r\n"},
    {"Exchange",
	"250-ex.example Hello [192.0.2.1]\r\n250-SIZE 37748736\r\n"
	"250-PIPELINING\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n"
	"250-X-ANONYMOUSTLS\r\n250-AUTH NTLM\r\n250-X-EXPS GSSAPI NTLM\r\n"
	"250-8BITMIME\r\n250-BINARYMIME\r\n250-CHUNKING\r\n"
	"250-XEXCH50\r\n250-XRDST\r\n250 XSHADOW\r\n",
	"250-gate.example\r\n250-PIPELINING\r\n250-SIZE 37748736\r\n"
	"250-AUTH NTLM\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n"
	"250-DSN\r\n250-CHUNKING\r\n250 BINARYMIME\r\n"},
    {"no extension", "250 mx.example\r\n", "250 gate.example\r\n"},
    {"the first line is no keyword", "250 PIPELINING\r\n",
	"250 gate.example\r\n"},
    {"nothing at all", "", "250 gate.example\r\n"},
    {"no line end", "250-mx\r\n250 DSN", "250 gate.example\r\n"},
    {"any case, blanks", "250-mx\r\n250-pipelining \r\n250 size  99 \r\n",
	"250-gate.example\r\n250-PIPELINING\r\n250 SIZE 99\r\n"},
    {"SIZE without a number", "250-mx\r\n250 SIZE\r\n",
	"250-gate.example\r\n250 SIZE\r\n"},
    {"SIZE 0 is no limit", "250-mx\r\n250 SIZE 0\r\n",
	"250-gate.example\r\n250 SIZE\r\n"},
    {"SIZE twice", "250-mx\r\n250-SIZE 500\r\n250-SIZE 70\r\n250 SIZE 0\r\n",
	"250-gate.example\r\n250 SIZE 70\r\n"},
    {"SIZE beyond 64 bits", "250-mx\r\n250 SIZE 99999999999999999999999999\r\n",
	"250-gate.example\r\n250 SIZE 18446744073709551615\r\n"},
    {"SIZE that is no number", "250-mx\r\n250-SIZE -1\r\n250 SIZE 1k\r\n",
	"250 gate.example\r\n"},
    {"channel binding",
	"250-mx\r\n250 AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 scram-sha-1-plus "
	"PLAIN\r\n",
	"250-gate.example\r\n250 AUTH SCRAM-SHA-256 PLAIN\r\n"},
    {"channel binding only", "250-mx\r\n250 AUTH SCRAM-SHA-1-PLUS\r\n",
	"250 gate.example\r\n"},
    {"AUTH without a mechanism", "250-mx\r\n250 AUTH\r\n",
	"250 gate.example\r\n"},
    {"AUTH in both forms, and once more",
	"250-mx\r\n250-AUTH=LOGIN\r\n250-AUTH PLAIN login\r\n"
	"250 AUTH CRAM-MD5\r\n",
	"250-gate.example\r\n250 AUTH LOGIN PLAIN CRAM-MD5\r\n"},
    {"mechanisms that are none",
	"250-mx\r\n250 AUTH PL=AIN <LOGIN> A234567890123456789012 PLAIN\r\n",
	"250-gate.example\r\n250 AUTH PLAIN\r\n"},
    {"only AUTH may have an equals sign",
	"250-mx\r\n250-SIZE=5\r\n250 DSN=\r\n", "250 gate.example\r\n"},
    {"opaque arguments",
	"250-mx\r\n250-LIMITS RCPTMAX=20\r\n250-DELIVERBY 240\r\n"
	"250 LIMITS RCPTMAX=50\r\n",
	"250-gate.example\r\n250-DELIVERBY 240\r\n"
	"250 LIMITS RCPTMAX=20\r\n"},
    {"arguments where there are none", "250-mx\r\n250 CHUNKING yes\r\n",
	"250-gate.example\r\n250 CHUNKING\r\n"},
    {"a bare LF drops its line",
	"250-mx\r\n250-DSN\n250-AUTH PLAIN\r\n250-8BITMIME\r\n"
	"250 HELP\n250 VRFY\r\n",
	"250-gate.example\r\n250 8BITMIME\r\n"},
    {"control and 8-bit bytes drop their line",
	"250-mx\r\n250-LIMITS \033[2J\r\n250-LIMITS \xc3\xa4\r\n"
	"250-DSN\r\r\n250 VRFY\r\n",
	"250-gate.example\r\n250 VRFY\r\n"},
    {"junk",
	"250-mx\r\n250-\r\n250- \r\n250-=\r\n251-DSN\r\n250_DSN\r\nDSN\r\n"
	"2\r\n\r\n250 VRFY\r\n",
	"250-gate.example\r\n250 VRFY\r\n"},
};

Test(ehlo, shows_what_can_be_carried)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct smtp_ehlo ehlo = parse(rows[i].reply);
		char out[SMTP_EHLO_REPLY_SIZE_MAX];
		size_t len =
		    smtp_ehlo_write(&ehlo, &plain_view, out, sizeof(out));
		cr_assert_eq(len, strlen(rows[i].shown), "%s: %.*s",
		    rows[i].name, (int)len, out);
		cr_assert_eq(memcmp(out, rows[i].shown, len), 0, "%s: %.*s",
		    rows[i].name, (int)len, out);
	}
}

/* It is ours to offer: the backend's says nothing about the client's leg. */
Test(ehlo, reads_no_starttls)
{
	struct smtp_ehlo ehlo = parse("250-mx\r\n250 STARTTLS\r\n");
	cr_assert_eq(ehlo.keywords, 0);
}

Test(ehlo, shows_what_the_policy_allows)
{
	struct smtp_ehlo ehlo = parse("250-mx\r\n250-SIZE 9\r\n250-VRFY\r\n"
				      "250-AUTH PLAIN\r\n250 DSN\r\n");
	struct smtp_ehlo_view view = plain_view;
	view.offer_starttls = true;
	check_written(&ehlo, &view,
	    "250-gate.example\r\n250-SIZE 9\r\n250-VRFY\r\n250-STARTTLS\r\n"
	    "250-AUTH PLAIN\r\n250 DSN\r\n");
	view.hide_auth = true;
	check_written(&ehlo, &view,
	    "250-gate.example\r\n250-SIZE 9\r\n250-VRFY\r\n250-STARTTLS\r\n"
	    "250 DSN\r\n");
	view.discarded = 1U << SMTP_KEYWORD_DSN | 1U << SMTP_KEYWORD_VRFY;
	check_written(
	    &ehlo, &view, "250-gate.example\r\n250-SIZE 9\r\n250 STARTTLS\r\n");
	cr_assert_eq(smtp_ehlo_shown(&ehlo, &view), 1U << SMTP_KEYWORD_SIZE);
	view.discarded |= 1U << SMTP_KEYWORD_STARTTLS;
	check_written(&ehlo, &view, "250-gate.example\r\n250 SIZE 9\r\n");
}

Test(ehlo, survives_three_thousand_lines)
{
	size_t size = 3000 * 40;
	char *reply = malloc(size);
	cr_assert_not_null(reply);
	size_t len = (size_t)sprintf(reply, "250-mx\r\n");
	for (unsigned i = 0; i < 3000; i++)
		len += (size_t)sprintf(reply + len,
		    i % 2 ? "250-AUTH M%u\r\n" : "250-LIMITS X=%u\r\n", i);
	sprintf(reply + len, "250 DSN\r\n");
	struct smtp_ehlo ehlo = parse(reply);
	free(reply);
	cr_assert(smtp_ehlo_has(&ehlo, SMTP_KEYWORD_DSN));
	cr_assert(smtp_ehlo_has(&ehlo, SMTP_KEYWORD_AUTH));
	cr_assert_eq(ehlo.argument_len[SMTP_KEYWORD_LIMITS], 3);
	/* Whole words, and a line of 512 octets at the most. */
	cr_assert_leq(ehlo.argument_len[SMTP_KEYWORD_AUTH], 480);
	cr_assert_geq(ehlo.argument_len[SMTP_KEYWORD_AUTH], 475);
}

Test(ehlo, leaves_out_what_does_not_fit)
{
	char reply[4096];
	char argument[481];
	memset(argument, 'x', 480);
	argument[480] = '\0';
	snprintf(reply, sizeof(reply),
	    "250-mx\r\n250-LIMITS %s\r\n250-DELIVERBY x%s\r\n"
	    "250-FUTURERELEASE %s\r\n250-MT-PRIORITY %s\r\n250 SIZE 5\r\n",
	    argument, argument, argument, argument);
	struct smtp_ehlo ehlo = parse(reply);
	cr_assert(smtp_ehlo_has(&ehlo, SMTP_KEYWORD_LIMITS));
	cr_assert_not(smtp_ehlo_has(&ehlo, SMTP_KEYWORD_DELIVERBY));
	cr_assert(smtp_ehlo_has(&ehlo, SMTP_KEYWORD_FUTURERELEASE));
	cr_assert_not(smtp_ehlo_has(&ehlo, SMTP_KEYWORD_MT_PRIORITY));
	cr_assert_eq(smtp_ehlo_size(&ehlo), 5);
}

Test(ehlo, writes_the_longest_reply_within_its_bound)
{
	char hostname[1001];
	memset(hostname, 'h', 1000);
	hostname[1000] = '\0';
	struct smtp_ehlo ehlo = {
	    .keywords = (1U << SMTP_KEYWORD_COUNT) - 1,
	    .arguments_len = SMTP_EHLO_ARGUMENTS_SIZE,
	};
	memset(ehlo.arguments, 'a', sizeof(ehlo.arguments));
	ehlo.argument_len[SMTP_KEYWORD_LIMITS] = 480;
	ehlo.argument_len[SMTP_KEYWORD_DELIVERBY] = 480;
	ehlo.argument_len[SMTP_KEYWORD_NO_SOLICITING] = 64;
	struct smtp_ehlo_view view = {
	    .hostname = hostname, .offer_starttls = true};
	char out[SMTP_EHLO_REPLY_SIZE_MAX];
	size_t len = smtp_ehlo_write(&ehlo, &view, out, sizeof(out));
	cr_assert_lt(len, sizeof(out));
	cr_assert_eq(memcmp(out + len - 10, "250 HELP\r\n", 10), 0);
	/* RFC 5321, 4.5.3.1.5 */
	size_t begin = 0;
	for (size_t i = 0; i < len; i++) {
		if (out[i] == '\n') {
			cr_assert_leq(i + 1 - begin, 512);
			begin = i + 1;
		}
	}
}

static const struct pair {
	const char *name, *ours, *theirs, *both;
	enum smtp_keyword missing; /* of `ours` in `theirs` */
} pairs[] = {
    {"the same", "250-a\r\n250-DSN\r\n250 SIZE 5\r\n",
	"250-b\r\n250-SIZE 5\r\n250 DSN\r\n",
	"250-gate.example\r\n250-SIZE 5\r\n250 DSN\r\n", SMTP_KEYWORD_COUNT},
    {"one lacks a keyword", "250-a\r\n250-DSN\r\n250 VRFY\r\n",
	"250-b\r\n250 VRFY\r\n", "250-gate.example\r\n250 VRFY\r\n",
	SMTP_KEYWORD_DSN},
    {"the other has more", "250-a\r\n250 VRFY\r\n",
	"250-b\r\n250-DSN\r\n250 VRFY\r\n", "250-gate.example\r\n250 VRFY\r\n",
	SMTP_KEYWORD_COUNT},
    {"the smaller SIZE, theirs", "250-a\r\n250 SIZE 500\r\n",
	"250-b\r\n250 SIZE 70\r\n", "250-gate.example\r\n250 SIZE 70\r\n",
	SMTP_KEYWORD_SIZE},
    {"the smaller SIZE, ours", "250-a\r\n250 SIZE 70\r\n",
	"250-b\r\n250 SIZE 500\r\n", "250-gate.example\r\n250 SIZE 70\r\n",
	SMTP_KEYWORD_COUNT},
    {"SIZE without a limit, ours", "250-a\r\n250 SIZE\r\n",
	"250-b\r\n250 SIZE 70\r\n", "250-gate.example\r\n250 SIZE 70\r\n",
	SMTP_KEYWORD_SIZE},
    {"SIZE without a limit, theirs", "250-a\r\n250 SIZE 70\r\n",
	"250-b\r\n250 SIZE 0\r\n", "250-gate.example\r\n250 SIZE 70\r\n",
	SMTP_KEYWORD_COUNT},
    {"no SIZE", "250-a\r\n250 SIZE 70\r\n", "250 b\r\n", "250 gate.example\r\n",
	SMTP_KEYWORD_SIZE},
    {"mechanisms of both", "250-a\r\n250 AUTH PLAIN LOGIN CRAM-MD5\r\n",
	"250-b\r\n250 AUTH cram-md5 PLAIN\r\n",
	"250-gate.example\r\n250 AUTH PLAIN CRAM-MD5\r\n", SMTP_KEYWORD_AUTH},
    {"more mechanisms", "250-a\r\n250 AUTH PLAIN\r\n",
	"250-b\r\n250 AUTH LOGIN PLAIN\r\n",
	"250-gate.example\r\n250 AUTH PLAIN\r\n", SMTP_KEYWORD_COUNT},
    {"no mechanism of both", "250-a\r\n250 AUTH PLAIN\r\n",
	"250-b\r\n250 AUTH LOGIN\r\n", "250 gate.example\r\n",
	SMTP_KEYWORD_AUTH},
    {"another argument", "250-a\r\n250-LIMITS X=1\r\n250 DELIVERBY 5\r\n",
	"250-b\r\n250-LIMITS X=1\r\n250 DELIVERBY 6\r\n",
	"250-gate.example\r\n250 LIMITS X=1\r\n", SMTP_KEYWORD_DELIVERBY},
};

Test(ehlo, intersects)
{
	for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct smtp_ehlo ours = parse(pairs[i].ours);
		struct smtp_ehlo theirs = parse(pairs[i].theirs);
		cr_assert_eq(smtp_ehlo_missing(&theirs, &ours, &plain_view),
		    pairs[i].missing, "%s", pairs[i].name);
		smtp_ehlo_intersect(&ours, &theirs);
		check_written(&ours, &plain_view, pairs[i].both);
		cr_assert_eq(smtp_ehlo_missing(&theirs, &ours, &plain_view),
		    SMTP_KEYWORD_COUNT, "%s", pairs[i].name);
	}
}

Test(ehlo, does_not_miss_what_was_not_shown)
{
	struct smtp_ehlo offered =
	    parse("250-a\r\n250-AUTH PLAIN\r\n250-DSN\r\n250 VRFY\r\n");
	struct smtp_ehlo found = parse("250-b\r\n250 VRFY\r\n");
	struct smtp_ehlo_view view = plain_view;
	cr_assert_eq(
	    smtp_ehlo_missing(&found, &offered, &view), SMTP_KEYWORD_AUTH);
	view.hide_auth = true;
	cr_assert_eq(
	    smtp_ehlo_missing(&found, &offered, &view), SMTP_KEYWORD_DSN);
	view.discarded = 1U << SMTP_KEYWORD_DSN;
	cr_assert_eq(
	    smtp_ehlo_missing(&found, &offered, &view), SMTP_KEYWORD_COUNT);
}

Test(ehlo, finds_keywords_by_name)
{
	cr_assert_eq(smtp_keyword_find("8bitmime", 8), SMTP_KEYWORD_8BITMIME);
	cr_assert_eq(smtp_keyword_find("STARTTLS", 8), SMTP_KEYWORD_STARTTLS);
	cr_assert_eq(smtp_keyword_find("8bitmim", 7), SMTP_KEYWORD_COUNT);
	cr_assert_eq(smtp_keyword_find("", 0), SMTP_KEYWORD_COUNT);
	cr_assert_str_eq(smtp_keyword_name(SMTP_KEYWORD_VERP), "XVERP");
}
