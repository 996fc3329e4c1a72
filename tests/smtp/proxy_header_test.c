/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/proxy_header.h"

#define TEXT(literal) literal, sizeof(literal) - 1
#define SIGNATURE     "\r\n\r\n\0\r\nQUIT\n"
/* 192.0.2.1:40000 to 198.51.100.2:25 */
#define IPV4_BLOCK "\xc0\x00\x02\x01\xc6\x33\x64\x02\x9c\x40\x00\x19"
/* 2001:db8::1, port 1 to 2001:db8::2, port 65535 */
#define IPV6_BLOCK                                   \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02" \
	"\x00\x01\xff\xff"

struct row {
	const char *input;
	size_t input_len;
	enum smtp_proxy_result result;
	size_t used;
	size_t wrong_at; /* bytes after which MALFORMED is seen; 0: not told */
};

static const struct row rows[] = {
    {TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\r\n"), SMTP_PROXY_FOUND,
	44, 0},
    {TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\r\nEHLO a\r\n"),
	SMTP_PROXY_FOUND, 44, 0},
    {TEXT("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"), SMTP_PROXY_FOUND,
	44, 0},
    {TEXT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	SMTP_PROXY_FOUND, 104, 0},
    {TEXT("PROXY UNKNOWN\r\n"), SMTP_PROXY_UNSUPPORTED, 15, 0},
    {TEXT("PROXY UNKNOWN ff:: x \r\n"), SMTP_PROXY_UNSUPPORTED, 23, 0},
    {TEXT("PROXY UNKNOWNX\r\n"), SMTP_PROXY_MALFORMED, 0, 0},
    {TEXT("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), SMTP_PROXY_FOUND, 32, 0},
    {TEXT(""), SMTP_PROXY_NEED_MORE, 0, 0},
    {TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r"), SMTP_PROXY_NEED_MORE, 0, 0},
    {TEXT("EHLO a\r\n"), SMTP_PROXY_MALFORMED, 0, 1},
    {TEXT("\r\nEHLO"), SMTP_PROXY_MALFORMED, 0, 3},
    {TEXT("PROXX"), SMTP_PROXY_MALFORMED, 0, 5},
    {TEXT("proxy TCP4"), SMTP_PROXY_MALFORMED, 0, 1},
    {TEXT("PROXY tcp4 1.2.3.4 1.2.3.4 1 1\r\n"), SMTP_PROXY_MALFORMED, 0, 7},
    {TEXT("PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n"), SMTP_PROXY_MALFORMED, 0, 10},
    {TEXT("PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n"), SMTP_PROXY_MALFORMED, 0, 8},
    {TEXT("PROXY\tTCP4"), SMTP_PROXY_MALFORMED, 0, 6},
    {TEXT("PROXY TCP4 evil.example 1.2.3.4 1 1\r\n"), SMTP_PROXY_MALFORMED, 0,
	13},
    {TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n"), SMTP_PROXY_MALFORMED, 0, 31},
    {TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 1\rX"), SMTP_PROXY_MALFORMED, 0, 32},
    {TEXT("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 1\r\n"), SMTP_PROXY_MALFORMED, 0, 19},
    {TEXT("PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n"), SMTP_PROXY_MALFORMED, 0, 0},
    {TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n"), SMTP_PROXY_MALFORMED, 0, 0},
    {TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"), SMTP_PROXY_MALFORMED, 0, 0},
    {TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n"), SMTP_PROXY_MALFORMED, 0, 0},
    {TEXT("PROXY TCP4\r\n"), SMTP_PROXY_MALFORMED, 0, 0},
    {TEXT("PROXY \r\n"), SMTP_PROXY_MALFORMED, 0, 0},
    {TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n"), SMTP_PROXY_MALFORMED, 0, 0},
    {TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"), SMTP_PROXY_MALFORMED, 0,
	0},
    {TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 4294967297\r\n"), SMTP_PROXY_MALFORMED,
	0, 0},
    {TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 a\r\n"), SMTP_PROXY_MALFORMED, 0, 0},
    {TEXT("PROXY TCP4 1.2.3.04 1.2.3.4 1 1\r\n"), SMTP_PROXY_MALFORMED, 0, 0},
    {TEXT("PROXY TCP4 1.2.3.256 1.2.3.4 1 1\r\n"), SMTP_PROXY_MALFORMED, 0, 0},
    {TEXT("PROXY TCP4 1.2.3 1.2.3.4 1 1\r\n"), SMTP_PROXY_MALFORMED, 0, 0},
    {TEXT("PROXY TCP4 ::1 ::1 1 1\r\n"), SMTP_PROXY_MALFORMED, 0, 0},
    {TEXT("PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n"), SMTP_PROXY_MALFORMED, 0, 0},
    {TEXT("PROXY TCP6 ::1 ::1::1 1 1\r\n"), SMTP_PROXY_MALFORMED, 0, 0},
    {TEXT("PROXY TCP6 00000:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 655350\r\n"),
	SMTP_PROXY_TOO_LONG, 0, 0},
    {TEXT(SIGNATURE "\x21\x11\x00\x0c" IPV4_BLOCK), SMTP_PROXY_FOUND, 28, 0},
    {TEXT(SIGNATURE "\x21\x11\x00\x0c" IPV4_BLOCK "EHLO a\r\n"),
	SMTP_PROXY_FOUND, 28, 0},
    {TEXT(SIGNATURE "\x21\x21\x00\x24" IPV6_BLOCK), SMTP_PROXY_FOUND, 52, 0},
    {TEXT(SIGNATURE "\x21\x11\x00\x12" IPV4_BLOCK "\x04\0\0\x05\0\0"),
	SMTP_PROXY_FOUND, 34, 0},
    {TEXT(SIGNATURE "\x21\x11\x00\x10" IPV4_BLOCK "\x05\0\x01x"),
	SMTP_PROXY_FOUND, 32, 0},
    {TEXT(SIGNATURE "\x20\x00\x00\x00"), SMTP_PROXY_FOUND, 16, 0},
    {TEXT(SIGNATURE "\x20\x11\x00\x0c" IPV4_BLOCK), SMTP_PROXY_FOUND, 28, 0},
    {TEXT(SIGNATURE "\x20\xff\x00\x03xyz"), SMTP_PROXY_FOUND, 19, 0},
    {TEXT(SIGNATURE "\x21\x00\x00\x00"), SMTP_PROXY_UNSUPPORTED, 16, 0},
    {TEXT(SIGNATURE "\x21\x12\x00\x0c" IPV4_BLOCK), SMTP_PROXY_UNSUPPORTED, 28,
	0},
    {TEXT(SIGNATURE "\x21\x10\x00\x0c" IPV4_BLOCK), SMTP_PROXY_UNSUPPORTED, 28,
	0},
    {TEXT(SIGNATURE "\x11"), SMTP_PROXY_MALFORMED, 0, 13},
    {TEXT(SIGNATURE "\x22\x11\x00\x0c" IPV4_BLOCK), SMTP_PROXY_MALFORMED, 0,
	13},
    {TEXT(SIGNATURE "\x21\x41\x00\x0c" IPV4_BLOCK), SMTP_PROXY_MALFORMED, 0,
	16},
    {TEXT(SIGNATURE "\x21\x13\x00\x0c" IPV4_BLOCK), SMTP_PROXY_MALFORMED, 0,
	16},
    {TEXT(SIGNATURE "\x21\x11\x00\x00"), SMTP_PROXY_MALFORMED, 0, 16},
    {TEXT(SIGNATURE "\x21\x11\x00\x0b" IPV4_BLOCK), SMTP_PROXY_MALFORMED, 0,
	16},
    {TEXT(SIGNATURE "\x21\x21\x00\x23" IPV6_BLOCK), SMTP_PROXY_MALFORMED, 0,
	16},
    {TEXT(SIGNATURE "\x21\x11\xff\xff"), SMTP_PROXY_TOO_LONG, 0, 0},
    {TEXT(SIGNATURE "\x20\x00\x0f\xf1"), SMTP_PROXY_TOO_LONG, 0, 0},
    {TEXT(SIGNATURE "\x20\x00\x0f\xf0"), SMTP_PROXY_NEED_MORE, 0, 0},
    {TEXT(SIGNATURE "\x21\x11\x00\x0d" IPV4_BLOCK "\x04"), SMTP_PROXY_MALFORMED,
	0, 29},
    {TEXT(SIGNATURE "\x21\x11\x00\x0f" IPV4_BLOCK "\x04\0\x01"),
	SMTP_PROXY_MALFORMED, 0, 31},
    {TEXT(SIGNATURE "\x21\x11\x00\x10" IPV4_BLOCK "\x04\xff\xffx"),
	SMTP_PROXY_MALFORMED, 0, 32},
};

static enum smtp_proxy_result parse(const char *bytes, size_t len,
    struct smtp_proxy_header *header_out, size_t *used_out)
{
	/* A copy without a byte to spare, so that ASan sees a read too far. */
	uint8_t *copy = malloc(len > 0 ? len : 1);
	cr_assert_not_null(copy);
	memcpy(copy, bytes, len);
	enum smtp_proxy_result result =
	    smtp_proxy_header_parse(copy, len, header_out, used_out);
	free(copy);
	header_out->tlvs = NULL;
	return result;
}

static void check(const struct row *row, size_t len, unsigned i)
{
	struct smtp_proxy_header header;
	size_t used;
	enum smtp_proxy_result result = parse(row->input, len, &header, &used);
	if (row->wrong_at > 0) {
		cr_assert_eq(result,
		    len < row->wrong_at ? SMTP_PROXY_NEED_MORE
					: SMTP_PROXY_MALFORMED,
		    "row %u, %zu bytes", i, len);
		return;
	}
	if (result == SMTP_PROXY_NEED_MORE && len < row->input_len)
		return;
	cr_assert_eq(result, row->result, "row %u, %zu bytes", i, len);
	cr_assert_eq(used, row->used, "row %u, %zu bytes", i, len);
}

Test(proxy_header, reads_the_same_at_every_cut)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t len = 0; len <= rows[i].input_len; len++)
			check(&rows[i], len, i);
	}
}

static void check_ipv4(const struct smtp_proxy_header *header)
{
	cr_assert_not(header->local);
	cr_assert_eq(header->family, SMTP_PROXY_IPV4);
	cr_assert_eq(memcmp(header->source, "\xc0\x00\x02\x01", 4), 0);
	cr_assert_eq(memcmp(header->destination, "\xc6\x33\x64\x02", 4), 0);
	cr_assert_eq(header->source_port, 40000);
	cr_assert_eq(header->destination_port, 25);
}

static void check_ipv6(const struct smtp_proxy_header *header)
{
	cr_assert_not(header->local);
	cr_assert_eq(header->family, SMTP_PROXY_IPV6);
	cr_assert_eq(memcmp(header->source, IPV6_BLOCK, 16), 0);
	cr_assert_eq(memcmp(header->destination, &IPV6_BLOCK[16], 16), 0);
	cr_assert_eq(header->source_port, 1);
	cr_assert_eq(header->destination_port, 65535);
}

Test(proxy_header, tells_who_the_client_is)
{
	struct smtp_proxy_header header;
	size_t used;
	parse(rows[0].input, rows[0].input_len, &header, &used);
	cr_assert_eq(header.version, 1);
	check_ipv4(&header);
	parse(rows[2].input, rows[2].input_len, &header, &used);
	check_ipv6(&header);
	parse(TEXT(SIGNATURE "\x21\x11\x00\x0c" IPV4_BLOCK), &header, &used);
	cr_assert_eq(header.version, 2);
	check_ipv4(&header);
	parse(TEXT(SIGNATURE "\x21\x21\x00\x24" IPV6_BLOCK), &header, &used);
	check_ipv6(&header);
	parse(TEXT(SIGNATURE "\x20\x11\x00\x0c" IPV4_BLOCK), &header, &used);
	cr_assert(header.local);
	cr_assert_eq(header.source_port, 0);
	cr_assert_eq(header.tlvs_len, 0);
}

Test(proxy_header, lends_the_tlvs)
{
	static const char input[] =
	    SIGNATURE "\x21\x11\x00\x10" IPV4_BLOCK "\x05\0\x01x";
	struct smtp_proxy_header header;
	size_t used;
	smtp_proxy_header_parse(
	    (const uint8_t *)input, sizeof(input) - 1, &header, &used);
	cr_assert_eq(header.tlvs_len, 4);
	cr_assert_eq(memcmp(header.tlvs, "\x05\0\x01x", 4), 0);
}

static void check_written(const struct smtp_proxy_header *header,
    const char *expected, size_t expected_len)
{
	uint8_t out[SMTP_PROXY_V2_SIZE_MAX];
	cr_assert_eq(smtp_proxy_header_write(header, out, expected_len - 1), 0);
	size_t len = smtp_proxy_header_write(header, out, sizeof(out));
	cr_assert_eq(len, expected_len);
	cr_assert_eq(memcmp(out, expected, len), 0);
}

Test(proxy_header, writes)
{
	struct smtp_proxy_header header = {.version = 1,
	    .family = SMTP_PROXY_IPV4,
	    .source = {192, 0, 2, 1},
	    .destination = {198, 51, 100, 2},
	    .source_port = 40000,
	    .destination_port = 25};
	check_written(
	    &header, TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\r\n"));
	header.version = 2;
	check_written(&header, TEXT(SIGNATURE "\x21\x11\x00\x0c" IPV4_BLOCK));
	header.tlvs = (const uint8_t *)"\x05\0\x01x";
	header.tlvs_len = 4;
	check_written(&header,
	    TEXT(SIGNATURE "\x21\x11\x00\x10" IPV4_BLOCK "\x05\0\x01x"));
	header.tlvs_len = 0;
	header.local = true;
	check_written(&header, TEXT(SIGNATURE "\x20\x00\x00\x00"));
	header.version = 1;
	check_written(&header, TEXT("PROXY UNKNOWN\r\n"));

	header.local = false;
	header.family = SMTP_PROXY_IPV6;
	memcpy(header.source, IPV6_BLOCK, 16);
	memcpy(header.destination, &IPV6_BLOCK[16], 16);
	header.source_port = 1;
	header.destination_port = 65535;
	check_written(
	    &header, TEXT("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"));
	header.version = 2;
	check_written(&header, TEXT(SIGNATURE "\x21\x21\x00\x24" IPV6_BLOCK));
}

Test(proxy_header, writes_no_length_that_does_not_fit)
{
	static uint8_t tlvs[65535], out[70000];
	struct smtp_proxy_header header = {.version = 2,
	    .family = SMTP_PROXY_IPV4,
	    .tlvs = tlvs,
	    .tlvs_len = 65535 - 12};
	cr_assert_eq(smtp_proxy_header_write(&header, out, sizeof(out)), 65551);
	header.tlvs_len++;
	cr_assert_eq(smtp_proxy_header_write(&header, out, sizeof(out)), 0);
}
