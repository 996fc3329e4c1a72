/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/reply.h"

#define TEXT(literal) literal, sizeof(literal) - 1

struct row {
	const char *input;
	size_t input_len;
	enum smtp_reply_result result;
	int code;
	const char *text;
	size_t used;
};

static const struct row rows[] = {
    {TEXT("250 Ok\r\n"), SMTP_REPLY_FOUND, 250, "Ok", 8},
    {TEXT("250 Ok\r\n250 more\r\n"), SMTP_REPLY_FOUND, 250, "Ok", 8},
    {TEXT("220\r\n"), SMTP_REPLY_FOUND, 220, "", 5},
    {TEXT("220 \r\n"), SMTP_REPLY_FOUND, 220, "", 6},
    {TEXT("250-a\r\n250-b\r\n250 c\r\n"), SMTP_REPLY_FOUND, 250, "c", 21},
    {TEXT("250-\r\n250\r\n"), SMTP_REPLY_FOUND, 250, "", 11},
    {TEXT("599 x\r\n"), SMTP_REPLY_FOUND, 599, "x", 7},
    {TEXT("354 go\r\n"), SMTP_REPLY_FOUND, 354, "go", 8},
    {TEXT(""), SMTP_REPLY_NEED_MORE, 0, NULL, 0},
    {TEXT("250-a\r\n250"), SMTP_REPLY_NEED_MORE, 0, NULL, 0},
    {TEXT("250-a\r\n251 b\r\n"), SMTP_REPLY_MALFORMED, 0, NULL, 0},
    {TEXT("250-a\r\nb\r\n"), SMTP_REPLY_MALFORMED, 0, NULL, 0},
    {TEXT("150 a\r\n"), SMTP_REPLY_MALFORMED, 0, NULL, 0},
    {TEXT("600 a\r\n"), SMTP_REPLY_MALFORMED, 0, NULL, 0},
    {TEXT("25 a\r\n"), SMTP_REPLY_MALFORMED, 0, NULL, 0},
    {TEXT("2500 a\r\n"), SMTP_REPLY_MALFORMED, 0, NULL, 0},
    {TEXT("250_a\r\n"), SMTP_REPLY_MALFORMED, 0, NULL, 0},
    {TEXT("25x a\r\n"), SMTP_REPLY_MALFORMED, 0, NULL, 0},
    {TEXT(" 250 a\r\n"), SMTP_REPLY_MALFORMED, 0, NULL, 0},
    {TEXT("\r\n"), SMTP_REPLY_MALFORMED, 0, NULL, 0},
    {TEXT("250 a\n"), SMTP_REPLY_MALFORMED, 0, NULL, 0},
    {TEXT("250 a\n250 b\r\n"), SMTP_REPLY_MALFORMED, 0, NULL, 0},
    {TEXT("250 a\rb\r\n"), SMTP_REPLY_MALFORMED, 0, NULL, 0},
    {TEXT("250 a\0b\r\n"), SMTP_REPLY_MALFORMED, 0, NULL, 0},
};

static void check(const struct row *row, size_t input_len, unsigned i)
{
	uint8_t *input = malloc(input_len > 0 ? input_len : 1);
	cr_assert_not_null(input);
	memcpy(input, row->input, input_len);
	struct smtp_reply reply;
	enum smtp_reply_result result =
	    smtp_reply_find(input, input_len, &reply);
	if (result != SMTP_REPLY_NEED_MORE || input_len == row->input_len)
		cr_assert_eq(
		    result, row->result, "row %u, %zu bytes", i, input_len);
	if (result == SMTP_REPLY_FOUND) {
		cr_assert_eq(reply.code, row->code, "row %u", i);
		cr_assert_eq(reply.used, row->used, "row %u", i);
		cr_assert(reply.last);
		cr_assert_eq(reply.text_len, strlen(row->text), "row %u", i);
		cr_assert_eq(memcmp(reply.text, row->text, reply.text_len), 0);
	}
	free(input);
}

Test(reply, finds_the_same_at_every_cut)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t cut = 0; cut <= rows[i].input_len; cut++)
			check(&rows[i], cut, i);
	}
}

Test(reply, reads_line_by_line)
{
	struct smtp_reply line;
	cr_assert_eq(
	    smtp_reply_line((const uint8_t *)"250-a b\r\n250 c\r\n", 16, &line),
	    SMTP_REPLY_FOUND);
	cr_assert_not(line.last);
	cr_assert_eq(line.code, 250);
	cr_assert_eq(line.used, 9);
	cr_assert_eq(line.text_len, 3);
	cr_assert_eq(memcmp(line.text, "a b", 3), 0);
}

Test(reply, bounds_a_line)
{
	static uint8_t input[SMTP_REPLY_LINE_SIZE_MAX + 3];
	struct smtp_reply reply;
	memset(input, 'x', sizeof(input));
	memcpy(input, "250 ", 4);
	memcpy(input + SMTP_REPLY_LINE_SIZE_MAX, "\r\n", 2);
	cr_assert_eq(
	    smtp_reply_find(input, SMTP_REPLY_LINE_SIZE_MAX + 2, &reply),
	    SMTP_REPLY_FOUND);
	cr_assert_eq(reply.used, SMTP_REPLY_LINE_SIZE_MAX + 2);

	memcpy(input + SMTP_REPLY_LINE_SIZE_MAX, "x\r\n", 3);
	cr_assert_eq(
	    smtp_reply_find(input, sizeof(input), &reply), SMTP_REPLY_TOO_LONG);
	cr_assert_eq(
	    smtp_reply_find(input, SMTP_REPLY_LINE_SIZE_MAX + 1, &reply),
	    SMTP_REPLY_TOO_LONG);
}

/* "250-xxxx CRLF" of ten bytes each, then "250 x CRLF" to the end. */
static size_t fill(uint8_t *input, size_t lines)
{
	for (size_t i = 0; i < lines; i++)
		memcpy(input + 10 * i, "250-xxxx\r\n", 10);
	return lines * 10;
}

Test(reply, bounds_a_whole_reply)
{
	static uint8_t input[SMTP_REPLY_SIZE_MAX + 32];
	struct smtp_reply reply;
	size_t len = fill(input, 1637); /* 14 bytes below the limit */
	memcpy(input + len, "250 xxxxxxxx\r\n", 14);
	cr_assert_eq(len + 14, SMTP_REPLY_SIZE_MAX);
	cr_assert_eq(
	    smtp_reply_find(input, len + 14, &reply), SMTP_REPLY_FOUND);
	cr_assert_eq(reply.used, SMTP_REPLY_SIZE_MAX);
	cr_assert_eq(
	    smtp_reply_find(input, len + 13, &reply), SMTP_REPLY_NEED_MORE);

	memcpy(input + len, "250 xxxxxxxxx\r\n", 15);
	for (size_t more = 0; more < 15; more++)
		cr_assert_eq(smtp_reply_find(input, len + more, &reply),
		    more < 14 ? SMTP_REPLY_NEED_MORE : SMTP_REPLY_TOO_LONG,
		    "%zu bytes", len + more);
	cr_assert_eq(
	    smtp_reply_find(input, len + 15, &reply), SMTP_REPLY_TOO_LONG);
}
