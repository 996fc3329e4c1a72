/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "smtp/client.h"
#include "smtp/end.h"

Test(client, names_the_last_command)
{
	struct smtp_client client;
	smtp_client_init(&client);
	cr_assert_str_eq(smtp_client_last(&client), "CONNECT");
	client.spoke = true;
	cr_assert_str_eq(smtp_client_last(&client), "UNKNOWN");
	client.last = SMTP_VERB_MAIL;
	cr_assert_str_eq(smtp_client_last(&client), "MAIL");
	client.after_message = true;
	cr_assert_str_eq(smtp_client_last(&client), "END-OF-MESSAGE");
}

/* RFC 3207, 4.2. */
Test(client, forgets_what_was_said_in_clear)
{
	struct smtp_client client;
	smtp_client_init(&client);
	cr_assert_eq(client.helo_verb, SMTP_VERB_UNKNOWN);
	cr_assert_not(client.tls);
	client.helo_verb = SMTP_VERB_EHLO;
	strcpy(client.helo, "client.example");
	client.offered = 5;
	client.offered_size = 1000;
	client.errors = 3;
	client.spoke = true;
	client.last = SMTP_VERB_STARTTLS;
	smtp_counts_came(&client.counts, SMTP_VERB_STARTTLS);

	smtp_client_tls_up(&client);
	cr_assert(client.tls);
	cr_assert_eq(client.helo_verb, SMTP_VERB_UNKNOWN);
	cr_assert_str_eq(client.helo, "");
	cr_assert_eq(client.offered, 0);
	cr_assert_eq(client.offered_size, 0);
	cr_assert_eq(client.errors, 3);
	cr_assert_eq(smtp_counts_total(&client.counts), 1);
	cr_assert_str_eq(smtp_client_last(&client), "STARTTLS");
}

Test(client, every_end_has_a_text)
{
	cr_assert_str_eq(
	    smtp_end_text(SMTP_END_CLIENT_QUIT), "the client said QUIT");
	for (unsigned i = 0; i < SMTP_END_COUNT; i++)
		cr_assert_gt(strlen(smtp_end_text((enum smtp_end)i)), 0);
}
