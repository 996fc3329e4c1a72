/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/client.h"

#include <assert.h>
#include <string.h>

/* The length of the UTF-8 character (RFC 3629) at the start of `text`; 0 when
 * there is none, or when it is a control character. */
static size_t character_len(const uint8_t *text, size_t len)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	if (text[0] < 0x80)
		return text[0] >= ' ' && text[0] != 0x7f;
	size_t size = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
	if (text[0] < 0xc2 || text[0] > 0xf4 || size > len)
		return 0;
	uint32_t code = text[0] & (0xffU >> (size + 1));
	for (size_t i = 1; i < size; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	if (code < smallest[size] || code < 0xa0 || code > 0x10ffff ||
	    (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return size;
}

void smtp_client_init(struct smtp_client *client)
{
	*client = (struct smtp_client){
	    .last = SMTP_VERB_UNKNOWN,
	    .helo_verb = SMTP_VERB_UNKNOWN,
	    .helo_to_come = SMTP_VERB_UNKNOWN,
	};
}

void smtp_client_tls_up(struct smtp_client *client)
{
	client->tls = true;
	client->after_message = false;
	client->helo_verb = SMTP_VERB_UNKNOWN;
	client->helo_to_come = SMTP_VERB_UNKNOWN;
	client->helo[0] = '\0';
	client->offered = 0;
	client->offered_size = 0;
	client->skipping_line = false;
	client->skipped = 0;
}

void smtp_client_keep_helo(
    struct smtp_client *client, const char *name, size_t len)
{
	assert(len < sizeof(client->helo));
	const uint8_t *text = (const uint8_t *)name;
	size_t at = 0;
	while (at < len) {
		size_t size = character_len(text + at, len - at);
		if (size == 0) {
			client->helo[at++] = '?';
			continue;
		}
		memcpy(client->helo + at, text + at, size);
		at += size;
	}
	client->helo[len] = '\0';
}

void smtp_client_xclient(
    struct smtp_client *client, enum smtp_verb helo_verb, const char *helo)
{
	client->may_xclient = false;
	client->helo_verb = SMTP_VERB_UNKNOWN;
	client->helo[0] = '\0';
	client->offered = 0;
	client->offered_size = 0;
	if (helo[0] == '\0')
		return;
	smtp_client_keep_helo(client, helo, strlen(helo));
	client->helo_verb =
	    helo_verb == SMTP_VERB_UNKNOWN ? SMTP_VERB_HELO : helo_verb;
}

const char *smtp_client_last(const struct smtp_client *client)
{
	if (!client->spoke)
		return "CONNECT";
	if (client->after_message)
		return "END-OF-MESSAGE";
	return smtp_verb_name(client->last);
}

bool smtp_client_hides_auth(
    const struct smtp_client *client, const struct smtp_policy *policy)
{
	return !client->tls &&
	       (policy->auth_only || policy->tls_level == SMTP_TLS_ENCRYPT);
}
