/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/compare.h"

#include <assert.h>
#include <string.h>

enum relation { EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, MORE, MORE_EQUAL };

struct compare_operator {
	const char *text;
	enum relation relation;
	bool is_level;
};

/* Longer ones first: the first that fits is taken. */
static const struct compare_operator operators[] = {
    {"==level", EQUAL, true},
    {"!=level", NOT_EQUAL, true},
    {"<=level", LESS_EQUAL, true},
    {">=level", MORE_EQUAL, true},
    {"<level", LESS, true},
    {">level", MORE, true},
    {"==", EQUAL, false},
    {"!=", NOT_EQUAL, false},
    {"<=", LESS_EQUAL, false},
    {">=", MORE_EQUAL, false},
    {"<", LESS, false},
    {">", MORE, false},
};

static bool is_number(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* Of any length, so that no number is too large to compare. */
static int compare_numbers(
    const char *left, size_t left_len, const char *right, size_t right_len)
{
	for (; left_len > 0 && *left == '0'; left++)
		left_len--;
	for (; right_len > 0 && *right == '0'; right++)
		right_len--;
	if (left_len != right_len)
		return left_len < right_len ? -1 : 1;
	return memcmp(left, right, left_len);
}

static bool is_level(const char *text)
{
	for (;;) {
		size_t len = strspn(text, "0123456789");
		if (len == 0)
			return false;
		if (text[len] == '\0')
			return true;
		if (text[len] != '.')
			return false;
		text += len + 1;
	}
}

static int compare_levels(const char *left, const char *right)
{
	int order = 0;
	while (order == 0 && (*left != '\0' || *right != '\0')) {
		size_t left_len = strcspn(left, ".");
		size_t right_len = strcspn(right, ".");
		order = compare_numbers(left, left_len, right, right_len);
		left += left_len + (left[left_len] == '.');
		right += right_len + (right[right_len] == '.');
	}
	return order;
}

static bool holds(enum relation relation, int order)
{
	switch (relation) {
	case EQUAL:
		return order == 0;
	case NOT_EQUAL:
		return order != 0;
	case LESS:
		return order < 0;
	case LESS_EQUAL:
		return order <= 0;
	case MORE:
		return order > 0;
	case MORE_EQUAL:
		return order >= 0;
	}
	assert(false);
	return false;
}

const struct compare_operator *compare_find(
    const char *text, size_t len, size_t *used_out)
{
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
		*used_out = strlen(operators[i].text);
		if (*used_out <= len &&
		    memcmp(text, operators[i].text, *used_out) == 0)
			return &operators[i];
	}
	return NULL;
}

enum compare_result compare_texts(
    const struct compare_operator *compare, const char *left, const char *right)
{
	int order;
	if (compare->is_level) {
		if (!is_level(left))
			return COMPARE_BAD_LEFT;
		if (!is_level(right))
			return COMPARE_BAD_RIGHT;
		order = compare_levels(left, right);
	} else if (is_number(left) && is_number(right)) {
		order =
		    compare_numbers(left, strlen(left), right, strlen(right));
	} else {
		order = strcmp(left, right);
	}
	return holds(compare->relation, order) ? COMPARE_TRUE : COMPARE_FALSE;
}
