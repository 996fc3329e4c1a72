/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
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
    .helo = "client_7.example.test",
    .login = "a b+c=d\xc3\xa9",
    .session = "1f-2",
    .sni = "mx.example.test",
    .tls = true,
    .ttl = 4,
    .timeout_s = 600,
    .facts = "tls=TLSv1.3\tsni=mx",
};
static const struct smtp_identity unknown = {.helo_verb = SMTP_VERB_UNKNOWN};

struct row {
	const char *offered;
	const struct smtp_identity *identity;
	const char *xclient;
};

static const struct row rows[] = {
    {"NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT", &known,
	"XCLIENT DESTADDR=198.51.100.1 DESTPORT=25 "
	"HELO=client_7.example.test PROTO=ESMTP "
	"REVERSE_NAME=spike.example.test NAME=spike.example.test "
	"PORT=40112 LOGIN=a+20b+2Bc+3Dd+C3+A9 ADDR=192.0.2.9\r\n"},
    {"addr SESSION TTL FORWARD CLIENT-TRANSPORT TIMEOUT DestName", &known,
	"XCLIENT DESTNAME=mx.example.test SESSION=1f-2 CLIENT-TRANSPORT=TLS "
	"TTL=4 TIMEOUT=600 FORWARD=dGxzPVRMU3YxLjMJc25pPW14 "
	"ADDR=192.0.2.9\r\n"},
    {"SESSION TTL FORWARD TIMEOUT DESTNAME", &unknown, ""},
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

/* Dovecot 2.4 refuses the whole command for what is no name; the client's EHLO
 * brings it later. */
Test(identity, says_names_only_where_they_are_names)
{
	static const struct {
		const char *text;
		bool is_name, is_helo;
	} said[] = {
	    {"client", true, true},
	    {"_x-1.example.test", true, true},
	    {"[192.0.2.1]", false, true},
	    {"[IPv6:2001:db8::1]", false, true},
	    {"[2001:db8::1]", false, false},
	    {"[192.0.2]", false, false},
	    {"[192.0.2.1", false, false},
	    {"[]", false, false},
	    {"[", false, false},
	    {"[IPv6:]", false, false},
	    {"", false, false},
	    {"a..b", false, false},
	    {"a.", false, false},
	    {".a", false, false},
	    {"a b", false, false},
	    {"a\r\nb", false, false},
	    {"m\xc3\xbcller", false, false},
	};

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		uint32_t pending = BIT(HELO);
		struct smtp_identity identity = {
		    .helo_verb = SMTP_VERB_EHLO,
		    .helo = said[i].text,
		    .sni = said[i].text,
		};
		char line[SMTP_IDENTITY_LINE_SIZE];
		cr_expect_eq(smtp_xclient_write(
				 &pending, &identity, line, sizeof(line)) > 0,
		    said[i].is_helo, "%s", said[i].text);
		pending = BIT(DESTNAME);
		cr_expect_eq(smtp_xclient_write(
				 &pending, &identity, line, sizeof(line)) > 0,
		    said[i].is_name, "%s", said[i].text);
	}
}

Test(identity, says_login_and_address_in_one_line)
{
	char helo[231], login[251];
	char line[SMTP_IDENTITY_LINE_SIZE];
	struct smtp_identity identity = {
	    .address = "192.0.2.9",
	    .helo_verb = SMTP_VERB_EHLO,
	    .helo = helo,
	    .login = login,
	};
	uint32_t pending = BIT(HELO) | BIT(LOGIN) | BIT(ADDR);
	size_t len;

	memset(helo, 'a', sizeof(helo) - 1);
	helo[sizeof(helo) - 1] = '\0';
	memset(login, 'b', sizeof(login) - 1);
	login[sizeof(login) - 1] = '\0';
	cr_assert_gt(
	    smtp_xclient_write(&pending, &identity, line, sizeof(line)), 0);
	cr_assert_eq(pending, BIT(LOGIN) | BIT(ADDR));
	len = smtp_xclient_write(&pending, &identity, line, sizeof(line));
	cr_assert_eq(memcmp(line + len - 17, " ADDR=192.0.2.9\r\n", 17), 0);
	cr_assert_eq(pending, 0);
}

/* RFC 4648, 10; and as xtext. */
Test(identity, writes_facts_as_base64)
{
	static const char *const vectors[][2] = {
	    {"f", "Zg+3D+3D"},
	    {"fo", "Zm8+3D"},
	    {"foo", "Zm9v"},
	    {"foob", "Zm9vYg+3D+3D"},
	    {"fooba", "Zm9vYmE+3D"},
	    {"foobar", "Zm9vYmFy"},
	    {"\xfb\xff\xfe", "+2B//+2B"},
	};
	char text[256];
	char line[SMTP_IDENTITY_LINE_SIZE];

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		uint32_t pending = BIT(FORWARD);
		struct smtp_identity identity = {.facts = vectors[i][0]};
		size_t len =
		    smtp_xclient_write(&pending, &identity, line, sizeof(line));
		snprintf(text, sizeof(text), "XCLIENT FORWARD=%s\r\n",
		    vectors[i][1]);
		cr_expect_eq(len, strlen(text), "%.*s", (int)len, line);
		cr_expect_eq(
		    memcmp(line, text, len), 0, "%.*s", (int)len, line);
	}
	/* One value has 255 octets; the marks of a text's end count thrice. */
	for (size_t len = 186; len < 200; len++) {
		uint32_t pending = BIT(FORWARD);
		struct smtp_identity identity = {.facts = text};
		memset(text, 'x', len);
		text[len] = '\0';
		cr_expect_eq(smtp_xclient_write(
				 &pending, &identity, line, sizeof(line)) > 0,
		    len <= 189 && len != 187, "%zu", len);
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
