/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/report_page.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

void report_page_share(uint64_t part, uint64_t whole, char *out, size_t size)
{
	double share;

	if (whole == 0) {
		snprintf(out, size, "-");
		return;
	}
	share = (double)part * 100.0 / (double)whole;
	if (part != 0 && share < 0.1)
		snprintf(out, size, "<0.1 %%");
	else if (part != whole && share > 99.9)
		snprintf(out, size, ">99.9 %%");
	else
		snprintf(out, size, "%.1f %%", share);
}

void report_page_time(int64_t time_s, char *out, size_t size)
{
	time_t time = (time_t)time_s;
	struct tm parts;

	if (gmtime_r(&time, &parts) == NULL ||
	    strftime(out, size, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
		snprintf(out, size, "?");
}

static void add(struct tally_counts *counts, const struct tally_counts *more)
{
	counts->sessions += more->sessions;
	counts->secret += more->secret;
	counts->messages += more->messages;
	counts->messages_secret += more->messages_secret;
}

size_t report_page_shown(const struct report_page *page, enum tally_table table,
    struct report_rest *rest_out)
{
	bool has_more = page->tally.tables[table].has_others;
	size_t count = page->tally.tables[table].count;
	size_t shown = count;

	if (tally_table_is_of_clients(table) && count > REPORT_PAGE_CLIENTS_MAX)
		shown = REPORT_PAGE_CLIENTS_MAX;
	rest_out->counts = page->tally.tables[table].others;
	for (size_t i = shown; i < count; i++)
		add(&rest_out->counts,
		    &page->tally.tables[table].rows[i]->counts);
	/* Names beyond the limit of a table are not known. */
	snprintf(rest_out->name, sizeof(rest_out->name), "others (%s%zu)",
	    has_more ? "more than " : "", count - shown);
	return shown;
}

static void print_row(
    FILE *out, const struct tally_counts *counts, const char *name)
{
	char secret[REPORT_SHARE_SIZE], messages_secret[REPORT_SHARE_SIZE];

	report_page_share(
	    counts->secret, counts->sessions, secret, sizeof(secret));
	report_page_share(counts->messages_secret, counts->messages,
	    messages_secret, sizeof(messages_secret));
	fprintf(out, "%10" PRIu64 " %8s %10" PRIu64 " %8s  %s\n",
	    counts->sessions, secret, counts->messages, messages_secret, name);
}

static void print_table(
    FILE *out, const struct report_page *page, enum tally_table table)
{
	struct report_rest rest;
	size_t shown = report_page_shown(page, table, &rest);

	fprintf(out, "\n%s\n", tally_table_title(table));
	if (shown == 0) {
		fputs("  none\n", out);
		return;
	}
	fputs("  sessions   secret   messages   secret\n", out);
	for (size_t i = 0; i < shown; i++)
		print_row(out, &page->tally.tables[table].rows[i]->counts,
		    page->tally.tables[table].rows[i]->name);
	if (rest.counts.sessions > 0)
		print_row(out, &rest.counts, rest.name);
}

static void print_notes(FILE *out, const struct report_page *page)
{
	const struct tally *tally = &page->tally;

	fprintf(out,
	    "%" PRIu64 " sessions in clear, %" PRIu64
	    " with a post-quantum key exchange.\n",
	    tally->in_clear, tally->hybrid);
	if (tally->edh_to_rsa > 0)
		fprintf(out,
		    "Without EDH, %" PRIu64
		    " sessions could go on with the RSA key exchange, which "
		    "has no forward secrecy.\n",
		    tally->edh_to_rsa);
	if (tally->offer_unknown > 0)
		fprintf(out,
		    "%" PRIu64
		    " sessions do not tell what the client offered: they are "
		    "in none of the tables of who depends on what.\n",
		    tally->offer_unknown);
	fprintf(out,
	    "Lines: %" PRIu64 " records, %" PRIu64 " broken, %" PRIu64
	    " of other kinds, %" PRIu64 " outside the time asked for.\n",
	    page->records, page->broken, page->other_lines, page->outside);
}

void report_page_text(FILE *out, const struct report_page *page)
{
	const struct tally *tally = &page->tally;
	char first[REPORT_TIME_SIZE], last[REPORT_TIME_SIZE];
	char share[REPORT_SHARE_SIZE], message_share[REPORT_SHARE_SIZE];

	report_page_time(tally->first_s, first, sizeof(first));
	report_page_time(tally->last_s, last, sizeof(last));
	report_page_share(
	    tally->all.secret, tally->all.sessions, share, sizeof(share));
	report_page_share(tally->all.messages_secret, tally->all.messages,
	    message_share, sizeof(message_share));
	if (tally->all.sessions == 0)
		fputs("No sessions.\n", out);
	else
		fprintf(out,
		    "Forward secrecy from %s to %s\n\n"
		    "%" PRIu64 " sessions, %s with forward secrecy; %" PRIu64
		    " messages, %s.\n",
		    first, last, tally->all.sessions, share,
		    tally->all.messages, message_share);
	print_notes(out, page);
	for (int i = 0; i < TALLY_TABLE_COUNT && tally->all.sessions > 0; i++)
		print_table(out, page, (enum tally_table)i);
}

static json_t *json_counts(const struct tally_counts *counts)
{
	return json_pack("{s:I,s:I,s:I,s:I}", "sessions",
	    (json_int_t)counts->sessions, "with_forward_secrecy",
	    (json_int_t)counts->secret, "messages",
	    (json_int_t)counts->messages, "messages_with_forward_secrecy",
	    (json_int_t)counts->messages_secret);
}

static json_t *json_table(
    const struct report_page *page, enum tally_table table)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < page->tally.tables[table].count; i++) {
		const struct tally_row *row = page->tally.tables[table].rows[i];
		json_t *object = json_pack("{s:s}", "name", row->name);

		json_object_update_new(object, json_counts(&row->counts));
		json_array_append_new(rows, object);
	}
	return json_pack("{s:o,s:o}", "rows", rows, "others",
	    page->tally.tables[table].has_others
		? json_counts(&page->tally.tables[table].others)
		: json_null());
}

static json_t *json_time(const struct report_page *page, int64_t time_s)
{
	char text[REPORT_TIME_SIZE];

	if (page->tally.all.sessions == 0)
		return json_null();
	report_page_time(time_s, text, sizeof(text));
	text[10] = 'T';
	memcpy(text + 19, "Z", sizeof("Z"));
	return json_string(text);
}

bool report_page_json(FILE *out, const struct report_page *page)
{
	const struct tally *tally = &page->tally;
	json_t *tables = json_object();
	json_t *object =
	    json_pack("{s:o,s:o,s:{s:I,s:I,s:I,s:I},s:o,s:I,s:I,s:I,s:I}",
		"from", json_time(page, tally->first_s), "to",
		json_time(page, tally->last_s), "lines", "records",
		(json_int_t)page->records, "broken", (json_int_t)page->broken,
		"other", (json_int_t)page->other_lines, "outside",
		(json_int_t)page->outside, "all", json_counts(&tally->all),
		"in_clear", (json_int_t)tally->in_clear, "post_quantum",
		(json_int_t)tally->hybrid, "edh_to_rsa",
		(json_int_t)tally->edh_to_rsa, "offer_unknown",
		(json_int_t)tally->offer_unknown);
	bool done;

	for (int i = 0; i < TALLY_TABLE_COUNT; i++)
		json_object_set_new(tables,
		    tally_table_name((enum tally_table)i),
		    json_table(page, (enum tally_table)i));
	done = object != NULL &&
	       json_object_set_new(object, "tables", tables) == 0 &&
	       json_dumpf(object, out, JSON_INDENT(1) | JSON_ENSURE_ASCII) == 0;
	fputc('\n', out);
	json_decref(object);
	return done;
}
