/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/received.h"

/* Mon, 23 Nov 2026 13:04:41 +0000 */
static const struct tm noon = {.tm_sec = 41,
    .tm_min = 4,
    .tm_hour = 13,
    .tm_mday = 23,
    .tm_mon = 10,
    .tm_year = 126,
    .tm_wday = 1,
    .tm_zone = "UTC"};
/* Thu,  5 Mar 2026 00:00:09 -0330 */
static const struct tm midnight = {.tm_sec = 9,
    .tm_mday = 5,
    .tm_mon = 2,
    .tm_year = 126,
    .tm_wday = 4,
    .tm_gmtoff = -12600,
    .tm_zone = "NST"};

#define USUAL                                                  \
	.helo = "c.example.test", .peer_name = "unknown",      \
	.peer_address = "127.0.0.1", .comments = "",           \
	.hostname = "mx.example.test", .mail_name = "Postern", \
	.id = "6a4f-12.3", .time = &noon
#define FROM "Received: from c.example.test (unknown [127.0.0.1])\r\n"
#define DATE "Mon, 23 Nov 2026 13:04:41 +0000 (UTC)\r\n"
#define BY   "\tby mx.example.test (Postern) with "

static const struct {
	const char *name;
	struct smtp_received received;
	const char *expected;
} rows[] = {
    {"one recipient", {USUAL, .extended = true, .recipient = "x@example.com"},
	FROM BY "ESMTP id 6a4f-12.3\r\n"
		"\tfor <x@example.com>; " DATE},
    {"several", {USUAL, .extended = true},
	FROM BY "ESMTP id 6a4f-12.3;\r\n"
		"\t" DATE},
    {"HELO", {USUAL}, FROM BY "SMTP id 6a4f-12.3;\r\n\t" DATE},
    {"HELO over TLS", {USUAL, .tls = true, .authenticated = true},
	FROM BY "SMTP id 6a4f-12.3;\r\n\t" DATE},
    {"TLS", {USUAL, .extended = true, .tls = true},
	FROM BY "ESMTPS id 6a4f-12.3;\r\n\t" DATE},
    {"AUTH", {USUAL, .extended = true, .authenticated = true},
	FROM BY "ESMTPA id 6a4f-12.3;\r\n\t" DATE},
    {"both", {USUAL, .extended = true, .tls = true, .authenticated = true},
	FROM BY "ESMTPSA id 6a4f-12.3;\r\n\t" DATE},
    {"SMTPUTF8", {USUAL, .extended = true, .utf8 = true},
	FROM BY "UTF8SMTP id 6a4f-12.3;\r\n\t" DATE},
    {"SMTPUTF8 and both",
	{USUAL, .extended = true, .utf8 = true, .tls = true,
	    .authenticated = true},
	FROM BY "UTF8SMTPSA id 6a4f-12.3;\r\n\t" DATE},
    {"comments",
	{.helo = "c.example.test",
	    .peer_name = "unknown",
	    .peer_address = "127.0.0.1",
	    .hostname = "mx.example.test",
	    .mail_name = "Postern",
	    .id = "6a4f-12.3",
	    .time = &noon,
	    .extended = true,
	    .tls = true,
	    .comments = "(using TLSv1.3 with cipher X (256/256 bits)\n"
			" key-exchange X25519)\n"
			"(No client certificate requested)\n"},
	FROM "\t(using TLSv1.3 with cipher X (256/256 bits)\r\n"
	     "\t key-exchange X25519)\r\n"
	     "\t(No client certificate requested)\r\n" BY
	     "ESMTPS id 6a4f-12.3;\r\n\t" DATE},
    {"IPv6 and a zone",
	{.helo = "c",
	    .peer_name = "n.test",
	    .peer_address = "2001:db8::7",
	    .comments = "",
	    .hostname = "mx",
	    .mail_name = "P",
	    .id = "1",
	    .time = &midnight},
	"Received: from c (n.test [IPv6:2001:db8::7])\r\n"
	"\tby mx (P) with SMTP id 1;\r\n"
	"\tThu,  5 Mar 2026 00:00:09 -0330 (NST)\r\n"},
    {"no greeting",
	{.helo = "",
	    .peer_name = "unknown",
	    .peer_address = "192.0.2.1",
	    .comments = "",
	    .hostname = "mx",
	    .mail_name = "P",
	    .id = "1",
	    .time = &noon},
	"Received: from unknown (unknown [192.0.2.1])\r\n"
	"\tby mx (P) with SMTP id 1;\r\n"
	"\t" DATE},
    /* Threats 18 and 20. */
    {"what a peer must not say",
	{.helo = "a b(c)<d>;e@f\"g\\h\r\nX: y\x1b\xff",
	    .peer_name = "n\r\nX:\x7f",
	    .peer_address = "1\n",
	    .comments = "(CN\r\x01\xc3\xa4)\n\nX: y\n",
	    .hostname = "mx\n",
	    .mail_name = "P\r",
	    .id = "1\n",
	    .recipient = "a\r\nX: y\x01\xe4",
	    .time = &noon},
	"Received: from a?b?c??d??e?f?g?h??X:?y?? (n??X:? [1?])\r\n"
	"\t(CN???"
	"?)\r\n" /* no trigraph */
	"\tX: y\r\n"
	"\tby mx? (P?) with SMTP id 1?\r\n"
	"\tfor <a??X: y?"
	"?>; " DATE},
};

Test(received, writes_what_postfix_writes)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *out = malloc(SMTP_RECEIVED_SIZE_MAX);
		size_t len = smtp_received_write(
		    &rows[i].received, out, SMTP_RECEIVED_SIZE_MAX);
		cr_expect(len == strlen(rows[i].expected) &&
			      memcmp(out, rows[i].expected, len) == 0,
		    "%s: got\n%.*s\nand not\n%s", rows[i].name, (int)len, out,
		    rows[i].expected);
		free(out);
	}
}

/* However long the values are, it fits, and no line is longer than RFC 5322,
 * 2.1.1 has it. */
Test(received, is_never_too_long)
{
	static char huge[100000];
	static char lines[100000];
	memset(huge, ')', sizeof(huge) - 1);
	for (size_t line_len = 1; line_len <= 800; line_len += 47) {
		memset(lines, 'x', sizeof(lines) - 1);
		for (size_t i = line_len; i < sizeof(lines) - 1; i += line_len)
			lines[i] = '\n';
		struct tm time = noon;
		time.tm_zone = huge;
		struct smtp_received received = {.helo = huge,
		    .peer_name = huge,
		    .peer_address = huge,
		    .comments = lines,
		    .hostname = huge,
		    .mail_name = huge,
		    .id = huge,
		    .recipient = huge,
		    .time = &time,
		    .extended = true,
		    .tls = true,
		    .authenticated = true,
		    .utf8 = true};
		char *out = malloc(SMTP_RECEIVED_SIZE_MAX);
		size_t len =
		    smtp_received_write(&received, out, SMTP_RECEIVED_SIZE_MAX);
		cr_assert_leq(len, SMTP_RECEIVED_SIZE_MAX);
		size_t start = 0;
		for (size_t i = 0; i < len; i++) {
			if (out[i] != '\n')
				continue;
			cr_expect_leq(i + 1 - start, 1000);
			cr_expect_eq(out[i - 1], '\r');
			cr_expect(i + 1 == len || out[i + 1] == '\t');
			start = i + 1;
		}
		cr_expect_eq(start, len);
		free(out);
	}
}
