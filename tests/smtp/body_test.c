/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/body.h"

#define TEXT(literal) literal, sizeof(literal) - 1
#define ENDLESS	      SIZE_MAX

struct row {
	const char *input;
	size_t input_len;
	size_t end; /* bytes up to and with the end marker */
};

static const struct row rows[] = {
    {TEXT(".\r\n"), 3},
    {TEXT(".\r\nQUIT\r\n"), 3},
    {TEXT("a\r\n.\r\n"), 6},
    {TEXT("a\r\n.\r\nMAIL FROM:<a@b>\r\n.\r\n"), 6},
    {TEXT("\r\n.\r\n"), 5},
    {TEXT("a.b\r\n..\r\n.\r\n"), 12},
    {TEXT("a\r\n\r\n.\r\n"), 8},
    {TEXT("a\r\r\n.\r\n"), 7},
    {TEXT("a\r\n.\r\r\n.\r\n"), 10},
    {TEXT(".\r.\r\n.\r\n"), 8},
    {TEXT("\r\n.\r\r\n\r\n.\r\n"), 11},
    /* What other servers were seen to take for the end: CVE-2023-51764 and
     * its kin. */
    {TEXT("a\n.\n"), ENDLESS},
    {TEXT("a\n.\r\n"), ENDLESS},
    {TEXT("a\r\n.\n"), ENDLESS},
    {TEXT("a\r.\r\n"), ENDLESS},
    {TEXT("a\r.\r"), ENDLESS},
    {TEXT("a\r\n.\r"), ENDLESS},
    {TEXT("a\r\n.\r\r\n"), ENDLESS},
    {TEXT("a\r\n\0.\r\n"), ENDLESS},
    {TEXT("a\r\n.\0\r\n"), ENDLESS},
    {TEXT("a\r\n.\r\0\n"), ENDLESS},
    {TEXT("a\r\0\n.\r\n"), ENDLESS},
    {TEXT("a\r\n .\r\n"), ENDLESS},
    {TEXT("a\r\n. \r\n"), ENDLESS},
    {TEXT("a\r\n..\r\n"), ENDLESS},
    {TEXT("a\n\n.\n\n"), ENDLESS},
    {TEXT("a\n\r.\n\r"), ENDLESS},
    {TEXT("..\r\n"), ENDLESS},
    {TEXT(""), ENDLESS},
};

/* Scans the input in two pieces and says where it ended. */
static size_t find_end(const struct row *row, size_t cut)
{
	struct smtp_body body;
	size_t sum = 0;
	smtp_body_init(&body);
	for (int piece = 0; piece < 2; piece++) {
		const char *from = piece == 0 ? row->input : row->input + cut;
		size_t len = piece == 0 ? cut : row->input_len - cut;
		uint8_t *copy = malloc(len > 0 ? len : 1);
		cr_assert_not_null(copy);
		memcpy(copy, from, len);
		bool end;
		size_t used = smtp_body_scan(&body, copy, len, &end);
		free(copy);
		sum += used;
		if (end)
			return sum;
		cr_assert_eq(used, len);
	}
	return ENDLESS;
}

Test(body, ends_at_the_same_place_at_every_cut)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t cut = 0; cut <= rows[i].input_len; cut++)
			cr_assert_eq(find_end(&rows[i], cut), rows[i].end,
			    "row %u, cut at %zu", i, cut);
	}
}

Test(body, ends_at_the_same_place_byte_by_byte)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct smtp_body body;
		size_t end_at = ENDLESS;
		smtp_body_init(&body);
		for (size_t at = 0; at < row->input_len; at++) {
			bool end;
			cr_assert_eq(
			    smtp_body_scan(&body,
				(const uint8_t *)row->input + at, 1, &end),
			    1);
			if (end) {
				end_at = at + 1;
				break;
			}
		}
		cr_assert_eq(end_at, row->end, "row %u", i);
	}
}
