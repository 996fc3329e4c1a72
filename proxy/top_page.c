/* SPDX-License-Identifier: Apache-2.0 */
/* The view as the lines of a screen. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "proxy/top_view.h"

#define FIELD_SIZE	    24
#define GROUP_COLUMNS	    31
#define TABLE_ROWS_MIN	    4  /* of groups and backends, on a small screen */
#define TABLE_ROWS_SHARE    4  /* they get one row in so many */
#define ADDRESS_COLUMNS_MIN 15 /* an address of IPv4 */

struct writer {
	struct top_page *page;
	size_t columns, rows;
};

/* Names come from the configuration, and the filter from a keyboard. */
static void neuter(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

__attribute__((format(printf, 3, 4))) static void put(
    struct writer *writer, bool is_heading, const char *format, ...)
{
	struct top_page *page = writer->page;
	va_list arguments;
	char *text;

	if (page->count == writer->rows)
		return;
	text = page->lines[page->count].text;
	page->lines[page->count++].is_heading = is_heading;
	va_start(arguments, format);
	vsnprintf(text, writer->columns + 1, format, arguments);
	va_end(arguments);
	neuter(text);
}

/* "12", "3.4k", "5.6M" */
static const char *number(double value, char out[FIELD_SIZE])
{
	static const char units[] = " kMGTP";
	size_t unit = 0;

	while (value >= 10000 && unit < sizeof(units) - 2) {
		value /= 1000;
		unit++;
	}
	if (unit == 0)
		snprintf(out, FIELD_SIZE, value < 100 ? "%.1f" : "%.0f", value);
	else
		snprintf(out, FIELD_SIZE, "%.0f%c", value, units[unit]);
	return out;
}

static const char *whole(uint64_t value, char out[FIELD_SIZE])
{
	if (value >= 10000)
		return number((double)value, out);
	snprintf(out, FIELD_SIZE, "%" PRIu64, value);
	return out;
}

static const char *percent(double share, char out[FIELD_SIZE])
{
	if (share < 0)
		snprintf(out, FIELD_SIZE, "-");
	else if (share < 1 && share > 0.999)
		snprintf(out, FIELD_SIZE, ">99.9%%");
	else
		snprintf(out, FIELD_SIZE, "%.1f%%", share * 100);
	return out;
}

static const char *seconds(double value_s, char out[FIELD_SIZE])
{
	if (value_s < 0)
		snprintf(out, FIELD_SIZE, "-");
	else if (value_s < 0.01)
		snprintf(out, FIELD_SIZE, "%.1fms", value_s * 1000);
	else if (value_s < 1)
		snprintf(out, FIELD_SIZE, "%.0fms", value_s * 1000);
	else
		snprintf(out, FIELD_SIZE, "%.1fs", value_s);
	return out;
}

static const char *age(int64_t age_s, char out[FIELD_SIZE])
{
	if (age_s < 0)
		age_s = 0;
	if (age_s < 120)
		snprintf(out, FIELD_SIZE, "%ds", (int)age_s);
	else if (age_s < 7200)
		snprintf(out, FIELD_SIZE, "%dm", (int)(age_s / 60));
	else if (age_s < 172800)
		snprintf(out, FIELD_SIZE, "%dh", (int)(age_s / 3600));
	else
		snprintf(out, FIELD_SIZE, "%" PRId64 "d", age_s / 86400);
	return out;
}

static void put_summary(struct writer *writer, const struct top_view *view)
{
	const struct top_sample *now = view->now;
	char a[FIELD_SIZE], b[FIELD_SIZE], c[FIELD_SIZE], d[FIELD_SIZE];
	char e[FIELD_SIZE];
	time_t time = (time_t)now->now_s;
	struct tm parts = {0};

	localtime_r(&time, &parts);
	put(writer, true,
	    "postern top  %02d:%02d:%02d  up %s  generation %u  workers %u  "
	    "restarts %" PRIu64,
	    parts.tm_hour, parts.tm_min, parts.tm_sec,
	    age(now->now_s - now->started_s, a), now->generation, now->workers,
	    now->worker_restarts);
	put(writer, false,
	    "Sessions    %s open  %s/s accepted  %s/s refused  %s/s messages",
	    whole(now->sessions_open, a), number(view->rates[TOP_ACCEPTED], b),
	    number(view->rates[TOP_REFUSED], c),
	    number(view->rates[TOP_MESSAGES], d));
	put(writer, false, "Handshakes  %s/s done  %s/s failed  p50 %s  p95 %s",
	    number(view->rates[TOP_HANDSHAKES], a),
	    number(view->rates[TOP_HANDSHAKES_FAILED], b),
	    seconds(view->handshake_p50_s, c),
	    seconds(view->handshake_p95_s, d));
	put(writer, false,
	    "Secrecy     %s forward secret  %s post-quantum  %s resumed",
	    percent(view->forward_secrecy, a), percent(view->post_quantum, b),
	    percent(view->resumed, c));
	put(writer, false,
	    "Load        %sB/s in  %sB/s out  CPU %s of a core  EDH %s",
	    number(view->rates[TOP_OCTETS_IN], a),
	    number(view->rates[TOP_OCTETS_OUT], b),
	    percent(view->rates[TOP_CPU_US] / 1e6, c),
	    percent(view->rates[TOP_EDH_CPU_US] / 1e6, e));
}

static void write_group(
    const struct top_view *view, size_t index, char *out, size_t out_size)
{
	char a[FIELD_SIZE], b[FIELD_SIZE];

	out[0] = '\0';
	if (index < view->group_count)
		snprintf(out, out_size, "%-16.16s %6s %7s",
		    view->groups[index].name,
		    number(view->groups[index].rate, a),
		    whole(view->groups[index].total, b));
}

static void write_backend(
    const struct top_view *view, size_t index, char *out, size_t out_size)
{
	const struct top_totals *now = &view->now->totals;
	const struct top_backend *backend = &now->backends[index];
	char a[FIELD_SIZE], b[FIELD_SIZE], c[FIELD_SIZE];

	out[0] = '\0';
	if (index < now->backend_count)
		snprintf(out, out_size, "%-4s %5s %6s %7s %s",
		    !backend->is_known ? "?"
		    : backend->is_up   ? "up"
				       : "DOWN",
		    whole(backend->sessions, a), whole(backend->failures, b),
		    seconds(view->reply_p95_s[index], c), backend->name);
}

/* Groups on the left, backends on the right. */
static void put_tables(struct writer *writer, const struct top_view *view)
{
	size_t rows = writer->rows / TABLE_ROWS_SHARE;
	size_t most = view->now->totals.backend_count;
	char left[TOP_COLUMNS_MAX], right[TOP_COLUMNS_MAX];

	if (most < view->group_count)
		most = view->group_count;
	if (rows < TABLE_ROWS_MIN)
		rows = TABLE_ROWS_MIN;
	if (rows > most)
		rows = most;
	put(writer, false, "%s", "");
	put(writer, true, "%-*s  %s", GROUP_COLUMNS,
	    "GROUP                /s   TOTAL",
	    "UP    OPEN FAILED REPLY95 BACKEND");
	for (size_t i = 0; i < rows; i++) {
		write_group(view, i, left, sizeof(left));
		write_backend(view, i, right, sizeof(right));
		put(writer, false, "%-*s  %s", GROUP_COLUMNS, left, right);
	}
}

static void put_client(struct writer *writer, const struct top_view *view,
    const struct top_client *client, int address_columns)
{
	char a[FIELD_SIZE], b[FIELD_SIZE], c[FIELD_SIZE], d[FIELD_SIZE];
	const char *secrecy = client->in_clear > 0     ? "clear"
			      : client->not_secret > 0 ? "no"
						       : "yes";

	put(writer, false, "%-*s %5s %6s %6s %5s %-5s %-15s %s",
	    address_columns, client->address, whole(client->sessions, a),
	    whole(client->messages, b), whole(client->octets, c),
	    age(view->now->now_s - client->oldest_s, d), secrecy, client->state,
	    client->listener);
}

static void put_clients(struct writer *writer, const struct top_view *view)
{
	int address_columns = ADDRESS_COLUMNS_MIN;
	size_t shown = 0;

	for (size_t i = 0; i < view->client_count && i < writer->rows; i++)
		if ((int)strlen(view->clients[i].address) > address_columns)
			address_columns = (int)strlen(view->clients[i].address);
	put(writer, false, "%s", "");
	put(writer, true, "%-*s %5s %6s %6s %5s %-5s %-15s %s", address_columns,
	    "CLIENT", "OPEN", "MSGS", "BYTES", "AGE", "FS", "STATE",
	    "LISTENER");
	while (shown < view->client_count && writer->page->count < writer->rows)
		put_client(
		    writer, view, &view->clients[shown++], address_columns);
}

void top_view_page(const struct top_view *view, size_t columns, size_t rows,
    struct top_page *page_out)
{
	struct writer writer = {.page = page_out};

	page_out->count = 0;
	writer.columns = columns < TOP_COLUMNS_MAX ? columns : TOP_COLUMNS_MAX;
	writer.rows = rows < TOP_LINES_MAX ? rows : TOP_LINES_MAX;
	put_summary(&writer, view);
	put_tables(&writer, view);
	put_clients(&writer, view);
}
