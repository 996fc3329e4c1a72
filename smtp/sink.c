/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/sink.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "smtp/command.h"
#include "smtp/line.h"

#define LINE_SIZE_MAX	  2048 /* as Postfix's line_length_limit */
#define HOSTNAME_SIZE_MAX 255  /* RFC 5321, 4.5.3.1.2 */

/* One step under way. */
struct turn {
	struct smtp_sink *sink;
	const char *hostname;
	char *out;
	size_t out_len;
};

__attribute__((format(printf, 2, 3))) static void reply(
    struct turn *turn, const char *format, ...)
{
	char *out = turn->out + turn->out_len;
	va_list arguments;
	va_start(arguments, format);
	int len =
	    vsnprintf(out, SMTP_SINK_REPLY_SIZE_MAX - 2, format, arguments);
	va_end(arguments);
	assert(len > 0);
	assert(len < SMTP_SINK_REPLY_SIZE_MAX - 2);
	memcpy(out + len, "\r\n", 2);
	turn->out_len += (size_t)len + 2;
}

static void greet(struct turn *turn)
{
	reply(turn, "220 %.*s ESMTP sink", HOSTNAME_SIZE_MAX, turn->hostname);
}

static void end_transaction(struct smtp_sink *sink)
{
	sink->mail = false;
	sink->chunked = false;
	sink->recipients = 0;
	sink->size = 0;
}

static void say_hello(struct turn *turn, const struct smtp_command *command)
{
	if (command->argument_len == 0) {
		reply(turn, "501 Syntax: %s hostname",
		    smtp_verb_name(command->verb));
		return;
	}
	end_transaction(turn->sink);
	turn->sink->helo = true;
	if (command->verb == SMTP_VERB_HELO) {
		reply(turn, "250 %.*s", HOSTNAME_SIZE_MAX, turn->hostname);
		return;
	}
	reply(turn,
	    "250-%.*s\r\n"
	    "250-PIPELINING\r\n"
	    "250-SIZE %d\r\n"
	    "250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n"
	    "250-8BITMIME\r\n"
	    "250-SMTPUTF8\r\n"
	    "250 CHUNKING",
	    HOSTNAME_SIZE_MAX, turn->hostname, SMTP_SINK_MESSAGE_SIZE_MAX);
}

/* Cuts `prefix` ("FROM:") and the path behind it off the argument, which may
 * then hold parameters. Returns whether both were there. */
static bool take_path(struct smtp_command *command, const char *prefix)
{
	size_t prefix_len = strlen(prefix);
	const char *text = command->argument;
	const char *end = text + command->argument_len;
	if (command->argument_len <= prefix_len ||
	    strncasecmp(text, prefix, prefix_len) != 0)
		return false;
	text += prefix_len;
	while (text < end && *text == ' ')
		text++;
	if (text == end)
		return false;
	bool quoted = false;
	char stop = *text == '<' ? '>' : ' ';
	while (text < end && (quoted || *text != stop)) {
		if (*text == '\\' && quoted && end - text > 1)
			text++;
		else if (*text == '"')
			quoted = !quoted;
		text++;
	}
	if (stop == '>' && text == end)
		return false;
	if (stop == '>')
		text++;
	command->argument = text;
	command->argument_len = (size_t)(end - text);
	return true;
}

/* RFC 1870, 6.1: whether SIZE= among the parameters is more than we take. */
static bool is_declared_too_big(const struct smtp_command *command)
{
	static const char name[] = " SIZE=";
	size_t name_len = sizeof(name) - 1;
	const char *text = command->argument;
	const char *end = text + command->argument_len;
	for (; (size_t)(end - text) > name_len; text++) {
		if (strncasecmp(text, name, name_len) != 0)
			continue;
		uint64_t size = 0;
		for (text += name_len; text < end; text++) {
			if (*text < '0' || *text > '9')
				break;
			size = size * 10 + (unsigned)(*text - '0');
			if (size > SMTP_SINK_MESSAGE_SIZE_MAX)
				return true;
		}
		return false;
	}
	return false;
}

static void begin_transaction(struct turn *turn, struct smtp_command *command)
{
	if (!turn->sink->helo) {
		reply(turn, "503 5.5.1 Error: send HELO/EHLO first");
		return;
	}
	if (turn->sink->mail) {
		reply(turn, "503 5.5.1 Error: nested MAIL command");
		return;
	}
	if (!take_path(command, "FROM:")) {
		reply(turn, "501 5.5.4 Syntax: MAIL FROM:<address>");
		return;
	}
	if (is_declared_too_big(command)) {
		reply(turn, "552 5.3.4 Message size exceeds fixed limit");
		return;
	}
	turn->sink->mail = true;
	reply(turn, "250 2.1.0 Ok");
}

static void add_recipient(struct turn *turn, struct smtp_command *command)
{
	if (!turn->sink->mail) {
		reply(turn, "503 5.5.1 Error: need MAIL command");
		return;
	}
	if (turn->sink->chunked) {
		reply(turn, "503 5.5.1 Error: RCPT after BDAT");
		return;
	}
	if (!take_path(command, "TO:")) {
		reply(turn, "501 5.5.4 Syntax: RCPT TO:<address>");
		return;
	}
	if (turn->sink->recipients < UINT32_MAX)
		turn->sink->recipients++;
	reply(turn, "250 2.1.5 Ok");
}

static void refuse_without_recipient(struct turn *turn)
{
	if (turn->sink->mail)
		reply(turn, "554 5.5.1 Error: no valid recipients");
	else
		reply(turn, "503 5.5.1 Error: need RCPT command");
}

static void begin_body(struct turn *turn, const struct smtp_command *command)
{
	if (turn->sink->chunked) {
		reply(turn, "503 5.5.1 Error: DATA after BDAT");
		return;
	}
	if (turn->sink->recipients == 0) {
		refuse_without_recipient(turn);
		return;
	}
	if (command->argument_len > 0) {
		reply(turn, "501 5.5.4 Syntax: DATA");
		return;
	}
	smtp_body_init(&turn->sink->body);
	turn->sink->state = SMTP_SINK_EXPECT_BODY;
	reply(turn, "354 End data with <CR><LF>.<CR><LF>");
}

static void end_message(struct turn *turn)
{
	struct smtp_sink *sink = turn->sink;
	if (sink->size > SMTP_SINK_MESSAGE_SIZE_MAX) {
		reply(turn, "552 5.3.4 Error: message file too big");
	} else {
		sink->messages++;
		sink->octets += sink->size;
		reply(turn, "250 2.0.0 Ok: discarded");
	}
	end_transaction(sink);
}

static void end_chunk(struct turn *turn)
{
	struct smtp_sink *sink = turn->sink;
	sink->state = SMTP_SINK_EXPECT_COMMAND;
	if (sink->chunk_refused)
		refuse_without_recipient(turn);
	else if (sink->chunk_last || sink->size > SMTP_SINK_MESSAGE_SIZE_MAX)
		end_message(turn);
	else
		reply(turn, "250 2.0.0 Ok: %llu bytes",
		    (unsigned long long)sink->chunk_size);
}

/* RFC 3030, 2: a chunk that is refused has been sent all the same. */
static void begin_chunk(struct turn *turn, const struct smtp_command *command)
{
	struct smtp_sink *sink = turn->sink;
	uint64_t size;
	if (!smtp_bdat_parse(command->argument, command->argument_len, &size,
		&sink->chunk_last)) {
		/* Nobody knows where the next command begins. */
		sink->state = SMTP_SINK_EXPECT_END;
		reply(turn, "521 5.5.4 Syntax: BDAT count [LAST]");
		return;
	}
	sink->chunk_refused = sink->recipients == 0;
	sink->chunked = !sink->chunk_refused;
	sink->chunk_size = size;
	sink->chunk_left = size;
	sink->state = SMTP_SINK_EXPECT_CHUNK;
	if (size == 0)
		end_chunk(turn);
}

static void believe_xclient(
    struct turn *turn, const struct smtp_command *command)
{
	if (turn->sink->mail) {
		reply(turn, "503 5.5.1 Error: MAIL transaction in progress");
		return;
	}
	if (command->argument_len == 0) {
		reply(turn, "501 5.5.4 Syntax: XCLIENT attribute=value...");
		return;
	}
	turn->sink->helo = false;
	greet(turn);
}

static void verify(struct turn *turn, const struct smtp_command *command)
{
	if (command->argument_len == 0)
		reply(turn, "501 5.5.4 Syntax: VRFY address");
	else
		reply(turn, "252 2.0.0 Cannot verify, will accept anything");
}

static void reset(struct turn *turn, const struct smtp_command *command)
{
	if (command->argument_len > 0) {
		reply(turn, "501 5.5.4 Syntax: RSET");
		return;
	}
	end_transaction(turn->sink);
	reply(turn, "250 2.0.0 Ok");
}

static void obey(struct turn *turn, struct smtp_command *command)
{
	switch (command->verb) {
	case SMTP_VERB_HELO:
	case SMTP_VERB_EHLO:
		say_hello(turn, command);
		return;
	case SMTP_VERB_XCLIENT:
		believe_xclient(turn, command);
		return;
	case SMTP_VERB_MAIL:
		begin_transaction(turn, command);
		return;
	case SMTP_VERB_RCPT:
		add_recipient(turn, command);
		return;
	case SMTP_VERB_DATA:
		begin_body(turn, command);
		return;
	case SMTP_VERB_BDAT:
		begin_chunk(turn, command);
		return;
	case SMTP_VERB_RSET:
		reset(turn, command);
		return;
	case SMTP_VERB_NOOP:
		reply(turn, "250 2.0.0 Ok");
		return;
	case SMTP_VERB_VRFY:
		verify(turn, command);
		return;
	case SMTP_VERB_QUIT:
		turn->sink->state = SMTP_SINK_EXPECT_END;
		reply(turn, "221 2.0.0 Bye");
		return;
	case SMTP_VERB_HELP:
		reply(turn, "214 2.0.0 Commands: BDAT DATA EHLO HELO HELP MAIL "
			    "NOOP QUIT RCPT RSET VRFY XCLIENT");
		return;
	case SMTP_VERB_XFORWARD:
	case SMTP_VERB_STARTTLS:
	case SMTP_VERB_AUTH:
	case SMTP_VERB_ETRN:
		reply(turn, "502 5.5.1 Error: command not implemented");
		return;
	case SMTP_VERB_UNKNOWN:
	case SMTP_VERB_COUNT:
		break;
	}
	if (command->word_len == 0)
		reply(turn, "500 5.5.2 Error: bad syntax");
	else
		reply(turn, "500 5.5.2 Error: command not recognized");
}

/* Returns the bytes used: 0 when the line is not complete. */
static size_t take_line(
    struct turn *turn, const uint8_t *input, size_t input_len)
{
	struct smtp_line line;
	struct smtp_command command;
	switch (smtp_line_find(input, input_len, LINE_SIZE_MAX, &line)) {
	case SMTP_LINE_NEED_MORE:
		return 0;
	case SMTP_LINE_FOUND:
		smtp_command_parse(line.text, line.len, &command);
		obey(turn, &command);
		return line.used;
	case SMTP_LINE_BAD_BYTE:
		reply(turn, "500 5.5.2 Error: bad syntax");
		return line.used;
	case SMTP_LINE_TOO_LONG:
		reply(turn, "521 5.5.2 Error: command too long");
		break;
	case SMTP_LINE_BARE_LF:
		reply(turn, "521 5.5.2 Error: bare <LF> received");
		break;
	}
	turn->sink->state = SMTP_SINK_EXPECT_END;
	return line.used;
}

static size_t take_body(
    struct turn *turn, const uint8_t *input, size_t input_len)
{
	struct smtp_sink *sink = turn->sink;
	bool end;
	size_t used = smtp_body_scan(&sink->body, input, input_len, &end);
	sink->size += used;
	if (end) {
		sink->size -= sizeof(".\r\n") - 1;
		sink->state = SMTP_SINK_EXPECT_COMMAND;
		end_message(turn);
	}
	return used;
}

static size_t take_chunk(struct turn *turn, size_t input_len)
{
	struct smtp_sink *sink = turn->sink;
	size_t used = input_len;
	if (used > sink->chunk_left)
		used = (size_t)sink->chunk_left;
	sink->chunk_left -= used;
	if (!sink->chunk_refused)
		sink->size += used;
	if (sink->chunk_left == 0)
		end_chunk(turn);
	return used;
}

size_t smtp_sink_init(
    struct smtp_sink *sink, const char *hostname, char *out, size_t out_size)
{
	assert(out_size >= SMTP_SINK_REPLY_SIZE_MAX);
	*sink = (struct smtp_sink){.state = SMTP_SINK_EXPECT_COMMAND};
	struct turn turn = {.sink = sink, .hostname = hostname, .out = out};
	greet(&turn);
	return turn.out_len;
}

size_t smtp_sink_step(struct smtp_sink *sink, const char *hostname,
    const uint8_t *input, size_t input_len, char *out, size_t out_size,
    size_t *out_len)
{
	struct turn turn = {.sink = sink, .hostname = hostname, .out = out};
	size_t used = 0;
	while (used < input_len &&
	       out_size - turn.out_len >= SMTP_SINK_REPLY_SIZE_MAX) {
		const uint8_t *rest = input + used;
		size_t rest_len = input_len - used;
		size_t taken = 0;
		switch (sink->state) {
		case SMTP_SINK_EXPECT_COMMAND:
			taken = take_line(&turn, rest, rest_len);
			break;
		case SMTP_SINK_EXPECT_BODY:
			taken = take_body(&turn, rest, rest_len);
			break;
		case SMTP_SINK_EXPECT_CHUNK:
			taken = take_chunk(&turn, rest_len);
			break;
		case SMTP_SINK_EXPECT_END:
			taken = rest_len;
			break;
		}
		if (taken == 0)
			break;
		used += taken;
	}
	*out_len = turn.out_len;
	return used;
}
