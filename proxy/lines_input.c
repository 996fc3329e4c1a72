/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/lines_input.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#define CHUNK_SIZE 65536
/* The largest window, and gzip or zlib as the header says. */
#define WINDOW_BITS (MAX_WBITS + 32)

struct lines_input {
	int fd;
	bool is_compressed;
	bool is_member_done; /* of gzip; another may follow */
	bool at_end;	     /* of the file */
	const char *why;
	uint64_t number, done, size;
	z_stream stream;
	size_t raw_len, raw_at; /* in the file's own bytes */
	size_t plain_len, plain_at;
	size_t line_len;
	unsigned char raw[CHUNK_SIZE];
	char plain[CHUNK_SIZE];
	char line[LINES_INPUT_LEN_MAX];
};

static bool fail(struct lines_input *input, const char *why)
{
	input->why = why;
	return false;
}

/* More of the file's own bytes behind those that are there. */
static bool read_raw(struct lines_input *input)
{
	ssize_t len;

	if (input->raw_at > 0) {
		memmove(input->raw, input->raw + input->raw_at,
		    input->raw_len - input->raw_at);
		input->raw_len -= input->raw_at;
		input->raw_at = 0;
	}
	if (input->at_end || input->raw_len == sizeof(input->raw))
		return true;
	do
		len = read(input->fd, input->raw + input->raw_len,
		    sizeof(input->raw) - input->raw_len);
	while (len == -1 && errno == EINTR);
	if (len == -1)
		return fail(input, strerror(errno));
	input->at_end = len == 0;
	input->raw_len += (size_t)len;
	input->done += (uint64_t)len;
	return true;
}

static bool is_gzip(const unsigned char *bytes)
{
	return bytes[0] == 0x1f && bytes[1] == 0x8b; /* RFC 1952, 2.3.1 */
}

/* RFC 1950, 2.2: deflate with a window of 32 KiB, as all write it. Such a pair
 * of bytes begins no line of a log. */
static bool is_zlib(const unsigned char *bytes)
{
	return bytes[0] == 0x78 && (bytes[0] << 8 | bytes[1]) % 31 == 0 &&
	       bytes[1] != '^';
}

static bool begin(struct lines_input *input)
{
	while (input->raw_len < 2 && !input->at_end)
		if (!read_raw(input))
			return false;
	if (input->raw_len < 2 ||
	    (!is_gzip(input->raw) && !is_zlib(input->raw)))
		return true;
	if (inflateInit2(&input->stream, WINDOW_BITS) != Z_OK)
		return fail(input, "no memory to decompress it");
	input->is_compressed = true;
	return true;
}

/* Behind a member there may be another one, or zeros that fill a block. */
static bool begin_member(struct lines_input *input)
{
	while (input->raw_len - input->raw_at < 2 && !input->at_end)
		if (!read_raw(input))
			return false;
	if (input->raw_len == input->raw_at)
		return true;
	if (input->raw_len - input->raw_at < 2 ||
	    !is_gzip(input->raw + input->raw_at))
		return fail(input, "there is something else behind the end of "
				   "the compressed data");
	inflateReset2(&input->stream, WINDOW_BITS);
	input->is_member_done = false;
	return true;
}

static bool inflate_more(struct lines_input *input)
{
	int result;

	if (input->is_member_done && !begin_member(input))
		return false;
	if (input->is_member_done)
		return true; /* the end */
	if (input->raw_at == input->raw_len && !read_raw(input))
		return false;
	if (input->raw_at == input->raw_len && input->at_end)
		return fail(input, "the compressed data ends too early");
	input->stream.next_in = input->raw + input->raw_at;
	input->stream.avail_in = (unsigned)(input->raw_len - input->raw_at);
	input->stream.next_out = (unsigned char *)input->plain;
	input->stream.avail_out = sizeof(input->plain);
	result = inflate(&input->stream, Z_NO_FLUSH);
	input->raw_at = input->raw_len - input->stream.avail_in;
	input->plain_at = 0;
	input->plain_len = sizeof(input->plain) - input->stream.avail_out;
	if (result == Z_STREAM_END)
		input->is_member_done = true;
	else if (result != Z_OK && result != Z_BUF_ERROR)
		return fail(input, "the compressed data is broken");
	return true;
}

static bool copy_more(struct lines_input *input)
{
	if (!read_raw(input))
		return false;
	memcpy(input->plain, input->raw, input->raw_len);
	input->plain_at = 0;
	input->plain_len = input->raw_len;
	input->raw_at = input->raw_len;
	return true;
}

static bool is_exhausted(const struct lines_input *input)
{
	return input->at_end && input->raw_at == input->raw_len &&
	       (!input->is_compressed || input->is_member_done);
}

/* False: there is no more, or `why` is set. */
static bool fill(struct lines_input *input)
{
	while (input->plain_at == input->plain_len) {
		/* What came before the fault was given out first. */
		if (input->why != NULL || is_exhausted(input))
			return false;
		if (input->is_compressed)
			inflate_more(input);
		else
			copy_more(input);
	}
	return true;
}

static void append(struct lines_input *input, const char *bytes, size_t len)
{
	size_t room = sizeof(input->line) - input->line_len;

	if (len > room)
		len = room;
	memcpy(input->line + input->line_len, bytes, len);
	input->line_len += len;
}

struct lines_input *lines_input_open(const char *path)
{
	struct lines_input *input = calloc(1, sizeof(*input));
	struct stat status;

	if (input == NULL)
		return NULL;
	input->fd = strcmp(path, "-") == 0
			? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
			: open(path, O_RDONLY | O_CLOEXEC);
	if (input->fd == -1) {
		free(input);
		return NULL;
	}
	if (fstat(input->fd, &status) == 0 && S_ISREG(status.st_mode))
		input->size = (uint64_t)status.st_size;
	if (input->why == NULL)
		begin(input);
	return input;
}

void lines_input_close(struct lines_input **input)
{
	if (*input == NULL)
		return;
	if ((*input)->is_compressed)
		inflateEnd(&(*input)->stream);
	close((*input)->fd);
	free(*input);
	*input = NULL;
}

enum lines_input_result lines_input_next(
    struct lines_input *input, const char **line_out, size_t *line_len_out)
{
	bool has_end = false;
	bool has_any = false;

	input->line_len = 0;
	while (!has_end && fill(input)) {
		const char *from = input->plain + input->plain_at;
		size_t len = input->plain_len - input->plain_at;
		const char *end = memchr(from, '\n', len);

		has_any = true;
		has_end = end != NULL;
		if (has_end)
			len = (size_t)(end - from);
		append(input, from, len);
		input->plain_at += len + has_end;
	}
	if (!has_any)
		return input->why != NULL ? LINES_INPUT_FAILED
					  : LINES_INPUT_END;
	input->number++;
	*line_out = input->line;
	*line_len_out = input->line_len;
	return LINES_INPUT_LINE;
}

uint64_t lines_input_number(const struct lines_input *input)
{
	return input->number;
}

const char *lines_input_why(const struct lines_input *input)
{
	return input->why;
}

uint64_t lines_input_done(const struct lines_input *input)
{
	return input->done;
}

uint64_t lines_input_size(const struct lines_input *input)
{
	return input->size;
}
