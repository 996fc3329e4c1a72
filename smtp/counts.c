/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/counts.h"

#include <assert.h>
#include <string.h>

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

static void take_one(uint16_t *count)
{
	if (*count > 0 && *count < UINT16_MAX)
		(*count)--;
}

/* What does not fit is cut off. */
static void append(struct text *text, const char *part)
{
	size_t len = strnlen(part, text->size - 1 - text->len);

	memcpy(text->out + text->len, part, len);
	text->len += len;
	text->out[text->len] = '\0';
}

static void append_number(struct text *text, unsigned number)
{
	char digits[16];
	char *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do {
		*--at = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	append(text, at);
}

static void append_item(
    struct text *text, const char *word, unsigned ok, unsigned total)
{
	if (text->len > 0)
		append(text, " ");
	append(text, word);
	append(text, "=");
	append_number(text, ok);
	/* Postfix writes "commands=0/0" of a client that said nothing. */
	if (ok == total && total > 0)
		return;
	append(text, "/");
	append_number(text, total);
}

void smtp_counts_came(struct smtp_counts *counts, enum smtp_verb verb)
{
	assert(verb < SMTP_VERB_COUNT);
	add_one(&counts->total[verb]);
}

void smtp_counts_taken_back(struct smtp_counts *counts, enum smtp_verb verb)
{
	take_one(&counts->total[verb]);
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
