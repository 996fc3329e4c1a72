/* SPDX-License-Identifier: Apache-2.0 */
/* What smtpd_tls_loglevel tells of a session: lines as Postfix 3.7 writes them
 * (those of a running one are compared in tests/integration). */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/ssl.h>

#include "tls/debug.h"
#include "tls/fixture.h"

#define PEER  "unknown[192.0.2.1]"
#define LISTS "ECDHE:DHE:kRSA:!aNULL:!eNULL"

TestSuite(debug, .init = fixture_init, .fini = fixture_fini);

static char told[1 << 20];
static size_t told_len;

static void remember(void *argument, const char *line)
{
	cr_assert_str_eq(argument, "flow");
	told_len += (size_t)snprintf(
	    told + told_len, sizeof(told) - told_len, "%s\n", line);
	cr_assert_lt(told_len, sizeof(told));
}

static void begin(struct link *link, unsigned topics)
{
	static char argument[] = "flow";
	char peer[] = PEER;
	struct tls_debug_options options = {.topics = topics,
	    .peer = peer,
	    .number = UINT64_C(0x32c) << 32 | 0x1f,
	    .tell = remember,
	    .argument = argument};

	told[0] = '\0';
	told_len = 0;
	tls_debug_begin(link->server, &options);
	memset(peer, 'x', sizeof(peer)); /* it was lent for the call */
}

/* The server sees these bytes, and nothing more. */
static void feed(const void *bytes, size_t len, unsigned topics)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
	struct link link;

	link_open(&link, context, client_ctx);
	begin(&link, topics);
	memcpy(link.to_server, bytes, len);
	link.to_server_len = len;
	link_serve_handshake(&link);
	link_close(&link);
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

/* A ClientHello of TLS 1.2 that offers nothing but TLS_RSA_WITH_NULL_MD5. */
static const unsigned char hello[] =
    "\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03"
    "0123456789abcdef0123456789abcdef\x00\x00\x02\x00\x01\x01\x00";

Test(debug, dumps_what_goes_over_the_wire)
{
	feed(hello, sizeof(hello) - 1, TLS_DEBUG_HANDSHAKE_BYTES);
	cr_expect_str_eq(told,
	    "read from 32C0000001F [00000000] (5 bytes => 5 (0x5))\n"
	    "0000 16 03 01 00 2d                                   ....-\n"
	    "read from 32C0000001F [00000005] (45 bytes => 45 (0x2D))\n"
	    "0000 01 00 00 29 03 03 30 31|32 33 34 35 36 37 38 39  "
	    "...)..01 23456789\n"
	    "0010 61 62 63 64 65 66 30 31|32 33 34 35 36 37 38 39  "
	    "abcdef01 23456789\n"
	    "0020 61 62 63 64 65 66 00 00|02 00 01 01              "
	    "abcdef.. ....\n"
	    "002c - <SPACES/NULLS>\n"
	    "write to 32C0000001F [00000000] (7 bytes => 7 (0x7))\n"
	    "0000 15 03 03 00 02 02 28                             "
	    "......(\n");
}

Test(debug, tells_of_states_and_alerts)
{
	feed(hello, sizeof(hello) - 1, TLS_DEBUG_STATES);
	cr_expect_str_eq(told, "SSL_accept:before SSL initialization\n"
			       "SSL_accept:before SSL initialization\n"
			       "SSL3 alert write:fatal:handshake failure\n"
			       "SSL_accept:error in error\n");
}

Test(debug, tells_of_waiting)
{
	feed(hello, 3, TLS_DEBUG_STATES | TLS_DEBUG_HANDSHAKE_BYTES);
	cr_expect_str_eq(told,
	    "SSL_accept:before SSL initialization\n"
	    "read from 32C0000001F [00000000] (5 bytes => 3 (0x3))\n"
	    "0000 16 03 01                                         ...\n"
	    "read from 32C0000001F [00000003] (2 bytes => -1)\n");
}

Test(debug, names_blanks_that_are_all_there_is)
{
	feed("     ", 5, TLS_DEBUG_HANDSHAKE_BYTES);
	cr_expect_eq(strncmp(told,
			 "read from 32C0000001F [00000000] (5 bytes => 5 "
			 "(0x5))\n0000 - <SPACES/NULLS>\n",
			 strlen("read from 32C0000001F [00000000] (5 bytes => "
				"5 (0x5))\n0000 - <SPACES/NULLS>\n")),
	    0, "%s", told);
}

Test(debug, tells_nothing_unasked)
{
	feed(hello, sizeof(hello) - 1, 0);
	cr_expect_str_eq(told, "");
	feed(hello, sizeof(hello) - 1, TLS_DEBUG_CACHE);
	cr_expect_str_eq(told, "");
	feed(hello, sizeof(hello) - 1, TLS_DEBUG_VERBOSE);
	cr_expect_str_eq(told, PEER ": TLS cipher list \"" LISTS "\"\n");
}

/* Whether the text stands in the ASCII column, rows joined. */
static bool shows(const char *text)
{
	char *joined = strdup(told);
	size_t len = 0;
	bool found;

	for (char *line = strtok(joined, "\n"); line != NULL;
	     line = strtok(NULL, "\n")) {
		if (strlen(line) < 54 || line[4] != ' ')
			continue;
		for (const char *at = line + 54; *at != '\0'; at++)
			if (at != line + 62)
				joined[len++] = *at;
	}
	joined[len] = '\0';
	found = strstr(joined, text) != NULL;
	free(joined);
	return found;
}

static void talk(
    struct tls_context *context, SSL_CTX *client_ctx, unsigned topics)
{
	static const char mail[] = "AUTH PLAIN c2VjcmV0LXBhc3N3b3Jk\r\n";
	struct link link;
	char byte;

	link_open(&link, context, client_ctx);
	begin(&link, topics);
	cr_assert(link_handshake(&link), "%s",
	    tls_session_library_errors(link.server));
	cr_assert_neq(told_len, 0);
	cr_assert_eq(
	    SSL_write(link.client, mail, sizeof(mail) - 1), sizeof(mail) - 1);
	link_collect(&link);
	link_serve_read(&link);
	cr_assert_eq(link.plain_len, sizeof(mail) - 1);
	link_serve_write(&link, "235 2.7.0 welcome\r\n", 19);
	cr_assert_eq(SSL_read(link.client, &byte, 1), 1);
	link_close(&link);
}

static unsigned count_lines(const char *begin)
{
	unsigned count = 0;

	for (const char *at = told; at != NULL; at = strchr(at, '\n')) {
		if (at != told)
			at++;
		if (strncmp(at, begin, strlen(begin)) == 0)
			count++;
		if (*at == '\0')
			break;
	}
	return count;
}

Test(debug, ends_its_dumps_with_the_handshake_or_the_session)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));
	SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
	unsigned handshake_reads;

	talk(context, client_ctx, TLS_DEBUG_HANDSHAKE_BYTES);
	handshake_reads = count_lines("read from ");
	cr_expect_gt(handshake_reads, 2);
	talk(context, client_ctx,
	    TLS_DEBUG_HANDSHAKE_BYTES | TLS_DEBUG_SESSION_BYTES);
	cr_expect_gt(count_lines("read from "), handshake_reads + 1);
	cr_expect_not(shows("c2VjcmV0"));
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}

Test(debug, shows_no_byte_of_what_is_not_encrypted)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));
	SSL_CTX *client_ctx =
	    fixture_client_ctx(TLS1_2_VERSION, TLS1_2_VERSION);
	struct tls_context *context;

	options.ciphers.grade = "null";
	context = tls_context_create(&options, &fixture_report);
	cr_assert_not_null(context, "%s", fixture_findings);
	cr_assert_eq(
	    SSL_CTX_set_cipher_list(client_ctx, "NULL-SHA256:@SECLEVEL=0"), 1);
	talk(context, client_ctx,
	    TLS_DEBUG_HANDSHAKE_BYTES | TLS_DEBUG_SESSION_BYTES);
	/* The header of the record and its content, MAC and all. */
	cr_expect_neq(strstr(told, "] (5 bytes => 5 (0x5))\n"
				   "read from "),
	    NULL, "%s", told);
	cr_expect(shows("mx"), "the handshake has the certificate");
	cr_expect_not(shows("c2VjcmV0"));
	cr_expect_not(shows("welcome"));
	SSL_CTX_free(client_ctx);
	tls_context_destroy(&context);
}
