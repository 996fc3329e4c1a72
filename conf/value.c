/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/value.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DIGITS_MAX 17 /* fits an int64_t */

/* 0: not a unit. */
static int64_t unit_seconds(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 604800;
	default:
		return 0;
	}
}

static bool take_digits(const char **text, int64_t *value_out)
{
	size_t len = strspn(*text, "0123456789");
	if (len == 0 || len > DIGITS_MAX)
		return false;
	*value_out = strtoll(*text, NULL, 10);
	*text += len;
	return true;
}

bool value_bool(const char *text, bool *value_out)
{
	*value_out = strcasecmp(text, "yes") == 0;
	return *value_out || strcasecmp(text, "no") == 0;
}

bool value_integer(const char *text, int64_t *value_out)
{
	bool is_negative = *text == '-';
	if (is_negative)
		text++;
	if (!take_digits(&text, value_out) || *text != '\0')
		return false;
	if (is_negative)
		*value_out = -*value_out;
	return true;
}

bool value_seconds(
    const char *text, char default_unit, struct value_time *time_out)
{
	if (!take_digits(&text, &time_out->count))
		return false;
	char unit = *text == '\0' ? default_unit : *text++;
	int64_t seconds = unit_seconds(unit);
	time_out->tail = text;
	return seconds != 0 && !__builtin_mul_overflow(
				   time_out->count, seconds, &time_out->count);
}

bool value_milliseconds(const char *text, struct value_time *time_out)
{
	const char *unit = text + strspn(text, "0123456789");
	if (*unit != '\0' && strncmp(unit, "ms", 2) != 0)
		return value_seconds(text, 's', time_out) &&
		       !__builtin_mul_overflow(
			   time_out->count, 1000, &time_out->count);
	if (!take_digits(&text, &time_out->count))
		return false;
	time_out->tail = *unit == '\0' ? unit : unit + 2;
	return true;
}

char value_default_unit(const char *default_)
{
	size_t len = strlen(default_);
	char last = len == 0 ? '\0' : default_[len - 1];
	return unit_seconds(last) == 0 ? 's' : last;
}

int value_word(const char *text, const char *words)
{
	size_t text_len = strlen(text);
	for (int i = 0;; i++) {
		size_t len = strcspn(words, "|");
		if (len == text_len && strncasecmp(text, words, len) == 0)
			return i;
		if (words[len] == '\0')
			return -1;
		words += len + 1;
	}
}
