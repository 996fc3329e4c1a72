/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/pattern_parts.h"

#include <stdlib.h>
#include <string.h>

/* Deeper ones count as too large. */
#define DEPTH_MAX 100

struct counter {
	size_t sums[DEPTH_MAX]; /* of each open group, without `last` */
	size_t depth;
	size_t last; /* what a repetition would repeat */
};

static size_t times(size_t parts, size_t count)
{
	if (count == 0 || parts == 0)
		return parts;
	return parts > PATTERN_PARTS_MAX / count ? PATTERN_PARTS_MAX
						 : parts * count;
}

static size_t plus(size_t parts, size_t more)
{
	return parts > PATTERN_PARTS_MAX - more ? PATTERN_PARTS_MAX
						: parts + more;
}

static void begin_part(struct counter *counter)
{
	size_t *sum = &counter->sums[counter->depth];

	*sum = plus(*sum, counter->last);
	counter->last = 1;
}

static bool open_group(struct counter *counter)
{
	begin_part(counter);
	counter->last = 0;
	if (counter->depth + 1 == DEPTH_MAX)
		return false;
	counter->sums[++counter->depth] = 1;
	return true;
}

static void close_group(struct counter *counter)
{
	if (counter->depth == 0)
		return;
	counter->last = plus(counter->sums[counter->depth--], counter->last);
}

/* Behind the set; a bracket that comes first, and those of classes, do not end
 * it. */
static const char *skip_set(const char *at)
{
	at++;
	at += *at == '^';
	at += *at == ']';
	while (*at != '\0' && *at != ']') {
		if (*at == '[' && at[1] != '\0' && strchr(".:=", at[1])) {
			const char end[] = {at[1], ']', '\0'};
			const char *found = strstr(at + 2, end);

			at = found == NULL ? at : found + 1;
		}
		at++;
	}
	return *at == '\0' ? at : at + 1;
}

/* "3}", "3,}", "3,9}"; returns what is behind it, or the same place when it is
 * no repetition. */
static const char *repeat(struct counter *counter, const char *at)
{
	char *end;
	unsigned long from = strtoul(at, &end, 10), to = from;

	if (*end == ',') {
		char *upper = end + 1;

		to = strtoul(upper, &end, 10);
		if (end == upper)
			to = from + 1;
	}
	if (*end == '\\')
		end++;
	if (*end != '}')
		return at;
	counter->last = times(counter->last, to > from ? to : from);
	return end + 1;
}

size_t pattern_parts(const char *text, bool is_extended)
{
	struct counter counter = {.sums = {1}};
	const char *at = text;

	while (*at != '\0') {
		bool is_escaped = *at == '\\' && at[1] != '\0';
		char what = is_escaped ? at[1] : *at;

		if (what == '[' && !is_escaped) {
			begin_part(&counter);
			at = skip_set(at);
			continue;
		}
		at += is_escaped ? 2 : 1;
		if (what == '*' && !is_escaped)
			continue;
		if (is_escaped == is_extended || strchr("(){+?", what) == NULL)
			begin_part(&counter);
		else if (what == '+')
			counter.last = times(counter.last, 2);
		else if (what == '{')
			at = repeat(&counter, at);
		else if (what == '(' && !open_group(&counter))
			return PATTERN_PARTS_MAX;
		else if (what == ')')
			close_group(&counter);
	}
	while (counter.depth > 0)
		close_group(&counter);
	return plus(counter.sums[0], counter.last);
}
