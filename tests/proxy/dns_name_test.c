/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/dns_name.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

struct row {
	const char *wire;
	size_t wire_len;
	const char *text; /* NULL: it is no host name */
};

#define WIRE(literal) literal, sizeof(literal) - 1

static const char label_63[] =
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static bool read_name(const char *wire, size_t len, char out[DNS_NAME_SIZE])
{
	/* Without a byte to spare, so that ASan sees a read too far. */
	uint8_t *copy = malloc(len > 0 ? len : 1);
	bool is_name;

	memcpy(copy, wire, len);
	memset(out, 'x', DNS_NAME_SIZE);
	is_name = dns_name_read(copy, len, out);
	free(copy);
	return is_name;
}

Test(dns_name, reading)
{
	static const struct row rows[] = {
	    {WIRE("\2mx\7example\4test\0"), "mx.example.test"},
	    {WIRE("\2MX\7Example\4TEST\0"), "mx.example.test"},
	    {WIRE("\3a_b\1c\0"), "a_b.c"},
	    {WIRE("\3a-b\0"), "a-b"},
	    {WIRE("\0011\0012\1x\0"), "1.2.x"},
	    {WIRE("\0"), NULL},
	    {WIRE(""), NULL},
	    {WIRE("\2mx"), NULL},
	    {WIRE("\2m"), NULL},
	    {WIRE("\2mx\0\0"), NULL},
	    {WIRE("\2mx\300\14"), NULL},
	    {WIRE("\100aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaa\0"),
		NULL},
	    {WIRE("\3a\r\n\0"), NULL},
	    {WIRE("\3a\0b\0"), NULL},
	    {WIRE("\3a b\0"), NULL},
	    {WIRE("\3a.b\0"), NULL},
	    {WIRE("\3a=b\0"), NULL},
	    {WIRE("\3a[b\0"), NULL},
	    {WIRE("\3a\177b\0"), NULL},
	    {WIRE("\3a\303\244\0"), NULL},
	    {WIRE("\1*\1b\0"), NULL},
	    {WIRE("\2-a\1b\0"), NULL},
	    {WIRE("\2a-\1b\0"), NULL},
	    {WIRE("\3192\0010\0012\0011\0"), NULL},
	};
	char text[DNS_NAME_SIZE];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		bool is_name = read_name(row->wire, row->wire_len, text);

		cr_assert_eq(is_name, row->text != NULL, "row %zu", i);
		if (row->text == NULL)
			continue;
		cr_assert_str_eq(text, row->text);
		/* The head of a name is none. */
		for (size_t cut = 0; cut < row->wire_len; cut++)
			cr_assert_not(read_name(row->wire, cut, text));
	}
}

/* 255 octets on the wire is what there can be. */
Test(dns_name, its_length_has_an_end)
{
	char wire[512] = "";
	char text[DNS_NAME_SIZE];
	size_t len = 0;

	for (int i = 0; i < 4; i++) {
		wire[len] = 63;
		memcpy(wire + len + 1, label_63, 63);
		len += 64;
	}
	wire[192] = 0;
	cr_assert(read_name(wire, 193, text), "three labels and the root");
	cr_assert_eq(strlen(text), 191);
	cr_assert_not(read_name(wire, 0, text));
	wire[192] = 61;
	wire[254] = 0;
	cr_assert(read_name(wire, 255, text));
	cr_assert_eq(strlen(text), 253);
	wire[192] = 63;
	wire[256] = 0;
	read_name(wire, 257, text);
	wire[256] = 1;
	wire[257] = 'a';
	wire[258] = 0;
	cr_assert_not(read_name(wire, 259, text));
}

Test(dns_name, of_addresses)
{
	static const uint8_t ipv4[] = {192, 0, 2, 1};
	static const uint8_t ipv6[16] = {
	    0x20, 0x01, 0x0d, 0xb8, [14] = 0x12, [15] = 0x34};
	char name[DNS_NAME_SIZE];

	dns_name_reverse(ipv4, sizeof(ipv4), name);
	cr_assert_str_eq(name, "1.2.0.192.in-addr.arpa");
	dns_name_reverse(ipv6, sizeof(ipv6), name);
	cr_assert_str_eq(name,
	    "4.3.2.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
	    "ip6.arpa");
}

Test(dns_name, hosts_that_are_none)
{
	static const struct {
		const char *text;
		bool is_host;
	} rows[] = {
	    {"mx", true},
	    {"mx.example.test", true},
	    {"mx.example.test.", true},
	    {"MX_1.a-b.test", true},
	    {"", false},
	    {".", false},
	    {"mx..test", false},
	    {".mx", false},
	    {"-mx.test", false},
	    {"mx-.test", false},
	    {"m x.test", false},
	    {"mx#2", false},
	    {"192.0.2.1", false},
	    {"192.0.2", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(dns_name_is_host(rows[i].text), rows[i].is_host,
		    "\"%s\"", rows[i].text);
}
