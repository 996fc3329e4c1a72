/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "bench/options_table.h"

#define FIRST_CODE 256 /* above any character */

static const struct options defaults = {
    .connections = 16,
    .threads = 1,
    .sources = 0,
    .duration_s = 5,
    .warmup_s = 0.5,
    .size = 4096,
    .messages = 20,
    .hold = DIALOGUE_GREETED,
    .settle_s = 0.5,
    .timeout_s = 30,
    .helo = "client.example.test",
    .from = "sender@example.test",
    .to = "recipient@box.test",
    .sessions = {.values = {100}, .count = 1},
};

static bool read_number(const char *text, double *value_out, char **end_out)
{
	errno = 0;
	*value_out = strtod(text, end_out);
	return *end_out != text && errno == 0 && *value_out == *value_out;
}

static bool in_range(const struct options_row *row, double value)
{
	bool is_whole = row->kind == OPTIONS_SECONDS ||
			row->kind == OPTIONS_RATE ||
			value == (double)(long)value;

	return value >= row->min && value <= row->max && is_whole;
}

static bool set_number(
    const struct options_row *row, void *field, const char *text)
{
	char *end;
	double value;

	if (!read_number(text, &value, &end))
		return false;
	if (row->kind == OPTIONS_SIZE && (*end == 'K' || *end == 'M'))
		value *= *end++ == 'K' ? 1024 : 1048576;
	if (*end != '\0' || !in_range(row, value))
		return false;
	if (row->kind == OPTIONS_SECONDS || row->kind == OPTIONS_RATE)
		*(double *)field = value;
	else
		*(long *)field = (long)value;
	return true;
}

static bool set_list(
    const struct options_row *row, void *field, const char *text)
{
	struct options_list *list = field;
	char *end;
	double value;

	for (list->count = 0; list->count < OPTIONS_LIST_MAX; text = end + 1) {
		if (!read_number(text, &value, &end) || !in_range(row, value))
			return false;
		list->values[list->count++] = (long)value;
		if (*end == '\0')
			return true;
		if (*end != ',')
			return false;
	}
	return false;
}

static bool set_word(
    const struct options_row *row, void *field, const char *text)
{
	for (int i = 0; row->words[i] != NULL; i++)
		if (strcmp(row->words[i], text) == 0) {
			*(int *)field = i;
			return true;
		}
	return false;
}

static bool set(
    struct options *options, const struct options_row *row, const char *text)
{
	void *field = (char *)options + row->offset;

	switch (row->kind) {
	case OPTIONS_FLAG:
		*(bool *)field = true;
		return true;
	case OPTIONS_NUMBER:
	case OPTIONS_SIZE:
	case OPTIONS_SECONDS:
	case OPTIONS_RATE:
		return set_number(row, field, text);
	case OPTIONS_TEXT:
		*(const char **)field = text;
		return *text != '\0' && strlen(text) < 256;
	case OPTIONS_WORD:
		return set_word(row, field, text);
	case OPTIONS_LIST:
		return set_list(row, field, text);
	}
	return false;
}

static bool split_target(struct options *options, const char *target)
{
	const char *colon = strrchr(target, ':');
	size_t host_len;

	if (colon == NULL || colon == target || colon[1] == '\0' ||
	    strlen(colon + 1) >= OPTIONS_PORT_SIZE)
		return false;
	host_len = (size_t)(colon - target);
	if (*target == '[') {
		if (host_len < 3 || target[host_len - 1] != ']')
			return false;
		target++;
		host_len -= 2;
	}
	if (host_len >= OPTIONS_HOST_SIZE)
		return false;
	memcpy(options->host, target, host_len);
	options->host[host_len] = '\0';
	strcpy(options->port, colon + 1);
	return true;
}

static const struct options_job kinds[] = {
    {.name = "full", .work = DIALOGUE_HANDSHAKE},
    {.name = "resumed", .work = DIALOGUE_HANDSHAKE, .resume = true},
    {.name = "relay", .work = DIALOGUE_RELAY},
    {.name = "noop", .work = DIALOGUE_NOOP},
    {.name = "idle", .work = DIALOGUE_IDLE},
};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static const struct options_job *find_kind(const char *name, size_t len)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (strlen(kinds[i].name) == len &&
		    memcmp(kinds[i].name, name, len) == 0)
			return &kinds[i];
	return NULL;
}

/* NAME:CONNECTIONS[@RATE]; true with *text_in_out at the comma or the end. */
static bool parse_part(struct options *options, const char **text_in_out)
{
	const char *text = *text_in_out;
	size_t len = strcspn(text, ":");
	const struct options_job *kind = find_kind(text, len);
	struct options_job *job = &options->jobs[options->job_count];
	double value;
	char *end;

	if (kind == NULL || kind->work == DIALOGUE_IDLE || text[len] != ':')
		return false;
	*job = *kind;
	if (!read_number(text + len + 1, &value, &end) || value < 1 ||
	    value > 1e6)
		return false;
	job->connections = (long)value;
	if (*end == '@') {
		if (!read_number(end + 1, &value, &end) || value <= 0 ||
		    value > 1e7)
			return false;
		job->rate_per_s = value;
	}
	options->job_count++;
	*text_in_out = end;
	return *end == ',' || *end == '\0';
}

static bool parse_mix(struct options *options)
{
	const char *text = options->mix;

	while (options->job_count < OPTIONS_JOBS_MAX) {
		if (!parse_part(options, &text))
			return false;
		if (*text == '\0')
			return true;
		text++;
	}
	return false;
}

static void make_job(struct options *options)
{
	const char *name = options->work_name;
	struct options_job *job = &options->jobs[0];

	if (strcmp(name, "handshake") == 0)
		name = options->resume ? "resumed" : "full";
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (strcmp(kinds[i].name, name) == 0)
			*job = kinds[i];
	job->connections = options->connections;
	job->rate_per_s = options->rate_per_s;
	options->job_count = 1;
}

static bool is_ascending(const struct options_list *list)
{
	for (size_t i = 1; i < list->count; i++)
		if (list->values[i] <= list->values[i - 1])
			return false;
	return true;
}

/* NULL when all fits together. */
static const char *find_contradiction(const struct options *options)
{
	bool is_mixed = strcmp(options->work_name, "mixed") == 0;

	if (is_mixed && options->mix == NULL)
		return "mixed needs --mix: full:56,noop:4@200";
	if (!is_mixed && options->mix != NULL)
		return "--mix is for the work \"mixed\"";
	if (is_mixed && options->rate_per_s > 0)
		return "in mixed work the rate stands in --mix: noop:4@200";
	if (options->resume && strcmp(options->work_name, "handshake") != 0)
		return "--resume is for the work \"handshake\"";
	if (options->tls == DIALOGUE_CLEAR &&
	    strcmp(options->work_name, "handshake") == 0)
		return "a handshake needs --tls starttls or implicit";
	if (options->resume && options->no_tickets && options->protocol == 3)
		return "TLS 1.3 resumes only with tickets: drop --no-tickets";
	if (!is_ascending(&options->sessions))
		return "--sessions must ascend: 2000,10000";
	return NULL;
}

static bool finish(struct options *options, int argc, char **argv, char *fault)
{
	static const char *const works[] = {
	    "handshake", "relay", "idle", "noop", "mixed"};
	const char *contradiction;

	if (argc != 2) {
		snprintf(fault, OPTIONS_FAULT_SIZE,
		    "give a WORK and a HOST:PORT, and nothing else; "
		    "--help lists the options");
		return false;
	}
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
		if (strcmp(works[i], argv[0]) == 0)
			options->work_name = works[i];
	if (options->work_name == NULL) {
		snprintf(fault, OPTIONS_FAULT_SIZE,
		    "%.40s: must be handshake, relay, idle, noop or mixed",
		    argv[0]);
		return false;
	}
	if (!split_target(options, argv[1])) {
		snprintf(fault, OPTIONS_FAULT_SIZE,
		    "%.80s: must be HOST:PORT, as 127.0.0.1:25 or [::1]:25",
		    argv[1]);
		return false;
	}
	contradiction = find_contradiction(options);
	if (contradiction != NULL) {
		snprintf(fault, OPTIONS_FAULT_SIZE, "%s", contradiction);
		return false;
	}
	if (options->mix == NULL) {
		make_job(options);
		return true;
	}
	if (parse_mix(options))
		return true;
	snprintf(fault, OPTIONS_FAULT_SIZE,
	    "--mix %.80s: must be NAME:CONNECTIONS or NAME:CONNECTIONS@RATE, "
	    "with commas, of full, resumed, relay and noop",
	    options->mix);
	return false;
}

static void say_wrong(
    const struct options_row *row, const char *text, char *fault)
{
	const char *end = strchr(row->help, '\n');
	int help_len = end != NULL ? (int)(end - row->help) : 200;

	if (row->max > 0)
		snprintf(fault, OPTIONS_FAULT_SIZE,
		    "--%s %.40s: must be from %.10g to %.10g (%.*s)", row->name,
		    text, row->min, row->max, help_len, row->help);
	else
		snprintf(fault, OPTIONS_FAULT_SIZE, "--%s %.40s: must be %.*s",
		    row->name, text, help_len, row->help);
}

enum options_status options_parse(struct options *options, int argc,
    char **argv, char fault[OPTIONS_FAULT_SIZE])
{
	struct option table[OPTIONS_ROW_COUNT + 3] = {{0}};
	int code;

	for (size_t i = 0; i < OPTIONS_ROW_COUNT; i++) {
		table[i].name = options_rows[i].name;
		table[i].has_arg = options_rows[i].kind == OPTIONS_FLAG
				       ? no_argument
				       : required_argument;
		table[i].val = FIRST_CODE + (int)i;
	}
	table[OPTIONS_ROW_COUNT] =
	    (struct option){"help", no_argument, NULL, 'h'};
	table[OPTIONS_ROW_COUNT + 1] =
	    (struct option){"version", no_argument, NULL, 'V'};
	*options = defaults;
	optind = 0; /* begins anew, for tests */
	opterr = 0;
	for (;;) {
		code = getopt_long(argc, argv, ":", table, NULL);
		if (code == -1)
			break;
		if (code == 'h')
			return OPTIONS_HELP;
		if (code == 'V')
			return OPTIONS_VERSION;
		if (code < FIRST_CODE) {
			snprintf(fault, OPTIONS_FAULT_SIZE, "%.40s: %s",
			    argv[optind - 1],
			    code == ':' ? "needs a value"
					: "no such option; --help lists them");
			return OPTIONS_BAD;
		}
		if (!set(options, &options_rows[code - FIRST_CODE], optarg)) {
			say_wrong(
			    &options_rows[code - FIRST_CODE], optarg, fault);
			return OPTIONS_BAD;
		}
	}
	return finish(options, argc - optind, argv + optind, fault)
		   ? OPTIONS_RUN
		   : OPTIONS_BAD;
}
