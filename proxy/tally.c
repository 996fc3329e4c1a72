/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/tally.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_LEN 10 /* of "2026-11-23T15:04:05Z" */

static const struct {
	const char *name, *title;
	bool is_of_clients;
} tables[] = {
    [TALLY_DAY] = {"days", "By day", false},
    [TALLY_LISTENER] = {"listeners", "By listener", false},
    [TALLY_VERSION] = {"versions", "By version of TLS", false},
    [TALLY_GROUP] = {"groups", "By group", false},
    [TALLY_CIPHER] = {"ciphers", "By cipher suite", false},
    [TALLY_WHY_NONE] = {"without", "Without forward secrecy: why", false},
    [TALLY_CLIENT_NONE] = {"clients_without", "Without forward secrecy: who",
	true},
    [TALLY_LOST_EDH] = {"lost_without_edh",
	"Who depends on EDH (offers it and no EECDH)", true},
    [TALLY_LOST_TLS12] = {"lost_without_tls_1_2",
	"Who depends on TLS 1.2 or older (does not offer TLS 1.3)", true},
    [TALLY_LOST_RSA] = {"lost_without_rsa",
	"Who depends on the RSA key exchange (offers no other)", true},
};

_Static_assert(sizeof(tables) / sizeof(tables[0]) == TALLY_TABLE_COUNT,
    "each table has a title");

static int by_name(const void *left, const void *right)
{
	const struct tally_row *a = left, *b = right;

	return strcmp(a->name, b->name);
}

static void add_counts(
    struct tally_counts *counts, const struct tally_counts *more)
{
	counts->sessions += more->sessions;
	counts->secret += more->secret;
	counts->messages += more->messages;
	counts->messages_secret += more->messages_secret;
}

/* Makes room by powers of two. */
static bool grow(struct tally_row ***rows, size_t count)
{
	struct tally_row **larger;

	if ((count & (count - 1)) != 0 && count != 0)
		return true;
	larger = realloc(
	    *rows, (count == 0 ? 1 : count * 2) * sizeof(struct tally_row *));
	if (larger == NULL)
		return false;
	*rows = larger;
	return true;
}

static struct tally_row *make_row(const char *name)
{
	struct tally_row *row = calloc(1, sizeof(*row));

	if (row == NULL)
		return NULL;
	row->name = strdup(name);
	if (row->name != NULL)
		return row;
	free(row);
	return NULL;
}

static bool add_row(struct tally *tally, enum tally_table table,
    const char *name, const struct tally_counts *counts)
{
	size_t max =
	    tables[table].is_of_clients ? TALLY_CLIENTS_MAX : TALLY_NAMES_MAX;
	struct tally_row key = {.name = (char *)(uintptr_t)name};
	void *found = tfind(&key, &tally->tables[table].tree, by_name);
	struct tally_row *row;

	if (found != NULL) {
		add_counts(&(*(struct tally_row **)found)->counts, counts);
		return true;
	}
	if (tally->tables[table].count >= max) {
		tally->tables[table].has_others = true;
		add_counts(&tally->tables[table].others, counts);
		return true;
	}
	row = make_row(name);
	if (row == NULL)
		return false;
	row->counts = *counts;
	if (!grow(&tally->tables[table].rows, tally->tables[table].count) ||
	    tsearch(row, &tally->tables[table].tree, by_name) == NULL) {
		free(row->name);
		free(row);
		return false;
	}
	tally->tables[table].rows[tally->tables[table].count++] = row;
	return true;
}

static bool is(
    const struct record *record, enum record_field field, const char *value)
{
	return strcmp(record_value(record, field), value) == 0;
}

/* "[192.0.2.7]:40112" without the port, which is another one each time. */
static void read_client(const struct record *record, char *out, size_t size)
{
	const char *client = record_value(record, RECORD_client);
	const char *end = strrchr(client, ']');
	size_t len = strlen(client);

	if (client[0] == '[' && end != NULL) {
		client++;
		len = (size_t)(end - client);
	}
	if (len >= size)
		len = size - 1;
	memcpy(out, client, len);
	out[len] = '\0';
}

/* What the client offered tells what it could do without; what was negotiated
 * does not. */
static bool add_lost(struct tally *tally, const struct record *record,
    const char *client, const struct tally_counts *counts)
{
	bool eecdh = is(record, RECORD_client_eecdh, "yes");
	bool edh = is(record, RECORD_client_edh, "yes");
	bool rsa = is(record, RECORD_client_rsa, "yes");
	bool done = true;

	if (is(record, RECORD_tls, "none"))
		return true;
	if (is(record, RECORD_client_version, "none")) {
		tally->offer_unknown++;
		return true;
	}
	if (edh && !eecdh) {
		tally->edh_to_rsa += rsa;
		done = add_row(tally, TALLY_LOST_EDH, client, counts);
	}
	if (rsa && !edh && !eecdh)
		done &= add_row(tally, TALLY_LOST_RSA, client, counts);
	if (!is(record, RECORD_client_version, "TLSv1.3"))
		done &= add_row(tally, TALLY_LOST_TLS12, client, counts);
	return done;
}

static void add_to_all(struct tally *tally, const struct record *record,
    const struct tally_counts *counts)
{
	int64_t time_s = record_parse_time(record_value(record, RECORD_time));

	if (tally->all.sessions == 0 || time_s < tally->first_s)
		tally->first_s = time_s;
	if (tally->all.sessions == 0 || time_s > tally->last_s)
		tally->last_s = time_s;
	add_counts(&tally->all, counts);
	tally->in_clear += is(record, RECORD_tls, "none");
	tally->hybrid +=
	    strstr(record_value(record, RECORD_group), "MLKEM") != NULL ||
	    strstr(record_value(record, RECORD_group), "yber") != NULL;
}

void tally_init(struct tally *tally)
{
	*tally = (struct tally){0};
}

static void keep(void *row)
{
	(void)row;
}

void tally_finish(struct tally *tally)
{
	for (int i = 0; i < TALLY_TABLE_COUNT; i++) {
		tdestroy(tally->tables[i].tree, keep);
		for (size_t j = 0; j < tally->tables[i].count; j++) {
			free(tally->tables[i].rows[j]->name);
			free(tally->tables[i].rows[j]);
		}
		free(tally->tables[i].rows);
	}
	*tally = (struct tally){0};
}

bool tally_add(struct tally *tally, const struct record *record)
{
	bool secret = is(record, RECORD_forward_secrecy, "yes");
	uint64_t messages = record_number(record, RECORD_messages);
	struct tally_counts counts = {
	    .sessions = 1,
	    .secret = secret,
	    .messages = messages,
	    .messages_secret = secret ? messages : 0,
	};
	char client[128], day[DAY_LEN + 1];
	bool done = true;

	read_client(record, client, sizeof(client));
	snprintf(day, sizeof(day), "%s", record_value(record, RECORD_time));
	add_to_all(tally, record, &counts);
	done &= add_row(tally, TALLY_DAY, day, &counts);
	done &= add_row(tally, TALLY_LISTENER,
	    record_value(record, RECORD_listener), &counts);
	done &= add_row(
	    tally, TALLY_VERSION, record_value(record, RECORD_tls), &counts);
	done &= add_row(
	    tally, TALLY_GROUP, record_value(record, RECORD_group), &counts);
	done &= add_row(
	    tally, TALLY_CIPHER, record_value(record, RECORD_cipher), &counts);
	if (!secret) {
		done &= add_row(tally, TALLY_WHY_NONE,
		    record_value(record, RECORD_forward_secrecy_reason),
		    &counts);
		done &= add_row(tally, TALLY_CLIENT_NONE, client, &counts);
	}
	return done && add_lost(tally, record, client, &counts);
}

static int by_row_name(const void *left, const void *right)
{
	const struct tally_row *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

static int by_sessions(const void *left, const void *right)
{
	const struct tally_row *const *a = left, *const *b = right;

	if ((*a)->counts.sessions != (*b)->counts.sessions)
		return (*a)->counts.sessions > (*b)->counts.sessions ? -1 : 1;
	return by_row_name(left, right);
}

void tally_sort(struct tally *tally)
{
	for (int i = 0; i < TALLY_TABLE_COUNT; i++)
		if (tally->tables[i].count > 1)
			qsort(tally->tables[i].rows, tally->tables[i].count,
			    sizeof(struct tally_row *),
			    i == TALLY_DAY ? by_row_name : by_sessions);
}

const char *tally_table_name(enum tally_table table)
{
	return tables[table].name;
}

const char *tally_table_title(enum tally_table table)
{
	return tables[table].title;
}

bool tally_table_is_of_clients(enum tally_table table)
{
	return tables[table].is_of_clients;
}
