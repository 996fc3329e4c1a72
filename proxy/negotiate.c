/* SPDX-License-Identifier: Apache-2.0 */
/* Accept (RFC 9110, 12.5.1), as far as two formats need it. */
#include <string.h>
#include <strings.h>

#include "proxy/exposition.h"

#define OPENMETRICS "application/openmetrics-text"

struct range {
	const char *type;
	size_t type_len;
	int quality; /* in thousandths */
	bool fits;   /* of the version that we have, or any */
};

static size_t skip_blanks(const char *text, size_t at)
{
	while (text[at] == ' ' || text[at] == '\t')
		at++;
	return at;
}

/* "0.75" -> 750; what is none counts as nothing. */
static int quality_of(const char *text, size_t len)
{
	int quality = 0, weight = 100;

	if (len == 0 || (text[0] != '0' && text[0] != '1'))
		return 0;
	if (text[0] == '1')
		return 1000;
	for (size_t i = 2; i < len && weight > 0 && text[1] == '.'; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		quality += (text[i] - '0') * weight;
		weight /= 10;
	}
	return quality;
}

static bool is_same(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

static void read_parameter(const char *text, size_t len, struct range *range)
{
	const char *sign = memchr(text, '=', len);
	size_t name_len = sign == NULL ? len : (size_t)(sign - text);
	const char *value = sign == NULL ? text + len : sign + 1;
	size_t value_len = (size_t)(text + len - value);

	if (is_same(text, name_len, "q"))
		range->quality = quality_of(value, value_len);
	else if (is_same(text, name_len, "version") &&
		 is_same(range->type, range->type_len, OPENMETRICS))
		range->fits = is_same(value, value_len, "1.0.0") ||
			      is_same(value, value_len, "\"1.0.0\"");
}

/* One range from `text` on; returns where it ends. */
static size_t read_range(const char *text, struct range *range_out)
{
	size_t at = skip_blanks(text, 0);
	size_t len = strcspn(text + at, ",; \t");

	*range_out = (struct range){text + at, len, 1000, true};
	at = skip_blanks(text, at + len);
	while (text[at] == ';') {
		at = skip_blanks(text, at + 1);
		len = strcspn(text + at, ",; \t");
		read_parameter(text + at, len, range_out);
		at = skip_blanks(text, at + len);
	}
	return at + strcspn(text + at, ",");
}

enum exposition_format exposition_negotiate(const char *accept)
{
	int openmetrics = 0, plain = 0;

	while (accept != NULL && *accept != '\0') {
		struct range range;

		accept += read_range(accept, &range);
		if (*accept == ',')
			accept++;
		if (!range.fits)
			continue;
		if (is_same(range.type, range.type_len, OPENMETRICS) &&
		    range.quality > openmetrics)
			openmetrics = range.quality;
		if ((is_same(range.type, range.type_len, "text/plain") ||
			is_same(range.type, range.type_len, "text/*") ||
			is_same(range.type, range.type_len, "*/*")) &&
		    range.quality > plain)
			plain = range.quality;
	}
	return openmetrics > 0 && openmetrics >= plain ? EXPOSITION_OPENMETRICS
						       : EXPOSITION_TEXT;
}
