/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/reply.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

struct row {
	char bytes[200];
	enum reply_status status;
	int code;
	size_t used;
	char text[40];
};

static struct row rows[] = {
    {"220 mx ESMTP\r\n", REPLY_DONE, 220, 14, "220 mx ESMTP"},
    {"250\r\n", REPLY_DONE, 250, 5, "250"},
    {"250-mx\r\n250-PIPELINING\r\n250 SIZE\r\n220 next\r\n", REPLY_DONE, 250,
	34, "250 SIZE"},
    {"354 go\n", REPLY_DONE, 354, 7, "354 go"},
    {"250-mx\r\n", REPLY_NEED_MORE, 0, 8, ""},
    {"25", REPLY_NEED_MORE, 0, 2, ""},
    {"hello\r\n", REPLY_BAD, 0, 7, "hello"},
    {"25\r\n", REPLY_BAD, 0, 4, "25"},
    {"250=mx\r\n", REPLY_BAD, 0, 8, "250=mx"},
    {"\r\n", REPLY_BAD, 0, 2, ""},
};

ParameterizedTestParameters(reply, any_cut)
{
	return cr_make_param_array(
	    struct row, rows, sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct row *row, reply, any_cut)
{
	size_t len = strlen(row->bytes);

	for (size_t cut = 0; cut <= len; cut++) {
		struct reply reply = {0};
		size_t used;
		size_t more = 0;
		enum reply_status status =
		    reply_read(&reply, row->bytes, cut, &used);

		if (status == REPLY_NEED_MORE)
			status = reply_read(
			    &reply, row->bytes + used, len - used, &more);
		cr_assert_eq(status, row->status, "cut at %zu", cut);
		cr_assert_eq(used + more, row->used, "cut at %zu", cut);
		if (status == REPLY_DONE)
			cr_assert_eq(reply.code, row->code);
		if (status != REPLY_NEED_MORE)
			cr_assert_str_eq(reply.text, row->text);
	}
}

Test(reply, one_after_the_other)
{
	const char *bytes = "250 a\r\n354 b\r\n";
	struct reply reply = {0};
	size_t used;

	cr_assert_eq(reply_read(&reply, bytes, 14, &used), REPLY_DONE);
	cr_assert_eq(used, 7);
	cr_assert_eq(reply_read(&reply, bytes + 7, 7, &used), REPLY_DONE);
	cr_assert_eq(reply.code, 354);
	cr_assert_str_eq(reply.text, "354 b");
}

Test(reply, a_long_line_is_cut_for_the_report_alone)
{
	char bytes[1024];
	struct reply reply = {0};
	size_t used;

	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, "550 ", 4);
	memcpy(bytes + sizeof(bytes) - 2, "\r\n", 2);
	cr_assert_eq(
	    reply_read(&reply, bytes, sizeof(bytes), &used), REPLY_DONE);
	cr_assert_eq(used, sizeof(bytes));
	cr_assert_eq(reply.code, 550);
	cr_assert_eq(strlen(reply.text), REPLY_TEXT_SIZE - 1);
}
