/* SPDX-License-Identifier: Apache-2.0 */
/* One page without scripts, fonts or anything from elsewhere; its policy says
 * so to the browser, too. The plots are a column per day and a bar per row. */
#include <inttypes.h>
#include <string.h>

#include "proxy/report_page.h"

#define PLOT_HEIGHT  120
#define PLOT_COLUMNS 92 /* the last three months */
#define COLUMN_WIDTH 10
#define BAR_WIDTH    160

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
    "'none'; style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>Forward secrecy</title>\n<style>\n"
    "body{font:15px/1.4 sans-serif;max-width:60em;margin:2em auto;"
    "padding:0 1em;color:#222;background:#fff}\n"
    "table{border-collapse:collapse;margin:.5em 0 2em}\n"
    "th,td{padding:.15em .8em;text-align:right;border-bottom:1px solid #ddd}\n"
    "th:last-child,td:last-child{text-align:left;font-family:monospace;"
    "overflow-wrap:anywhere}\n"
    ".yes{fill:#2a7f62}.no{fill:#c8553d}\n"
    "</style></head><body>\n<h1>Forward secrecy</h1>\n";

static void print_escaped(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default: /* a byte, no enum of ours */
			fputc(*text, out);
			break;
		}
	}
}

static uint64_t most_sessions(
    const struct report_page *page, enum tally_table table, size_t from)
{
	uint64_t most = 1;

	for (size_t i = from; i < page->tally.tables[table].count; i++) {
		const struct tally_row *row = page->tally.tables[table].rows[i];

		if (row->counts.sessions > most)
			most = row->counts.sessions;
	}
	return most;
}

static void print_column(FILE *out, const struct tally_row *row, size_t column,
    uint64_t most_sessions)
{
	double scale = (double)PLOT_HEIGHT / (double)most_sessions;
	double secret = (double)row->counts.secret * scale;
	double other =
	    (double)(row->counts.sessions - row->counts.secret) * scale;
	char share[REPORT_SHARE_SIZE];

	report_page_share(
	    row->counts.secret, row->counts.sessions, share, sizeof(share));
	fprintf(out, "<g><title>");
	print_escaped(out, row->name);
	fprintf(out, ": %" PRIu64 " sessions, ", row->counts.sessions);
	print_escaped(out, share);
	fputs("</title>", out);
	fprintf(out,
	    "<rect class=\"no\" x=\"%zu\" y=\"%.1f\" width=\"%d\" "
	    "height=\"%.1f\"/><rect class=\"yes\" x=\"%zu\" y=\"%.1f\" "
	    "width=\"%d\" height=\"%.1f\"/></g>\n",
	    column * COLUMN_WIDTH, PLOT_HEIGHT - secret - other,
	    COLUMN_WIDTH - 2, other, column * COLUMN_WIDTH,
	    PLOT_HEIGHT - secret, COLUMN_WIDTH - 2, secret);
}

static void print_days(FILE *out, const struct report_page *page)
{
	size_t count = page->tally.tables[TALLY_DAY].count;
	size_t from = count > PLOT_COLUMNS ? count - PLOT_COLUMNS : 0;
	uint64_t most = most_sessions(page, TALLY_DAY, from);

	if (count == 0)
		return;
	fprintf(out,
	    "<p><svg role=\"img\" width=\"%zu\" height=\"%d\" "
	    "aria-label=\"sessions by day\">\n",
	    (count - from) * COLUMN_WIDTH, PLOT_HEIGHT);
	for (size_t i = from; i < count; i++)
		print_column(
		    out, page->tally.tables[TALLY_DAY].rows[i], i - from, most);
	fprintf(out,
	    "</svg></p>\n<p>Sessions by day, from %s on, at most %" PRIu64
	    "; green: with forward secrecy.</p>\n",
	    page->tally.tables[TALLY_DAY].rows[from]->name, most);
}

static void print_cell(FILE *out, uint64_t part, uint64_t whole)
{
	char share[REPORT_SHARE_SIZE];

	report_page_share(part, whole, share, sizeof(share));
	fputs("<td>", out);
	print_escaped(out, share);
	fputs("</td>", out);
}

static void print_row(FILE *out, const struct tally_counts *counts,
    const char *name, uint64_t most)
{
	double scale = (double)BAR_WIDTH / (double)most;
	double secret = (double)counts->secret * scale;
	double all = (double)counts->sessions * scale;

	if (all > BAR_WIDTH) { /* the others, together */
		secret *= BAR_WIDTH / all;
		all = BAR_WIDTH;
	}
	fprintf(out, "<tr><td>%" PRIu64 "</td>", counts->sessions);
	print_cell(out, counts->secret, counts->sessions);
	fprintf(out, "<td>%" PRIu64 "</td>", counts->messages);
	print_cell(out, counts->messages_secret, counts->messages);
	fprintf(out,
	    "<td><svg width=\"%d\" height=\"12\"><rect class=\"no\" "
	    "width=\"%.1f\" height=\"12\"/><rect class=\"yes\" width=\"%.1f\" "
	    "height=\"12\"/></svg></td><td>",
	    BAR_WIDTH, all, secret);
	print_escaped(out, name);
	fputs("</td></tr>\n", out);
}

static void print_table(
    FILE *out, const struct report_page *page, enum tally_table table)
{
	struct report_rest rest;
	size_t shown = report_page_shown(page, table, &rest);
	uint64_t most = most_sessions(page, table, 0);

	fprintf(out, "<h2>%s</h2>\n", tally_table_title(table));
	if (shown == 0) {
		fputs("<p>None.</p>\n", out);
		return;
	}
	fputs("<table><tr><th>sessions</th><th>secret</th><th>messages</th>"
	      "<th>secret</th><th></th><th></th></tr>\n",
	    out);
	for (size_t i = 0; i < shown; i++)
		print_row(out, &page->tally.tables[table].rows[i]->counts,
		    page->tally.tables[table].rows[i]->name, most);
	if (rest.counts.sessions > 0)
		print_row(out, &rest.counts, rest.name, most);
	fputs("</table>\n", out);
}

void report_page_html(FILE *out, const struct report_page *page)
{
	const struct tally *tally = &page->tally;
	char first[REPORT_TIME_SIZE] = "", last[REPORT_TIME_SIZE] = "";
	char share[REPORT_SHARE_SIZE];

	report_page_time(tally->first_s, first, sizeof(first));
	report_page_time(tally->last_s, last, sizeof(last));
	report_page_share(
	    tally->all.secret, tally->all.sessions, share, sizeof(share));
	fputs(head, out);
	if (tally->all.sessions > 0) {
		fprintf(out, "<p>%s to %s: %" PRIu64 " sessions, ", first, last,
		    tally->all.sessions);
		print_escaped(out, share);
		fprintf(out, " with forward secrecy.</p>\n");
	} else {
		fputs("<p>No sessions.</p>\n", out);
	}
	fprintf(out,
	    "<p>%" PRIu64 " sessions in clear, %" PRIu64
	    " with a post-quantum key exchange. Without EDH, %" PRIu64
	    " could go on with the RSA key exchange, which has no forward "
	    "secrecy. %" PRIu64
	    " do not tell what the client offered.</p>\n<p>Lines: %" PRIu64
	    " records, %" PRIu64 " broken, %" PRIu64 " of other kinds, %" PRIu64
	    " outside the time asked for.</p>\n",
	    tally->in_clear, tally->hybrid, tally->edh_to_rsa,
	    tally->offer_unknown, page->records, page->broken,
	    page->other_lines, page->outside);
	print_days(out, page);
	for (int i = 0; i < TALLY_TABLE_COUNT && tally->all.sessions > 0; i++)
		print_table(out, page, (enum tally_table)i);
	fputs("</body></html>\n", out);
}
