/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/exposition.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/exposition_rows.h"

#define GONE "former"
#define SINK "builtin:sink"

/* Backslash, quote and line feed: both formats. */
static void print_escaped(FILE *out, const char *text, bool quotes)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			fputs("\\\\", out);
		else if (*text == '\n')
			fputs("\\n", out);
		else if (*text == '"' && quotes)
			fputs("\\\"", out);
		else
			fputc(*text, out);
	}
}

static void print_labels(FILE *out, const char *const *names,
    const char *const *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "%c%s=\"", i == 0 ? '{' : ',', names[i]);
		print_escaped(out, values[i], true);
		fputc('"', out);
	}
	if (count > 0)
		fputc('}', out);
}

void exposition_begin_sample(const struct exposition *exposition,
    const char *const *names, const char *const *values, size_t count)
{
	fputs(exposition->family->name, exposition->out);
	print_labels(exposition->out, names, values, count);
	fputc(' ', exposition->out);
}

/* Seconds are kept in microseconds. */
static void print_value(FILE *out, enum metric_unit unit, uint64_t value)
{
	if (unit == METRIC_SECONDS)
		fprintf(out, "%" PRIu64 ".%06u\n", value / 1000000,
		    (unsigned)(value % 1000000));
	else
		fprintf(out, "%" PRIu64 "\n", value);
}

/* OpenMetrics has no integers there. */
static void format_bound(const struct exposition *exposition,
    enum metric_unit unit, uint64_t bound, char out[32])
{
	double value = (double)bound;

	if (unit == METRIC_SECONDS)
		value /= 1e6;
	snprintf(out, 32, "%.15g", value);
	if (exposition->format == EXPOSITION_OPENMETRICS &&
	    strchr(out, '.') == NULL)
		strcat(out, ".0");
}

static void print_histogram(const struct exposition *exposition,
    const char *label, const char *value, size_t cell)
{
	const struct metric_family *family = exposition->family;
	const struct state *state = exposition->source->state;
	enum metric_unit unit = metric_bounds_unit(family->buckets);
	const char *const names[] = {label, "le"};
	uint64_t sum = 0;
	char bound[32];
	size_t count;
	const uint64_t *bounds = metric_bounds(family->buckets, &count);

	for (size_t i = 0; i <= count; i++) {
		const char *const values[] = {value, bound};

		sum += state_cell_total(state, cell + i);
		if (i < count)
			format_bound(exposition, unit, bounds[i], bound);
		else
			strcpy(bound, "+Inf");
		fprintf(exposition->out, "%s_bucket", family->name);
		print_labels(exposition->out, names, values, 2);
		fprintf(exposition->out, " %" PRIu64 "\n", sum);
	}
	fprintf(exposition->out, "%s_sum", family->name);
	print_labels(exposition->out, &label, &value, 1);
	fputc(' ', exposition->out);
	print_value(exposition->out, unit,
	    state_cell_total(state, cell + METRIC_HISTOGRAM_SUM));
	fprintf(exposition->out, "%s_count", family->name);
	print_labels(exposition->out, &label, &value, 1);
	fprintf(exposition->out, " %" PRIu64 "\n", sum);
}

static bool has_counted(const struct exposition *exposition, size_t first)
{
	const struct metric_family *family = exposition->family;
	size_t count = (size_t)family->values[1] * family->cells;

	for (size_t i = 0; i < count; i++)
		if (state_cell_total(exposition->source->state,
			family->first_cell + first * count + i) != 0)
			return true;
	return false;
}

/* The word for a value of the first label; NULL: it is not shown. What has a
 * name is shown from the beginning, so that its first event is an increase. */
static const char *first_word(const struct exposition *exposition, size_t value)
{
	const struct state *state = exposition->source->state;
	enum metric_label label = exposition->family->labels[0];
	const char *name;

	if (label == METRIC_LABEL_LISTENER && value < METRIC_LISTENERS_MAX)
		name = state->listeners[value];
	else if (label == METRIC_LABEL_BACKEND && value < METRIC_BACKENDS_MAX)
		name = state_backend_is_spare(&state->backends[value]) &&
			       !has_counted(exposition, value)
			   ? ""
			   : state->backends[value].name;
	else if (label == METRIC_LABEL_BACKEND && value == METRIC_BACKENDS_MAX)
		name = has_counted(exposition, value) ? SINK : "";
	else if (label == METRIC_LABEL_LISTENER ||
		 label == METRIC_LABEL_BACKEND)
		name = has_counted(exposition, value) ? GONE : "";
	else
		name = metric_label_word(label, value);
	return name[0] == '\0' ? NULL : name;
}

static void print_number(const struct exposition *exposition,
    const char *const *names, const char *const *values, size_t cell)
{
	const struct metric_family *family = exposition->family;
	size_t count = 0;

	while (count < 2 && family->labels[count] != METRIC_LABEL_NONE)
		count++;
	exposition_begin_sample(exposition, names, values, count);
	print_value(exposition->out, family->unit,
	    state_cell_total(exposition->source->state, cell));
}

static void print_first(const struct exposition *exposition, size_t first)
{
	const struct metric_family *family = exposition->family;
	size_t cell =
	    family->first_cell + first * family->values[1] * family->cells;
	const char *const names[] = {metric_label_name(family->labels[0]),
	    metric_label_name(family->labels[1])};
	const char *values[2] = {"", ""};

	if (family->labels[0] != METRIC_LABEL_NONE) {
		values[0] = first_word(exposition, first);
		if (values[0] == NULL ||
		    metric_label_is_void(family->labels[0], first))
			return;
	}
	if (family->type == METRIC_HISTOGRAM) {
		print_histogram(exposition, names[0], values[0], cell);
		return;
	}
	for (size_t i = 0; i < family->values[1]; i++) {
		if (metric_label_is_void(family->labels[1], i))
			continue;
		if (family->labels[1] != METRIC_LABEL_NONE)
			values[1] = metric_label_word(family->labels[1], i);
		print_number(exposition, names, values, cell + i);
	}
}

static void print_cells(const struct exposition *exposition)
{
	for (size_t i = 0; i < exposition->family->values[0]; i++)
		print_first(exposition, i);
}

/* OpenMetrics names the family of a counter without its _total. */
static void print_head(const struct exposition *exposition)
{
	static const char *const types[] = {
	    [METRIC_COUNTER] = "counter",
	    [METRIC_GAUGE] = "gauge",
	    [METRIC_HISTOGRAM] = "histogram",
	};
	const struct metric_family *family = exposition->family;
	bool openmetrics = exposition->format == EXPOSITION_OPENMETRICS;
	enum metric_unit unit = family->unit;
	size_t len = strlen(family->name);

	if (openmetrics && family->type == METRIC_COUNTER)
		len -= strlen("_total");
	fprintf(exposition->out, "# HELP %.*s ", (int)len, family->name);
	print_escaped(exposition->out, family->help, openmetrics);
	fprintf(exposition->out, "\n# TYPE %.*s %s\n", (int)len, family->name,
	    types[family->type]);
	if (family->type == METRIC_HISTOGRAM)
		unit = metric_bounds_unit(family->buckets);
	if (openmetrics && unit != METRIC_NUMBER)
		fprintf(exposition->out, "# UNIT %.*s %s\n", (int)len,
		    family->name, unit == METRIC_SECONDS ? "seconds" : "bytes");
}

static void print_family(const struct exposition *exposition)
{
	print_head(exposition);
	switch (exposition->family->storage) {
	case METRIC_CELLS:
		print_cells(exposition);
		return;
	case METRIC_ROWS:
		exposition_rows(exposition);
		return;
	case METRIC_COMPUTED:
		exposition_computed(exposition);
		return;
	}
}

const char *exposition_type(enum exposition_format format)
{
	switch (format) {
	case EXPOSITION_TEXT:
		return "text/plain; version=0.0.4; charset=utf-8";
	case EXPOSITION_OPENMETRICS:
		return "application/openmetrics-text; version=1.0.0; "
		       "charset=utf-8";
	}
	assert(false);
	return "";
}

char *exposition_write(const struct exposition_source *source,
    enum exposition_format format, size_t *len_out)
{
	struct exposition exposition = {.source = source, .format = format};
	char *page = NULL;

	exposition.out = open_memstream(&page, len_out);
	if (exposition.out == NULL)
		return NULL;
	for (int i = 0; i < METRIC_COUNT; i++) {
		exposition.family = &metric_families[i];
		print_family(&exposition);
	}
	if (format == EXPOSITION_OPENMETRICS)
		fputs("# EOF\n", exposition.out);
	if (fclose(exposition.out) == 0)
		return page;
	free(page);
	return NULL;
}
