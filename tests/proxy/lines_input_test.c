/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of files, plain and compressed. */
#include "proxy/lines_input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

static char path[] = "/tmp/lines-XXXXXX";
static int fd;

static void set_up(void)
{
	fd = mkstemp(path);
	cr_assert_neq(fd, -1);
}

static void tear_down(void)
{
	close(fd);
	unlink(path);
}

TestSuite(lines_input, .init = set_up, .fini = tear_down);

/* "a\nbc\n", "d\n" as gzip and as zlib write them (RFC 1952, RFC 1950). */
static const unsigned char gzip_abc[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x02, 0x03, 0x4b, 0xe4, 0x4a, 0x4a, 0xe6, 0x02, 0x00, 0xb0,
    0x87, 0x9b, 0xe8, 0x05, 0x00, 0x00, 0x00};
static const unsigned char gzip_d[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x02, 0x03, 0x4b, 0xe1, 0x02, 0x00, 0x42, 0x55, 0x9d, 0xa0, 0x02,
    0x00, 0x00, 0x00};
static const unsigned char zlib_abc[] = {0x78, 0x9c, 0x4b, 0xe4, 0x4a, 0x4a,
    0xe6, 0x02, 0x00, 0x04, 0x08, 0x01, 0x3b};

static void put(const void *bytes, size_t len)
{
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
}

/* All lines, each followed by '|', then how it ended. */
static const char *read_all(void)
{
	static char all[65536];
	struct lines_input *input = lines_input_open(path);
	enum lines_input_result result;
	const char *line;
	size_t len, at = 0;

	cr_assert_not_null(input);
	while ((result = lines_input_next(input, &line, &len)) ==
	       LINES_INPUT_LINE) {
		memcpy(all + at, line, len);
		at += len;
		all[at++] = '|';
	}
	snprintf(all + at, sizeof(all) - at, "%s",
	    result == LINES_INPUT_END ? "" : lines_input_why(input));
	lines_input_close(&input);
	cr_assert_null(input);
	return all;
}

Test(lines_input, plain)
{
	put("a\n\nbc\nlast", 10);
	cr_assert_str_eq(read_all(), "a||bc|last|");
}

Test(lines_input, nothing_and_next_to_nothing)
{
	cr_assert_str_eq(read_all(), "");
	put("x", 1);
	cr_assert_str_eq(read_all(), "x|");
	put("^\n", 2);
	cr_assert_str_eq(read_all(), "x^|", "that is no zlib");
}

Test(lines_input, gzip_of_two_members)
{
	put(gzip_abc, sizeof(gzip_abc));
	cr_assert_str_eq(read_all(), "a|bc|");
	put(gzip_d, sizeof(gzip_d));
	cr_assert_str_eq(read_all(), "a|bc|d|");
}

Test(lines_input, zlib)
{
	put(zlib_abc, sizeof(zlib_abc));
	cr_assert_str_eq(read_all(), "a|bc|");
}

Test(lines_input, what_is_broken_is_said)
{
	put(gzip_abc, sizeof(gzip_abc) - 3);
	cr_assert_str_eq(read_all(), "a|bc|the compressed data ends too early");
	put("\xff\xff\xff", 3);
	cr_assert_str_eq(read_all(), "a|bc|the compressed data is broken");
}

Test(lines_input, what_stands_behind_it_is_said)
{
	put(gzip_abc, sizeof(gzip_abc));
	put("rubbish\n", 8);
	cr_assert_str_eq(read_all(),
	    "a|bc|there is something else behind the end of the compressed "
	    "data");
}

Test(lines_input, of_a_long_line_there_is_the_head)
{
	static char bytes[200000];
	struct lines_input *input;
	const char *line;
	size_t len;

	memset(bytes, 'x', sizeof(bytes));
	bytes[sizeof(bytes) - 3] = '\n';
	put(bytes, sizeof(bytes));
	input = lines_input_open(path);
	cr_assert_eq(lines_input_next(input, &line, &len), LINES_INPUT_LINE);
	cr_assert_eq(len, LINES_INPUT_LEN_MAX);
	cr_assert_eq(lines_input_next(input, &line, &len), LINES_INPUT_LINE);
	cr_assert_eq(len, 2);
	cr_assert_eq(lines_input_number(input), 2);
	cr_assert_eq(lines_input_done(input), sizeof(bytes));
	cr_assert_eq(lines_input_size(input), sizeof(bytes));
	lines_input_close(&input);
}
