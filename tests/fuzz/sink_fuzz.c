/* SPDX-License-Identifier: Apache-2.0 */
/* The sink: bytes cut in two, and little room for replies, give the same
 * dialogue; a reply never overruns; what is counted did come. */
#include <stdlib.h>
#include <string.h>

#include "smtp/sink.h"

#define INPUT_SIZE_MAX	 1024
#define ANSWERS_SIZE_MAX (INPUT_SIZE_MAX * 64 + SMTP_SINK_REPLY_SIZE_MAX)

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len);

static const char hostname[] = "sink.example";

struct talk {
	struct smtp_sink sink;
	size_t used;
	char answers[ANSWERS_SIZE_MAX];
	size_t answers_len;
};

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static void begin(struct talk *talk)
{
	talk->used = 0;
	talk->answers_len = smtp_sink_init(
	    &talk->sink, hostname, talk->answers, sizeof(talk->answers));
}

static void hear(
    struct talk *talk, const uint8_t *input, size_t input_len, size_t out_size)
{
	size_t used = 1;
	while (used > 0) {
		size_t left = input_len - talk->used;
		uint8_t *copy = malloc(left > 0 ? left : 1);
		char *out = malloc(out_size);
		expect(copy != NULL);
		expect(out != NULL);
		memcpy(copy, input + talk->used, left);
		size_t out_len;
		used = smtp_sink_step(
		    &talk->sink, hostname, copy, left, out, out_size, &out_len);
		expect(used <= left);
		expect(out_len <= out_size);
		expect(used > 0 || out_len == 0);
		expect(talk->answers_len + out_len <= sizeof(talk->answers));
		memcpy(talk->answers + talk->answers_len, out, out_len);
		talk->answers_len += out_len;
		talk->used += used;
		free(copy);
		free(out);
	}
}

static void check_answers(const struct talk *talk)
{
	unsigned accepted = 0;
	for (size_t at = 0; at < talk->answers_len;) {
		const char *line = talk->answers + at;
		size_t left = talk->answers_len - at;
		const char *end = memmem(line, left, "\r\n", 2);
		expect(end != NULL);
		size_t len = (size_t)(end - line) + 2;
		expect(len > 4);
		expect(line[0] >= '2' && line[0] <= '5');
		if (len == 25 &&
		    memcmp(line, "250 2.0.0 Ok: discarded", 23) == 0)
			accepted++;
		at += len;
	}
	expect(talk->sink.messages == accepted);
	expect(talk->sink.octets <= talk->used);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len)
{
	static struct talk whole, parts;
	if (input_len < 2 || input_len > INPUT_SIZE_MAX)
		return -1;
	size_t cut = (size_t)(input[0] << 8 | input[1]) % (input_len - 1);
	input += 2;
	input_len -= 2;
	begin(&whole);
	hear(&whole, input, input_len, 65536);
	check_answers(&whole);
	begin(&parts);
	hear(&parts, input, cut, SMTP_SINK_REPLY_SIZE_MAX);
	hear(&parts, input, input_len, SMTP_SINK_REPLY_SIZE_MAX + 1);
	expect(whole.used == parts.used);
	expect(whole.sink.state == parts.sink.state);
	expect(whole.sink.octets == parts.sink.octets);
	expect(whole.answers_len == parts.answers_len);
	expect(memcmp(whole.answers, parts.answers, whole.answers_len) == 0);
	return 0;
}
