/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "smtp/xclient.h"

static bool parse(const char *text, struct smtp_xclient *xclient, char *error)
{
	/* A copy without a byte to spare. */
	size_t len = strlen(text);
	char *copy = malloc(len > 0 ? len : 1);
	cr_assert_not_null(copy);
	memcpy(copy, text, len);
	bool ok = smtp_xclient_parse(copy, len, xclient, error, 512);
	free(copy);
	return ok;
}

Test(xclient, takes_all_that_postfix_takes)
{
	struct smtp_xclient told;
	char error[512];
	static const uint8_t ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 5};
	cr_assert(parse("name=spike.example.test  REVERSE_NAME=[TEMPUNAVAIL] "
			"ADDR=ipv6:2001:db8::5 PORT=40112 PROTO=SMTP "
			"HELO=a+20b+2Bc+0D+0A LOGIN=me@example.test "
			"DESTADDR=192.0.2.55 DESTPORT=0",
	    &told, error));
	cr_assert_str_eq(told.name, "spike.example.test");
	cr_assert_str_eq(told.reverse_name, "");
	cr_assert_not(told.name_failed);
	cr_assert_eq(told.address.family, AF_INET6);
	cr_assert_eq(memcmp(told.address.bytes, ipv6, 16), 0);
	cr_assert_eq(told.port, 40112);
	cr_assert_eq(told.helo_verb, SMTP_VERB_HELO);
	cr_assert_str_eq(told.helo, "a b+c??");
	cr_assert_str_eq(told.login, "me@example.test");
	cr_assert_eq(told.server_address.family, AF_INET);
	cr_assert_eq(told.server_address.bytes[3], 55);
	cr_assert_eq(told.given >> SMTP_ATTRIBUTE_SESSION & 1, 0);
	cr_assert_eq(__builtin_popcount(told.given), 9);

	cr_assert(parse("NAME=[TEMPUNAVAIL] ADDR=[unavailable] "
			"PORT=[UNAVAILABLE] LOGIN=[UNAVAILABLE]",
	    &told, error));
	cr_assert(told.name_failed);
	cr_assert_eq(told.address.family, 0);
	cr_assert_eq(told.port, 0);
	cr_assert_str_eq(told.login, "");
}

static const struct {
	const char *text, *error;
} bad[] = {
    {"", "501 5.5.4 Syntax: XCLIENT attribute=value..."},
    {"ADDR", "501 5.5.4 Error: attribute=value expected"},
    {"=x", "501 5.5.4 Error: attribute=value expected"},
    {"FOO=x", "501 5.5.4 Bad XCLIENT attribute name: FOO"},
    {"SESSION=x", "501 5.5.4 Bad XCLIENT attribute name: SESSION"},
    {"ADDR=1.2.3.444", "501 5.5.4 Bad ADDR syntax: 1.2.3.444"},
    {"ADDR=2001:db8::5", "501 5.5.4 Bad ADDR syntax: 2001:db8::5"},
    {"ADDR=", "501 5.5.4 Bad ADDR syntax: "},
    {"PORT=65536", "501 5.5.4 Bad PORT syntax: 65536"},
    {"PORT=", "501 5.5.4 Bad PORT syntax: "},
    {"PROTO=LMTP", "501 5.5.4 Bad PROTO syntax: LMTP"},
    {"NAME=a..b", "501 5.5.4 Bad NAME syntax: a..b"},
    {"NAME=a+0Ab", "501 5.5.4 Bad NAME syntax: a?b"},
    {"NAME=evil)+20by", "501 5.5.4 Bad NAME syntax: evil) by"},
    {"HELO=+2", "501 5.5.4 Error: attribute value too long"},
    {"HELO=+zz", "501 5.5.4 Error: attribute value too long"},
};

Test(xclient, refuses_in_the_words_of_postfix)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct smtp_xclient told;
		char error[512];
		cr_assert_not(
		    parse(bad[i].text, &told, error), "%s", bad[i].text);
		cr_assert_str_eq(error, bad[i].error);
	}
}

Test(xclient, bounds_a_value)
{
	struct smtp_xclient told;
	char text[400], error[512];
	snprintf(text, sizeof(text), "HELO=%0255d", 1);
	cr_assert(parse(text, &told, error));
	cr_assert_eq(strlen(told.helo), 255);
	snprintf(text, sizeof(text), "HELO=%0256d", 1);
	cr_assert_not(parse(text, &told, error));
	cr_assert_str_eq(error, "501 5.5.4 Error: attribute value too long");
}
