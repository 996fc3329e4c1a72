/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/protocols.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/ssl.h>

#define NO_SSL3 SSL_OP_NO_SSLv3
#define NO_10	SSL_OP_NO_TLSv1
#define NO_11	SSL_OP_NO_TLSv1_1
#define NO_12	SSL_OP_NO_TLSv1_2
#define NO_13	SSL_OP_NO_TLSv1_3

struct row {
	const char *list;
	int floor, ceiling;
	unsigned long excluded;
};

static const struct row rows[] = {
    {"", 0, 0, 0},
    {" ,\t: ", 0, 0, 0},
    {">=TLSv1", 0x0301, 0, 0},
    {">=TLSv1.2", 0x0303, 0, 0},
    {">=tlsV1.3", 0x0304, 0, 0},
    {"<=TLSv1.2", 0, 0x0303, 0},
    {">=TLSv1.1, <=TLSv1.2", 0x0302, 0x0303, 0},
    {">=SSLv3", 0x0300, 0, 0},
    {">=None <=None", 0, 0, 0},
    {">=TLSv1.3 >=none", 0, 0, 0},
    {">=0303", 0x0303, 0, 0},
    {">=0x0303:<=0x0304", 0x0303, 0x0304, 0},
    {">=0X303", 0x0303, 0, 0},
    {">=0000", 0, 0, 0},
    {"!SSLv2, !SSLv3, !TLSv1", 0, 0, NO_SSL3 | NO_10},
    {"!TLSv1.1\t!TLSv1.1", 0, 0, NO_11},
    {"!SSLv2", 0, 0, 0},
    {"SSLv2", 0, 0, 0},
    {"TLSv1.2", 0, 0, NO_SSL3 | NO_10 | NO_11 | NO_13},
    {"tlsv1.2 TLSv1.3", 0, 0, NO_SSL3 | NO_10 | NO_11},
    {"TLSv1.2, TLSv1.3, !TLSv1.3", 0, 0, NO_SSL3 | NO_10 | NO_11 | NO_13},
    {"0x0304", 0, 0, NO_SSL3 | NO_10 | NO_11 | NO_12},
    {">=TLSv1.2, !TLSv1.3", 0x0303, 0, NO_13},
};

Test(protocols, every_form)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct tls_protocols protocols;
		char bad[16] = "untouched";

		cr_assert(tls_protocols_parse(
			      row->list, &protocols, bad, sizeof(bad)),
		    "%s", row->list);
		cr_expect_str_eq(bad, "untouched");
		cr_expect_eq(protocols.floor, row->floor, "%s", row->list);
		cr_expect_eq(protocols.ceiling, row->ceiling, "%s", row->list);
		cr_expect_eq(
		    protocols.excluded, row->excluded, "%s", row->list);
	}
}

Test(protocols, what_is_no_version_is_named)
{
	static const struct {
		const char *list, *bad;
	} bad_rows[] = {
	    {"TLSv1.9", "TLSv1.9"},
	    {">=TLSv1.2, TLSv1.9 !SSLv3", "TLSv1.9"},
	    {">= TLSv1.2", ">="},
	    {"!", "!"},
	    {"!None", "!None"},
	    {"None", "None"},
	    {">=SSLv2", ">=SSLv2"},
	    {"<=TLSv1.2<", "<=TLSv1.2<"},
	    {"=TLSv1.2", "=TLSv1.2"},
	    {">=0305", ">=0305"},
	    {">=10303", ">=10303"},
	    {">=0x", ">=0x"},
	    {">=0x03g3", ">=0x03g3"},
	    {"TLSv1.2;TLSv1.3", "TLSv1.2;TLSv1.3"},
	    {"TLSv1.2TLSv1.2TLSv1.2TLSv1.2TLSv1.2",
		"TLSv1.2TLSv1.2TLSv1.2TLSv1.2TLSv1.2"},
	};

	for (size_t i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
		struct tls_protocols protocols;
		char bad[64];

		cr_assert_not(tls_protocols_parse(bad_rows[i].list, &protocols,
				  bad, sizeof(bad)),
		    "%s", bad_rows[i].list);
		cr_expect_str_eq(bad, bad_rows[i].bad);
	}
}

Test(protocols, a_long_word_is_cut_off)
{
	struct tls_protocols protocols;
	char bad[6] = "";

	cr_assert_not(tls_protocols_parse(
	    "TLSv1.2 bananas", &protocols, bad, sizeof(bad)));
	cr_assert_str_eq(bad, "banan");
	cr_assert_not(tls_protocols_parse("bananas", &protocols, NULL, 0));
}

Test(protocols, allow_within_bounds_and_exclusions)
{
	struct tls_protocols protocols;

	cr_assert(tls_protocols_parse(
	    ">=TLSv1 <=TLSv1.3 !TLSv1.2", &protocols, NULL, 0));
	cr_expect_not(tls_protocols_allow(&protocols, 0x0300));
	cr_expect(tls_protocols_allow(&protocols, 0x0301));
	cr_expect(tls_protocols_allow(&protocols, 0x0302));
	cr_expect_not(tls_protocols_allow(&protocols, 0x0303));
	cr_expect(tls_protocols_allow(&protocols, 0x0304));
	cr_expect_not(tls_protocols_allow(&protocols, 0x0305));
	cr_assert(tls_protocols_parse("", &protocols, NULL, 0));
	cr_expect(tls_protocols_allow(&protocols, 0x0300));
	cr_expect(tls_protocols_allow(&protocols, 0x0304));
	cr_assert(tls_protocols_parse("<=TLSv1.1", &protocols, NULL, 0));
	cr_expect(tls_protocols_allow(&protocols, 0x0302));
	cr_expect_not(tls_protocols_allow(&protocols, 0x0303));
}
