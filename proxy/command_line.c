/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/command_line.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *word;
	enum verb verb;
} verbs[] = {
    {"start-fg", VERB_START_FG},
    {"start", VERB_START},
    {"stop", VERB_STOP},
    {"reload", VERB_RELOAD},
    {"status", VERB_STATUS},
    {"check", VERB_CHECK},
    {"conf", VERB_CONF},
    {"ciphers", VERB_CIPHERS},
    {"dhparam", VERB_DHPARAM},
    {"report", VERB_REPORT},
    {"probe", VERB_PROBE},
    {"top", VERB_TOP},
    {"--help", VERB_HELP},
    {"--version", VERB_VERSION},
};

/* The words that are not read yet, and where a complaint goes. */
struct reader {
	char *const *words;
	char *why;
	size_t why_size;
};

static bool complain(
    const struct reader *reader, const char *what, const char *word)
{
	snprintf(reader->why, reader->why_size,
	    "%s \"%s\"; see \"postern --help\"", what, word);
	return false;
}

/* -n, -d, -M and -P exclude each other. */
static bool set_print(const struct reader *reader, enum print_what print,
    const char *option, struct command_line *line)
{
	if (line->print != PRINT_ALL && line->print != print)
		return complain(reader,
		    "another of -n, -d, -M and -P stands before", option);
	line->print = print;
	return true;
}

/* One option that takes no value. */
static bool read_letter(const struct reader *reader, char letter, bool has_verb,
    struct command_line *line)
{
	const char text[] = {'-', letter, '\0'};
	bool is_conf = has_verb && line->verb == VERB_CONF;

	if (letter == 'v') {
		line->verbose++;
		return true;
	}
	if (is_conf && letter == 'x') {
		line->expand = true;
		return true;
	}
	if (is_conf && letter == 'n')
		return set_print(reader, PRINT_SET, text, line);
	if (is_conf && letter == 'd')
		return set_print(reader, PRINT_DEFAULTS, text, line);
	if (is_conf && letter == 'M')
		return set_print(reader, PRINT_SERVICES, text, line);
	if (is_conf && letter == 'P')
		return set_print(reader, PRINT_OVERRIDES, text, line);
	return complain(reader, "unknown option", text);
}

/* A word of options: "-v", "-vv", "-nx", "-c DIR", "-cDIR". */
static bool read_options(
    struct reader *reader, bool has_verb, struct command_line *line)
{
	const char *word = *reader->words++;

	for (const char *letter = word + 1; *letter != '\0'; letter++) {
		if (*letter != 'c') {
			if (!read_letter(reader, *letter, has_verb, line))
				return false;
			continue;
		}
		line->directory =
		    letter[1] != '\0' ? letter + 1 : *reader->words;
		if (line->directory == NULL || line->directory[0] == '\0')
			return complain(
			    reader, "there is no directory behind", "-c");
		if (letter[1] == '\0')
			reader->words++;
		return true;
	}
	return true;
}

/* The word behind a long option; false: there is none. */
static bool read_value(
    struct reader *reader, const char *option, const char **value_out)
{
	if (*reader->words == NULL)
		return complain(reader, "there is nothing behind", option);
	*value_out = *reader->words++;
	return true;
}

/* "--bits N", "--allow-weak" */
static bool read_dhparam_option(
    struct reader *reader, const char *word, struct command_line *line)
{
	char *end;

	if (strcmp(word, "--allow-weak") == 0) {
		line->allow_weak = true;
		return true;
	}
	if (strcmp(word, "--bits") != 0)
		return complain(reader, "unknown option", word);
	if (!read_value(reader, word, &word))
		return false;
	line->bits = strtol(word, &end, 10);
	if (end == word || *end != '\0' || line->bits < 1 ||
	    line->bits > INT_MAX)
		return complain(reader, "--bits wants a number, not", word);
	return true;
}

/* "--format text|json|html", "--since TIME", "--until TIME" */
static bool read_report_option(
    struct reader *reader, const char *word, struct command_line *line)
{
	static const char *const formats[] = {
	    [SESSION_REPORT_TEXT] = "text",
	    [SESSION_REPORT_JSON] = "json",
	    [SESSION_REPORT_HTML] = "html",
	};
	const char *value;

	if (strcmp(word, "--since") == 0)
		return read_value(reader, word, &line->report.since);
	if (strcmp(word, "--until") == 0)
		return read_value(reader, word, &line->report.until);
	if (strcmp(word, "--format") != 0)
		return complain(reader, "unknown option", word);
	if (!read_value(reader, word, &value))
		return false;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(formats[i], value) != 0)
			continue;
		line->report.format = (enum session_report_format)i;
		return true;
	}
	return complain(
	    reader, "--format wants text, json or html, not", value);
}

/* "--once", "--json", "--sort WORD", "--filter TEXT" */
static bool read_top_option(
    struct reader *reader, const char *word, struct command_line *line)
{
	const char *value;

	if (strcmp(word, "--once") == 0) {
		line->top.once = true;
		return true;
	}
	if (strcmp(word, "--json") == 0) {
		line->top.json = true;
		return true;
	}
	if (strcmp(word, "--filter") == 0)
		return read_value(reader, word, &line->top.filter);
	if (strcmp(word, "--sort") != 0)
		return complain(reader, "unknown option", word);
	if (!read_value(reader, word, &value))
		return false;
	line->top.sort = top_sort_find(value);
	if (line->top.sort != TOP_SORT_COUNT)
		return true;
	return complain(reader,
	    "--sort wants sessions, bytes, messages or age, not", value);
}

static bool wants_file(enum verb verb)
{
	return verb == VERB_DHPARAM || verb == VERB_REPORT;
}

static bool has_long_options(enum verb verb)
{
	return verb == VERB_CHECK || verb == VERB_TOP || wants_file(verb);
}

static bool read_long_option(struct reader *reader, struct command_line *line)
{
	const char *word = *reader->words++;

	if (line->verb == VERB_REPORT)
		return read_report_option(reader, word, line);
	if (line->verb == VERB_CHECK) {
		line->backends = strcmp(word, "--backends") == 0;
		return line->backends ||
		       complain(reader, "unknown option", word);
	}
	if (line->verb == VERB_TOP)
		return read_top_option(reader, word, line);
	return read_dhparam_option(reader, word, line);
}

/* How many words may stand behind the options. */
static size_t names_max(enum verb verb)
{
	switch (verb) {
	case VERB_CONF:
	case VERB_REPORT:
		return SIZE_MAX;
	case VERB_CIPHERS:
	case VERB_DHPARAM:
		return 1;
	case VERB_START_FG:
	case VERB_START:
	case VERB_STOP:
	case VERB_RELOAD:
	case VERB_STATUS:
	case VERB_CHECK:
	case VERB_TOP:
	case VERB_PROBE:
	case VERB_HELP:
	case VERB_VERSION:
		return 0;
	}
	return 0;
}

static bool read_names(struct reader *reader, struct command_line *line)
{
	size_t max = names_max(line->verb);

	line->names = (const char *const *)reader->words;
	for (; *reader->words != NULL; reader->words++)
		if (++line->name_count > max)
			return complain(
			    reader, "there is no use for", *reader->words);
	line->report.paths = line->names;
	line->report.path_count = line->name_count;
	if (line->verb == VERB_TOP && line->top.json && !line->top.once) {
		snprintf(reader->why, reader->why_size,
		    "--json goes with --once; see \"postern --help\"");
		return false;
	}
	if (!wants_file(line->verb) || line->name_count > 0)
		return true;
	snprintf(reader->why, reader->why_size,
	    "%s wants the name of a file; see \"postern --help\"",
	    line->verb == VERB_REPORT ? "report" : "dhparam");
	return false;
}

static bool is_options(const char *word)
{
	return word[0] == '-' && word[1] != '\0' && word[1] != '-';
}

static bool read_verb(struct reader *reader, struct command_line *line)
{
	const char *word = *reader->words;

	if (word == NULL) {
		snprintf(reader->why, reader->why_size,
		    "there is no verb; see \"postern --help\"");
		return false;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(word, verbs[i].word) != 0)
			continue;
		line->verb = verbs[i].verb;
		reader->words++;
		return true;
	}
	return complain(reader, "unknown verb", word);
}

bool command_line_parse(int argc, char *const *argv,
    struct command_line *line_out, char *why, size_t why_size)
{
	struct reader reader = {
	    .words = argv + (argc > 0 ? 1 : 0),
	    .why = why,
	    .why_size = why_size,
	};

	*line_out = (struct command_line){.directory = COMMAND_LINE_DIRECTORY};
	while (*reader.words != NULL && is_options(*reader.words))
		if (!read_options(&reader, false, line_out))
			return false;
	if (!read_verb(&reader, line_out))
		return false;
	/* It is asked of a server elsewhere, and has a language of its own. */
	if (line_out->verb == VERB_PROBE)
		return probe_options_parse(
		    reader.words, &line_out->probe, why, why_size);
	for (;;) {
		const char *word = *reader.words;

		if (word != NULL && is_options(word)) {
			if (!read_options(&reader, true, line_out))
				return false;
		} else if (word != NULL && has_long_options(line_out->verb) &&
			   strncmp(word, "--", 2) == 0) {
			if (!read_long_option(&reader, line_out))
				return false;
		} else {
			return read_names(&reader, line_out);
		}
	}
}
