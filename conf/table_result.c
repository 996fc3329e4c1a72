/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/table_result.h"

#include <assert.h>
#include <string.h>

#define GROUP_DIGITS_MAX 2

/* Behind the $ of a reference; 0: it is none. */
static size_t reference_len(const char *text, unsigned *group_out)
{
	char close = *text == '{' ? '}' : *text == '(' ? ')' : '\0';
	const char *at = close == '\0' ? text : text + 1;
	size_t digits = strspn(at, "0123456789");
	if (digits == 0 || digits > GROUP_DIGITS_MAX ||
	    (close != '\0' && at[digits] != close))
		return 0;
	*group_out = 0;
	for (size_t i = 0; i < digits; i++)
		*group_out = *group_out * 10 + (unsigned)(at[i] - '0');
	return close == '\0' ? digits : digits + 2;
}

/* Takes one piece off the text; NULL, or what is wrong. */
static const char *take_piece(struct arena *arena, const char **text,
    unsigned group_count, struct table_piece *piece_out)
{
	const char *at = *text;
	if (at[0] != '$' || at[1] == '$') {
		/* The second of two $ begins the next literal. */
		at += at[0] == '$';
		size_t len = 1 + strcspn(at + 1, "$");
		*piece_out = (struct table_piece){.text = at, .len = len};
		*text = at + len;
		return NULL;
	}
	size_t len = reference_len(at + 1, &piece_out->group);
	if (len == 0)
		return arena_printf(arena,
		    "\"%.20s\" is no reference: must be such as $1 or ${1}, or "
		    "$$ for one $",
		    at);
	if (piece_out->group == 0 || piece_out->group > group_count)
		return arena_printf(arena,
		    "$%u refers to no group: the pattern has %u",
		    piece_out->group, group_count);
	piece_out->text = NULL;
	piece_out->len = 0;
	*text = at + 1 + len;
	return NULL;
}

const char *table_result_parse(struct arena *arena, const char *text,
    unsigned group_count, struct table_result *result_out)
{
	size_t len = strlen(text);
	struct table_piece *pieces =
	    arena_alloc(arena, (len + 1) * sizeof(*pieces));
	char *literal = arena_alloc(arena, len + 1);
	size_t literal_len = 0;
	size_t count = 0;
	bool has_reference = false;
	for (const char *at = text; *at != '\0'; count++) {
		struct table_piece *piece = &pieces[count];
		const char *problem =
		    take_piece(arena, &at, group_count, piece);
		if (problem != NULL)
			return problem;
		if (piece->text == NULL)
			has_reference = true;
		else
			memcpy(literal + literal_len, piece->text, piece->len);
		literal_len += piece->len;
	}
	result_out->text = has_reference ? text : literal;
	result_out->pieces = has_reference ? pieces : NULL;
	result_out->piece_count = count;
	return NULL;
}

bool table_result_expand(const struct table_result *result, const char *subject,
    const struct pattern_groups *groups, char *buffer, size_t buffer_size)
{
	size_t used = 0;
	for (size_t i = 0; i < result->piece_count; i++) {
		const struct table_piece *piece = &result->pieces[i];
		const char *text = piece->text;
		size_t len = piece->len;
		if (text == NULL) {
			assert(piece->group < PATTERN_GROUPS_MAX);
			text = subject + groups->start[piece->group];
			len = groups->len[piece->group];
		}
		if (len >= buffer_size - used)
			return false;
		memcpy(buffer + used, text, len);
		used += len;
	}
	if (buffer_size == 0)
		return false;
	buffer[used] = '\0';
	return true;
}
