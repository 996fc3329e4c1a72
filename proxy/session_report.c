/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/session_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "proxy/lines_input.h"
#include "proxy/record.h"
#include "proxy/report_page.h"

/* A log can be broken from end to end; so many lines are named. */
#define BROKEN_TOLD_MAX	   20
#define DAY_S		   86400
#define PROGRESS_PERIOD_MS 200
#define PROGRESS_WIDTH	   30
/* Lines between two looks at the clock. */
#define PROGRESS_LINES 1024

struct reading {
	struct report_page page;
	int64_t since_s, until_s; /* since <= time < until */
	bool shows_progress;
	bool has_shown;
	int64_t shown_ms;
	bool failed;
};

static bool read_limit(const char *text, bool is_until, int64_t *time_s_out)
{
	char whole[32];
	int64_t time_s = record_parse_time(text);

	if (time_s < 0 && strlen(text) == strlen("2026-11-23")) {
		snprintf(whole, sizeof(whole), "%sT00:00:00Z", text);
		time_s = record_parse_time(whole);
		if (time_s >= 0 && is_until)
			time_s += DAY_S;
	}
	if (time_s >= 0) {
		*time_s_out = time_s;
		return true;
	}
	fprintf(stderr,
	    "postern: fatal: %s %s: wants a day (2026-11-23) or a time "
	    "(2026-11-23T15:04:05Z)\n",
	    is_until ? "--until" : "--since", text);
	return false;
}

static int64_t now_in_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wipe_progress(struct reading *reading)
{
	if (reading->has_shown)
		fprintf(stderr, "\r%*s\r", PROGRESS_WIDTH + 40, "");
	reading->has_shown = false;
}

static void show_progress(
    struct reading *reading, const struct lines_input *input)
{
	uint64_t size = lines_input_size(input);
	uint64_t done = lines_input_done(input);
	int64_t now_ms = now_in_ms();
	int filled;

	if (now_ms - reading->shown_ms < PROGRESS_PERIOD_MS)
		return;
	reading->shown_ms = now_ms;
	reading->has_shown = true;
	if (size == 0 || done > size) {
		fprintf(stderr, "\r%" PRIu64 " MiB, %" PRIu64 " records ",
		    done >> 20, reading->page.records);
		return;
	}
	filled = (int)(done * PROGRESS_WIDTH / size);
	fprintf(stderr, "\r[%.*s%*s] %3" PRIu64 " %%, %" PRIu64 " records ",
	    filled, "##############################", PROGRESS_WIDTH - filled,
	    "", done * 100 / size, reading->page.records);
}

static void tell_broken(
    struct reading *reading, const char *path, uint64_t number, const char *why)
{
	reading->page.broken++;
	if (reading->page.broken > BROKEN_TOLD_MAX)
		return;
	wipe_progress(reading);
	fprintf(stderr, "postern: warning: %s:%" PRIu64 ": record: %s\n", path,
	    number, why);
	if (reading->page.broken == BROKEN_TOLD_MAX)
		fprintf(stderr, "postern: warning: further broken records "
				"are only counted\n");
}

/* False without memory. */
static bool take_record(struct reading *reading, const struct record *record)
{
	int64_t time_s = record_parse_time(record_value(record, RECORD_time));

	reading->page.records++;
	if (time_s < reading->since_s || time_s >= reading->until_s) {
		reading->page.outside++;
		return true;
	}
	return tally_add(&reading->page.tally, record);
}

static bool take_line(struct reading *reading, const char *path,
    const struct lines_input *input, const char *line, size_t line_len)
{
	struct record record;
	const char *why;

	switch (record_read(line, line_len, &record, &why)) {
	case RECORD_FOUND:
		return take_record(reading, &record);
	case RECORD_ABSENT:
		reading->page.other_lines++;
		return true;
	case RECORD_BROKEN:
		tell_broken(reading, path, lines_input_number(input), why);
		return true;
	}
	return true;
}

static bool read_lines(
    struct reading *reading, const char *path, struct lines_input *input)
{
	const char *line;
	size_t line_len;

	for (;;) {
		switch (lines_input_next(input, &line, &line_len)) {
		case LINES_INPUT_LINE:
			break;
		case LINES_INPUT_END:
			return true;
		case LINES_INPUT_FAILED:
			wipe_progress(reading);
			fprintf(stderr, "postern: error: %s:%" PRIu64 ": %s\n",
			    path, lines_input_number(input),
			    lines_input_why(input));
			reading->failed = true;
			return true;
		}
		/* rsyslog and editors of other systems leave CRLF. */
		if (line_len > 0 && line[line_len - 1] == '\r')
			line_len--;
		if (!take_line(reading, path, input, line, line_len))
			return false;
		if (reading->shows_progress &&
		    lines_input_number(input) % PROGRESS_LINES == 0)
			show_progress(reading, input);
	}
}

static bool read_file(struct reading *reading, const char *path)
{
	struct lines_input *input = lines_input_open(path);
	bool done;

	if (input == NULL) {
		wipe_progress(reading);
		fprintf(
		    stderr, "postern: error: %s: %s\n", path, strerror(errno));
		reading->failed = true;
		return true;
	}
	done = read_lines(reading, path, input);
	wipe_progress(reading);
	lines_input_close(&input);
	return done;
}

static bool print_page(
    enum session_report_format format, const struct report_page *page)
{
	bool done = true;

	switch (format) {
	case SESSION_REPORT_TEXT:
		report_page_text(stdout, page);
		break;
	case SESSION_REPORT_JSON:
		done = report_page_json(stdout, page);
		break;
	case SESSION_REPORT_HTML:
		report_page_html(stdout, page);
		break;
	}
	return fflush(stdout) == 0 && done;
}

int session_report_run(const struct session_report_options *options)
{
	struct reading reading = {
	    .since_s = INT64_MIN,
	    .until_s = INT64_MAX,
	    .shows_progress = isatty(STDERR_FILENO) == 1,
	    .shown_ms = now_in_ms(),
	};
	bool has_memory = true;

	if ((options->since != NULL &&
		!read_limit(options->since, false, &reading.since_s)) ||
	    (options->until != NULL &&
		!read_limit(options->until, true, &reading.until_s)))
		return EX_USAGE;
	tally_init(&reading.page.tally);
	for (size_t i = 0; i < options->path_count && has_memory; i++)
		has_memory = read_file(&reading, options->paths[i]);
	tally_sort(&reading.page.tally);
	if (!has_memory || !print_page(options->format, &reading.page)) {
		fprintf(stderr, "postern: fatal: %s\n",
		    has_memory ? "the report cannot be written"
			       : "no memory for the report");
		reading.failed = true;
	}
	tally_finish(&reading.page.tally);
	return reading.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
