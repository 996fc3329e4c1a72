/* SPDX-License-Identifier: Apache-2.0 */
/* Levels and words of smtpd_tls_loglevel, as Postfix 3.7 takes them. */
#include <criterion/criterion.h>

#include "conf/loglevel.h"

#define LEVEL_2 \
	(LOGLEVEL_SUMMARY | LOGLEVEL_VERBOSE | LOGLEVEL_CACHE | LOGLEVEL_STATES)
#define LEVEL_3 (LEVEL_2 | LOGLEVEL_HANDSHAKE_BYTES)
#define LEVEL_4 (LEVEL_3 | LOGLEVEL_SESSION_BYTES)

static const struct {
	const char *text;
	unsigned topics;
} rows[] = {
    {"", 0},
    {"0", 0},
    {"none", 0},
    {"1", LOGLEVEL_SUMMARY},
    {"routine", LOGLEVEL_SUMMARY},
    {"summary", LOGLEVEL_SUMMARY},
    {"2", LEVEL_2},
    {"debug", LEVEL_2},
    {"Debug", LEVEL_2},
    {"3", LEVEL_3},
    {"ssl-expert", LEVEL_3},
    {"4", LEVEL_4},
    {"ssl-developer", LEVEL_4},
    {"5", LEVEL_4},
    {"9", LEVEL_4},
    {"untrusted", LOGLEVEL_UNTRUSTED},
    {"peercert", LOGLEVEL_PEERCERT},
    {"verbose", LOGLEVEL_VERBOSE},
    {"cache", LOGLEVEL_CACHE},
    {"ssl-debug", LOGLEVEL_STATES},
    {"ssl-handshake-packet-dump", LOGLEVEL_HANDSHAKE_BYTES},
    {"ssl-session-packet-dump",
	LOGLEVEL_HANDSHAKE_BYTES | LOGLEVEL_SESSION_BYTES},
    {"certmatch", LOGLEVEL_CERTMATCH},
    {"dane", 0},
    {"trace", 0},
    {"summary, UNTRUSTED\tpeercert",
	LOGLEVEL_SUMMARY | LOGLEVEL_UNTRUSTED | LOGLEVEL_PEERCERT},
    {",1 cache,", LOGLEVEL_SUMMARY | LOGLEVEL_CACHE},
    {"2,untrusted", LEVEL_2 | LOGLEVEL_UNTRUSTED},
};

Test(loglevel, takes_levels_and_words)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		unsigned topics = ~0u;
		cr_expect(
		    loglevel_parse(rows[i].text, &topics), "%s", rows[i].text);
		cr_expect_eq(topics, rows[i].topics, "%s", rows[i].text);
	}
}

Test(loglevel, refuses_what_is_neither)
{
	static const char *const texts[] = {"10", "-1", "01", "summar",
	    "summaryx", "1;2", "ssl_debug", "1 nonsense", "{ 1 }"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		unsigned topics;
		cr_expect_not(
		    loglevel_parse(texts[i], &topics), "%s", texts[i]);
	}
}
