/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/loglevel.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define SEPARATORS ", \t\r\n"

#define LEVEL_1 LOGLEVEL_SUMMARY
#define LEVEL_2 (LEVEL_1 | LOGLEVEL_VERBOSE | LOGLEVEL_CACHE | LOGLEVEL_STATES)
#define LEVEL_3 (LEVEL_2 | LOGLEVEL_HANDSHAKE_BYTES)
#define LEVEL_4 (LEVEL_3 | LOGLEVEL_SESSION_BYTES)

static const struct {
	const char *word;
	unsigned topics;
} words[] = {
    {"0", 0},
    {"none", 0},
    {"1", LEVEL_1},
    {"routine", LEVEL_1},
    {"2", LEVEL_2},
    {"debug", LEVEL_2},
    {"3", LEVEL_3},
    {"ssl-expert", LEVEL_3},
    {"4", LEVEL_4},
    {"ssl-developer", LEVEL_4},
    {"5", LEVEL_4},
    {"6", LEVEL_4},
    {"7", LEVEL_4},
    {"8", LEVEL_4},
    {"9", LEVEL_4},
    {"summary", LOGLEVEL_SUMMARY},
    {"untrusted", LOGLEVEL_UNTRUSTED},
    {"peercert", LOGLEVEL_PEERCERT},
    {"verbose", LOGLEVEL_VERBOSE},
    {"cache", LOGLEVEL_CACHE},
    {"ssl-debug", LOGLEVEL_STATES},
    {"ssl-handshake-packet-dump", LOGLEVEL_HANDSHAKE_BYTES},
    {"ssl-session-packet-dump",
	LOGLEVEL_HANDSHAKE_BYTES | LOGLEVEL_SESSION_BYTES},
    {"certmatch", LOGLEVEL_CERTMATCH},
    /* A server has nothing to tell under this, in Postfix neither. */
    {"dane", 0},
    /* Files that Postfix 3.12 writes; there are none here. */
    {"trace", 0},
};

static bool find(const char *word, size_t len, unsigned *topics)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strlen(words[i].word) != len ||
		    strncasecmp(words[i].word, word, len) != 0)
			continue;
		*topics |= words[i].topics;
		return true;
	}
	return false;
}

bool loglevel_parse(const char *text, unsigned *topics_out)
{
	*topics_out = 0;
	for (text += strspn(text, SEPARATORS); *text != '\0';
	     text += strspn(text, SEPARATORS)) {
		size_t len = strcspn(text, SEPARATORS);
		if (!find(text, len, topics_out))
			return false;
		text += len;
	}
	return true;
}
