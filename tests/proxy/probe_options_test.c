/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/probe_options.h"

#include <string.h>

#include <criterion/criterion.h>

#include "proxy/address.h"

#define WORDS_MAX 48

static struct probe_options options;
static char why[256];

/* Words by blanks, as behind `postern probe`. */
static bool parse(const char *text)
{
	static char copy[1024];
	static char *words[WORDS_MAX + 1];
	size_t count = 0;

	cr_assert(strlen(text) < sizeof(copy));
	strcpy(copy, text);
	for (char *word = strtok(copy, " "); word != NULL;
	     word = strtok(NULL, " ")) {
		cr_assert(count < WORDS_MAX);
		words[count++] = word;
	}
	words[count] = NULL;
	why[0] = '\0';
	return probe_options_parse(words, &options, why, sizeof(why));
}

Test(probe_options, places)
{
	static const struct {
		const char *text, *host;
		unsigned port;
		bool wrappermode;
		const char *servername;
	} rows[] = {
	    {"mx.test", "mx.test", 25, false, "mx.test"},
	    {"mx.test:587", "mx.test", 587, false, "mx.test"},
	    {"mx.test:465", "mx.test", 465, true, "mx.test"},
	    {"-w mx.test", "mx.test", 465, true, "mx.test"},
	    {"-w mx.test:25", "mx.test", 25, true, "mx.test"},
	    {"--starttls mx.test:465", "mx.test", 465, false, "mx.test"},
	    {"mx.test:smtp", "mx.test", 25, false, "mx.test"},
	    {"[mx.test]:26", "mx.test", 26, false, "mx.test"},
	    {"192.0.2.1", "192.0.2.1", 25, false, ""},
	    {"[192.0.2.1]:26", "192.0.2.1", 26, false, ""},
	    {"2001:db8::1", "2001:db8::1", 25, false, ""},
	    {"[2001:db8::1]", "2001:db8::1", 25, false, ""},
	    {"[2001:db8::1]:465", "2001:db8::1", 465, true, ""},
	    {"-s a.test 192.0.2.1", "192.0.2.1", 25, false, "a.test"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert(parse(rows[i].text), "%s: %s", rows[i].text, why);
		cr_assert_str_eq(options.host, rows[i].host);
		cr_assert_eq(options.port, rows[i].port, "%s", rows[i].text);
		cr_assert_eq(options.wrappermode, rows[i].wrappermode);
		cr_assert_str_eq(options.servername, rows[i].servername);
	}
}

Test(probe_options, defaults)
{
	cr_assert(parse("mx.test"));
	cr_assert_eq(options.level, TLS_CLIENT_ENCRYPT);
	cr_assert_eq(options.timeout_s, 30);
	cr_assert_eq(options.loglevel, 1);
	cr_assert_eq(options.families, 0);
	cr_assert_eq(options.match_count, 0);
	cr_assert_not(options.all);
	cr_assert_not(options.json);
	cr_assert_null(options.helo);
}

Test(probe_options, all_that_there_are)
{
	cr_assert(parse("--all --json -4vl verify -F ca -P dir -A anchor -d "
			"sha1 -s sni --helo me -p TLSv1.2 --ciphers HIGH "
			"-t5 mx.test a.test .b.test"),
	    "%s", why);
	cr_assert(options.all);
	cr_assert(options.json);
	cr_assert_eq(options.families, ADDRESS_IPV4);
	cr_assert_eq(options.loglevel, PROBE_LOGLEVEL_TALK);
	cr_assert_eq(options.level, TLS_CLIENT_VERIFY);
	cr_assert_str_eq(options.ca_file, "ca");
	cr_assert_str_eq(options.ca_path, "dir");
	cr_assert_str_eq(options.trust_anchor_file, "anchor");
	cr_assert_str_eq(options.digest, "sha1");
	cr_assert_str_eq(options.servername, "sni");
	cr_assert_str_eq(options.helo, "me");
	cr_assert_str_eq(options.protocols, "TLSv1.2");
	cr_assert_str_eq(options.ciphers, "HIGH");
	cr_assert_eq(options.timeout_s, 5);
	cr_assert_eq(options.match_count, 2);
	cr_assert_str_eq(options.matches[1], ".b.test");
}

Test(probe_options, the_host_is_the_name_that_is_verified)
{
	cr_assert(parse("-l secure mx.test:26"));
	cr_assert_eq(options.match_count, 1);
	cr_assert_str_eq(options.matches[0], "mx.test");
}

Test(probe_options, what_is_not_understood)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
	    {"", "probe wants the name of a server"},
	    {"--all", "probe wants the name of a server"},
	    {"-z mx", "unknown option \"-z\""},
	    {"- mx", "unknown option \"-\""},
	    {"--fast mx", "unknown option \"--fast\""},
	    {"--timeout", "there is nothing behind \"--timeout\""},
	    {"-t", "there is nothing behind \"-t\""},
	    {"-t 0 mx", "--timeout wants seconds from 1 to 3600, not \"0\""},
	    {"-t 3601 mx",
		"--timeout wants seconds from 1 to 3600, not \"3601\""},
	    {"-t 5s mx", "--timeout wants seconds from 1 to 3600, not \"5s\""},
	    {"-L 5 mx", "--loglevel wants a number from 0 to 4, not \"5\""},
	    {"-l dane mx", "--level wants may, encrypt, fingerprint, verify or "
			   "secure, not \"dane\""},
	    {"-l fingerprint mx", "fingerprints must stand behind \"mx\""},
	    {"-l verify 192.0.2.1", "names to verify must stand behind the "
				    "address \"192.0.2.1\""},
	    {"mx name",
		"names and fingerprints go with --level fingerprint, verify or "
		"secure; there is no use for \"name\""},
	    {"mx:0", "there is no such port: \"0\""},
	    {"mx:65536", "there is no such port: \"65536\""},
	    {"mx:", "there is no such port: \"\""},
	    {":25",
		"a place is HOST, HOST:PORT or [ADDRESS]:PORT, not \":25\""},
	    {"[::1", "a place is HOST, HOST:PORT or [ADDRESS]:PORT, not "
		     "\"[::1\""},
	    {"[::1]25", "a place is HOST, HOST:PORT or [ADDRESS]:PORT, not "
			"\"[::1]25\""},
	    {"--starttls -w mx",
		"--starttls and --wrappermode exclude each other"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_not(parse(rows[i].text), "%s", rows[i].text);
		cr_assert_eq(strncmp(why, rows[i].why, strlen(rows[i].why)), 0,
		    "%s", why);
		cr_assert_str_eq(
		    why + strlen(rows[i].why), "; see \"postern --help\"");
	}
}

Test(probe_options, too_much)
{
	char text[1024] = "-l verify mx.test";
	char *words[] = {text, NULL};

	for (size_t i = 0; i < PROBE_MATCHES_MAX; i++)
		strcat(text, " a");
	cr_assert(parse(text));
	cr_assert_eq(options.match_count, PROBE_MATCHES_MAX);
	strcat(text, " b");
	cr_assert_not(parse(text));
	memset(text, 'a', PROBE_HOST_SIZE);
	text[PROBE_HOST_SIZE] = '\0';
	cr_assert_not(probe_options_parse(words, &options, why, sizeof(why)));
	text[PROBE_HOST_SIZE - 1] = '\0';
	cr_assert(probe_options_parse(words, &options, why, sizeof(why)));
	strcpy(text, "mx\x1b[31m");
	cr_assert_not(probe_options_parse(words, &options, why, sizeof(why)));
}
