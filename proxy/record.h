/* SPDX-License-Identifier: Apache-2.0 */
/* The record of a session: fields of record.def with their values, written as
 * "key=value key=value" or as one object of JSON, and read again from a log.
 * No value can break a line or forge a field: what is not printable ASCII, a
 * blank, or one of " % = \ is percent-encoded when it is set. */
#ifndef POSTERN_PROXY_RECORD_H
#define POSTERN_PROXY_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum record_field {
#define FIELD(name, type, help) RECORD_##name,
#include "proxy/record.def"
#undef FIELD
	RECORD_FIELD_COUNT
};

enum record_type {
	RECORD_TEXT,
	RECORD_WORD,
	RECORD_NUMBER,
	RECORD_FLAG,
	RECORD_TIME,
};

/* The longest value, encoded; longer ones are cut off. */
#define RECORD_VALUE_LEN_MAX 300
/* Of all values together, with their ends. */
#define RECORD_BYTES_SIZE 2048
/* The whole line, in either form. */
#define RECORD_LINE_SIZE 2048

struct record {
	const char *values[RECORD_FIELD_COUNT]; /* encoded; NULL: none */
	size_t used;
	char bytes[RECORD_BYTES_SIZE];
};

void record_init(struct record *record);

/* Each field at most once, by its type. NULL and "": none. */
void record_set_text(
    struct record *record, enum record_field field, const char *text);
void record_set_word(
    struct record *record, enum record_field field, const char *word);
void record_set_number(
    struct record *record, enum record_field field, uint64_t number);
void record_set_flag(
    struct record *record, enum record_field field, bool is_so);
void record_set_time(
    struct record *record, enum record_field field, int64_t time_s);

/* What was set, as it stands in the line; "none" where nothing was. */
const char *record_value(const struct record *record, enum record_field field);

/* 0 where nothing was set. */
uint64_t record_number(const struct record *record, enum record_field field);

/* NUL-terminated; out_size at least RECORD_LINE_SIZE. Returns the length. */
size_t record_write_text(
    const struct record *record, char *out, size_t out_size);
size_t record_write_json(
    const struct record *record, char *out, size_t out_size);

/* For the journal of systemd: "POSTERN_SESSION=32c-1f" and so on of each value
 * that was set, with a byte 0x1e behind it. */
#define RECORD_FIELDS_SIZE 4096
size_t record_write_fields(
    const struct record *record, char *out, size_t out_size);

enum record_found {
	RECORD_FOUND,
	RECORD_ABSENT, /* a line of something else */
	RECORD_BROKEN, /* `why` says what is wrong with it */
};

/* Reads one line of a log, without its end: a record of either form, bare or
 * behind the "program[pid]: " of a log. What a client wrote into another line
 * is never taken for one. Fields that are not known are passed over, those that
 * are missing are none, but for session, time and reason. `why_out` is a static
 * text. */
enum record_found record_read(const char *line, size_t line_len,
    struct record *record_out, const char **why_out);

/* A TIME as seconds since 1970, or -1. */
int64_t record_parse_time(const char *text);

const char *record_field_name(enum record_field field);
const char *record_field_help(enum record_field field);
enum record_type record_field_type(enum record_field field);

#endif
