/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of files that may be compressed (gzip, also of several members, or
 * zlib), told by their first bytes. Bounded memory: of a line that is longer
 * than the limit only the head is given. */
#ifndef POSTERN_PROXY_LINES_INPUT_H
#define POSTERN_PROXY_LINES_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINES_INPUT_LEN_MAX 8192

struct lines_input; /* opaque */

enum lines_input_result {
	LINES_INPUT_LINE,
	LINES_INPUT_END,
	LINES_INPUT_FAILED, /* lines_input_why() */
};

/* "-" is standard input. NULL with errno. */
struct lines_input *lines_input_open(const char *path);
void lines_input_close(struct lines_input **input);

/* The line is without its end, and borrowed until the next call. The last one
 * needs no end. */
enum lines_input_result lines_input_next(
    struct lines_input *input, const char **line_out, size_t *line_len_out);

/* Of the line given last, from 1. */
uint64_t lines_input_number(const struct lines_input *input);
const char *lines_input_why(const struct lines_input *input);

/* Bytes of the file that were read, and that it has; 0 when that is unknown. */
uint64_t lines_input_done(const struct lines_input *input);
uint64_t lines_input_size(const struct lines_input *input);

#endif
