/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a log that may be records. What is found in one can be written in
 * both forms, and is found again in them; and nothing in it could break a line
 * or a terminal. */
#include <stdlib.h>
#include <string.h>

#include "proxy/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len);

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static void check_value(const char *value)
{
	for (; *value != '\0'; value++)
		expect(*value > ' ' && *value <= '~' && *value != '"' &&
		       *value != '=' && *value != '\\');
}

static void compare(const struct record *record, const char *line)
{
	struct record again;
	const char *why;

	expect(record_read(line, strlen(line), &again, &why) == RECORD_FOUND);
	for (int i = 0; i < RECORD_FIELD_COUNT; i++)
		expect(strcmp(record_value(record, (enum record_field)i),
			   record_value(&again, (enum record_field)i)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len)
{
	/* A copy without a byte to spare, so that ASan sees a read too far. */
	char *copy = malloc(input_len > 0 ? input_len : 1);
	char line[2 * RECORD_LINE_SIZE];
	struct record record;
	const char *why;

	expect(copy != NULL);
	memcpy(copy, input, input_len);
	if (record_read(copy, input_len, &record, &why) == RECORD_FOUND) {
		for (int i = 0; i < RECORD_FIELD_COUNT; i++)
			check_value(
			    record_value(&record, (enum record_field)i));
		expect(
		    record_parse_time(record_value(&record, RECORD_time)) >= 0);
		record_write_text(&record, line, sizeof(line));
		compare(&record, line);
		record_write_json(&record, line, sizeof(line));
		compare(&record, line);
	}
	free(copy);
	return 0;
}
