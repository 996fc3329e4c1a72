/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/protocols.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/ssl.h>

#define SEPARATORS ", \t\r\n:"
#define WORD_SIZE  32 /* longer than any word that means something */

struct version {
	const char *name;
	int number;
	unsigned long bit;
};

static const struct version versions[] = {
    {"SSLv3", SSL3_VERSION, SSL_OP_NO_SSLv3},
    {"TLSv1", TLS1_VERSION, SSL_OP_NO_TLSv1},
    {"TLSv1.1", TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
    {"TLSv1.2", TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
    {"TLSv1.3", TLS1_3_VERSION, SSL_OP_NO_TLSv1_3},
};
#define VERSION_COUNT (sizeof(versions) / sizeof(versions[0]))

/* "0303" or "0x0303"; -1 for what is no number. */
static int hexadecimal(const char *word)
{
	char *end;
	unsigned long number;

	if (strspn(word, "0123456789abcdefABCDEFxX") != strlen(word))
		return -1;
	number = strtoul(word, &end, 16);
	if (end == word || *end != '\0' || number > 0xffff)
		return -1;
	return (int)number;
}

static const struct version *find_version(const char *word)
{
	int number = hexadecimal(word);

	for (size_t i = 0; i < VERSION_COUNT; i++)
		if (strcasecmp(word, versions[i].name) == 0 ||
		    number == versions[i].number)
			return &versions[i];
	return NULL;
}

static bool take_bound(const char *word, int *bound_out)
{
	const struct version *version = find_version(word);

	if (strcasecmp(word, "None") == 0 || hexadecimal(word) == 0) {
		*bound_out = 0;
		return true;
	}
	if (version == NULL)
		return false;
	*bound_out = version->number;
	return true;
}

static bool take_name(const char *word, unsigned long *bits)
{
	const struct version *version = find_version(word);

	if (version != NULL)
		*bits |= version->bit;
	/* SSLv2 is gone from OpenSSL, but not from people's "!SSLv2". */
	return version != NULL || strcasecmp(word, "SSLv2") == 0;
}

static bool take_word(
    const char *word, struct tls_protocols *protocols, unsigned long *included)
{
	if (strncmp(word, ">=", 2) == 0)
		return take_bound(word + 2, &protocols->floor);
	if (strncmp(word, "<=", 2) == 0)
		return take_bound(word + 2, &protocols->ceiling);
	if (word[0] == '!')
		return take_name(word + 1, &protocols->excluded);
	return take_name(word, included);
}

static void copy_cut(
    char *out, size_t out_size, const char *text, size_t text_len)
{
	if (out_size == 0)
		return;
	if (text_len >= out_size)
		text_len = out_size - 1;
	memcpy(out, text, text_len);
	out[text_len] = '\0';
}

bool tls_protocols_parse(const char *list, struct tls_protocols *protocols_out,
    char *bad_out, size_t bad_size)
{
	unsigned long included = 0;
	char word[WORD_SIZE];

	*protocols_out = (struct tls_protocols){0};
	for (list += strspn(list, SEPARATORS); *list != '\0';
	     list += strspn(list, SEPARATORS)) {
		size_t len = strcspn(list, SEPARATORS);

		copy_cut(word, sizeof(word), list, len);
		if (len >= sizeof(word) ||
		    !take_word(word, protocols_out, &included)) {
			copy_cut(bad_out, bad_size, list, len);
			return false;
		}
		list += len;
	}
	for (size_t i = 0; i < VERSION_COUNT && included != 0; i++)
		protocols_out->excluded |= versions[i].bit & ~included;
	return true;
}

bool tls_protocols_allow(const struct tls_protocols *protocols, int version)
{
	for (size_t i = 0; i < VERSION_COUNT; i++)
		if (versions[i].number == version)
			return (protocols->excluded & versions[i].bit) == 0 &&
			       version >= protocols->floor &&
			       (protocols->ceiling == 0 ||
				   version <= protocols->ceiling);
	return false;
}
