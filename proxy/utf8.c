/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/utf8.h"

#include <stdbool.h>
#include <stdint.h>

/* The rows of RFC 3629, section 4: a lead byte in [lead_from, lead_to] takes a
 * second byte in [second_from, second_to] and tail_count - 1 bytes 80 to BF.
 * The first row leaves out C2 80 to C2 9F, the C1 controls. */
static const struct row {
	uint8_t lead_from, lead_to, second_from, second_to, tail_count;
} rows[] = {
    {0xC2, 0xC2, 0xA0, 0xBF, 1},
    {0xC3, 0xDF, 0x80, 0xBF, 1},
    {0xE0, 0xE0, 0xA0, 0xBF, 2},
    {0xE1, 0xEC, 0x80, 0xBF, 2},
    {0xED, 0xED, 0x80, 0x9F, 2},
    {0xEE, 0xEF, 0x80, 0xBF, 2},
    {0xF0, 0xF0, 0x90, 0xBF, 3},
    {0xF1, 0xF3, 0x80, 0xBF, 3},
    {0xF4, 0xF4, 0x80, 0x8F, 3},
};

static bool is_tail(char byte)
{
	return ((uint8_t)byte & 0xC0) == 0x80;
}

/* The length of the well-formed, printable character at the start of text; 0
 * when there is none. */
static size_t character_len(const char *text, size_t len)
{
	uint8_t lead = (uint8_t)text[0];

	if (lead < 0x80)
		return lead >= 0x20 && lead != 0x7F ? 1 : 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];

		if (lead < row->lead_from || lead > row->lead_to)
			continue;
		if (len < row->tail_count + 1u ||
		    (uint8_t)text[1] < row->second_from ||
		    (uint8_t)text[1] > row->second_to)
			return 0;
		for (size_t tail = 2; tail <= row->tail_count; tail++)
			if (!is_tail(text[tail]))
				return 0;
		return row->tail_count + 1u;
	}
	return 0;
}

void utf8_neuter(char *text, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t step = character_len(text + at, len - at);

		if (step == 0)
			text[at] = '?';
		at += step == 0 ? 1 : step;
	}
}

size_t utf8_whole(const char *text, size_t len)
{
	size_t start = len;

	/* At most three bytes of tail stand behind a lead byte. */
	while (start > 0 && len - start < 3 && is_tail(text[start - 1]))
		start--;
	if (start == 0 || (uint8_t)text[start - 1] < 0x80)
		return len;
	start--;
	return character_len(text + start, len - start) == 0 ? start : len;
}
