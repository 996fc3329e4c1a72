/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/groups.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>

#define SEPARATORS ", \t\r\n:"
#define LIST_SIZE  1024

/* Present or absent by OpenSSL's release (3.5 brought them), so that lists name
 * them in advance: no reason to warn. */
static const char *const hybrids[] = {
    "X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"};

static bool is_hybrid(const char *name)
{
	for (size_t i = 0; i < sizeof(hybrids) / sizeof(hybrids[0]); i++)
		if (strcasecmp(name, hybrids[i]) == 0)
			return true;
	return false;
}

/* False, and list is as it was, when there is no room. */
static bool append(char *list, char separator, const char *name)
{
	size_t len = strlen(list);
	size_t name_len = strlen(name);

	if (len + name_len + 2 > LIST_SIZE)
		return false;
	if (len > 0)
		list[len++] = separator;
	memcpy(list + len, name, name_len + 1);
	return true;
}

/* Takes name into the list that is in force, if OpenSSL takes it there. OpenSSL
 * refuses a whole list for one name that it does not know, or that is another
 * name of a group in the list: so the list grows name by name. */
static void try_name(SSL_CTX *ctx, const char *name, char *known, char *unknown)
{
	size_t known_len = strlen(known);

	if (append(known, ':', name) &&
	    SSL_CTX_set1_groups_list(ctx, known) == 1)
		return;
	known[known_len] = '\0';
	if (known_len > 0 && SSL_CTX_set1_groups_list(ctx, name) == 1) {
		SSL_CTX_set1_groups_list(ctx, known);
		return;
	}
	if (!is_hybrid(name))
		append(unknown, ' ', name);
}

void tls_groups_apply(SSL_CTX *ctx, const char *names, const char *parameter,
    struct tls_findings *findings)
{
	char known[LIST_SIZE] = "";
	char unknown[LIST_SIZE] = "";

	for (const char *at = names + strspn(names, SEPARATORS); *at != '\0';
	     at += strspn(at, SEPARATORS)) {
		char name[LIST_SIZE];
		size_t len = strcspn(at, SEPARATORS);

		snprintf(name, sizeof(name), "%.*s",
		    len < sizeof(name) ? (int)len : LIST_SIZE - 1, at);
		try_name(ctx, name, known, unknown);
		at += len;
	}
	ERR_clear_error();
	if (unknown[0] != '\0')
		tls_findings_warning(findings, parameter,
		    "%s does not know \"%s\", which is skipped",
		    OpenSSL_version(OPENSSL_VERSION), unknown);
	if (known[0] == '\0')
		tls_findings_error(findings, parameter,
		    "none of \"%s\" is a key-exchange group; must be names "
		    "such "
		    "as X25519, prime256v1, secp384r1",
		    names);
}
