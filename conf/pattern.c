/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/pattern.h"

#include <ctype.h>
#include <regex.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "conf/pattern_parts.h"

/* Subjects come from peers: a pattern that backtracks without end must not hold
 * up a worker. Tens of milliseconds at the worst; PCRE2's own limit is a
 * hundred times that. */
#define MATCH_STEPS_MAX 100000

/* Beyond the pattern's own length. Some megabytes at the worst. */
#define REPEATED_PARTS_MAX 4000

struct pattern {
	enum pattern_language language;
	union {
		struct {
			pcre2_code *code;
			pcre2_match_data *data;
			pcre2_match_context *context;
		} pcre;
		regex_t posix;
	};
};

/* A letter behind the pattern turns its option over. */
struct flag {
	char letter;
	uint32_t option;
};

static const struct flag pcre_flags[] = {
    {'i', PCRE2_CASELESS},
    {'m', PCRE2_MULTILINE},
    {'s', PCRE2_DOTALL},
    {'x', PCRE2_EXTENDED},
    {'A', PCRE2_ANCHORED},
    {'E', PCRE2_DOLLAR_ENDONLY},
    {'U', PCRE2_UNGREEDY},
    {'X', 0}, /* what it asked for, PCRE2 does always */
    {'\0', 0},
};

static const struct flag posix_flags[] = {
    {'i', REG_ICASE},
    {'m', REG_NEWLINE},
    {'x', REG_EXTENDED},
    {'\0', 0},
};

static const struct flag *find_flag(const struct flag *flags, char letter)
{
	while (flags->letter != '\0' && flags->letter != letter)
		flags++;
	return flags->letter == '\0' ? NULL : flags;
}

/* The delimiter that ends the pattern; one behind a backslash does not. */
static const char *find_end(const char *text)
{
	char delimiter = *text;
	for (const char *at = text + 1; *at != '\0'; at++) {
		if (*at == delimiter)
			return at;
		if (*at == '\\' && at[1] != '\0')
			at++;
	}
	return NULL;
}

static const char *compile_pcre(struct arena *arena, const char *text,
    uint32_t options, struct pattern *pattern)
{
	int error;
	size_t offset;
	unsigned char words[128];
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)text,
	    PCRE2_ZERO_TERMINATED, options, &error, &offset, NULL);
	if (code == NULL) {
		pcre2_get_error_message(error, words, sizeof(words));
		return arena_printf(arena, "%s, at character %zu of \"%.200s\"",
		    (const char *)words, offset + 1, text);
	}
	pattern->pcre.code = code;
	pattern->pcre.data = pcre2_match_data_create_from_pattern(code, NULL);
	pattern->pcre.context = pcre2_match_context_create(NULL);
	if (pattern->pcre.data == NULL || pattern->pcre.context == NULL) {
		pattern_finish(pattern);
		return "no memory for a pattern";
	}
	pcre2_set_match_limit(pattern->pcre.context, MATCH_STEPS_MAX);
	return NULL;
}

static const char *compile_posix(struct arena *arena, const char *text,
    uint32_t options, struct pattern *pattern)
{
	char words[128];
	bool is_extended = (options & REG_EXTENDED) != 0;
	if (pattern_parts(text, is_extended) >
	    strlen(text) + REPEATED_PARTS_MAX)
		return arena_printf(arena,
		    "its repetitions multiply to more than %d parts, write "
		    "fewer or smaller ones: \"%.200s\"",
		    REPEATED_PARTS_MAX, text);
	int error = regcomp(&pattern->posix, text, (int)options);
	if (error == 0)
		return NULL;
	regerror(error, &pattern->posix, words, sizeof(words));
	return arena_printf(arena, "%s: \"%.200s\"", words, text);
}

/* NULL, or what is wrong. */
static const char *compile(struct arena *arena, const char *text, size_t len,
    uint32_t options, struct pattern *pattern)
{
	const char *copy = arena_copy(arena, text, len);
	const char *problem =
	    pattern->language == PATTERN_PCRE
		? compile_pcre(arena, copy, options, pattern)
		: compile_posix(arena, copy, options, pattern);
	if (problem == NULL &&
	    pattern_group_count(pattern) >= PATTERN_GROUPS_MAX) {
		pattern_finish(pattern);
		return "it has more than 99 groups";
	}
	return problem;
}

/* NULL, or what is wrong. Moves *at behind the flags. */
static const char *take_flags(struct arena *arena,
    enum pattern_language language, const char **at, uint32_t *options)
{
	const struct flag *flags =
	    language == PATTERN_PCRE ? pcre_flags : posix_flags;
	for (; **at != '\0' && **at != ' ' && **at != '\t'; ++*at) {
		const struct flag *flag = find_flag(flags, **at);
		if (flag == NULL)
			return arena_printf(
			    arena, "'%c' is no flag of a pattern", **at);
		*options ^= flag->option;
	}
	return NULL;
}

struct pattern *pattern_compile(struct arena *arena,
    enum pattern_language language, const char *text, const char **rest_out,
    const char **problem_out)
{
	uint32_t options = language == PATTERN_PCRE
			       ? PCRE2_CASELESS | PCRE2_DOTALL
			       : REG_ICASE | REG_EXTENDED;
	unsigned char first = (unsigned char)*text;
	if (first == '\0' || first == '\\' || isalnum(first)) {
		*problem_out = "a pattern must stand between delimiters, as in "
			       "/pattern/";
		return NULL;
	}
	const char *end = find_end(text);
	if (end == NULL) {
		*problem_out = arena_printf(
		    arena, "the pattern is not closed: no second '%c'", *text);
		return NULL;
	}
	*rest_out = end + 1;
	*problem_out = take_flags(arena, language, rest_out, &options);
	if (*problem_out != NULL)
		return NULL;
	struct pattern *pattern = arena_alloc(arena, sizeof(*pattern));
	pattern->language = language;
	*problem_out = compile(
	    arena, text + 1, (size_t)(end - text - 1), options, pattern);
	return *problem_out == NULL ? pattern : NULL;
}

void pattern_finish(struct pattern *pattern)
{
	if (pattern == NULL)
		return;
	switch (pattern->language) {
	case PATTERN_PCRE:
		pcre2_match_context_free(pattern->pcre.context);
		pcre2_match_data_free(pattern->pcre.data);
		pcre2_code_free(pattern->pcre.code);
		return;
	case PATTERN_POSIX:
		regfree(&pattern->posix);
		return;
	}
}

static enum pattern_answer match_pcre(const struct pattern *pattern,
    const char *subject, struct pattern_groups *groups_out)
{
	int count = pcre2_match(pattern->pcre.code, (PCRE2_SPTR)subject,
	    strlen(subject), 0, 0, pattern->pcre.data, pattern->pcre.context);
	if (count == PCRE2_ERROR_NOMATCH)
		return PATTERN_DIFFERS;
	if (count <= 0)
		return PATTERN_FAILED;
	const PCRE2_SIZE *offsets =
	    pcre2_get_ovector_pointer(pattern->pcre.data);
	for (int i = 0; i < count && i < PATTERN_GROUPS_MAX; i++) {
		if (offsets[2 * i] == PCRE2_UNSET ||
		    offsets[2 * i + 1] < offsets[2 * i])
			continue;
		groups_out->start[i] = offsets[2 * i];
		groups_out->len[i] = offsets[2 * i + 1] - offsets[2 * i];
	}
	return PATTERN_MATCHES;
}

static enum pattern_answer match_posix(const struct pattern *pattern,
    const char *subject, struct pattern_groups *groups_out)
{
	regmatch_t found[PATTERN_GROUPS_MAX];
	int error =
	    regexec(&pattern->posix, subject, PATTERN_GROUPS_MAX, found, 0);
	if (error != 0)
		return error == REG_NOMATCH ? PATTERN_DIFFERS : PATTERN_FAILED;
	for (int i = 0; i < PATTERN_GROUPS_MAX; i++) {
		if (found[i].rm_so < 0)
			continue;
		groups_out->start[i] = (size_t)found[i].rm_so;
		groups_out->len[i] = (size_t)(found[i].rm_eo - found[i].rm_so);
	}
	return PATTERN_MATCHES;
}

enum pattern_answer pattern_match(const struct pattern *pattern,
    const char *subject, struct pattern_groups *groups_out)
{
	*groups_out = (struct pattern_groups){0};
	switch (pattern->language) {
	case PATTERN_PCRE:
		return match_pcre(pattern, subject, groups_out);
	case PATTERN_POSIX:
		return match_posix(pattern, subject, groups_out);
	}
	return PATTERN_FAILED;
}

unsigned pattern_group_count(const struct pattern *pattern)
{
	uint32_t count = 0;
	switch (pattern->language) {
	case PATTERN_PCRE:
		pcre2_pattern_info(
		    pattern->pcre.code, PCRE2_INFO_CAPTURECOUNT, &count);
		return count;
	case PATTERN_POSIX:
		return (unsigned)pattern->posix.re_nsub;
	}
	return 0;
}
