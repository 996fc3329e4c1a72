/* SPDX-License-Identifier: Apache-2.0 */
/* What the records of many sessions add up to: forward secrecy by day, listener
 * and so on, who had none, and who would be lost if something were switched
 * off. Memory is bounded, whatever the records hold: names beyond a limit count
 * as "others". */
#ifndef POSTERN_PROXY_TALLY_H
#define POSTERN_PROXY_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/record.h"

/* Names that a table holds. */
#define TALLY_NAMES_MAX	  1000
#define TALLY_CLIENTS_MAX 20000

enum tally_table {
	TALLY_DAY,
	TALLY_LISTENER,
	TALLY_VERSION,
	TALLY_GROUP,
	TALLY_CIPHER,
	TALLY_WHY_NONE,	   /* sessions without forward secrecy, by reason */
	TALLY_CLIENT_NONE, /* likewise, by client */
	TALLY_LOST_EDH,	   /* by client: what it could not do without */
	TALLY_LOST_TLS12,  /* TLS 1.2 and below */
	TALLY_LOST_RSA,	   /* the RSA key exchange */
	TALLY_TABLE_COUNT,
};

struct tally_counts {
	uint64_t sessions, secret; /* with forward secrecy */
	uint64_t messages, messages_secret;
};

struct tally_row {
	char *name;
	struct tally_counts counts;
};

struct tally {
	struct tally_counts all;
	uint64_t in_clear;	 /* sessions without TLS */
	uint64_t hybrid;	 /* sessions with a post-quantum key exchange */
	uint64_t edh_to_rsa;	 /* of LOST_EDH: sessions that would have RSA */
	uint64_t offer_unknown;	 /* sessions in TLS that tell no offer */
	int64_t first_s, last_s; /* valid with all.sessions > 0 */
	struct {
		struct tally_row **rows;
		size_t count;
		void *tree; /* by name, of the rows */
		struct tally_counts others;
		bool has_others;
	} tables[TALLY_TABLE_COUNT];
};

void tally_init(struct tally *tally);
void tally_finish(struct tally *tally);

/* False without memory. */
bool tally_add(struct tally *tally, const struct record *record);

/* Puts the rows of each table in order: days by date, all else with the most
 * sessions first. No add after it. */
void tally_sort(struct tally *tally);

/* "lost_edh", for JSON, and "Clients that could not do without EDH". */
const char *tally_table_name(enum tally_table table);
const char *tally_table_title(enum tally_table table);

/* The rows are clients, of whom a page shows the first ones alone. */
bool tally_table_is_of_clients(enum tally_table table);

#endif
