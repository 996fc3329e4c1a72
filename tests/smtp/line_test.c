/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/line.h"

#define TEXT(literal) literal, sizeof(literal) - 1

struct row {
	const char *input;
	size_t input_len;
	size_t line_size_max;
	enum smtp_line_result result;
	const char *text;
	size_t text_len;
	size_t used;
};

static const struct row rows[] = {
    {TEXT("NOOP\r\n"), 10, SMTP_LINE_FOUND, TEXT("NOOP"), 6},
    {TEXT("NOOP\r\nQUIT\r\n"), 10, SMTP_LINE_FOUND, TEXT("NOOP"), 6},
    {TEXT("\r\n"), 10, SMTP_LINE_FOUND, TEXT(""), 2},
    {TEXT("12345\r\n"), 5, SMTP_LINE_FOUND, TEXT("12345"), 7},
    {TEXT("1234\r\nX"), 5, SMTP_LINE_FOUND, TEXT("1234"), 6},
    {TEXT(""), 5, SMTP_LINE_NEED_MORE, TEXT(""), 0},
    {TEXT("12345"), 5, SMTP_LINE_NEED_MORE, TEXT(""), 0},
    {TEXT("12345\r"), 5, SMTP_LINE_NEED_MORE, TEXT(""), 0},
    {TEXT("\r"), 5, SMTP_LINE_NEED_MORE, TEXT(""), 0},
    {TEXT("123456"), 5, SMTP_LINE_TOO_LONG, TEXT("12345"), 5},
    {TEXT("123456\r\n"), 5, SMTP_LINE_TOO_LONG, TEXT("12345"), 5},
    {TEXT("12345\rX\n"), 5, SMTP_LINE_TOO_LONG, TEXT("12345"), 5},
    {TEXT("123456\n"), 5, SMTP_LINE_TOO_LONG, TEXT("12345"), 5},
    {TEXT("12345\n"), 5, SMTP_LINE_BARE_LF, TEXT("12345"), 6},
    {TEXT("NOOP\nQUIT\r\n"), 10, SMTP_LINE_BARE_LF, TEXT("NOOP"), 5},
    {TEXT("\n"), 10, SMTP_LINE_BARE_LF, TEXT(""), 1},
    {TEXT("\n\r\n"), 10, SMTP_LINE_BARE_LF, TEXT(""), 1},
    {TEXT("a\rb\r\n"), 10, SMTP_LINE_BAD_BYTE, TEXT("a\rb"), 5},
    {TEXT("a\r\r\n"), 10, SMTP_LINE_BAD_BYTE, TEXT("a\r"), 4},
    {TEXT("a\0b\r\n"), 10, SMTP_LINE_BAD_BYTE, TEXT("a\0b"), 5},
};

/* A copy without a byte to spare, so that ASan sees the first read too far. */
static uint8_t *copy_exactly(const char *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	cr_assert_not_null(copy);
	memcpy(copy, bytes, len);
	return copy;
}

static void check(const struct row *row, size_t input_len, unsigned i)
{
	uint8_t *input = copy_exactly(row->input, input_len);
	struct smtp_line line;
	enum smtp_line_result result =
	    smtp_line_find(input, input_len, row->line_size_max, &line);
	/* Of a part of the input the answer may only be the same, or none. */
	bool early =
	    result == SMTP_LINE_NEED_MORE && input_len < row->input_len;
	if (!early) {
		cr_assert_eq(result, row->result, "row %u, %zu bytes: %d", i,
		    input_len, result);
	}
	if (result != SMTP_LINE_NEED_MORE) {
		cr_assert_eq(line.used, row->used, "row %u", i);
		cr_assert_eq(line.len, row->text_len, "row %u", i);
		cr_assert_eq(memcmp(line.text, row->text, line.len), 0);
	}
	free(input);
}

Test(line, finds_the_same_at_every_cut)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t cut = 0; cut <= rows[i].input_len; cut++)
			check(&rows[i], cut, i);
	}
}

struct skip_row {
	const char *input;
	size_t input_len;
	enum smtp_line_result result;
	size_t used;
};

static const struct skip_row skip_rows[] = {
    {TEXT(""), SMTP_LINE_NEED_MORE, 0},
    {TEXT("xyz"), SMTP_LINE_NEED_MORE, 3},
    {TEXT("xyz\r"), SMTP_LINE_NEED_MORE, 3},
    {TEXT("\r"), SMTP_LINE_NEED_MORE, 0},
    {TEXT("\rx"), SMTP_LINE_NEED_MORE, 2},
    {TEXT("xyz\r\nQUIT\r\n"), SMTP_LINE_FOUND, 5},
    {TEXT("\r\n"), SMTP_LINE_FOUND, 2},
    {TEXT("xyz\nQUIT\r\n"), SMTP_LINE_BARE_LF, 4},
    {TEXT("\n"), SMTP_LINE_BARE_LF, 1},
};

Test(line, skips_to_the_end_of_a_line)
{
	for (unsigned i = 0; i < sizeof(skip_rows) / sizeof(skip_rows[0]);
	     i++) {
		const struct skip_row *row = &skip_rows[i];
		for (size_t cut = 0; cut <= row->input_len; cut++) {
			uint8_t *head = copy_exactly(row->input, cut);
			size_t used;
			enum smtp_line_result result =
			    smtp_line_skip(head, cut, &used);
			free(head);
			size_t sum = used;
			if (result == SMTP_LINE_NEED_MORE) {
				size_t left = row->input_len - sum;
				uint8_t *rest =
				    copy_exactly(row->input + sum, left);
				result = smtp_line_skip(rest, left, &used);
				free(rest);
				sum += used;
			}
			cr_assert_eq(result, row->result, "row %u", i);
			cr_assert_eq(sum, row->used, "row %u", i);
		}
	}
}
