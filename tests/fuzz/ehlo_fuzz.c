/* SPDX-License-Identifier: Apache-2.0 */
/* EHLO sets from two hostile replies: what we would show is printable, bounded,
 * and read again it is the same set; an intersection is missed by neither. */
#include <stdlib.h>
#include <string.h>

#include "smtp/ehlo.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len);

static void expect(bool truth)
{
	if (!truth)
		abort();
}

/* Line by line: 250, a keyword that is in the set, nothing that is no text. */
static void check_reply(
    const struct smtp_ehlo *ehlo, const char *reply, size_t reply_len)
{
	size_t at = 0;
	unsigned lines = 0, keywords = 0;
	while (at < reply_len) {
		const char *line = reply + at;
		const char *end = memchr(line, '\r', reply_len - at);
		expect(end != NULL);
		size_t len = (size_t)(end - line);
		expect(len + 2 <= 512);
		expect(end + 2 <= reply + reply_len);
		expect(end[1] == '\n');
		at += len + 2;
		expect(memcmp(line, "250", 3) == 0);
		expect(line[3] == (at < reply_len ? '-' : ' '));
		for (size_t i = 0; i < len; i++)
			expect(line[i] >= ' ' && line[i] <= '~');
		if (lines++ == 0)
			continue;
		size_t word_len = strcspn(line + 4, " \r");
		enum smtp_keyword keyword =
		    smtp_keyword_find(line + 4, word_len);
		expect(keyword < SMTP_KEYWORD_COUNT);
		expect(keyword != SMTP_KEYWORD_STARTTLS);
		expect(smtp_ehlo_has(ehlo, keyword));
		expect(memmem(line, len, "-PLUS ", 6) == NULL ||
		       keyword != SMTP_KEYWORD_AUTH);
		keywords++;
	}
	expect(keywords == (unsigned)__builtin_popcount(ehlo->keywords));
}

static void check_set(const struct smtp_ehlo *ehlo)
{
	static const struct smtp_ehlo_view view = {.hostname = "gate.example"};
	static char out[SMTP_EHLO_REPLY_SIZE_MAX];
	expect(ehlo->arguments_len <= sizeof(ehlo->arguments));
	size_t len = smtp_ehlo_write(ehlo, &view, out, sizeof(out));
	expect(len < sizeof(out));
	check_reply(ehlo, out, len);

	struct smtp_ehlo again;
	smtp_ehlo_parse((const uint8_t *)out, len, &again);
	expect(again.keywords == ehlo->keywords);
	expect(smtp_ehlo_size(&again) == smtp_ehlo_size(ehlo));
	expect(smtp_ehlo_missing(&again, ehlo, &view) == SMTP_KEYWORD_COUNT);
	expect(smtp_ehlo_missing(ehlo, &again, &view) == SMTP_KEYWORD_COUNT);
	smtp_ehlo_intersect(&again, ehlo);
	expect(again.keywords == ehlo->keywords);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len)
{
	static const struct smtp_ehlo_view view = {.hostname = "gate.example"};
	if (input_len < 2)
		return 0;
	/* The first two bytes cut the rest in two replies. */
	size_t cut = (size_t)(input[0] << 8 | input[1]) % (input_len - 1);
	input += 2;
	input_len -= 2;
	struct smtp_ehlo a, b, both;
	smtp_ehlo_parse(input, cut, &a);
	smtp_ehlo_parse(input + cut, input_len - cut, &b);
	check_set(&a);
	check_set(&b);
	both = a;
	smtp_ehlo_intersect(&both, &b);
	check_set(&both);
	expect((both.keywords & ~(a.keywords & b.keywords)) == 0);
	expect(smtp_ehlo_missing(&a, &both, &view) == SMTP_KEYWORD_COUNT);
	expect(smtp_ehlo_missing(&b, &both, &view) == SMTP_KEYWORD_COUNT);
	if (smtp_ehlo_missing(&b, &a, &view) == SMTP_KEYWORD_COUNT)
		expect(both.keywords == a.keywords);
	return 0;
}
