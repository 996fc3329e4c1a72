/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/flow_debug.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "conf/loglevel.h"
#include "conf/match_list.h"
#include "proxy/flow_metrics.h"
#include "proxy/peer.h"
#include "proxy/usdt.h"

#define TEXT_LEN_MAX 512

/* debug_peer_level */
#define LEVEL_TLS   2
#define LEVEL_BYTES 3

/* What may stand behind AUTH. Anything else may be a credential in the wrong
 * place. */
static const char *const mechanisms[] = {"PLAIN", "LOGIN", "CRAM-MD5",
    "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256",
    "SCRAM-SHA-256-PLUS", "GSSAPI", "NTLM", "XOAUTH2", "OAUTHBEARER",
    "EXTERNAL", "ANONYMOUS"};

/* As in Postfix's verbose log, but with the port: a client may have many
 * sessions at once. */
static void tell(
    const struct flow *flow, const char *mark, const char *text, size_t len)
{
	char address[PEER_ADDRESS_SIZE];

	if (len > TEXT_LEN_MAX)
		len = TEXT_LEN_MAX;
	peer_address(&flow->peer, address, sizeof(address));
	log_line(flow->debug.log, LOG_LEVEL_INFO, flow->service->log_name,
	    "%s %s[%s]:%u: %.*s", mark, peer_name(&flow->peer), address,
	    (unsigned)ntohs(flow->peer.sin6_port), (int)len, text);
}

void flow_debug_begin(struct flow *flow, const struct flow_environment *env)
{
	const struct service *service = flow->service;
	char address[PEER_ADDRESS_SIZE];

	usdt_session_begin(flow->serial, service->listener->service);
	if (service->debug_peers == NULL)
		return;
	peer_address(&flow->peer, address, sizeof(address));
	if (!match_list_holds(service->debug_peers, address))
		return;
	flow->debug.log = env->log;
	flow->debug.level = (unsigned)service->settings->debug_peer_level;
}

void flow_debug_entered(const struct flow *flow)
{
	char text[256];
	int len;

	if (flow->debug.log == NULL)
		return;
	len = snprintf(text, sizeof(text), "state %s%s%s",
	    flow_state_word(flow->state),
	    flow->state == FLOW_RELAY ? ", backend " : "",
	    flow->state == FLOW_RELAY ? flow_backend(flow)->name : "");
	tell(flow, "debug:", text, (size_t)len);
}

static bool begins_with(const struct smtp_command *command, const char *words)
{
	return command->argument_len >= strlen(words) &&
	       strncasecmp(command->argument, words, strlen(words)) == 0;
}

/* Its argument is an address or a name, and never a secret. All else may be the
 * line of a body, or an answer to AUTH, that came where it was not expected. */
static bool has_open_argument(const struct smtp_command *command)
{
	enum smtp_verb verb = command->verb;

	return verb == SMTP_VERB_EHLO || verb == SMTP_VERB_HELO ||
	       (verb == SMTP_VERB_MAIL && begins_with(command, "FROM:")) ||
	       (verb == SMTP_VERB_RCPT && begins_with(command, "TO:"));
}

static bool is_hidden(const struct smtp_command *command)
{
	return command->verb == SMTP_VERB_AUTH ||
	       command->verb == SMTP_VERB_UNKNOWN ||
	       (command->argument_len > 0 && !has_open_argument(command));
}

/* "PLAIN", or NULL. */
static const char *mechanism_of(const struct smtp_command *command)
{
	size_t len = 0;

	while (len < command->argument_len && command->argument[len] != ' ')
		len++;
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
		if (strlen(mechanisms[i]) == len &&
		    strncasecmp(mechanisms[i], command->argument, len) == 0)
			return mechanisms[i];
	return NULL;
}

static int write_command(
    const struct smtp_command *command, char *out, size_t out_size)
{
	const char *mechanism = mechanism_of(command);

	if (command->verb == SMTP_VERB_UNKNOWN)
		return snprintf(out, out_size,
		    "(%zu bytes that are no "
		    "command)",
		    command->word_len + command->argument_len);
	if (command->argument_len == 0)
		return snprintf(
		    out, out_size, "%s", smtp_verb_name(command->verb));
	if (has_open_argument(command))
		return snprintf(out, out_size, "%s %.*s",
		    smtp_verb_name(command->verb),
		    (int)(command->argument_len < TEXT_LEN_MAX
			      ? command->argument_len
			      : TEXT_LEN_MAX),
		    command->argument);
	if (command->verb == SMTP_VERB_AUTH && mechanism != NULL)
		return snprintf(out, out_size, "AUTH %s (%zu bytes in all)",
		    mechanism, command->argument_len);
	return snprintf(out, out_size, "%s (%zu bytes)",
	    smtp_verb_name(command->verb), command->argument_len);
}

void flow_debug_command(struct flow *flow, const uint8_t *line, size_t len)
{
	const uint8_t *end = len == 0 ? NULL : memchr(line, '\n', len);
	struct smtp_command command;
	char text[TEXT_LEN_MAX + 64];
	int text_len;

	if (flow->debug.log == NULL || len == 0)
		return;
	if (end != NULL)
		len = (size_t)(end - line);
	if (len > 0 && line[len - 1] == '\r')
		len--;
	smtp_command_parse((const char *)line, len, &command);
	/* A backend may say again what it did not understand. */
	if (is_hidden(&command))
		flow->debug.hides_replies = true;
	else if (flow->state != FLOW_RELAY || flow->debug.was_idle)
		flow->debug.hides_replies = false;
	text_len = write_command(&command, text, sizeof(text));
	tell(flow, "<", text, (size_t)text_len);
}

static void tell_octets(
    const struct flow *flow, const char *what, uint64_t octets)
{
	char text[64];
	int len = snprintf(
	    text, sizeof(text), "(%" PRIu64 " bytes of %s)", octets, what);

	tell(flow, "<", text, (size_t)len);
}

void flow_debug_before_relay(struct flow *flow)
{
	if (flow->debug.log == NULL)
		return;
	flow->debug.was_in = flow->relay.state;
	flow->debug.was_skipping = flow->smtp.skipping_line;
	flow->debug.was_idle = smtp_relay_is_idle(&flow->relay);
}

void flow_debug_relayed(struct flow *flow, const uint8_t *input, size_t used)
{
	if (flow->debug.log == NULL || used == 0)
		return;
	switch (flow->debug.was_in) {
	case SMTP_RELAY_EXPECT_COMMAND:
		if (!flow->debug.was_skipping)
			flow_debug_command(flow, input, used);
		break;
	case SMTP_RELAY_EXPECT_AUTH_RESPONSE:
		tell_octets(flow, "AUTH", used);
		break;
	case SMTP_RELAY_EXPECT_BODY:
	case SMTP_RELAY_EXPECT_CHUNK:
		flow->debug.octets += used;
		if (flow->relay.state == flow->debug.was_in)
			break;
		tell_octets(flow, "a message", flow->debug.octets);
		flow->debug.octets = 0;
		break;
	case SMTP_RELAY_EXPECT_HELO_REPLY:
	case SMTP_RELAY_EXPECT_DATA_REPLY:
	case SMTP_RELAY_EXPECT_AUTH_REPLY:
	case SMTP_RELAY_EXPECT_END:
		break;
	}
}

/* "250 2.0.0", of which nothing comes from the client. */
static size_t code_len(const char *line, size_t len)
{
	size_t at = 0;

	while (at < len && at < 4 &&
	       ((line[at] >= '0' && line[at] <= '9') || line[at] == '-' ||
		   line[at] == ' '))
		at++;
	while (at < len && at < 12 &&
	       ((line[at] >= '0' && line[at] <= '9') || line[at] == '.'))
		at++;
	return at;
}

void flow_debug_reply(struct flow *flow, const void *text, size_t len)
{
	const char *line = text;
	const char *text_end = line + len;

	if (flow->debug.log == NULL)
		return;
	while (line < text_end) {
		const char *end = memchr(line, '\n', (size_t)(text_end - line));
		size_t line_len =
		    (size_t)((end == NULL ? text_end : end) - line);
		size_t shown_len = line_len;

		if (shown_len > 0 && line[shown_len - 1] == '\r')
			shown_len--;
		/* 334 is a step of AUTH (RFC 4954, 4). */
		if (flow->debug.hides_replies ||
		    (shown_len >= 3 && memcmp(line, "334", 3) == 0))
			shown_len = code_len(line, shown_len);
		tell(flow, ">", line, shown_len);
		line += line_len + (end != NULL);
	}
}

unsigned flow_debug_topics(const struct flow *flow)
{
	unsigned topics = 0;

	if (flow->debug.log == NULL)
		return 0;
	if (flow->debug.level >= LEVEL_TLS)
		topics = LOGLEVEL_VERBOSE | LOGLEVEL_CACHE | LOGLEVEL_STATES;
	if (flow->debug.level >= LEVEL_BYTES)
		topics |= LOGLEVEL_HANDSHAKE_BYTES;
	return topics;
}
