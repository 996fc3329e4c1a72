/* SPDX-License-Identifier: Apache-2.0 */
/* The families of metrics, as proxy/metrics.def has them, and where each one's
 * cells lie in the block of a process. */
#ifndef POSTERN_PROXY_METRIC_H
#define POSTERN_PROXY_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/close_reason.h"
#include "proxy/limit.h"
#include "tls/facts.h"
#include "tls/session.h"

/* Names that the shared state has room for, of all generations together. */
#define METRIC_LISTENERS_MAX 128
#define METRIC_BACKENDS_MAX  256

/* Bounds of a histogram at most; one bucket more is for what is beyond. */
#define METRIC_BOUNDS_MAX 15
/* A histogram's cells: the buckets, then the sum of what was observed. */
#define METRIC_HISTOGRAM_SUM   (METRIC_BOUNDS_MAX + 1)
#define METRIC_HISTOGRAM_CELLS (METRIC_BOUNDS_MAX + 2)

/* Why a handshake failed: a fault of tls/, the time, or an alert. */
enum handshake_failure {
#define FAULT(symbol, word, text) HANDSHAKE_FAILURE_##symbol,
#include "tls/fault.def"
#undef FAULT
	HANDSHAKE_FAILURE_TIMED_OUT,
#define ALERT(number, word) HANDSHAKE_FAILURE_ALERT_##number,
#include "tls/alert.def"
#undef ALERT
	HANDSHAKE_FAILURE_COUNT
};

/* How far a session was with a backend that failed it. */
enum backend_phase {
#define BACKEND_PHASE(symbol, word, text) BACKEND_PHASE_##symbol,
#include "proxy/backend_phase.def"
#undef BACKEND_PHASE
	BACKEND_PHASE_COUNT
};

/* What a completed handshake cost, and so its histograms. */
enum metric_exchange {
	METRIC_EXCHANGE_ECDHE,
	METRIC_EXCHANGE_HYBRID, /* post-quantum */
	METRIC_EXCHANGE_DHE,
	METRIC_EXCHANGE_RSA,
	METRIC_EXCHANGE_RESUMED,
	METRIC_EXCHANGE_PSK,
	METRIC_EXCHANGE_COUNT
};

/* TLS towards a backend: none, or as enum tls_trust has it. */
enum metric_trust {
	METRIC_TRUST_NONE,
	METRIC_TRUST_FIRST, /* TLS_ANONYMOUS, and so on */
	METRIC_TRUST_COUNT = METRIC_TRUST_FIRST + TLS_VERIFIED + 1
};

enum metric_sni {
	METRIC_SNI_NONE,
	METRIC_SNI_MATCHED,
	METRIC_SNI_UNMATCHED,
	METRIC_SNI_INVALID,
	METRIC_SNI_COUNT
};

enum metric_process {
	METRIC_PROCESS_WORKER,
	METRIC_PROCESS_CONTROL,
	METRIC_PROCESS_COUNT
};

enum metric_label {
#define LABEL(symbol, name, values) METRIC_LABEL_##symbol,
#include "proxy/metric_label.def"
#undef LABEL
	METRIC_LABEL_COUNT
};

enum metric_label_values {
#define LABEL(symbol, name, values) METRIC_VALUES_##symbol = (values),
#include "proxy/metric_label.def"
#undef LABEL
};

enum metric_unit { METRIC_NUMBER, METRIC_SECONDS, METRIC_BYTES };
enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

enum metric_buckets {
	METRIC_BUCKETS_SESSION, /* in microseconds, up to an hour */
	METRIC_BUCKETS_HANDSHAKE,
	METRIC_BUCKETS_CPU,
	METRIC_BUCKETS_BACKEND,
	METRIC_BUCKETS_SIZE, /* in bytes */
	METRIC_BUCKETS_COMPLETIONS,
	METRIC_BUCKETS_COUNT
};

/* Where the values are. */
enum metric_storage {
	METRIC_CELLS,	 /* in each block */
	METRIC_ROWS,	 /* state_block.rows: by what was negotiated */
	METRIC_COMPUTED, /* nowhere */
};

enum metric {
#define METRICS(symbol, title)
#define COUNTER(symbol, ...)   METRIC_##symbol,
#define GAUGE(symbol, ...)     METRIC_##symbol,
#define HISTOGRAM(symbol, ...) METRIC_##symbol,
#define ROWS(symbol, ...)      METRIC_##symbol,
#define COMPUTED(symbol, ...)  METRIC_##symbol,
#include "proxy/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
#undef ROWS
#undef COMPUTED
	METRIC_COUNT
};

/* The first cell of each family. */
enum metric_cell {
#define SPAN(symbol, count)   \
	METRIC_CELL_##symbol, \
	    METRIC_LAST_CELL_##symbol = METRIC_CELL_##symbol + (int)(count)-1,
#define COUNTER(symbol, unit, first, second, help, advice) \
	SPAN(symbol, METRIC_VALUES_##first *METRIC_VALUES_##second)
#define GAUGE COUNTER
#define HISTOGRAM(symbol, buckets, first, help, advice) \
	SPAN(symbol, METRIC_VALUES_##first *METRIC_HISTOGRAM_CELLS)
#define ROWS(symbol, help, advice)
#define COMPUTED(symbol, type, unit, labels, help, advice)
#include "proxy/metrics.def"
#undef SPAN
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
#undef ROWS
#undef COMPUTED
#undef METRICS
	METRIC_CELL_COUNT
};

struct metric_family {
	const char *symbol; /* "sessions_accepted" */
	const char *name;   /* "postern_sessions_accepted_total" */
	enum metric_type type;
	enum metric_storage storage;
	enum metric_unit unit;
	/* Of METRIC_CELLS: the labels, how many values each has, and how many
	 * cells each combination of values. */
	enum metric_label labels[2];
	uint16_t values[2], cells;
	const char *computed_labels; /* of METRIC_COMPUTED, by commas */
	enum metric_buckets buckets; /* of a histogram */
	uint32_t first_cell;
	const char *help, *advice;
};

extern const struct metric_family metric_families[METRIC_COUNT];

/* "Sessions", where a section of the table begins; NULL elsewhere. */
const char *metric_title(enum metric metric);

const char *metric_label_name(enum metric_label label);
size_t metric_label_values(enum metric_label label);
/* The word for a value; NULL for LISTENER and BACKEND, whose names are in the
 * shared state. */
const char *metric_label_word(enum metric_label label, size_t value);
/* What the values of a label mean, for the manual; NULL where the word says
 * it. */
const char *metric_label_text(enum metric_label label, size_t value);

/* What stands in a table for "nothing", or for what is not counted there. */
bool metric_label_is_void(enum metric_label label, size_t value);

/* The names of labels of METRIC_ROWS, by commas. */
#define METRIC_ROW_LABELS                                                   \
	"listener,protocol,cipher,group,signature,resumed,forward_secrecy," \
	"forward_secrecy_reason,post_quantum"

/* Ascending; count_out of them. */
const uint64_t *metric_bounds(enum metric_buckets buckets, size_t *count_out);
/* In which the bounds and sums are kept. */
enum metric_unit metric_bounds_unit(enum metric_buckets buckets);

/* alert: as tls_session_alert(). One that has no name counts as
 * HANDSHAKE_FAILURE_ALERT. */
enum handshake_failure metric_handshake_failure(
    enum tls_fault fault, int alert);

#endif
