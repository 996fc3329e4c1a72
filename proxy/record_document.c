/* SPDX-License-Identifier: Apache-2.0 */
/* Makes postern-record(5), in scdoc(5), of a template: its lines @fields@ and
 * @reasons@ are replaced by what the tables say.
 *   record_document TEMPLATE */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/close_reason.h"
#include "proxy/record.h"

/* What scdoc would take for markup. */
static void print_escaped(const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("\\_*<>[]", *text) != NULL)
			putchar('\\');
		putchar(*text);
	}
}

static const char *type_name(enum record_type type)
{
	switch (type) {
	case RECORD_TEXT:
		return "text";
	case RECORD_WORD:
		return "word";
	case RECORD_NUMBER:
		return "number";
	case RECORD_FLAG:
		return "yes or no";
	case RECORD_TIME:
		return "time";
	}
	return "";
}

static void print_row(const char *name, const char *type, const char *help)
{
	putchar('*');
	print_escaped(name);
	putchar('*');
	if (*type != '\0')
		printf(" (%s)", type);
	fputs("\n\t", stdout);
	print_escaped(help);
	puts("\n");
}

static void print_fields(void)
{
	for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
		enum record_field field = (enum record_field)i;

		print_row(record_field_name(field),
		    type_name(record_field_type(field)),
		    record_field_help(field));
	}
}

static void print_reasons(void)
{
	for (int i = CLOSE_NONE + 1; i < CLOSE_REASON_COUNT; i++) {
		enum close_reason reason = (enum close_reason)i;

		print_row(
		    close_reason_name(reason), "", close_reason_text(reason));
	}
}

int main(int argc, char **argv)
{
	FILE *template = argc == 2 ? fopen(argv[1], "re") : NULL;
	char *line = NULL;
	size_t size = 0;

	if (template == NULL) {
		fprintf(stderr, "record_document: wants a template: %s\n",
		    strerror(errno));
		return EXIT_FAILURE;
	}
	while (getline(&line, &size, template) > 0) {
		if (strcmp(line, "@fields@\n") == 0)
			print_fields();
		else if (strcmp(line, "@reasons@\n") == 0)
			print_reasons();
		else
			fputs(line, stdout);
	}
	free(line);
	fclose(template);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
