/* SPDX-License-Identifier: Apache-2.0 */
/* main.cf, a byte FF, and master.cf, in any shape. There is a configuration
 * exactly when nothing was wrong, what it holds is within the limits of its
 * parameters, and the same text says the same twice. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/configuration.h"

/* Told in `report`, which is initialized here. */
static struct configuration *parse(
    const uint8_t *data, size_t size, struct report *report)
{
	const uint8_t *split = size == 0 ? NULL : memchr(data, 0xff, size);
	size_t main_len = split == NULL ? size : (size_t)(split - data);
	size_t behind = main_len + (split != NULL);
	const struct configuration_text text = {
	    .directory = "/c",
	    .main = (const char *)data,
	    .main_len = main_len,
	    .master = (const char *)data + behind,
	    .master_len = size - behind,
	};
	report_init(report);
	return configuration_parse(&text, report);
}

static void check_number(
    const struct settings *settings, const struct settings_parameter *parameter)
{
	int64_t value;
	memcpy(
	    &value, (const char *)settings + parameter->offset, sizeof(value));
	assert(value >= parameter->minimum);
	assert(value <= parameter->maximum);
}

static size_t count_words(const char *words)
{
	size_t count = 1;
	for (; *words != '\0'; words++)
		count += *words == '|';
	return count;
}

static void check_word(
    const struct settings *settings, const struct settings_parameter *parameter)
{
	int index;
	memcpy(
	    &index, (const char *)settings + parameter->offset, sizeof(index));
	assert(index >= 0);
	assert((size_t)index < count_words(parameter->words));
}

/* No control characters but the tab: values are logged and sent. */
static void check_text(
    const struct settings *settings, const struct settings_parameter *parameter)
{
	const char *text;
	memcpy(&text, (const char *)settings + parameter->offset, sizeof(text));
	assert(text != NULL);
	assert(strlen(text) <= 65536);
	for (; *text != '\0'; text++)
		assert((unsigned char)*text >= ' ' || *text == '\t');
}

static void check_settings(const struct settings *settings)
{
	size_t count;
	const struct settings_parameter *parameters =
	    settings_parameters(&count);
	for (size_t i = 0; i < count; i++) {
		assert(settings_place(settings, parameters[i].name) != NULL);
		switch (parameters[i].type) {
		case SETTINGS_BOOL:
			break;
		case SETTINGS_INT:
		case SETTINGS_TIME:
		case SETTINGS_MILLISECONDS:
			check_number(settings, &parameters[i]);
			break;
		case SETTINGS_ENUM:
			check_word(settings, &parameters[i]);
			break;
		case SETTINGS_STRING:
		case SETTINGS_LIST:
			check_text(settings, &parameters[i]);
			break;
		}
	}
	assert(*settings->proxy_backend != '\0');
}

static void check_listener(const struct listener *listener)
{
	check_settings(listener->settings);
	assert(strncmp(listener->place, "/c/master.cf:", 13) == 0);
	assert(listener->maxproc >= 0);
	if (listener->is_unix) {
		assert(listener->path[0] == '/');
		assert(strlen(listener->path) <= 107);
		return;
	}
	char *end;
	long port = strtol(listener->port, &end, 10);
	assert(*end == '\0');
	assert(port >= 1 && port <= 65535);
	assert(listener->host != NULL);
	assert(strpbrk(listener->host, "[] ") == NULL);
}

static void check_same(const struct report *left, const struct report *right)
{
	assert(left->error_count == right->error_count);
	assert(left->message_count == right->message_count);
	for (size_t i = 0; i < left->message_count; i++)
		assert(strcmp(left->messages[i].text,
			   right->messages[i].text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t none[1];
	struct report report, again;
	data = size == 0 ? none : data;
	struct configuration *configuration = parse(data, size, &report);
	assert((configuration == NULL) == (report.error_count > 0));
	if (configuration != NULL) {
		check_settings(configuration->settings);
		assert(configuration->listener_count > 0);
		for (size_t i = 0; i < configuration->listener_count; i++)
			check_listener(&configuration->listeners[i]);
	}
	configuration_destroy(&configuration);
	assert(configuration == NULL);

	configuration = parse(data, size, &again);
	check_same(&report, &again);
	configuration_destroy(&configuration);
	report_finish(&report);
	report_finish(&again);
	return 0;
}
