/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/parameter.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#define NAME_LEN_MAX 64 /* longer than any that is known */

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#define ROW(                                                                  \
    name_, field, type_, default__, minimum_, maximum_, unit_, words_, help_) \
	{.name = #name_,                                                      \
	    .type = type_,                                                    \
	    .default_ = default__,                                            \
	    .minimum = minimum_,                                              \
	    .maximum = maximum_,                                              \
	    .unit = unit_,                                                    \
	    .words = words_,                                                  \
	    .help = help_,                                                    \
	    .offset = offsetof(struct settings, field)},
#define GROUP(title)
#define BOOL(name, default_, help) \
	ROW(name, name, SETTINGS_BOOL, default_, 0, 1, "", "", help)
#define INT(name, default_, minimum, maximum, unit, help)                   \
	ROW(name, name, SETTINGS_INT, default_, minimum, maximum, unit, "", \
	    help)
#define TIME(name, default_, minimum, maximum, help)                           \
	ROW(name, name##_s, SETTINGS_TIME, default_, minimum, maximum, "", "", \
	    help)
#define MILLISECONDS(name, default_, minimum, maximum, help)           \
	ROW(name, name##_ms, SETTINGS_MILLISECONDS, default_, minimum, \
	    maximum, "", "", help)
#define ENUM(name, default_, words, help) \
	ROW(name, name, SETTINGS_ENUM, default_, 0, 0, "", words, help)
#define STRING(name, default_, help) \
	ROW(name, name, SETTINGS_STRING, default_, 0, 0, "", "", help)
#define LIST(name, default_, help) \
	ROW(name, name, SETTINGS_LIST, default_, 0, 0, "", "", help)

static const struct settings_parameter parameters[] = {
#include "conf/parameters.def"
};

static const char *const foreign[] = {
#define FOREIGN(name) #name,
#define FOREIGN_SUFFIX(end)
#include "conf/foreign.def"
#undef FOREIGN
#undef FOREIGN_SUFFIX
};

static const char *const foreign_suffixes[] = {
#define FOREIGN(name)
#define FOREIGN_SUFFIX(end) #end,
#include "conf/foreign.def"
#undef FOREIGN
#undef FOREIGN_SUFFIX
};

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;
	return least < c ? least : c;
}

/* Levenshtein's distance: bytes to insert, delete or replace. From `limit` on
 * it may be too small, but not below the limit. */
static size_t distance(const char *left, const char *right, size_t limit)
{
	size_t row[NAME_LEN_MAX + 1];
	size_t right_len = strlen(right), least = 0;
	for (size_t j = 0; j <= right_len; j++)
		row[j] = j;
	for (size_t i = 1; left[i - 1] != '\0' && least < limit; i++) {
		size_t diagonal = row[0];
		row[0] = least = i;
		for (size_t j = 1; j <= right_len; j++) {
			bool is_same = left[i - 1] == right[j - 1];
			size_t above = row[j];
			row[j] = smallest(
			    above + 1, row[j - 1] + 1, diagonal + !is_same);
			least = row[j] < least ? row[j] : least;
			diagonal = above;
		}
	}
	/* No later row has less than the least of this one. */
	return least < limit ? row[right_len] : limit;
}

struct nearest {
	const char *name;
	size_t distance;
};

static void consider(
    struct nearest *nearest, const char *meant, const char *typed)
{
	size_t meant_len = strlen(meant), typed_len = strlen(typed);
	size_t more = meant_len > typed_len ? meant_len - typed_len
					    : typed_len - meant_len;
	if (more >= nearest->distance)
		return;
	size_t meant_distance = distance(meant, typed, nearest->distance);
	if (meant_distance < nearest->distance) {
		nearest->distance = meant_distance;
		nearest->name = meant;
	}
}

/* 86400 is 1d. */
static const char *shown_time(struct arena *arena, int64_t seconds)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}};
	for (size_t i = 0; i < COUNT(units); i++) {
		if (seconds > 0 && seconds % units[i].seconds == 0)
			return arena_printf(arena, "%" PRId64 "%c",
			    seconds / units[i].seconds, units[i].letter);
	}
	return arena_printf(arena, "%" PRId64 "s", seconds);
}

/* "|a|b|c" is "empty, a, b or c". */
static const char *shown_words(struct arena *arena, const char *words)
{
	const char *list = *words == '|' ? "empty" : "";
	words += *words == '|';
	while (*words != '\0') {
		size_t len = strcspn(words, "|");
		bool is_last = words[len] == '\0';
		const char *join = is_last ? " or " : ", ";
		list = arena_printf(arena, "%s%s%.*s", list,
		    *list == '\0' ? "" : join, (int)len, words);
		words += len + !is_last;
	}
	return list;
}

const struct settings_parameter *settings_parameters(size_t *count_out)
{
	*count_out = COUNT(parameters);
	return parameters;
}

const struct settings_parameter *parameter_find(const char *name)
{
	for (size_t i = 0; i < COUNT(parameters); i++) {
		if (strcmp(parameters[i].name, name) == 0)
			return &parameters[i];
	}
	return NULL;
}

bool parameter_is_foreign(const char *name)
{
	for (size_t i = 0; i < COUNT(foreign); i++) {
		if (strcmp(foreign[i], name) == 0)
			return true;
	}
	size_t len = strlen(name);
	for (size_t i = 0; i < COUNT(foreign_suffixes); i++) {
		size_t end_len = strlen(foreign_suffixes[i]);
		if (len > end_len &&
		    strcmp(name + len - end_len, foreign_suffixes[i]) == 0)
			return true;
	}
	return false;
}

const char *parameter_nearest(const char *name)
{
	size_t len = strlen(name);
	if (len > NAME_LEN_MAX)
		return NULL;
	/* One slip in four letters is still the same word. */
	struct nearest nearest = {.name = NULL, .distance = len / 4 + 2};
	for (size_t i = 0; i < COUNT(parameters); i++)
		consider(&nearest, parameters[i].name, name);
	for (size_t i = 0; i < COUNT(foreign); i++)
		consider(&nearest, foreign[i], name);
	return nearest.name;
}

const char *parameter_allowed(
    struct arena *arena, const struct settings_parameter *parameter)
{
	switch (parameter->type) {
	case SETTINGS_BOOL:
		return "yes or no";
	case SETTINGS_INT:
		return arena_printf(arena,
		    "a number of %s from %" PRId64 " to %" PRId64,
		    parameter->unit, parameter->minimum, parameter->maximum);
	case SETTINGS_TIME:
		return arena_printf(arena,
		    "a time such as 300s, 5m or 2h, from %s to %s",
		    shown_time(arena, parameter->minimum),
		    shown_time(arena, parameter->maximum));
	case SETTINGS_MILLISECONDS:
		return arena_printf(arena,
		    "a time such as 5ms or 1s, from %" PRId64 "ms to %" PRId64
		    "ms",
		    parameter->minimum, parameter->maximum);
	case SETTINGS_ENUM:
		return shown_words(arena, parameter->words);
	case SETTINGS_STRING:
	case SETTINGS_LIST:
		return NULL;
	}
	assert(false);
	return NULL;
}
