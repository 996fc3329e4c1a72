/* SPDX-License-Identifier: Apache-2.0 */
/* The record of a session: how it is written, and what a log may do to who
 * reads it again. */
#include "proxy/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#define FRAME "Nov 23 15:04:05 mx postern/smtpd[812]: "
#define LEAST "session=32c-1 time=2026-11-23T15:04:05Z reason=CLIENT_QUIT"
#define LEAST_JSON                                            \
	"{\"session\":\"32c-1\",\"time\":\"2026-11-23T15:04:" \
	"05Z\",\"reason\":\"CLIENT_QUIT\""

static struct record record;
static char line[RECORD_LINE_SIZE];
static const char *why;

static void fill(const char *sni)
{
	record_init(&record);
	record_set_word(&record, RECORD_session, "32c-1f");
	record_set_time(&record, RECORD_time, 1795439081);
	record_set_text(&record, RECORD_listener, "submission");
	record_set_text(&record, RECORD_client, "[2001:db8::7]:40112");
	record_set_word(&record, RECORD_reason, "CLIENT_QUIT");
	record_set_word(&record, RECORD_tls, "TLSv1.3");
	record_set_flag(&record, RECORD_resumed, false);
	record_set_flag(&record, RECORD_forward_secrecy, true);
	record_set_text(&record, RECORD_sni, sni);
	record_set_number(&record, RECORD_messages, 3);
	record_set_number(&record, RECORD_in, 1234567890123456);
}

static enum record_found read_again(const char *text)
{
	static struct record again;
	enum record_found found;

	found = record_read(text, strlen(text), &again, &why);
	record = again;
	return found;
}

Test(record, is_a_line_of_words)
{
	fill("mx.example.test");
	record_write_text(&record, line, sizeof(line));
	cr_assert_str_eq(line,
	    "session=32c-1f time=2026-11-23T13:04:41Z listener=submission "
	    "client=[2001:db8::7]:40112 proxy_source=none reason=CLIENT_QUIT "
	    "tls=TLSv1.3 cipher=none key_exchange=none group=none "
	    "signature=none resumed=no forward_secrecy=yes "
	    "forward_secrecy_reason=none trust=none sni=mx.example.test "
	    "handshake_ms=none tls_fault=none client_version=none "
	    "client_eecdh=none client_edh=none client_rsa=none "
	    "client_hybrid=none backend=none handover=none backend_tls=none "
	    "commands=none messages=3 in=1234567890123456 out=none ms=none");
}

Test(record, is_an_object_of_json)
{
	fill("mx.example.test");
	record_write_json(&record, line, sizeof(line));
	cr_assert_str_eq(line,
	    "{\"session\":\"32c-1f\",\"time\":\"2026-11-23T13:04:41Z\","
	    "\"listener\":\"submission\",\"client\":\"[2001:db8::7]:40112\","
	    "\"proxy_source\":null,\"reason\":\"CLIENT_QUIT\","
	    "\"tls\":\"TLSv1.3\",\"cipher\":null,\"key_exchange\":null,"
	    "\"group\":null,\"signature\":null,\"resumed\":false,"
	    "\"forward_secrecy\":true,\"forward_secrecy_reason\":null,"
	    "\"trust\":null,\"sni\":\"mx.example.test\","
	    "\"handshake_ms\":null,\"tls_fault\":null,"
	    "\"client_version\":null,\"client_eecdh\":null,"
	    "\"client_edh\":null,\"client_rsa\":null,"
	    "\"client_hybrid\":null,\"backend\":null,\"handover\":null,"
	    "\"backend_tls\":null,\"commands\":null,\"messages\":3,"
	    "\"in\":1234567890123456,\"out\":null,\"ms\":null}");
}

Test(record, is_fields_of_the_journal)
{
	char fields[RECORD_FIELDS_SIZE];

	fill("x\nPRIORITY=0");
	cr_assert_eq(record_write_fields(&record, fields, sizeof(fields)),
	    strlen(fields));
	cr_assert_str_eq(fields,
	    "POSTERN_SESSION=32c-1f\x1ePOSTERN_TIME=2026-11-23T13:04:41Z\x1e"
	    "POSTERN_LISTENER=submission\x1e"
	    "POSTERN_CLIENT=[2001:db8::7]:40112\x1e"
	    "POSTERN_REASON=CLIENT_QUIT\x1ePOSTERN_TLS=TLSv1.3\x1e"
	    "POSTERN_RESUMED=no\x1ePOSTERN_FORWARD_SECRECY=yes\x1e"
	    "POSTERN_SNI=x%0APRIORITY%3D0\x1ePOSTERN_MESSAGES=3\x1e"
	    "POSTERN_IN=1234567890123456\x1e");
}

static const struct {
	const char *given, *kept;
} texts[] = {
    {"smtp", "smtp"},
    {"x reason=FORGED", "x%20reason%3DFORGED"},
    {"a\nsession=1", "a%0Asession%3D1"},
    {"\x1b[2J\x7f\xff", "%1B[2J%7F%FF"},
    {"\",\"reason\":\"x", "%22,%22reason%22:%22x"},
    {"100%\\", "100%25%5C"},
    {"none", "%6Eone"},
    {"None", "None"},
};

Test(record, no_value_breaks_out)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		fill(texts[i].given);
		cr_expect_str_eq(
		    record_value(&record, RECORD_sni), texts[i].kept);
		record_write_text(&record, line, sizeof(line));
		cr_assert_eq(read_again(line), RECORD_FOUND, "%s", why);
		cr_expect_str_eq(
		    record_value(&record, RECORD_sni), texts[i].kept);
		cr_expect_str_eq(
		    record_value(&record, RECORD_reason), "CLIENT_QUIT");
		fill(texts[i].given);
		record_write_json(&record, line, sizeof(line));
		cr_assert_eq(read_again(line), RECORD_FOUND, "%s", why);
		cr_expect_str_eq(
		    record_value(&record, RECORD_sni), texts[i].kept);
	}
}

Test(record, long_values_are_cut_off_and_the_rest_is_there)
{
	char longest[1000];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	fill(longest);
	cr_assert_eq(
	    strlen(record_value(&record, RECORD_sni)), RECORD_VALUE_LEN_MAX);
	memset(longest, ' ', sizeof(longest) - 1);
	fill(longest);
	cr_assert_eq(
	    strlen(record_value(&record, RECORD_sni)), RECORD_VALUE_LEN_MAX);
	/* All texts at their longest: a name of a backend has 127 bytes, one
	 * of a listener 127, a host name 255. */
	record_init(&record);
	record_set_word(&record, RECORD_session, "ffffffff-ffffffff");
	record_set_time(&record, RECORD_time, 1795439081);
	record_set_word(&record, RECORD_reason, "BACKEND_UNAVAILABLE");
	longest[127] = '\0';
	memset(longest, 'x', 127);
	record_set_text(&record, RECORD_listener, longest);
	record_set_text(&record, RECORD_backend, longest);
	memset(longest, 'x', 255);
	longest[255] = '\0';
	record_set_text(&record, RECORD_sni, longest);
	for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
		enum record_field field = (enum record_field)i;

		if (record.values[i] != NULL)
			continue;
		if (record_field_type(field) == RECORD_NUMBER)
			record_set_number(&record, field, UINT64_MAX);
		else if (record_field_type(field) == RECORD_FLAG)
			record_set_flag(&record, field, true);
		else if (record_field_type(field) == RECORD_WORD)
			record_set_word(
			    &record, field, "ECDHE-RSA-CHACHA20-POLY1305");
		else
			record_set_text(&record, field,
			    "[1111:1111:1111:1111:1111:1111:1111:1111]:65535");
	}
	record_write_text(&record, line, sizeof(line));
	cr_expect_not_null(strstr(line, " ms=9223372036854775807"));
	record_write_json(&record, line, sizeof(line));
	cr_expect_not_null(strstr(line, ",\"ms\":9223372036854775807}"));
}

static const struct {
	const char *text;
	enum record_found found;
} lines[] = {
    {LEAST, RECORD_FOUND},
    {FRAME LEAST, RECORD_FOUND},
    {"2026-11-23T15:04:05+01:00 mx postern/smtpd[812]: " LEAST, RECORD_FOUND},
    {FRAME LEAST_JSON "}", RECORD_FOUND},
    {LEAST_JSON "}", RECORD_FOUND},
    {LEAST " new_field=x", RECORD_FOUND},
    {LEAST_JSON ",\"new_field\":[1]}", RECORD_FOUND},
    {LEAST " messages=7 resumed=yes", RECORD_FOUND},
    {"", RECORD_ABSENT},
    {FRAME "connect from unknown[192.0.2.1]", RECORD_ABSENT},
    /* What a client can write into other lines. */
    {FRAME "warning: non-SMTP command from unknown[192.0.2.1]: " LEAST,
	RECORD_ABSENT},
    {FRAME "x[1]: " LEAST, RECORD_ABSENT},
    {"x " LEAST, RECORD_ABSENT},
    {FRAME LEAST " reason=FORGED", RECORD_BROKEN},
    {LEAST_JSON ",\"reason\":\"FORGED\"}", RECORD_BROKEN},
    {FRAME "session=32c-1 reason=CLIENT_QUIT", RECORD_BROKEN},
    {"session=32c-1", RECORD_BROKEN},
    {"session=", RECORD_BROKEN},
    {LEAST " ", RECORD_FOUND},
    {LEAST "  ms=1", RECORD_BROKEN},
    {LEAST " word", RECORD_BROKEN},
    {LEAST " ms=-1", RECORD_BROKEN},
    {LEAST " ms=1x", RECORD_BROKEN},
    {LEAST " ms=065", RECORD_BROKEN},
    {LEAST " ms=0", RECORD_FOUND},
    {LEAST " ms=99999999999999999999", RECORD_BROKEN},
    {LEAST " resumed=1", RECORD_BROKEN},
    {LEAST " sni=%2", RECORD_BROKEN},
    {LEAST " sni=\x1b[2J", RECORD_BROKEN},
    {LEAST " tls=<script>", RECORD_BROKEN},
    {"session=1 time=2026-13-23T15:04:05Z reason=X", RECORD_BROKEN},
    {"session=1 time=2026-11-23T15:04:05+01:00 reason=X", RECORD_BROKEN},
    {LEAST_JSON, RECORD_BROKEN},
    {LEAST_JSON ",\"ms\":\"1\"}", RECORD_BROKEN},
    {LEAST_JSON ",\"ms\":-1}", RECORD_BROKEN},
    {LEAST_JSON ",\"sni\":7}", RECORD_BROKEN},
    {LEAST_JSON ",\"sni\":\"a b\"}", RECORD_BROKEN},
    {LEAST_JSON ",\"sni\":\"a\\u0000b\"}", RECORD_BROKEN},
};

Test(record, is_found_where_we_wrote_it_and_nowhere_else)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		cr_expect_eq(read_again(lines[i].text), lines[i].found,
		    "%s (%s)", lines[i].text, why);
		cr_expect_eq(lines[i].found == RECORD_BROKEN, *why != '\0');
	}
}

Test(record, values_come_back)
{
	cr_assert_eq(
	    read_again(LEAST " messages=7 resumed=yes sni=none"), RECORD_FOUND);
	cr_expect_eq(record_number(&record, RECORD_messages), 7);
	cr_expect_eq(record_number(&record, RECORD_in), 0);
	cr_expect_str_eq(record_value(&record, RECORD_resumed), "yes");
	cr_expect_null(record.values[RECORD_sni]);
	cr_expect_eq(
	    record_parse_time(record_value(&record, RECORD_time)), 1795446245);
}

Test(record, a_long_line_is_no_record)
{
	static char text[5000];

	snprintf(text, sizeof(text), "%s sni=%04500d", LEAST, 1);
	cr_assert_eq(read_again(text), RECORD_BROKEN);
	cr_assert_str_eq(why, "it is too long");
}

static const char *root(void)
{
	return getenv("SOURCE_ROOT") == NULL ? "." : getenv("SOURCE_ROOT");
}

/* The page has the fields from the table; the README has them by hand. */
Test(record, each_field_is_documented)
{
	char path[1000];
	char *text = NULL;
	size_t size = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/README.md", root());
	file = fopen(path, "re");
	cr_assert_not_null(file);
	cr_assert_geq(getdelim(&text, &size, '\0', file), 0);
	for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
		const char *name = record_field_name((enum record_field)i);
		char row[100];

		snprintf(row, sizeof(row), "\n| `%s` |", name);
		cr_expect_not_null(strstr(text, row), "README.md: %s", name);
		cr_expect_gt(
		    strlen(record_field_help((enum record_field)i)), 15);
	}
	fclose(file);
	free(text);
}
