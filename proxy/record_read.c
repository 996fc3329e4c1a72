/* SPDX-License-Identifier: Apache-2.0 */
/* Records out of a log, which may hold anything. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "proxy/record.h"

/* A line that is longer than what we write is no record of ours. */
#define LINE_LEN_MAX   4096
#define WORD_LEN_MAX   64
#define NUMBER_LEN_MAX 18 /* and so no larger than a JSON integer */
#define NONE	       "none"

struct reader {
	struct record *record;
	const char *why;
};

static bool complain(struct reader *reader, const char *why)
{
	reader->why = why;
	return false;
}

static bool is_digits(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return len > 0;
}

int64_t record_parse_time(const char *text)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	struct tm parts = {0};
	time_t time;

	if (strlen(text) != sizeof(form) - 1)
		return -1;
	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == 'd' ? !is_digits(text + i, 1)
				   : text[i] != form[i])
			return -1;
	sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &parts.tm_year, &parts.tm_mon,
	    &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec);
	if (parts.tm_mon < 1 || parts.tm_mon > 12 || parts.tm_mday < 1 ||
	    parts.tm_mday > 31 || parts.tm_hour > 23 || parts.tm_min > 59 ||
	    parts.tm_sec > 60 || parts.tm_year < 1970)
		return -1;
	parts.tm_year -= 1900;
	parts.tm_mon -= 1;
	time = timegm(&parts);
	return time < 0 ? -1 : (int64_t)time;
}

static bool is_word(const char *text)
{
	if (strlen(text) > WORD_LEN_MAX)
		return false;
	for (; *text != '\0'; text++)
		if (!isalnum((unsigned char)*text) &&
		    strchr("_-.+/", *text) == NULL)
			return false;
	return true;
}

/* As the writer encodes. */
static bool is_text(const char *text)
{
	for (const char *at = text; *at != '\0'; at++) {
		if (*at <= ' ' || *at > '~' || strchr("\"=\\", *at) != NULL)
			return false;
		if (*at == '%' && (!isxdigit((unsigned char)at[1]) ||
				      !isxdigit((unsigned char)at[2])))
			return false;
	}
	return strlen(text) <= RECORD_VALUE_LEN_MAX;
}

static bool is_of_type(enum record_type type, const char *text)
{
	switch (type) {
	case RECORD_TEXT:
		return is_text(text);
	case RECORD_WORD:
		return is_word(text);
	case RECORD_NUMBER:
		return strlen(text) <= NUMBER_LEN_MAX &&
		       is_digits(text, strlen(text)) &&
		       (text[0] != '0' || text[1] == '\0');
	case RECORD_FLAG:
		return strcmp(text, "yes") == 0 || strcmp(text, "no") == 0;
	case RECORD_TIME:
		return record_parse_time(text) >= 0;
	}
	return false;
}

static int find_field(const char *name, size_t len)
{
	for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
		const char *known = record_field_name((enum record_field)i);

		if (strlen(known) == len && memcmp(known, name, len) == 0)
			return i;
	}
	return -1;
}

/* One value that the line has for the field; "none" is kept as nothing. */
static bool take(struct reader *reader, int field, const char *text, size_t len)
{
	struct record *record = reader->record;
	char *copy = record->bytes + record->used;

	if (record->values[field] != NULL)
		return complain(reader, "a field stands twice");
	if (len == 0)
		return complain(reader, "a field is empty");
	if (len + 1 > sizeof(record->bytes) - record->used)
		return complain(reader, "it is too long");
	if (memchr(text, '\0', len) != NULL)
		return complain(reader, "it has a zero byte");
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (strcmp(copy, NONE) == 0)
		return true;
	if (!is_of_type(record_field_type((enum record_field)field), copy))
		return complain(reader, "a value is not of its field's type");
	record->used += len + 1;
	record->values[field] = copy;
	return true;
}

static bool read_text(struct reader *reader, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *blank = memchr(text, ' ', (size_t)(end - text));
		const char *word_end = blank == NULL ? end : blank;
		const char *sign = memchr(text, '=', (size_t)(word_end - text));
		int field;

		if (sign == NULL)
			return complain(reader, "a word has no \"=\"");
		field = find_field(text, (size_t)(sign - text));
		if (field != -1 && !take(reader, field, sign + 1,
				       (size_t)(word_end - sign - 1)))
			return false;
		text = blank == NULL ? end : blank + 1;
	}
	return true;
}

static bool take_json(struct reader *reader, int field, const json_t *value)
{
	enum record_type type = record_field_type((enum record_field)field);
	char number[32];

	if (json_is_null(value))
		return true;
	if (type == RECORD_NUMBER && json_is_integer(value)) {
		int len = snprintf(number, sizeof(number), "%lld",
		    (long long)json_integer_value(value));

		return take(reader, field, number, (size_t)len);
	}
	if (type == RECORD_FLAG && json_is_boolean(value))
		return json_is_true(value) ? take(reader, field, "yes", 3)
					   : take(reader, field, "no", 2);
	if (type != RECORD_NUMBER && type != RECORD_FLAG &&
	    json_is_string(value))
		return take(reader, field, json_string_value(value),
		    json_string_length(value));
	return complain(reader, "a value is not of its field's type");
}

static bool read_json(struct reader *reader, const char *text, size_t len)
{
	json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	bool is_good = json_is_object(object);
	const char *name;
	json_t *value;

	if (!is_good)
		complain(reader, "it is no JSON");
	json_object_foreach(object, name, value)
	{
		int field = find_field(name, strlen(name));

		if (is_good && field != -1)
			is_good = take_json(reader, field, value);
	}
	json_decref(object);
	return is_good;
}

static bool starts(const char *text, size_t len, const char *with)
{
	return len >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

/* Where the text of a log's line begins: behind the first "]: ". Further behind
 * it may stand what a client wrote. */
static const char *skip_frame(const char *line, size_t len)
{
	const char *mark = memmem(line, len, "]: ", 3);

	return mark == NULL ? NULL : mark + 3;
}

enum record_found record_read(const char *line, size_t line_len,
    struct record *record_out, const char **why_out)
{
	struct reader reader = {.record = record_out, .why = ""};
	const char *text = line;
	size_t len = line_len;
	bool is_good;

	record_init(record_out);
	*why_out = "";
	if (!starts(line, line_len, "session=") &&
	    !starts(line, line_len, "{\"session\":")) {
		text = skip_frame(line, line_len);
		if (text == NULL)
			return RECORD_ABSENT;
		len = (size_t)(line + line_len - text);
	}
	if (!starts(text, len, "session=") &&
	    !starts(text, len, "{\"session\":"))
		return RECORD_ABSENT;
	if (len > LINE_LEN_MAX)
		is_good = complain(&reader, "it is too long");
	else
		is_good = *text == '{' ? read_json(&reader, text, len)
				       : read_text(&reader, text, len);
	if (is_good && (record_out->values[RECORD_session] == NULL ||
			   record_out->values[RECORD_time] == NULL ||
			   record_out->values[RECORD_reason] == NULL))
		is_good =
		    complain(&reader, "session, time or reason is not there");
	*why_out = reader.why;
	return is_good ? RECORD_FOUND : RECORD_BROKEN;
}
