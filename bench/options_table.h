/* SPDX-License-Identifier: Apache-2.0 */
/* One row for each option of postern-bench. For the files options*.c alone. */
#ifndef POSTERN_BENCH_OPTIONS_TABLE_H
#define POSTERN_BENCH_OPTIONS_TABLE_H

#include "bench/options.h"

#define OPTIONS_ROW_COUNT 34

enum options_kind {
	OPTIONS_FLAG,
	OPTIONS_NUMBER,
	OPTIONS_SIZE,
	OPTIONS_SECONDS,
	OPTIONS_RATE,
	OPTIONS_TEXT,
	OPTIONS_WORD,
	OPTIONS_LIST
};

struct options_row {
	const char *name, *value; /* as --help shows it; NULL for a flag */
	enum options_kind kind;
	size_t offset;
	double min, max;
	const char *const *words; /* for OPTIONS_WORD, NULL at its end */
	const char *help;
};

extern const struct options_row options_rows[OPTIONS_ROW_COUNT];

#endif
