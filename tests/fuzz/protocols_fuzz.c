/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/protocols.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#define KNOWN_BITS                                               \
	(SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | \
	    SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct tls_protocols *a, const struct tls_protocols *b)
{
	return a->floor == b->floor && a->ceiling == b->ceiling &&
	       a->excluded == b->excluded;
}

static bool is_bound(int version)
{
	return version == 0 || (version >= 0x0300 && version <= 0x0304);
}

static bool parse(const char *list, struct tls_protocols *protocols_out)
{
	char bad[32];
	bool fine;

	memset(bad, 'x', sizeof(bad));
	fine = tls_protocols_parse(list, protocols_out, bad, sizeof(bad));
	if (fine) {
		assert(bad[0] == 'x');
		return true;
	}
	/* The bad word is one of the list's, whole or cut off. */
	assert(memchr(bad, '\0', sizeof(bad)) != NULL);
	assert(bad[0] != '\0');
	assert(strstr(list, bad) != NULL);
	assert(strpbrk(bad, ", \t\r\n:") == NULL);
	return false;
}

/* Other separators, other case, and a word without effect change nothing. */
static void check_variant(
    const char *list, const struct tls_protocols *protocols, bool fine)
{
	size_t size = strlen(list) + sizeof(":!SSLv2");
	char *variant = malloc(size);
	struct tls_protocols again;

	assert(variant != NULL);
	snprintf(variant, size, "%s:!SSLv2", list);
	for (char *at = variant; *at != '\0'; at++) {
		if (*at == ',')
			*at = '\t';
		else if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	}
	assert(parse(variant, &again) == fine);
	assert(!fine || same(protocols, &again));
	free(variant);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_protocols protocols;
	char *list = malloc(size + 1);
	bool fine;

	assert(list != NULL);
	memcpy(list, data, size);
	list[size] = '\0';
	fine = parse(list, &protocols);
	if (fine) {
		assert(is_bound(protocols.floor));
		assert(is_bound(protocols.ceiling));
		assert((protocols.excluded & ~KNOWN_BITS) == 0);
		for (int version = 0x02ff; version <= 0x0305; version++) {
			bool allowed = tls_protocols_allow(&protocols, version);

			assert(!allowed || version >= protocols.floor);
			assert(!allowed || protocols.ceiling == 0 ||
			       version <= protocols.ceiling);
			assert(!allowed || is_bound(version));
		}
	}
	check_variant(list, &protocols, fine);
	free(list);
	return 0;
}
