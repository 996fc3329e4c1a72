/* SPDX-License-Identifier: Apache-2.0 */
/* What a relay is, and what may be asked of it. Its steps are in
 * smtp/relay_client.c and smtp/relay_backend.c. */
#include "smtp/relay.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "smtp/counts.h"

void smtp_relay_init(
    struct smtp_relay *relay, const struct smtp_relay_backend *backend)
{
	const struct smtp_ehlo *ehlo = backend->ehlo;

	*relay = (struct smtp_relay){
	    .state = SMTP_RELAY_EXPECT_COMMAND,
	    .backend_chunking =
		ehlo != NULL && smtp_ehlo_has(ehlo, SMTP_KEYWORD_CHUNKING),
	    .backend_is_verified = backend->is_verified,
	    .xforward = ehlo != NULL ? ehlo->xforward : 0,
	    .says_xforward = backend->says_xforward,
	};
}

size_t smtp_relay_take_back(struct smtp_relay *relay,
    struct smtp_client *client, char *out, size_t out_size)
{
	enum smtp_verb verb;

	assert(out_size >= SMTP_RELAY_GREETING_SIZE_MAX);
	if (relay->state != SMTP_RELAY_EXPECT_HELO_REPLY ||
	    !relay->greets_first)
		return 0;
	/* Nothing passes behind it, and what came before it is answered. */
	assert(relay->outstanding.count == 1);
	verb = (enum smtp_verb)smtp_outstanding_first(&relay->outstanding);
	smtp_counts_taken_back(&client->counts, verb);
	int written = snprintf(
	    out, out_size, "%s %s\r\n", smtp_verb_name(verb), relay->helo);
	assert(written > 0 && (size_t)written < out_size);
	return (size_t)written;
}

size_t smtp_relay_insert(
    struct smtp_relay *relay, size_t len, char *out, size_t out_size)
{
	assert(relay->trace.insert_due);
	assert(len <= SMTP_RELAY_INSERT_LEN_MAX);
	assert(out_size >= SMTP_RELAY_BDAT_SIZE_MAX);
	smtp_trace_inserted(&relay->trace);
	if (relay->state == SMTP_RELAY_EXPECT_BODY)
		return 0;
	/* Nothing of the chunk was used yet, and the sum fits 63 bits: the
	 * verdict saw to it. */
	int written = snprintf(out, out_size, "BDAT %" PRIu64 "%s\r\n",
	    relay->chunk_left + len, relay->chunk_last ? " LAST" : "");
	assert(written > 0 && (size_t)written < out_size);
	return (size_t)written;
}

void smtp_relay_xforward(struct smtp_relay *relay, unsigned lines)
{
	assert(lines <= SMTP_RELAY_XFORWARD_MAX);
	relay->xforward_said = true;
	for (unsigned i = 0; i < lines; i++)
		smtp_outstanding_push(&relay->outstanding, SMTP_DUE_XFORWARD);
}

bool smtp_relay_is_idle(const struct smtp_relay *relay)
{
	return smtp_outstanding_is_empty(&relay->outstanding) &&
	       !smtp_relay_in_body(relay);
}

bool smtp_relay_awaits_backend(const struct smtp_relay *relay)
{
	/* The reply to a chunk is due when the backend has all of it. */
	unsigned early =
	    relay->state == SMTP_RELAY_EXPECT_CHUNK && !relay->discarding;
	return !relay->backend_lost && relay->outstanding.count > early;
}

bool smtp_relay_in_body(const struct smtp_relay *relay)
{
	return relay->state == SMTP_RELAY_EXPECT_BODY ||
	       relay->state == SMTP_RELAY_EXPECT_CHUNK;
}
