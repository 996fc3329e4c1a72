/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/report.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nobody reads more, and a broken file must not cost time without bound. Errors
 * keep their place when warnings have used up theirs. */
#define REPORT_WARNINGS_MAX 500
#define REPORT_ERRORS_MAX   1000

/* What a value holds must not move the cursor of the terminal that shows it. */
static void neutralize(char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;
		if (byte < ' ' || byte == 0x7f)
			*text = '?';
	}
}

static char *format_text(const char *place, const char *format,
    va_list arguments) __attribute__((format(printf, 2, 0)));

static char *format_text(
    const char *place, const char *format, va_list arguments)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	if (out == NULL)
		return NULL;
	if (place != NULL)
		fprintf(out, "%s: ", place);
	vfprintf(out, format, arguments);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	neutralize(text);
	return text;
}

/* A value of main.cf is checked once for each listener that it holds for. */
static bool is_told(const struct report *report, enum report_severity severity,
    const char *text)
{
	for (size_t i = 0; i < report->message_count; i++) {
		const struct report_message *message = &report->messages[i];
		if (message->severity == severity &&
		    strcmp(message->text, text) == 0)
			return true;
	}
	return false;
}

static bool append(
    struct report *report, enum report_severity severity, char *text)
{
	size_t count = report->message_count;
	if (count >= REPORT_ERRORS_MAX)
		return false;
	if (severity != REPORT_ERROR && count >= REPORT_WARNINGS_MAX)
		return false;
	struct report_message *messages = reallocarray(
	    report->messages, count + 1, sizeof(*report->messages));
	if (messages == NULL)
		return false;
	messages[count].severity = severity;
	messages[count].text = text;
	report->messages = messages;
	report->message_count = count + 1;
	return true;
}

void report_init(struct report *report)
{
	*report = (struct report){0};
}

void report_finish(struct report *report)
{
	for (size_t i = 0; i < report->message_count; i++)
		free(report->messages[i].text);
	free(report->messages);
	*report = (struct report){0};
}

void report_add(struct report *report, enum report_severity severity,
    const char *place, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	char *text = format_text(place, format, arguments);
	va_end(arguments);
	if (text != NULL && is_told(report, severity, text)) {
		free(text);
		return;
	}
	/* Counted even when there is no memory to say it: an error that was
	 * not told must not pass for success. */
	if (severity == REPORT_ERROR)
		report->error_count++;
	if (text == NULL || !append(report, severity, text))
		free(text);
}
