/* SPDX-License-Identifier: Apache-2.0 */
/* /sessions. The list is made while it is sent, session by session, so that it
 * holds no memory and the control process does not stand still. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "proxy/flow_metrics.h"
#include "proxy/http_internal.h"
#include "proxy/peer.h"

#define CHUNK_SIZE 32768
/* Longer than the longest session in JSON. */
#define ITEM_SIZE 4096

enum part { PART_HEAD, PART_SESSIONS, PART_TAIL, PART_END };

struct list {
	const struct state *state;
	enum part part;
	uint32_t block, session; /* the next one */
	uint32_t shown;
	char item[ITEM_SIZE]; /* of which this is still to be sent */
	size_t item_at, item_len;
};

static void name_client(const struct sockaddr_in6 *peer, char *out, size_t size)
{
	char address[PEER_ADDRESS_SIZE];

	peer_address(peer, address, sizeof(address));
	if (peer_is_inet(peer))
		/* The port stands at the same place for both families. */
		snprintf(out, size, "[%s]:%u", address, ntohs(peer->sin6_port));
	else
		snprintf(out, size, "%s", address);
}

static json_t *describe_tls(const struct state_block *block, int row)
{
	const struct state_row_key *key;

	if (row < 0)
		return json_null();
	key = &block->rows[row].key;
	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:s, s:b}", "protocol",
	    key->protocol, "cipher", key->cipher, "group", key->group,
	    "signature", key->signature, "resumed", (int)key->resumed,
	    "forward_secrecy", (int)key->forward_secret,
	    "forward_secrecy_reason", key->forward_secrecy_reason,
	    "post_quantum", (int)key->post_quantum);
}

static json_t *describe(const struct state *state,
    const struct state_block *block, const struct state_session *session)
{
	char id[32], client[PEER_ADDRESS_SIZE + 16];
	const char *backend = session->backend < 0
				  ? NULL
				  : state->backends[session->backend].name;

	snprintf(id, sizeof(id), "%x-%x", (unsigned)atomic_load(&block->pid),
	    (unsigned)session->serial);
	name_client(&session->peer, client, sizeof(client));
	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:s, s:I, s:o, s:s?, s:i, "
			 "s:i, s:I, s:I, s:b}",
	    "session", id, "listener", state->listeners[session->listener],
	    "client", client, "worker", (int)atomic_load(&block->index),
	    "generation", (int)atomic_load(&block->generation), "state",
	    flow_state_word((enum flow_state)session->flow_state), "begun",
	    (json_int_t)session->begun_s, "tls",
	    describe_tls(block, session->row), "backend", backend, "commands",
	    (int)session->commands, "messages", (int)session->messages, "in",
	    (json_int_t)session->octets_in, "out",
	    (json_int_t)session->octets_out, "in_transaction",
	    (int)session->in_transaction);
}

/* False: it is over meanwhile, or there is no memory. */
static bool make_item(struct list *list, const struct state_block *block,
    const struct state_session *entry)
{
	struct state_session session;
	size_t comma = list->shown > 0;
	json_t *object;

	if (!state_session_read(entry, &session))
		return false;
	object = describe(list->state, block, &session);
	if (object == NULL)
		return false;
	list->item[0] = ',';
	list->item_len = comma + json_dumpb(object, list->item + comma,
				     sizeof(list->item) - comma, JSON_COMPACT);
	json_decref(object);
	if (list->item_len == comma || list->item_len > sizeof(list->item)) {
		list->item_len = 0;
		return false;
	}
	list->shown++;
	return true;
}

/* False: there are no more. */
static bool next_session(struct list *list)
{
	const struct state *state = list->state;

	while (list->block < atomic_load(&state->block_count)) {
		const struct state_block *block = &state->blocks[list->block];
		uint32_t count = atomic_load(&block->session_count);

		while (atomic_load(&block->role) == STATE_WORKER &&
		       list->session < count &&
		       list->session < STATE_SESSIONS_MAX)
			if (make_item(
				list, block, &block->sessions[list->session++]))
				return true;
		list->session = 0;
		list->block++;
	}
	return false;
}

static void next_item(struct list *list)
{
	list->item_at = 0;
	list->item_len = 0;
	if (list->part == PART_HEAD) {
		list->item_len = (size_t)snprintf(
		    list->item, sizeof(list->item), "{\"sessions\":[");
		list->part = PART_SESSIONS;
	} else if (list->part == PART_SESSIONS && !next_session(list)) {
		list->item_len =
		    (size_t)snprintf(list->item, sizeof(list->item),
			"],\"shown\":%" PRIu32 ",\"open\":%" PRIu64 "}\n",
			list->shown,
			state_metric_total(list->state, METRIC_sessions_open));
		list->part = PART_TAIL;
	} else if (list->part == PART_TAIL) {
		list->part = PART_END;
	}
}

static ssize_t read_list(
    void *argument, uint64_t position, char *out, size_t out_size)
{
	struct list *list = argument;
	size_t len = 0;

	(void)position;
	while (len < out_size && list->part != PART_END) {
		size_t rest = list->item_len - list->item_at;
		size_t taken = rest < out_size - len ? rest : out_size - len;

		memcpy(out + len, list->item + list->item_at, taken);
		len += taken;
		list->item_at += taken;
		if (list->item_at == list->item_len)
			next_item(list);
	}
	return len > 0 ? (ssize_t)len : MHD_CONTENT_READER_END_OF_STREAM;
}

struct MHD_Response *http_sessions(const struct state *state)
{
	struct list *list = calloc(1, sizeof(*list));
	struct MHD_Response *response;

	if (list == NULL)
		return NULL;
	list->state = state;
	response = MHD_create_response_from_callback(
	    MHD_SIZE_UNKNOWN, CHUNK_SIZE, read_list, list, free);
	if (response == NULL)
		free(list);
	return response;
}
