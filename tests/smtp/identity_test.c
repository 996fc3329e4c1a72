/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "smtp/identity.h"

#define BIT(attribute) (UINT32_C(1) << SMTP_ATTRIBUTE_##attribute)

static const struct smtp_identity known = {
    .address = "192.0.2.9",
    .port = 40112,
    .server_address = "198.51.100.1",
    .server_port = 25,
    .name = "spike.example.test",
    .helo_verb = SMTP_VERB_EHLO,
    .helo = "a b+c=d\xc3\xa9",
    .session = "1f-2",
    .sni = "mx.example.test",
    .tls = true,
};
static const struct smtp_identity unknown = {.helo_verb = SMTP_VERB_UNKNOWN};

struct row {
	const char *offered;
	const struct smtp_identity *identity;
	const char *xclient;
};

static const struct row rows[] = {
    {"NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT", &known,
	"XCLIENT DESTADDR=198.51.100.1 DESTPORT=25 HELO=a+20b+2Bc+3Dd+C3+A9 "
	"PROTO=ESMTP REVERSE_NAME=spike.example.test NAME=spike.example.test "
	"PORT=40112 ADDR=192.0.2.9\r\n"},
    {"addr SESSION TTL FORWARD CLIENT-TRANSPORT DestName", &known,
	"XCLIENT DESTNAME=mx.example.test SESSION=1f-2 CLIENT-TRANSPORT=TLS "
	"ADDR=192.0.2.9\r\n"},
    {"NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT", &unknown,
	"XCLIENT DESTADDR=[UNAVAILABLE] DESTPORT=[UNAVAILABLE] "
	"REVERSE_NAME=[UNAVAILABLE] NAME=[UNAVAILABLE] PORT=[UNAVAILABLE] "
	"ADDR=[UNAVAILABLE]\r\n"},
    {"CLIENT-TRANSPORT", &unknown, "XCLIENT CLIENT-TRANSPORT=insecure\r\n"},
    {"LOGIN HELO FROB", &unknown, ""},
    {"", &known, ""},
};

Test(identity, says_what_is_offered)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t pending = smtp_attributes_read(
		    rows[i].offered, strlen(rows[i].offered));
		char line[SMTP_IDENTITY_LINE_SIZE];
		size_t len = smtp_xclient_write(
		    &pending, rows[i].identity, line, sizeof(line));
		cr_assert_eq(len, strlen(rows[i].xclient), "row %zu: %.*s", i,
		    (int)len, line);
		cr_assert_eq(memcmp(line, rows[i].xclient, len), 0,
		    "row %zu: %.*s", i, (int)len, line);
		cr_assert_eq(pending, 0);
	}
}

Test(identity, says_it_for_a_log)
{
	static const char offered[] = "NAME ADDR PROTO HELO SOURCE PORT IDENT";
	uint32_t pending = smtp_attributes_read(offered, sizeof(offered) - 1);
	struct smtp_identity identity = {
	    .address = "2001:db8::7",
	    .port = 9,
	    .helo_verb = SMTP_VERB_HELO,
	    .helo = "client",
	    .session = "1f-2",
	    .name_failed = true,
	};
	static const char expected[] =
	    "XFORWARD SOURCE=REMOTE IDENT=1f-2 HELO=client PROTO=SMTP "
	    "NAME=[TEMPUNAVAIL] PORT=9 ADDR=IPV6:2001:db8::7\r\n";
	char line[SMTP_IDENTITY_LINE_SIZE];
	size_t len =
	    smtp_xforward_write(&pending, &identity, line, sizeof(line));
	cr_assert_eq(len, sizeof(expected) - 1, "%.*s", (int)len, line);
	cr_assert_eq(memcmp(line, expected, len), 0, "%.*s", (int)len, line);
}

/* CVE-2026-28753: a name that holds a command stays one word. */
Test(identity, lets_no_value_end_the_line)
{
	uint32_t pending = BIT(NAME) | BIT(LOGIN);
	struct smtp_identity identity = {
	    .name = "x\r\nMAIL FROM:<y>",
	    .login = "a\tb\x7f",
	};
	static const char expected[] =
	    "XCLIENT NAME=x+0D+0AMAIL+20FROM:<y> LOGIN=a+09b+7F\r\n";
	char line[SMTP_IDENTITY_LINE_SIZE];
	size_t len =
	    smtp_xclient_write(&pending, &identity, line, sizeof(line));
	cr_assert_eq(len, sizeof(expected) - 1, "%.*s", (int)len, line);
	cr_assert_eq(memcmp(line, expected, len), 0);
}

/* Postfix takes no value of more than 255 octets; a name that is too long must
 * not leave our own in its place. */
Test(identity, leaves_out_what_is_too_long_but_a_name)
{
	char text[300];
	char line[SMTP_IDENTITY_LINE_SIZE];
	memset(text, 'n', 256);
	text[256] = '\0';
	struct smtp_identity identity = {.address = "192.0.2.1",
	    .name = text,
	    .login = text,
	    .helo = text,
	    .helo_verb = SMTP_VERB_EHLO};
	uint32_t pending = BIT(NAME) | BIT(LOGIN) | BIT(HELO) | BIT(ADDR);
	static const char expected[] =
	    "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.1\r\n";
	size_t len =
	    smtp_xclient_write(&pending, &identity, line, sizeof(line));
	cr_assert_eq(len, sizeof(expected) - 1, "%.*s", (int)len, line);
	cr_assert_eq(memcmp(line, expected, len), 0);
}

Test(identity, keeps_to_512_octets_and_ends_with_the_address)
{
	char text[256];
	char line[SMTP_IDENTITY_LINE_SIZE];
	memset(text, 'n', 255);
	text[255] = '\0';
	struct smtp_identity identity = {.address = "192.0.2.1",
	    .server_address = "192.0.2.2",
	    .name = text,
	    .reverse_name = text,
	    .login = text,
	    .helo = text,
	    .helo_verb = SMTP_VERB_EHLO};
	uint32_t pending = ~UINT32_C(0) >> (32 - SMTP_ATTRIBUTE_COUNT);
	size_t len, last_len = 0;
	unsigned lines = 0;
	while ((len = smtp_xclient_write(
		    &pending, &identity, line, sizeof(line))) > 0) {
		cr_assert_leq(len, 512);
		lines++;
		last_len = len;
	}
	cr_assert_eq(lines, 4);
	cr_assert_eq(
	    memcmp(line + last_len - 17, " ADDR=192.0.2.1\r\n", 17), 0);
}
