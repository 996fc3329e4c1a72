/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/counts.h"

#include <assert.h>
#include <stdio.h>

static const char *const words[SMTP_VERB_COUNT] = {
#define VERB(symbol, word) word,
#include "smtp/verb.def"
#undef VERB
};

struct text {
	char *out;
	size_t size;
	size_t len;
};

static void add_one(uint16_t *count)
{
	if (*count < UINT16_MAX)
		(*count)++;
}

static void append_item(
    struct text *text, const char *word, unsigned ok, unsigned total)
{
	char item[64];
	/* Postfix writes "commands=0/0" of a client that said nothing. */
	int item_len =
	    ok == total && total > 0
		? snprintf(item, sizeof(item), "%s=%u", word, ok)
		: snprintf(item, sizeof(item), "%s=%u/%u", word, ok, total);
	assert(item_len > 0);
	int len = snprintf(text->out + text->len, text->size - text->len,
	    "%s%s", text->len > 0 ? " " : "", item);
	assert(len > 0);
	text->len += (size_t)len;
	if (text->len >= text->size)
		text->len = text->size - 1;
}

void smtp_counts_came(struct smtp_counts *counts, enum smtp_verb verb)
{
	assert(verb < SMTP_VERB_COUNT);
	add_one(&counts->total[verb]);
}

void smtp_counts_obeyed(struct smtp_counts *counts, enum smtp_verb verb)
{
	assert(verb < SMTP_VERB_COUNT);
	add_one(&counts->ok[verb]);
}

size_t smtp_counts_format(
    const struct smtp_counts *counts, char *out, size_t out_size)
{
	assert(out_size > 0);
	struct text text = {.out = out, .size = out_size};
	unsigned ok = 0;
	for (unsigned i = 0; i < SMTP_VERB_COUNT; i++) {
		ok += counts->ok[i];
		if (counts->total[i] > 0)
			append_item(
			    &text, words[i], counts->ok[i], counts->total[i]);
	}
	append_item(&text, "commands", ok, smtp_counts_total(counts));
	return text.len;
}

unsigned smtp_counts_total(const struct smtp_counts *counts)
{
	unsigned total = 0;
	for (unsigned i = 0; i < SMTP_VERB_COUNT; i++)
		total += counts->total[i];
	return total;
}
