/* SPDX-License-Identifier: Apache-2.0 */
/* Makes postern-metrics(7), in scdoc(5), of a template: its line @metrics@ is
 * replaced by what the table says.
 *   metrics_document TEMPLATE */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/metric.h"

/* What scdoc would take for markup. */
static void print_escaped(const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("\\_*<>[]+", *text) != NULL)
			putchar('\\');
		putchar(*text);
	}
}

static const char *type_name(const struct metric_family *family)
{
	switch (family->type) {
	case METRIC_COUNTER:
		return "counter";
	case METRIC_GAUGE:
		return "gauge";
	case METRIC_HISTOGRAM:
		return "histogram";
	}
	return "";
}

static void print_labels(const struct metric_family *family)
{
	const char *first = metric_label_name(family->labels[0]);
	const char *second = metric_label_name(family->labels[1]);

	fputs(", by ", stdout);
	if (family->storage != METRIC_CELLS) {
		print_escaped(family->computed_labels);
		return;
	}
	print_escaped(first);
	if (*second == '\0')
		return;
	putchar(',');
	print_escaped(second);
}

static void print_family(const struct metric_family *family)
{
	bool has_labels = family->storage == METRIC_CELLS
			      ? family->labels[0] != METRIC_LABEL_NONE
			      : family->computed_labels[0] != '\0';

	putchar('*');
	print_escaped(family->name);
	printf("* (%s", type_name(family));
	if (has_labels)
		print_labels(family);
	fputs(")\n\t", stdout);
	print_escaped(family->help);
	fputs(". ", stdout);
	print_escaped(family->advice);
	puts("\n");
}

static void print_metrics(void)
{
	for (int i = 0; i < METRIC_COUNT; i++) {
		const char *title = metric_title((enum metric)i);

		if (title != NULL)
			printf("## %s\n\n", title);
		print_family(&metric_families[i]);
	}
}

/* Those whose values are words of ours. */
static void print_values(enum metric_label label)
{
	for (size_t i = 0; i < metric_label_values(label); i++) {
		const char *text = metric_label_text(label, i);

		if (text == NULL || metric_label_is_void(label, i))
			continue;
		putchar('*');
		print_escaped(metric_label_word(label, i));
		fputs("*\n\t", stdout);
		print_escaped(text);
		puts("\n");
	}
}

int main(int argc, char **argv)
{
	FILE *template = argc == 2 ? fopen(argv[1], "re") : NULL;
	char *line = NULL;
	size_t size = 0;

	if (template == NULL) {
		fprintf(stderr, "metrics_document: wants a template: %s\n",
		    strerror(errno));
		return EXIT_FAILURE;
	}
	while (getline(&line, &size, template) > 0) {
		if (strcmp(line, "@metrics@\n") == 0)
			print_metrics();
		else if (strcmp(line, "@failures@\n") == 0)
			print_values(METRIC_LABEL_FAILURE);
		else if (strcmp(line, "@phases@\n") == 0)
			print_values(METRIC_LABEL_PHASE);
		else if (strcmp(line, "@limits@\n") == 0)
			print_values(METRIC_LABEL_LIMIT);
		else
			fputs(line, stdout);
	}
	free(line);
	fclose(template);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
