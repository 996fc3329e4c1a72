/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/client.h"

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
