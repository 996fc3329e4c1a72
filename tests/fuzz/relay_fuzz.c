/* SPDX-License-Identifier: Apache-2.0 */
/* The relay between two hostile sides. Input: a byte of settings, then what is
 * said; byte 1 gives the word to the client, 2 to the backend, 3 takes the
 * backend away.
 *
 * Two readers that share no code with the relay follow it: one reads what the
 * backend gets, one what the client sent, each by the replies that its side
 * saw. Both must find the same messages in it, each acknowledged by the
 * backend, and no reply too many or too few. Played whole and cut up, all must
 * be the same.
 *
 * Where headers are inserted, the backend's reader sees to it that one is at
 * the head of each message and nowhere else, and leaves it out of what is
 * compared. What a header tells must be true of what the backend said. */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "smtp/relay.h"

#define INPUT_SIZE_MAX 4096
#define STREAM_SIZE    (1 << 21)
#define DUE_MAX	       8192
#define EVENTS_MAX     8192

enum speaker { SPEAKER_CLIENT = 1, SPEAKER_BACKEND = 2, SPEAKER_LOSS = 3 };

enum reading {
	READING_COMMANDS,
	READING_NOTHING, /* it must wait for a reply */
	READING_BODY,
	READING_CHUNK,
	READING_RESPONSE, /* of AUTH */
};

enum kind {
	KIND_PLAIN,
	KIND_DATA,
	KIND_AUTH,
	KIND_MESSAGE,
	KIND_MAIL,
	KIND_RCPT,
	KIND_RESET, /* RSET, HELO, EHLO: with a 2xx a transaction is over */
	KIND_QUIT,
};

struct due {
	enum kind kind;
	uint64_t hash;	 /* MESSAGE: of its octets */
	size_t line_end; /* MAIL, RCPT: where in what was said its line ends */
	size_t line_len;
};

/* What one side knows of a transaction. */
struct transaction {
	unsigned accepted;	    /* recipients */
	struct due mail, recipient; /* the last of them */
};

/* What one side knows of the dialogue. */
struct reader {
	enum reading reading;
	bool is_backend;
	size_t due_first, due_end;
	size_t line_len;
	size_t reply_len;
	uint8_t window[5]; /* the last bytes of a body */
	uint64_t chunk_left;
	bool chunk_last;
	uint64_t hash;
	size_t chunk_due; /* of the chunk under way */
	unsigned commands;
	unsigned messages; /* accepted */
	bool wants_headers, authenticated;
	size_t header_left; /* of the header that is being heard */
	unsigned headers;   /* of the message that is under way */
	size_t said;
	unsigned transactions;
	struct transaction transaction;
	uint64_t messages_hash;
	int reply_code; /* of the reply half of which was heard; 0: none */
	uint8_t line[INPUT_SIZE_MAX];
	uint8_t reply[INPUT_SIZE_MAX];
	struct due due[DUE_MAX]; /* awaited replies, in order */
};

struct stream {
	size_t len;
	uint8_t bytes[STREAM_SIZE];
};

struct play {
	struct smtp_relay relay;
	struct smtp_client client;
	struct smtp_policy policy;
	struct smtp_relay_step step;
	bool over, backend_gone;
	size_t events_len;
	uint8_t events[EVENTS_MAX];
	struct reader at_client, at_backend;
	struct stream client_kept, backend_kept, to_client, to_backend;
};

static uint64_t add_hash(uint64_t hash, uint8_t byte)
{
	return (hash ^ byte) * UINT64_C(1099511628211);
}

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\v' || byte == '\f';
}

static bool is_word(const char *word, const uint8_t *text, size_t len)
{
	return strlen(word) == len &&
	       strncasecmp(word, (const char *)text, len) == 0;
}

static void owe(struct reader *reader, enum kind kind)
{
	assert(reader->due_end < DUE_MAX);
	reader->due[reader->due_end++] = (struct due){
	    .kind = kind,
	    .line_end = reader->said,
	    .line_len = reader->line_len,
	};
}

/* All of a message was heard. */
static void end_message(struct reader *reader)
{
	assert(reader->headers == reader->wants_headers);
	reader->headers = 0;
}

/* The number of a BDAT that the relay took for good. */
static void read_bdat(struct reader *reader, const uint8_t *text, size_t len)
{
	reader->chunk_left = 0;
	while (len > 0 && *text >= '0' && *text <= '9') {
		reader->chunk_left = reader->chunk_left * 10 + (*text - '0');
		text++;
		len--;
	}
	reader->chunk_last = len > 0;
	reader->chunk_due = reader->due_end;
	reader->hash = 0;
	owe(reader, reader->chunk_last ? KIND_MESSAGE : KIND_PLAIN);
	if (reader->chunk_left > 0)
		reader->reading = READING_CHUNK;
	else if (reader->chunk_last)
		end_message(reader);
}

static void read_command(struct reader *reader)
{
	const uint8_t *text = reader->line;
	const uint8_t *end = text + reader->line_len;
	while (text < end && is_blank(*text))
		text++;
	const uint8_t *word = text;
	while (text < end && !is_blank(*text))
		text++;
	size_t word_len = (size_t)(text - word);
	while (text < end && is_blank(*text))
		text++;
	while (end > text && is_blank(end[-1]))
		end--;

	reader->commands += word_len > 0;
	if (reader->is_backend) {
		assert(!is_word("XCLIENT", word, word_len));
		assert(!is_word("XFORWARD", word, word_len));
		assert(!is_word("STARTTLS", word, word_len));
	}
	if (is_word("BDAT", word, word_len)) {
		read_bdat(reader, text, (size_t)(end - text));
		return;
	}
	if (is_word("DATA", word, word_len)) {
		owe(reader, KIND_DATA);
		reader->reading = READING_NOTHING;
	} else if (is_word("AUTH", word, word_len)) {
		owe(reader, KIND_AUTH);
		reader->reading = READING_NOTHING;
	} else if (is_word("QUIT", word, word_len)) {
		owe(reader, KIND_QUIT);
	} else if (is_word("MAIL", word, word_len)) {
		owe(reader, KIND_MAIL);
	} else if (is_word("RCPT", word, word_len)) {
		owe(reader, KIND_RCPT);
	} else if (is_word("RSET", word, word_len) ||
		   is_word("HELO", word, word_len) ||
		   is_word("EHLO", word, word_len)) {
		owe(reader, KIND_RESET);
	} else {
		owe(reader, KIND_PLAIN);
	}
}

static void read_line_byte(struct reader *reader, uint8_t byte)
{
	assert(reader->line_len < sizeof(reader->line));
	reader->line[reader->line_len++] = byte;
	if (byte != '\n' || reader->line_len < 2 ||
	    reader->line[reader->line_len - 2] != '\r') {
		assert(!reader->is_backend || byte != '\n');
		return;
	}
	reader->line_len -= 2;
	if (reader->reading == READING_RESPONSE) {
		owe(reader, KIND_AUTH);
		reader->reading = READING_NOTHING;
	} else {
		read_command(reader);
	}
	reader->line_len = 0;
}

/* A byte of a message, whose header is ours: then it is not the client's. */
static bool is_of_header(struct reader *reader)
{
	if (reader->header_left > 0) {
		reader->header_left--;
		return true;
	}
	assert(reader->headers == reader->wants_headers);
	return false;
}

static void read_body_byte(struct reader *reader, uint8_t byte)
{
	memmove(reader->window, reader->window + 1, 4);
	reader->window[4] = byte;
	if (is_of_header(reader))
		return;
	reader->hash = add_hash(reader->hash, byte);
	if (memcmp(reader->window, "\r\n.\r\n", 5) != 0)
		return;
	end_message(reader);
	owe(reader, KIND_MESSAGE);
	reader->due[reader->due_end - 1].hash = reader->hash;
	reader->reading = READING_COMMANDS;
}

static void read_chunk_byte(struct reader *reader, uint8_t byte)
{
	struct due *due = &reader->due[reader->chunk_due];
	if (!is_of_header(reader))
		due->hash = add_hash(due->hash, byte);
	if (--reader->chunk_left > 0)
		return;
	reader->reading = READING_COMMANDS;
	if (reader->chunk_last)
		end_message(reader);
}

static void reader_says(struct reader *reader, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		reader->said++;
		switch (reader->reading) {
		case READING_NOTHING:
			assert(reader->reading != READING_NOTHING);
			break;
		case READING_COMMANDS:
		case READING_RESPONSE:
			read_line_byte(reader, bytes[i]);
			break;
		case READING_BODY:
			read_body_byte(reader, bytes[i]);
			break;
		case READING_CHUNK:
			read_chunk_byte(reader, bytes[i]);
			break;
		}
	}
}

static void begin_body(struct reader *reader)
{
	reader->reading = READING_BODY;
	reader->hash = 0;
	memcpy(reader->window, "...\r\n", 5);
}

/* MAIL, RCPT or what resets had its 2xx. */
static void note_transaction(struct reader *reader, const struct due *due)
{
	if (due->kind == KIND_RCPT) {
		reader->transaction.accepted++;
		reader->transaction.recipient = *due;
		return;
	}
	reader->headers = 0;
	reader->transaction = (struct transaction){0};
	if (due->kind == KIND_MAIL) {
		reader->transactions++;
		reader->transaction.mail = *due;
	}
}

/* A whole reply; `last`: the session ends with what is said now. */
static void read_reply(struct reader *reader, int code, bool last)
{
	if (reader->due_first == reader->due_end) {
		assert(last || code == 421);
		return;
	}
	const struct due *due = &reader->due[reader->due_first++];
	switch (due->kind) {
	case KIND_DATA:
		if (code == 354)
			begin_body(reader);
		else
			reader->reading = READING_COMMANDS;
		break;
	case KIND_AUTH:
		reader->authenticated |= code / 100 == 2;
		reader->reading =
		    code == 334 ? READING_RESPONSE : READING_COMMANDS;
		break;
	case KIND_MESSAGE:
		reader->transaction = (struct transaction){0};
		if (code / 100 != 2)
			break;
		/* No success for what was not all sent. */
		assert(reader->reading != READING_CHUNK ||
		       reader->due_first - 1 != reader->chunk_due);
		reader->messages++;
		reader->messages_hash = reader->messages_hash * 31 + due->hash;
		break;
	case KIND_MAIL:
	case KIND_RCPT:
	case KIND_RESET:
		if (code / 100 == 2)
			note_transaction(reader, due);
		assert(last || code / 100 != 3);
		break;
	case KIND_PLAIN:
	case KIND_QUIT:
		assert(last || code / 100 != 3);
		break;
	}
}

static void reader_hears(
    struct reader *reader, const uint8_t *bytes, size_t len, bool last)
{
	for (size_t i = 0; i < len; i++) {
		assert(reader->reply_len < sizeof(reader->reply));
		reader->reply[reader->reply_len++] = bytes[i];
		if (bytes[i] != '\n')
			continue;
		assert(reader->reply_len >= 5);
		int code = (reader->reply[0] - '0') * 100 +
			   (reader->reply[1] - '0') * 10 +
			   (reader->reply[2] - '0');
		assert(code >= 200 && code < 600);
		assert(reader->reply_code == 0 || reader->reply_code == code ||
		       last);
		reader->reply_code = reader->reply[3] == '-' ? code : 0;
		if (reader->reply[3] != '-')
			read_reply(reader, code, last);
		reader->reply_len = 0;
	}
}

static void add(struct stream *stream, const void *bytes, size_t len)
{
	assert(len <= sizeof(stream->bytes) - stream->len);
	if (len > 0)
		memcpy(stream->bytes + stream->len, bytes, len);
	stream->len += len;
}

static void drop(struct stream *stream, size_t len)
{
	assert(len <= stream->len);
	memmove(stream->bytes, stream->bytes + len, stream->len - len);
	stream->len -= len;
}

static void note(struct play *play, unsigned event)
{
	assert(play->events_len < EVENTS_MAX);
	play->events[play->events_len++] = (uint8_t)event;
}

static bool is_owed_later(const struct smtp_relay *relay)
{
	return relay->discarding && relay->state == SMTP_RELAY_EXPECT_CHUNK &&
	       relay->discarded_answer != SMTP_ANSWER_NONE;
}

/* What holds between any two steps of a session that goes on. */
static void check_agreement(const struct play *play)
{
	const struct smtp_relay *relay = &play->relay;
	const struct reader *client = &play->at_client;
	const struct reader *backend = &play->at_backend;
	assert(client->messages == backend->messages);
	assert(client->messages == relay->messages);
	assert(client->messages_hash == backend->messages_hash);
	assert(backend->commands <= client->commands);
	if (play->over || relay->state == SMTP_RELAY_EXPECT_END)
		return;
	assert(smtp_counts_total(&play->client.counts) <= client->commands);
	assert(client->due_end - client->due_first ==
	       relay->outstanding.count + (size_t)is_owed_later(relay));
	assert(
	    smtp_relay_in_body(relay) == (client->reading == READING_BODY ||
					     client->reading == READING_CHUNK));
	assert((relay->state == SMTP_RELAY_EXPECT_AUTH_RESPONSE) ==
	       (client->reading == READING_RESPONSE));
	if (play->backend_gone || relay->discarding)
		return;
	assert(client->reading == backend->reading);
	assert(client->chunk_left == backend->chunk_left ||
	       client->reading != READING_CHUNK);
	assert(!smtp_relay_is_idle(relay) ||
	       backend->due_first == backend->due_end);
}

static bool said(
    const struct play *play, const struct due *due, const char *text)
{
	const uint8_t *line =
	    play->to_backend.bytes + due->line_end - due->line_len - 2;
	for (size_t i = 0; i + strlen(text) <= due->line_len; i++) {
		if (strncasecmp((const char *)line + i, text, strlen(text)) ==
		    0)
			return true;
	}
	return false;
}

static void insert(struct play *play)
{
	struct reader *backend = &play->at_backend;
	const struct transaction *transaction = &backend->transaction;
	const struct smtp_trace *trace = &play->relay.trace;
	const char *recipient = smtp_trace_recipient(trace);
	char command[SMTP_RELAY_BDAT_SIZE_MAX];
	char header[400];
	assert(play->policy.insert_received && !play->backend_gone);
	assert(backend->headers == 0);
	assert(play->client.transactions == backend->transactions);
	assert(trace->authenticated == backend->authenticated);
	if (recipient != NULL) {
		assert(transaction->accepted == 1);
		assert(said(play, &transaction->recipient, recipient));
	}
	assert(!trace->utf8 || said(play, &transaction->mail, "SMTPUTF8"));
	int len = snprintf(header, sizeof(header), "T: %u%s%s%s\r\n",
	    play->client.transactions, trace->utf8 ? "U" : "",
	    trace->authenticated ? "A" : "", recipient ? recipient : "");
	size_t command_len = smtp_relay_insert(
	    &play->relay, (size_t)len, command, sizeof(command));
	reader_says(backend, (const uint8_t *)command, command_len);
	add(&play->to_backend, command, command_len);
	backend->header_left = (size_t)len;
	backend->headers = 1;
	reader_says(backend, (const uint8_t *)header, (size_t)len);
	add(&play->to_backend, header, (size_t)len);
	assert(backend->header_left == 0);
}

/* Where that can be, the backend heard one line, and no more. */
static bool take_back(struct play *play)
{
	const struct stream *heard = &play->to_backend;
	char line[SMTP_RELAY_GREETING_SIZE_MAX];
	unsigned ehlo = play->client.counts.total[SMTP_VERB_EHLO];
	unsigned helo = play->client.counts.total[SMTP_VERB_HELO];
	size_t len = smtp_relay_take_back(
	    &play->relay, &play->client, line, sizeof(line));
	if (len == 0)
		return false;
	assert(memchr(heard->bytes, '\n', heard->len) ==
	       heard->bytes + heard->len - 1);
	assert(memcmp(line + len - 2, "\r\n", 2) == 0);
	assert(memchr(line, '\n', len) == line + len - 1);
	assert(play->client.counts.total[SMTP_VERB_EHLO] +
		   play->client.counts.total[SMTP_VERB_HELO] ==
	       ehlo + helo - 1);
	return true;
}

/* Takes what a step gave; true: something was done. */
static bool take(struct play *play, enum smtp_relay_state before)
{
	const struct smtp_relay_step *step = &play->step;
	assert(step->reply_len <= sizeof(step->reply));
	assert(step->reply_len == 0 ||
	       memcmp(step->reply + step->reply_len - 2, "\r\n", 2) == 0);
	bool last = step->event == SMTP_RELAY_CLOSE;
	reader_hears(&play->at_client, (const uint8_t *)step->reply,
	    step->reply_len, last);
	add(&play->to_client, step->reply, step->reply_len);
	switch (step->event) {
	case SMTP_RELAY_PROGRESS:
		assert(step->used > 0 || step->reply_len > 0 ||
		       play->relay.state != before);
		return true;
	case SMTP_RELAY_TRACE:
		assert(step->reply_len == 0 && step->forward_len == 0);
		insert(play);
		return true;
	case SMTP_RELAY_XFORWARD: /* no policy of ours wants it */
		abort();
	case SMTP_RELAY_NEED_MORE:
	case SMTP_RELAY_WAIT:
		assert(step->used == 0 && step->reply_len == 0 &&
		       step->forward_len == 0);
		return false;
	case SMTP_RELAY_MESSAGE:
		note(play, (unsigned)step->reply_code / 10);
		return true;
	case SMTP_RELAY_REFUSED:
		assert(step->used == 0 && step->reply_len == 0);
		assert(take_back(play));
		note(play, 3);
		play->over = true;
		return true;
	case SMTP_RELAY_DROP_BACKEND:
		note(play, 1);
		play->backend_gone = true;
		return true;
	case SMTP_RELAY_START_TLS:
		assert(!play->client.tls);
		assert(play->at_backend.due_first == play->at_backend.due_end);
		note(play, 2);
		play->over = true;
		return true;
	case SMTP_RELAY_CLOSE:
		assert(step->end != SMTP_END_NONE);
		note(play, 128 + (unsigned)step->end);
		play->over = true;
		return true;
	}
	return false;
}

static bool step_client(struct play *play)
{
	enum smtp_relay_state before = play->relay.state;
	struct stream *kept = &play->client_kept;
	const struct smtp_relay_step *step = &play->step;
	smtp_relay_client_step(&play->relay, &play->client, &play->policy,
	    kept->bytes, kept->len, &play->step);
	if (step->forward_len > 0) {
		assert(!play->backend_gone);
		assert(step->forward == kept->bytes);
		assert(step->forward_len == step->used);
		/* A command passes whole or not at all. */
		assert(play->at_backend.line_len == 0);
		reader_says(&play->at_backend, step->forward, step->used);
		assert(play->at_backend.line_len == 0);
		add(&play->to_backend, step->forward, step->used);
	}
	if (before != SMTP_RELAY_EXPECT_END)
		reader_says(&play->at_client, kept->bytes, step->used);
	bool done = take(play, before);
	drop(kept, step->used);
	check_agreement(play);
	return done;
}

static bool step_backend(struct play *play)
{
	enum smtp_relay_state before = play->relay.state;
	struct stream *kept = &play->backend_kept;
	const struct smtp_relay_step *step = &play->step;
	if (play->backend_gone)
		kept->len = 0;
	smtp_relay_backend_step(&play->relay, &play->client, &play->policy,
	    kept->bytes, kept->len, &play->step);
	bool last = step->event == SMTP_RELAY_CLOSE;
	assert(step->forward_len == 0 || step->reply_len == 0 ||
	       step->forward_len + step->reply_len <= SMTP_EHLO_REPLY_SIZE_MAX);
	if (step->forward_len > 0) {
		assert(step->forward == kept->bytes);
		assert(step->forward_len == step->used);
		reader_hears(
		    &play->at_client, step->forward, step->forward_len, last);
		add(&play->to_client, step->forward, step->forward_len);
	}
	if (step->event != SMTP_RELAY_DROP_BACKEND)
		reader_hears(&play->at_backend, kept->bytes, step->used, last);
	bool done = take(play, before);
	drop(kept, step->used);
	/* What came before DATA was refused is never read. */
	assert(before != SMTP_RELAY_EXPECT_DATA_REPLY ||
	       play->relay.state != SMTP_RELAY_EXPECT_COMMAND ||
	       play->client_kept.len == 0);
	check_agreement(play);
	return done;
}

static void run(struct play *play)
{
	size_t steps_max = 4 * (play->client_kept.len + play->backend_kept.len);
	bool again = true;
	for (size_t steps = 0; again && !play->over; steps++) {
		assert(steps <= steps_max + 1000);
		while (!play->over && step_client(play))
			assert(steps++ <= steps_max + 1000);
		again = !play->over && step_backend(play);
	}
}

static void lose(struct play *play)
{
	enum smtp_relay_state before = play->relay.state;
	if (take_back(play)) {
		note(play, 4);
		play->over = true;
		return;
	}
	play->backend_gone = true;
	smtp_relay_backend_lost(
	    &play->relay, &play->client, &play->policy, &play->step);
	assert(play->step.forward_len == 0);
	take(play, before);
	check_agreement(play);
}

static void begin(struct play *play, uint8_t settings)
{
	/* Not the large arrays: what is in them is behind their lengths. */
	memset(play, 0, offsetof(struct play, events));
	memset(&play->at_client, 0, offsetof(struct reader, line));
	memset(&play->at_backend, 0, offsetof(struct reader, line));
	play->client_kept.len = play->backend_kept.len = 0;
	play->to_client.len = play->to_backend.len = 0;
	play->policy = (struct smtp_policy){
	    .hostname = "mx.test",
	    .banner = "mx.test ESMTP",
	    .tls_level = (enum smtp_tls_level)((settings >> 5 & 3) % 3),
	    .auth_only = (settings & 16) != 0,
	    .forbid_pipelining = (settings & 8) != 0,
	    .insert_received = (settings >> 5 & 3) == 3,
	    .forbidden_commands = "CONNECT GET POST",
	    .line_size_max = 40,
	    .auth_line_size_max = 60,
	    .hard_error_limit = (settings & 128) != 0 ? 3 : 1000,
	    .junk_command_limit = 100,
	};
	smtp_client_init(&play->client);
	play->client.tls = (settings & 1) == 0;
	if ((settings & 4) == 0)
		play->client.helo_verb = SMTP_VERB_EHLO;
	struct smtp_ehlo ehlo = {0};
	if ((settings & 2) == 0)
		ehlo.keywords = UINT32_C(1) << SMTP_KEYWORD_CHUNKING;
	const struct smtp_relay_backend backend = {
	    .ehlo = &ehlo, .is_verified = (settings & 2) == 0};
	smtp_relay_init(&play->relay, &backend);
	play->at_backend.is_backend = true;
	play->at_backend.wants_headers = play->policy.insert_received;
}

static void hear(struct play *play, enum speaker speaker, const uint8_t *bytes,
    size_t len, uint32_t *cuts)
{
	struct stream *kept = speaker == SPEAKER_CLIENT ? &play->client_kept
							: &play->backend_kept;
	while (len > 0 && !play->over) {
		size_t piece_len = len;
		if (cuts != NULL) {
			*cuts = *cuts * 1664525 + 1013904223;
			piece_len = 1 + (*cuts >> 28) % 5;
		}
		if (piece_len > len)
			piece_len = len;
		add(kept, bytes, piece_len);
		run(play);
		bytes += piece_len;
		len -= piece_len;
	}
}

static void play_input(
    struct play *play, const uint8_t *data, size_t size, uint32_t *cuts)
{
	begin(play, data[0]);
	enum speaker speaker = SPEAKER_CLIENT;
	size_t at = 1;
	while (at < size && !play->over) {
		if (data[at] >= SPEAKER_CLIENT && data[at] <= SPEAKER_BACKEND) {
			speaker = (enum speaker)data[at++];
			continue;
		}
		if (data[at] == SPEAKER_LOSS) {
			lose(play);
			run(play);
			at++;
			continue;
		}
		size_t end = at;
		while (end < size && (data[end] == 0 || data[end] > 3))
			end++;
		hear(play, speaker, data + at, end - at, cuts);
		at = end;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct play whole, cut;
	if (size < 2 || size > INPUT_SIZE_MAX)
		return 0;
	play_input(&whole, data, size, NULL);
	uint32_t cuts = 1;
	for (size_t i = 0; i < size; i++)
		cuts = (uint32_t)add_hash(cuts, data[i]);
	play_input(&cut, data, size, &cuts);
	/* What is forbidden, hangs on what has come. */
	if (whole.policy.forbid_pipelining)
		return 0;
	assert(whole.to_backend.len == cut.to_backend.len);
	assert(memcmp(whole.to_backend.bytes, cut.to_backend.bytes,
		   cut.to_backend.len) == 0);
	assert(whole.to_client.len == cut.to_client.len);
	assert(memcmp(whole.to_client.bytes, cut.to_client.bytes,
		   cut.to_client.len) == 0);
	assert(whole.events_len == cut.events_len);
	assert(memcmp(whole.events, cut.events, cut.events_len) == 0);
	return 0;
}
