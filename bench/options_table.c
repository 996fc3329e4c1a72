/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/options_table.h"

static const char *const tls_words[] = {"starttls", "implicit", "none", NULL};
static const char *const hold_words[] = {"handshake", "ehlo", "rcpt", NULL};
static const char *const protocol_words[] = {
    "any", "TLSv1.1", "TLSv1.2", "TLSv1.3", NULL};

#define AT(field) offsetof(struct options, field)

const struct options_row options_rows[OPTIONS_ROW_COUNT] = {
    {"tls", "WORD", OPTIONS_WORD, AT(tls), 0, 0, tls_words,
	"starttls, implicit or none [starttls]"},
    {"protocol", "WORD", OPTIONS_WORD, AT(protocol), 0, 0, protocol_words,
	"any, TLSv1.1, TLSv1.2 or TLSv1.3 [any]"},
    {"groups", "LIST", OPTIONS_TEXT, AT(groups), 0, 0, NULL,
	"groups to offer, as OpenSSL names them: X25519:P-256"},
    {"ciphers", "LIST", OPTIONS_TEXT, AT(ciphers), 0, 0, NULL,
	"suites to offer up to TLS 1.2, as OpenSSL's ciphers(1) has them"},
    {"suites", "LIST", OPTIONS_TEXT, AT(suites), 0, 0, NULL,
	"suites to offer in TLS 1.3"},
    {"signatures", "LIST", OPTIONS_TEXT, AT(signatures), 0, 0, NULL,
	"signature algorithms to offer: RSA-PSS+SHA256:ed25519"},
    {"name", "NAME", OPTIONS_TEXT, AT(name), 0, 0, NULL,
	"server name to ask for"},
    {"resume", NULL, OPTIONS_FLAG, AT(resume), 0, 0, NULL,
	"handshake: resume a session that was made before"},
    {"no-tickets", NULL, OPTIONS_FLAG, AT(no_tickets), 0, 0, NULL,
	"do not offer tickets (they exist up to TLS 1.2)"},
    {"quit", NULL, OPTIONS_FLAG, AT(quit), 0, 0, NULL,
	"handshake: say QUIT behind it, instead of closing"},
    {"connections", "N", OPTIONS_NUMBER, AT(connections), 1, 1000000, NULL,
	"sessions at the same time; idle: that open at the same time [16]"},
    {"threads", "N", OPTIONS_NUMBER, AT(threads), 1, OPTIONS_THREADS_MAX, NULL,
	"threads of the client, each with a ring of its own [1]"},
    {"cpus", "LIST", OPTIONS_LIST, AT(cpus), 0, 4095, NULL,
	"processors for the threads, in turn: 1,3"},
    {"sources", "N", OPTIONS_NUMBER, AT(sources), 1, 250, NULL,
	"client addresses to use in turn: 127.0.1.1 and those that follow"},
    {"duration", "S", OPTIONS_SECONDS, AT(duration_s), 0.01, 86400, NULL,
	"seconds to measure [5]"},
    {"warmup", "S", OPTIONS_SECONDS, AT(warmup_s), 0, 3600, NULL,
	"seconds before, under the same load, that do not count [0.5]"},
    {"count", "N", OPTIONS_NUMBER, AT(count), 1, 1e12, NULL,
	"do exactly so many units, without warm-up, instead of --duration"},
    {"rate", "N", OPTIONS_RATE, AT(rate_per_s), 0.01, 1e7, NULL,
	"open loop: so many units a second; latency is from the moment\n"
	"at which a unit should have begun"},
    {"size", "N", OPTIONS_SIZE, AT(size), DIALOGUE_MESSAGE_MIN, 1 << 30, NULL,
	"octets of a message; K and M are understood [4K]"},
    {"messages", "N", OPTIONS_NUMBER, AT(messages), 1, 1e9, NULL,
	"relay, noop: units per session [20]"},
    {"pipeline", NULL, OPTIONS_FLAG, AT(pipeline), 0, 0, NULL,
	"relay: send the envelope at once (PIPELINING)"},
    {"bdat", NULL, OPTIONS_FLAG, AT(bdat), 0, 0, NULL,
	"relay: send messages with BDAT (CHUNKING)"},
    {"sessions", "LIST", OPTIONS_LIST, AT(sessions), 1, 1000000, NULL,
	"idle: how many to hold, ascending: 2000,10000 [100]"},
    {"hold", "WORD", OPTIONS_WORD, AT(hold), 0, 0, hold_words,
	"idle: held after handshake, ehlo or rcpt [ehlo]"},
    {"settle", "S", OPTIONS_SECONDS, AT(settle_s), 0, 3600, NULL,
	"idle: seconds before the memory is read [0.5]"},
    {"mix", "LIST", OPTIONS_TEXT, AT(mix), 0, 0, NULL,
	"mixed: connections by work, each with a rate if it is an open\n"
	"loop: full:56,resumed:4,relay:2,noop:4@200"},
    {"helo", "NAME", OPTIONS_TEXT, AT(helo), 0, 0, NULL,
	"name in EHLO [client.example.test]"},
    {"from", "ADDRESS", OPTIONS_TEXT, AT(from), 0, 0, NULL,
	"sender [sender@example.test]"},
    {"to", "ADDRESS", OPTIONS_TEXT, AT(to), 0, 0, NULL,
	"recipient [recipient@box.test]"},
    {"timeout", "S", OPTIONS_SECONDS, AT(timeout_s), 0.01, 3600, NULL,
	"seconds that a session may stand still [30]"},
    {"max-errors", "N", OPTIONS_NUMBER, AT(errors_max), 0, 1e12, NULL,
	"sessions that may fail before the run is given up [0]"},
    {"server-pid", "LIST", OPTIONS_LIST, AT(server_pids), 1, 4194304, NULL,
	"processes of the server: its processor time and memory are\n"
	"read from /proc, with those of all its descendants"},
    {"json", "FILE", OPTIONS_TEXT, AT(json), 0, 0, NULL,
	"write the results there as well; - is the standard output,\n"
	"which then has no table"},
    {"quiet", NULL, OPTIONS_FLAG, AT(quiet), 0, 0, NULL,
	"no table and no progress"},
};
