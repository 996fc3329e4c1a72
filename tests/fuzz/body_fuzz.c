/* SPDX-License-Identifier: Apache-2.0 */
/* The scanner against an obvious model, whole and cut in two at every place. */
#include <stdlib.h>
#include <string.h>

#include "smtp/body.h"

#define INPUT_SIZE_MAX 512 /* every cut is tried: the work is its square */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len);

static void expect(bool truth)
{
	if (!truth)
		abort();
}

/* RFC 5321, 4.1.1.4, byte by byte; SIZE_MAX when there is no end. */
static size_t model_end(const uint8_t *input, size_t input_len)
{
	static const uint8_t before[] = {'\r', '\n'}; /* of the DATA command */
	uint8_t window[5] = {0, 0, 0, before[0], before[1]};
	for (size_t i = 0; i < input_len; i++) {
		memmove(window, window + 1, 4);
		window[4] = input[i];
		if (memcmp(window, "\r\n.\r\n", 5) == 0)
			return i + 1;
	}
	return SIZE_MAX;
}

static size_t scan(const uint8_t *input, size_t input_len, size_t cut)
{
	struct smtp_body body;
	bool end;
	smtp_body_init(&body);
	size_t used = smtp_body_scan(&body, input, cut, &end);
	expect(end || used == cut);
	if (end)
		return used;
	/* A copy, so that ASan sees a look behind its begin. */
	size_t left = input_len - cut;
	uint8_t *rest = malloc(left > 0 ? left : 1);
	expect(rest != NULL);
	memcpy(rest, input + cut, left);
	used = smtp_body_scan(&body, rest, left, &end);
	free(rest);
	expect(end || used == left);
	return end ? cut + used : SIZE_MAX;
}

static size_t scan_bytes(const uint8_t *input, size_t input_len)
{
	struct smtp_body body;
	smtp_body_init(&body);
	for (size_t i = 0; i < input_len; i++) {
		bool end;
		expect(smtp_body_scan(&body, input + i, 1, &end) == 1);
		if (end)
			return i + 1;
	}
	return SIZE_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len)
{
	if (input_len > INPUT_SIZE_MAX)
		return -1;
	size_t end = model_end(input, input_len);
	expect(scan_bytes(input, input_len) == end);
	for (size_t cut = 0; cut <= input_len; cut++)
		expect(scan(input, input_len, cut) == end);
	return 0;
}
