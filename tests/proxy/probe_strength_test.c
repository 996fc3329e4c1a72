/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/probe_strength.h"

#include <stdio.h>

#include <criterion/criterion.h>

static struct probe_strength strength_of(
    const char *name, const char *curve, int bits)
{
	struct tls_facts facts = {.forward_secret = true};
	struct tls_algorithm *exchange = &facts.key_exchange;

	snprintf(exchange->name, sizeof(exchange->name), "%s", name);
	snprintf(exchange->curve, sizeof(exchange->curve), "%s", curve);
	exchange->bits = bits;
	return probe_strength_of(&facts);
}

Test(probe_strength, of_each_kind)
{
	static const struct {
		const char *name, *curve;
		int size, bits;
		const char *word;
	} rows[] = {
	    {"X25519", "", 0, 128, "strong"},
	    {"x25519", "", 0, 128, "strong"},
	    {"X448", "", 0, 224, "strong"},
	    {"X25519MLKEM768", "", 0, 128, "strong"},
	    {"ECDHE", "prime256v1", 0, 128, "strong"},
	    {"ECDHE", "secp384r1", 0, 192, "strong"},
	    {"ECDHE", "secp224r1", 0, 112, "fair"},
	    {"ECDHE", "prime192v1", 0, 96, "weak"},
	    {"ECDHE", "somethingnew", 0, 0, "unknown"},
	    {"DHE", "", 256, 0, "weak"},
	    {"DHE", "", 512, 40, "weak"},
	    {"DHE", "", 1023, 60, "weak"},
	    {"DHE", "", 1024, 80, "weak"},
	    {"DHE", "", 2047, 80, "weak"},
	    {"DHE", "", 2048, 112, "fair"},
	    {"DHE", "", 3072, 128, "strong"},
	    {"DHE", "", 4096, 152, "strong"},
	    {"DHE", "", 16384, 200, "strong"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct probe_strength strength =
		    strength_of(rows[i].name, rows[i].curve, rows[i].size);

		cr_assert_eq(strength.bits, rows[i].bits, "%s %s %d: %d",
		    rows[i].name, rows[i].curve, rows[i].size, strength.bits);
		cr_assert_str_eq(strength.word, rows[i].word);
	}
}

Test(probe_strength, none_without_forward_secrecy)
{
	struct tls_facts facts = {
	    .key_exchange = {.name = "RSA", .bits = 4096},
	};

	cr_assert_eq(probe_strength_of(&facts).bits, 0);
	cr_assert_str_eq(probe_strength_of(&facts).word, "none");
}
