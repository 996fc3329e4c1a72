/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/record.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#define NONE "none"

static const struct {
	const char *name, *help;
	enum record_type type;
} fields[] = {
#define FIELD(name, type, help) {#name, help, RECORD_##type},
#include "proxy/record.def"
#undef FIELD
};

/* Each of them, with "=" and " " around it, and at the longest what it can be
 * here: texts come from the configuration but for one host name. */
_Static_assert(RECORD_FIELD_COUNT < 64, "a line is no longer than a log's");

void record_init(struct record *record)
{
	memset(record->values, 0, sizeof(record->values));
	record->used = 0;
}

/* Takes what was appended since `begin` for the value of the field. */
static void finish_value(
    struct record *record, enum record_field field, size_t begin)
{
	assert(record->values[field] == NULL);
	record->bytes[record->used++] = '\0';
	record->values[field] = record->bytes + begin;
}

/* One byte, encoded if it must be; false: there is no more room. */
static bool append(struct record *record, size_t begin, char byte, bool encode)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t len = encode ? 3 : 1;

	if (record->used + len + 1 > sizeof(record->bytes) ||
	    record->used + len - begin > RECORD_VALUE_LEN_MAX)
		return false;
	if (encode) {
		record->bytes[record->used++] = '%';
		record->bytes[record->used++] =
		    digits[(unsigned char)byte >> 4];
		record->bytes[record->used++] = digits[byte & 15];
	} else {
		record->bytes[record->used++] = byte;
	}
	return true;
}

static bool is_plain(char byte)
{
	return byte > ' ' && byte <= '~' && byte != '"' && byte != '%' &&
	       byte != '=' && byte != '\\';
}

void record_set_text(
    struct record *record, enum record_field field, const char *text)
{
	size_t begin = record->used;
	/* A name that is our word for no name. */
	bool is_word = text != NULL && strcmp(text, NONE) == 0;

	assert(fields[field].type == RECORD_TEXT);
	if (text == NULL || *text == '\0' || begin >= sizeof(record->bytes))
		return;
	for (const char *at = text; *at != '\0'; at++)
		if (!append(record, begin, *at,
			!is_plain(*at) || (is_word && at == text)))
			break;
	finish_value(record, field, begin);
}

static void set_plain(
    struct record *record, enum record_field field, const char *text)
{
	size_t begin = record->used;

	if (begin >= sizeof(record->bytes))
		return;
	for (const char *at = text; *at != '\0'; at++)
		if (!append(record, begin, is_plain(*at) ? *at : '_', false))
			break;
	finish_value(record, field, begin);
}

void record_set_word(
    struct record *record, enum record_field field, const char *word)
{
	assert(fields[field].type == RECORD_WORD);
	if (word != NULL && *word != '\0' && strcmp(word, NONE) != 0)
		set_plain(record, field, word);
}

void record_set_number(
    struct record *record, enum record_field field, uint64_t number)
{
	char text[24];
	char *at = text + sizeof(text) - 1;

	assert(fields[field].type == RECORD_NUMBER);
	number &= INT64_MAX; /* JSON's integers have a sign. */
	*at = '\0';
	do {
		*--at = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	set_plain(record, field, at);
}

void record_set_flag(struct record *record, enum record_field field, bool is_so)
{
	assert(fields[field].type == RECORD_FLAG);
	set_plain(record, field, is_so ? "yes" : "no");
}

void record_set_time(
    struct record *record, enum record_field field, int64_t time_s)
{
	time_t time = (time_t)time_s;
	struct tm parts;
	char text[64];

	assert(fields[field].type == RECORD_TIME);
	if (gmtime_r(&time, &parts) == NULL || parts.tm_year > 9999 - 1900)
		return;
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
	set_plain(record, field, text);
}

const char *record_value(const struct record *record, enum record_field field)
{
	return record->values[field] == NULL ? NONE : record->values[field];
}

uint64_t record_number(const struct record *record, enum record_field field)
{
	assert(fields[field].type == RECORD_NUMBER);
	return record->values[field] == NULL
		   ? 0
		   : strtoull(record->values[field], NULL, 10);
}

/* By hand: three dozen calls of snprintf(3) for each session showed in the
 * profile of a handshake. */
size_t record_write_text(
    const struct record *record, char *out, size_t out_size)
{
	size_t len = 0;

	for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
		const char *value = record_value(record, (enum record_field)i);
		size_t name_len = strlen(fields[i].name);
		size_t value_len = strlen(value);

		/* Whole fields or none: half of one could be another value. */
		if (name_len + value_len + 3 > out_size - len)
			break;
		if (i > 0)
			out[len++] = ' ';
		memcpy(out + len, fields[i].name, name_len);
		len += name_len;
		out[len++] = '=';
		memcpy(out + len, value, value_len);
		len += value_len;
	}
	out[len] = '\0';
	return len;
}

static json_t *json_value(const struct record *record, enum record_field field)
{
	const char *text = record->values[field];

	if (text == NULL)
		return json_null();
	switch (fields[field].type) {
	case RECORD_NUMBER:
		return json_integer((json_int_t)record_number(record, field));
	case RECORD_FLAG:
		return json_boolean(strcmp(text, "yes") == 0);
	case RECORD_TEXT:
	case RECORD_WORD:
	case RECORD_TIME:
		break;
	}
	return json_string(text);
}

size_t record_write_json(
    const struct record *record, char *out, size_t out_size)
{
	json_t *object = json_object();
	size_t len = 0;

	for (int i = 0; i < RECORD_FIELD_COUNT && object != NULL; i++)
		json_object_set_new(object, fields[i].name,
		    json_value(record, (enum record_field)i));
	if (object != NULL)
		len = json_dumpb(object, out, out_size - 1, JSON_COMPACT);
	/* What did not fit would be no JSON. */
	if (len >= out_size)
		len = 0;
	out[len] = '\0';
	json_decref(object);
	return len;
}

size_t record_write_fields(
    const struct record *record, char *out, size_t out_size)
{
	size_t len = 0;

	out[0] = '\0';
	for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
		char name[64];
		int more;

		if (record->values[i] == NULL)
			continue;
		snprintf(name, sizeof(name), "%s", fields[i].name);
		for (char *at = name; *at != '\0'; at++)
			*at = (char)toupper((unsigned char)*at);
		more = snprintf(out + len, out_size - len, "POSTERN_%s=%s\x1e",
		    name, record->values[i]);
		assert(more > 0);
		if ((size_t)more >= out_size - len) {
			out[len] = '\0';
			break;
		}
		len += (size_t)more;
	}
	return len;
}

const char *record_field_name(enum record_field field)
{
	return fields[field].name;
}

const char *record_field_help(enum record_field field)
{
	return fields[field].help;
}

enum record_type record_field_type(enum record_field field)
{
	return fields[field].type;
}
