/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/discard.h"

#include <string.h>
#include <strings.h>

#include "proxy/peer.h"
#include "smtp/ehlo.h"

static bool is_silent(const char *word, size_t len)
{
	return len == strlen("silent-discard") &&
	       strncasecmp(word, "silent-discard", len) == 0;
}

uint32_t discard_read(
    const char *words, const char *place, struct report *report)
{
	const char *cursor = words;
	uint32_t discarded = 0;
	const char *word;
	size_t len;

	while (settings_list_next(&cursor, &word, &len) && len != SIZE_MAX) {
		enum smtp_keyword keyword = smtp_keyword_find(word, len);

		if (keyword != SMTP_KEYWORD_COUNT)
			discarded |= UINT32_C(1) << keyword;
		else if (report != NULL && !is_silent(word, len))
			report_add(report, REPORT_WARNING, place,
			    "smtpd_discard_ehlo_keywords: \"%.*s\" is no "
			    "keyword that Postern offers, so there is nothing "
			    "to leave out",
			    (int)len, word);
	}
	return discarded;
}

uint32_t discard_for(
    const struct service *service, const struct sockaddr_in6 *client)
{
	char address[PEER_ADDRESS_SIZE];
	char buffer[1024];
	const char *words;

	if (service->discard_maps == NULL)
		return 0;
	peer_address(client, address, sizeof(address));
	if (table_find(service->discard_maps, address, &words, buffer,
		sizeof(buffer)) != TABLE_FOUND)
		return service->discarded;
	return discard_read(words, NULL, NULL);
}
