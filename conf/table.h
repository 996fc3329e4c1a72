/* SPDX-License-Identifier: Apache-2.0 */
/* Lookup tables as parameters name them (reference 4.4): one or more of
 *   inline:{ key=value, { key = value with blanks, or commas } }
 *   texthash:/file          lines of key and value
 *   pcre:/file  regexp:/file  pcre:{ {/pattern/flags result}, … }
 *   cidr:/file  cidr:{ {net result}, … }
 *   static:value  static:{value with blanks}
 * in the order in which they are asked. All is read when a table is opened;
 * lookups touch no file. Keys of inline and texthash are folded to lower case;
 * patterns do not care for case, but with the flag i. */
#ifndef POSTERN_CONF_TABLE_H
#define POSTERN_CONF_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/report.h"

/* Longest key; longer ones are in no table. */
#define TABLE_KEY_LEN_MAX 1024

struct table; /* opaque */

enum table_answer {
	TABLE_FOUND,
	TABLE_ABSENT,
	/* It cannot tell: a pattern took too long, or the result did not fit
	 * the buffer. */
	TABLE_FAILED,
};

/* Opens the tables in `text`; none is fine. What is wrong is told in report,
 * with "PLACE: " in front (such as "main.cf:12: tls_server_sni_maps") or the
 * place in the table's own file. NULL when that was an error. */
struct table *table_open(
    const char *text, const char *place, struct report *report);

/* Accepts NULL inside; sets it to NULL. */
void table_close(struct table **table);

/* The first table that has the key tells. The result is the table's own, good
 * until it is closed, or made in `buffer` where a pattern's $1 stands in it. */
enum table_answer table_find(const struct table *table, const char *key,
    const char **result_out, char *buffer, size_t buffer_size);

/* Every result that table_find can return, for those who must see to it in
 * advance; some may be the same. Borrowed from the table. False, told in
 * report, when one has a $1 in it, so that nobody knows. */
bool table_results(const struct table *table, struct report *report,
    const char *const **results_out, size_t *count_out);

#endif
