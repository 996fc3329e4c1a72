/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and their values, sorted: inline: and texthash: tables. For conf/table
 * alone. */
#ifndef POSTERN_CONF_TABLE_KEYS_H
#define POSTERN_CONF_TABLE_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/arena.h"
#include "conf/report.h"
#include "conf/table_rows.h"

struct table_entry {
	const char *key; /* in lower case */
	const char *value;
	const char *place;
};

struct table_keys {
	struct table_entry *entries; /* in the arena */
	size_t count;
};

enum table_keys_kind {
	TABLE_KEYS_BLANK,  /* "key value" */
	TABLE_KEYS_EQUALS, /* "key = value" */
};

/* Of two rows with one key the first counts, and the other is warned of. False,
 * told in report, when a row has no key or no value. */
bool table_keys_load(struct arena *arena, struct table_keys *keys,
    enum table_keys_kind kind, const struct table_rows *rows,
    struct report *report);

/* NULL: there is none. */
const char *table_keys_find(const struct table_keys *keys, const char *key);

#endif
