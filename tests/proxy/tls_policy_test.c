/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/tls_policy.h"

#include <criterion/criterion.h>

TestSuite(tls_policy);

static struct tls_policy policy;
static char why[512];

static bool parse(const char *value)
{
	why[0] = '\0';
	return tls_policy_parse(value, &policy, why, sizeof(why));
}

Test(tls_policy, levels)
{
	static const struct {
		const char *value;
		enum settings_client_level level;
	} rows[] = {
	    {"none", SETTINGS_CLIENT_NONE},
	    {"may", SETTINGS_CLIENT_MAY},
	    {" Encrypt ", SETTINGS_CLIENT_ENCRYPT},
	    {"fingerprint", SETTINGS_CLIENT_FINGERPRINT},
	    {"VERIFY", SETTINGS_CLIENT_VERIFY},
	    {"secure", SETTINGS_CLIENT_SECURE},
	    {"dane", SETTINGS_CLIENT_DANE},
	    {"dane-only", SETTINGS_CLIENT_DANE_ONLY},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect(parse(rows[i].value), "%s", why);
		cr_expect_eq(policy.level, rows[i].level);
		cr_expect_str_eq(policy.ignored, "");
		cr_expect_not(policy.match.is_present);
	}
}

Test(tls_policy, attributes)
{
	cr_assert(parse("secure match=a.test:.b.test, { match = c.test } "
			"tafile=/a.pem tafile=/b.pem PROTOCOLS=TLSv1.2:TLSv1.3 "
			"ciphers=HIGH exclude=aNULL:kRSA servername=mx.test"),
	    "%s", why);
	cr_expect_str_eq(policy.match.text, "a.test .b.test c.test");
	cr_expect_str_eq(policy.tafile.text, "/a.pem /b.pem");
	cr_expect_str_eq(policy.protocols.text, "TLSv1.2:TLSv1.3");
	cr_expect_str_eq(policy.ciphers.text, "HIGH");
	cr_expect_str_eq(policy.exclude.text, "aNULL:kRSA");
	cr_expect_str_eq(policy.servername.text, "mx.test");
}

/* Those have colons of their own. */
Test(tls_policy, fingerprints)
{
	cr_assert(parse("fingerprint match=00:11|22:33 match=44"), "%s", why);
	cr_expect_str_eq(policy.match.text, "00:11 22:33 44");
}

/* Replaces main.cf's list, also by nothing. */
Test(tls_policy, empty_exclude)
{
	cr_assert(parse("may exclude="), "%s", why);
	cr_expect(policy.exclude.is_present);
	cr_expect_str_eq(policy.exclude.text, "");
}

Test(tls_policy, without_effect)
{
	cr_assert(parse("none match=x ciphers=junk"), "%s", why);
	cr_expect_str_eq(policy.ignored, "match ciphers");
	cr_assert(parse("may connection_reuse=yes enable_rpk=no"), "%s", why);
	cr_expect_str_eq(policy.ignored, "connection_reuse enable_rpk");
}

Test(tls_policy, what_is_wrong_is_told)
{
	static const struct {
		const char *value, *why;
	} rows[] = {
	    {"", "it is empty; must begin with none, may, encrypt, "
		 "fingerprint, verify, secure, dane or dane-only"},
	    {"must", "\"must\" is no level; must be none, may, encrypt, "
		     "fingerprint, verify, secure, dane or dane-only"},
	    {"may match=x", "\"match\" has no meaning at this level; must "
			    "stand with fingerprint, verify or secure"},
	    {"encrypt match=x", "\"match\" has no meaning at this level; must "
				"stand with fingerprint, verify or secure"},
	    {"encrypt tafile=/x", "\"tafile\" has no meaning at this level; "
				  "must stand with verify or secure"},
	    {"fingerprint tafile=/x", "\"tafile\" has no meaning at this "
				      "level; must stand with verify or "
				      "secure"},
	    {"may ciphers=high ciphers=high",
		"\"ciphers\" stands there twice; must stand once"},
	    {"may exclude=a exclude=b",
		"\"exclude\" stands there twice; must stand once"},
	    {"may servername=a servername=b",
		"\"servername\" stands there twice; must stand once"},
	    {"may servername=192.0.2.1",
		"servername=192.0.2.1: is no host name; must be one"},
	    {"may ciphers=superhigh", "ciphers=superhigh: is no cipher grade; "
				      "must be high, medium or null"},
	    {"may protocols=TLSv9",
		"protocols=TLSv9: \"TLSv9\" is no protocol version; must be "
		"such as TLSv1.2:TLSv1.3 or >=TLSv1.2"},
	    {"may exclude=aNULL:!RC4",
		"exclude=aNULL:!RC4: \"!\" is out of place; must be bare names "
		"of suites, or of kinds of suites such as aNULL"},
	    {"may enable_rpk=yes",
		"enable_rpk: raw public keys are not supported; must be no"},
	    {"may colour=red", "\"colour\" is no attribute; must be "
			       "protocols, ciphers, exclude, match, "
			       "servername or tafile"},
	    {"may red", "\"red\" is no attribute; must be name=value"},
	    {"may =red", "\"=red\" is no attribute; must be name=value"},
	    {"may { ciphers = high", "a brace is not closed"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_not(parse(rows[i].value), "%s", rows[i].value);
		cr_expect_str_eq(why, rows[i].why);
	}
}

Test(tls_policy, too_long)
{
	char value[3 * TLS_POLICY_TEXT_SIZE] = "secure match=";

	memset(value + strlen(value), 'a', 2 * TLS_POLICY_TEXT_SIZE);
	cr_assert_not(parse(value));
	cr_expect_str_eq(
	    why, "\"match\" is too long; must have less than 1024 characters");
}
