/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/options_table.h"

static const void *field_of(
    const struct options *options, const struct options_row *row)
{
	return (const char *)options + row->offset;
}

void options_print_help(FILE *file)
{
	fputs("postern-bench [OPTIONS] WORK HOST:PORT\n\n"
	      "WORK is handshake, relay, idle, noop or mixed.\n\n",
	    file);
	for (size_t i = 0; i < OPTIONS_ROW_COUNT; i++) {
		const struct options_row *row = &options_rows[i];
		char left[40];
		const char *at = row->help;

		snprintf(left, sizeof(left), "--%s %s", row->name,
		    row->value != NULL ? row->value : "");
		fprintf(file, "  %-20s ", left);
		for (; *at != '\0'; at++)
			if (*at == '\n')
				fprintf(file, "\n%-23s", "");
			else
				fputc(*at, file);
		fputc('\n', file);
	}
	fputs("  --help, --version\n\n"
	      "The exit status is 0, 1 when sessions failed or nothing could\n"
	      "be measured, 2 for a wrong command line.\n",
	    file);
}

static bool print_value(
    const struct options_row *row, const void *field, char *text, size_t size)
{
	const struct options_list *list = field;
	size_t at = 0;

	switch (row->kind) {
	case OPTIONS_FLAG:
		snprintf(text, size, "yes");
		return *(const bool *)field;
	case OPTIONS_NUMBER:
	case OPTIONS_SIZE:
		snprintf(text, size, "%ld", *(const long *)field);
		return *(const long *)field > 0;
	case OPTIONS_SECONDS:
	case OPTIONS_RATE:
		snprintf(text, size, "%.6g", *(const double *)field);
		return *(const double *)field > 0;
	case OPTIONS_TEXT:
		if (*(const char *const *)field == NULL)
			return false;
		snprintf(text, size, "%s", *(const char *const *)field);
		return true;
	case OPTIONS_WORD:
		snprintf(text, size, "%s", row->words[*(const int *)field]);
		return true;
	case OPTIONS_LIST:
		for (size_t i = 0; i < list->count && at < size; i++)
			at += (size_t)snprintf(text + at, size - at, "%s%ld",
			    i == 0 ? "" : ",", list->values[i]);
		return list->count > 0;
	}
	return false;
}

void options_each(const struct options *options, void *argument,
    void (*tell)(void *argument, const char *name, const char *value))
{
	for (size_t i = 0; i < OPTIONS_ROW_COUNT; i++) {
		char value[320];

		if (print_value(&options_rows[i],
			field_of(options, &options_rows[i]), value,
			sizeof(value)))
			tell(argument, options_rows[i].name, value);
	}
}
