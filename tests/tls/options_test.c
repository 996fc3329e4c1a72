/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/options.h"

#include <criterion/criterion.h>
#include <openssl/ssl.h>

#include "tls/fixture.h"
#include "tls/handles.h"

TestSuite(options, .init = fixture_init, .fini = fixture_fini);

typedef bool parse(const char *list, struct tls_options *options_out,
    char *bad_out, size_t bad_size);

/* The bits are those of OpenSSL 3's ABI. */
static const struct {
	parse *parse;
	const char *list;
	uint64_t bits, refused;
} good[] = {
    {tls_options_parse, "", 0, 0},
    {tls_options_parse, "NO_TICKET", 0x4000, 0},
    {tls_options_parse, " no_ticket,\tPRIORITIZE_CHACHA ", 0x204000, 0},
    {tls_options_parse, "LEGACY_SERVER_CONNECT", 0x4, 0},
    {tls_options_parse, "NO_COMPRESSION NO_RENEGOTIATION", 0x40020000, 0},
    {tls_options_parse, "NO_SESSION_RESUMPTION_ON_RENEGOTIATION", 0x10000, 0},
    {tls_options_parse, "ENABLE_MIDDLEBOX_COMPAT", 0x100000, 0},
    {tls_options_parse, "0x4000", 0x4000, 0},
    {tls_options_parse, "0x4000, 0X80000", 0x84000, 0},
    /* TLSv1.3, the server's preference, EOF, client's renegotiation, psk_ke,
     * and a workaround: not ours */
    {tls_options_parse, "0x20404590", 0x4000, 0x20400590},
    {tls_options_parse_workarounds, "", 0, 0},
    {tls_options_parse_workarounds, "TLSEXT_PADDING", 0x10, 0},
    {tls_options_parse_workarounds, "DONT_INSERT_EMPTY_FRAGMENTS", 0x800, 0},
    {tls_options_parse_workarounds, "cryptopro_tlsext_bug", 0x80000000, 0},
    {tls_options_parse_workarounds,
	"MICROSOFT_SESS_ID_BUG NETSCAPE_CHALLENGE_BUG "
	"NETSCAPE_REUSE_CIPHER_CHANGE_BUG CVE-2010-4180 "
	"SSLREF2_REUSE_CERT_TYPE_BUG MICROSOFT_BIG_SSLV3_BUFFER "
	"MSIE_SSLV2_RSA_PADDING CVE-2005-2969 SSLEAY_080_CLIENT_DH_BUG "
	"TLS_D5_BUG TLS_BLOCK_PADDING_BUG TLS_ROLLBACK_BUG "
	"LEGACY_SERVER_CONNECT",
	0, 0},
    {tls_options_parse_workarounds, "0x4010", 0x10, 0},
};

static const struct {
	parse *parse;
	const char *list, *bad;
} wrong[] = {
    {tls_options_parse, "NO_TICKETS", "NO_TICKETS"},
    {tls_options_parse, "NO_TICKET TLSEXT_PADDING", "TLSEXT_PADDING"},
    {tls_options_parse, "4000", "4000"},
    {tls_options_parse, "0x", "0x"},
    {tls_options_parse, "0x4g", "0x4g"},
    {tls_options_parse, "0x-4", "0x-4"},
    {tls_options_parse, "0x10000000000000000", "0x10000000000000000"},
    {tls_options_parse_workarounds, "NO_TICKET", "NO_TICKET"},
};

Test(options, parse)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct tls_options options;
		char bad[64];

		cr_assert(
		    good[i].parse(good[i].list, &options, bad, sizeof(bad)),
		    "%s", good[i].list);
		cr_expect_eq(options.bits, good[i].bits, "%s: %lx",
		    good[i].list, (unsigned long)options.bits);
		cr_expect_eq(options.refused, good[i].refused, "%s: %lx",
		    good[i].list, (unsigned long)options.refused);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct tls_options options;
		char bad[64];

		cr_expect_not(
		    wrong[i].parse(wrong[i].list, &options, bad, sizeof(bad)),
		    "%s", wrong[i].list);
		cr_expect_str_eq(bad, wrong[i].bad);
	}
}

Test(options, in_a_context)
{
	static const struct {
		const char *add, *remove;
		uint64_t set, cleared;
		const char *finding;
	} rows[] = {
	    {"", "", 0x10, 0x4400, ""},
	    {"NO_TICKET", "TLSEXT_PADDING", 0x4000, 0x10, ""},
	    {"0x404", "", 0x4, 0x400,
		"warning tls_ssl_options: 0x400 is ignored: other parameters "
		"rule these bits, or sessions would be unsafe with them\n"},
	    {"X", "", 0, 0,
		"error tls_ssl_options: \"X\" is no option; must be names "
		"such as NO_TICKET, or a mask such as 0x4000\n"},
	    {"", "X", 0, 0,
		"error tls_disable_workarounds: \"X\" is no workaround; must "
		"be names such as TLSEXT_PADDING, or a mask such as 0x10\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context_options options =
		    fixture_options(fixture_chain("p256"));
		struct tls_context *context;
		uint64_t bits;

		options.tls_ssl_options = rows[i].add;
		options.tls_disable_workarounds = rows[i].remove;
		fixture_findings[0] = '\0';
		context = tls_context_create(&options, &fixture_report);
		cr_expect_str_eq(fixture_findings, rows[i].finding);
		if (context == NULL)
			continue;
		bits = SSL_CTX_get_options(tls_context_handle(context));
		cr_expect_eq(bits & rows[i].set, rows[i].set);
		cr_expect_eq(bits & rows[i].cleared, 0);
		tls_context_destroy(&context);
	}
}
