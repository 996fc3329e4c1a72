/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/metric.h"

#include <assert.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define NAME_COUNTER(symbol) "postern_" #symbol "_total"
#define NAME_GAUGE(symbol)   "postern_" #symbol

#define STORED(kind, symbol_, unit_, first_, second_, help_, advice_)    \
	[METRIC_##symbol_] = {                                           \
	    .symbol = #symbol_,                                          \
	    .name = NAME_##kind(symbol_),                                \
	    .type = METRIC_##kind,                                       \
	    .storage = METRIC_CELLS,                                     \
	    .unit = METRIC_##unit_,                                      \
	    .labels = {METRIC_LABEL_##first_, METRIC_LABEL_##second_},   \
	    .values = {METRIC_VALUES_##first_, METRIC_VALUES_##second_}, \
	    .cells = 1,                                                  \
	    .first_cell = METRIC_CELL_##symbol_,                         \
	    .help = help_,                                               \
	    .advice = advice_,                                           \
	},

const struct metric_family metric_families[METRIC_COUNT] = {
#define METRICS(symbol, title)
#define COUNTER(...) STORED(COUNTER, __VA_ARGS__)
#define GAUGE(...)   STORED(GAUGE, __VA_ARGS__)
#define HISTOGRAM(symbol_, buckets_, first_, help_, advice_)      \
	[METRIC_##symbol_] = {                                    \
	    .symbol = #symbol_,                                   \
	    .name = NAME_GAUGE(symbol_),                          \
	    .type = METRIC_HISTOGRAM,                             \
	    .storage = METRIC_CELLS,                              \
	    .labels = {METRIC_LABEL_##first_, METRIC_LABEL_NONE}, \
	    .values = {METRIC_VALUES_##first_, 1},                \
	    .cells = METRIC_HISTOGRAM_CELLS,                      \
	    .buckets = METRIC_BUCKETS_##buckets_,                 \
	    .first_cell = METRIC_CELL_##symbol_,                  \
	    .help = help_,                                        \
	    .advice = advice_,                                    \
	},
#define ROWS(symbol_, help_, advice_)             \
	[METRIC_##symbol_] = {                    \
	    .symbol = #symbol_,                   \
	    .name = NAME_COUNTER(symbol_),        \
	    .type = METRIC_COUNTER,               \
	    .storage = METRIC_ROWS,               \
	    .computed_labels = METRIC_ROW_LABELS, \
	    .help = help_,                        \
	    .advice = advice_,                    \
	},
#define COMPUTED(symbol_, type_, unit_, labels_, help_, advice_) \
	[METRIC_##symbol_] = {                                   \
	    .symbol = #symbol_,                                  \
	    .name = NAME_##type_(symbol_),                       \
	    .type = METRIC_##type_,                              \
	    .storage = METRIC_COMPUTED,                          \
	    .unit = METRIC_##unit_,                              \
	    .computed_labels = labels_,                          \
	    .help = help_,                                       \
	    .advice = advice_,                                   \
	},
#include "proxy/metrics.def"
#undef METRICS
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
#undef ROWS
#undef COMPUTED
};

static const char *const titles[METRIC_COUNT] = {
#define METRICS(symbol, title) [METRIC_##symbol] = (title),
#define COUNTER(...)
#define GAUGE(...)
#define HISTOGRAM(...)
#define ROWS(...)
#define COMPUTED(...)
#include "proxy/metrics.def"
#undef METRICS
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
#undef ROWS
#undef COMPUTED
};

struct word {
	const char *word, *text;
};

static const struct word failures[HANDSHAKE_FAILURE_COUNT] = {
#define FAULT(symbol, word, text) {word, text},
#include "tls/fault.def"
#undef FAULT
    {"timed_out", "it took longer than smtpd_starttls_timeout"},
#define ALERT(number, word) {"alert_" word, NULL},
#include "tls/alert.def"
#undef ALERT
};

static const struct {
	int number;
	enum handshake_failure failure;
} alerts[] = {
#define ALERT(number, word) {number, HANDSHAKE_FAILURE_ALERT_##number},
#include "tls/alert.def"
#undef ALERT
};

static const struct word limits[LIMIT_COUNT] = {
#define LIMIT(symbol, word, text) {word, text},
#include "proxy/limit.def"
#undef LIMIT
};

static const struct word phases[BACKEND_PHASE_COUNT] = {
#define BACKEND_PHASE(symbol, word, text) {word, text},
#include "proxy/backend_phase.def"
#undef BACKEND_PHASE
};

static const struct word exchanges[METRIC_EXCHANGE_COUNT] = {
    [METRIC_EXCHANGE_ECDHE] = {"ecdhe", NULL},
    [METRIC_EXCHANGE_HYBRID] = {"hybrid", "post-quantum"},
    [METRIC_EXCHANGE_DHE] = {"dhe", NULL},
    [METRIC_EXCHANGE_RSA] = {"rsa", NULL},
    [METRIC_EXCHANGE_RESUMED] = {"resumed", "whatever the exchange was"},
    [METRIC_EXCHANGE_PSK] = {"psk", NULL},
};

static const struct word trusts[METRIC_TRUST_COUNT] = {
    [METRIC_TRUST_NONE] = {"none", "in clear"},
    [METRIC_TRUST_FIRST + TLS_ANONYMOUS] = {"Anonymous", NULL},
    [METRIC_TRUST_FIRST + TLS_UNTRUSTED] = {"Untrusted", NULL},
    [METRIC_TRUST_FIRST + TLS_TRUSTED] = {"Trusted", NULL},
    [METRIC_TRUST_FIRST + TLS_VERIFIED] = {"Verified", NULL},
};

static const struct word choices[METRIC_SNI_COUNT] = {
    [METRIC_SNI_NONE] = {"none", "no name came, or there are no names here"},
    [METRIC_SNI_MATCHED] = {"matched", NULL},
    [METRIC_SNI_UNMATCHED] = {"unmatched", "the default certificate"},
    [METRIC_SNI_INVALID] = {"invalid", "no host name: the default certificate"},
};

static const struct word processes[METRIC_PROCESS_COUNT] = {
    [METRIC_PROCESS_WORKER] = {"worker", NULL},
    [METRIC_PROCESS_CONTROL] = {"control", NULL},
};

static const struct {
	const char *name;
	size_t values;
} labels[METRIC_LABEL_COUNT] = {
#define LABEL(symbol, name, values) {name, values},
#include "proxy/metric_label.def"
#undef LABEL
};

static const struct {
	enum metric_unit unit;
	size_t count;
	uint64_t bounds[METRIC_BOUNDS_MAX];
} buckets[METRIC_BUCKETS_COUNT] = {
    [METRIC_BUCKETS_SESSION] = {METRIC_SECONDS, 12,
	{50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000,
	    30000000, 60000000, 300000000, 3600000000}},
    [METRIC_BUCKETS_HANDSHAKE] = {METRIC_SECONDS, 13,
	{1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000,
	    2500000, 5000000, 10000000}},
    [METRIC_BUCKETS_CPU] = {METRIC_SECONDS, 11,
	{50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000}},
    [METRIC_BUCKETS_BACKEND] = {METRIC_SECONDS, 15,
	{500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
	    1000000, 2500000, 5000000, 10000000, 60000000}},
    [METRIC_BUCKETS_SIZE] = {METRIC_BYTES, 10,
	{1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864,
	    268435456}},
    [METRIC_BUCKETS_COMPLETIONS] = {METRIC_NUMBER, 11,
	{0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512}},
};

static const struct word *word_of(enum metric_label label, size_t value)
{
	assert(value < labels[label].values);
	switch (label) {
	case METRIC_LABEL_FAILURE:
		return &failures[value];
	case METRIC_LABEL_EXCHANGE:
		return &exchanges[value];
	case METRIC_LABEL_LIMIT:
		return &limits[value];
	case METRIC_LABEL_PHASE:
		return &phases[value];
	case METRIC_LABEL_TRUST:
		return &trusts[value];
	case METRIC_LABEL_SNI:
		return &choices[value];
	case METRIC_LABEL_PROCESS:
		return &processes[value];
	case METRIC_LABEL_NONE:
	case METRIC_LABEL_LISTENER:
	case METRIC_LABEL_BACKEND:
	case METRIC_LABEL_END:
	case METRIC_LABEL_COUNT:
		break;
	}
	return NULL;
}

const char *metric_title(enum metric metric)
{
	return titles[metric];
}

const char *metric_label_name(enum metric_label label)
{
	return labels[label].name;
}

size_t metric_label_values(enum metric_label label)
{
	return labels[label].values;
}

const char *metric_label_word(enum metric_label label, size_t value)
{
	const struct word *word = word_of(label, value);

	if (label == METRIC_LABEL_END)
		return close_reason_name((enum close_reason)value);
	return word == NULL ? NULL : word->word;
}

const char *metric_label_text(enum metric_label label, size_t value)
{
	const struct word *word = word_of(label, value);

	if (label == METRIC_LABEL_END)
		return close_reason_text((enum close_reason)value);
	return word == NULL ? NULL : word->text;
}

bool metric_label_is_void(enum metric_label label, size_t value)
{
	if (label == METRIC_LABEL_END)
		return value == CLOSE_NONE || value == CLOSE_PROBE_DONE ||
		       value == CLOSE_PROBE_FAILED;
	return value == 0 &&
	       (label == METRIC_LABEL_FAILURE || label == METRIC_LABEL_LIMIT);
}

const uint64_t *metric_bounds(enum metric_buckets which, size_t *count_out)
{
	*count_out = buckets[which].count;
	return buckets[which].bounds;
}

enum metric_unit metric_bounds_unit(enum metric_buckets which)
{
	return buckets[which].unit;
}

enum handshake_failure metric_handshake_failure(enum tls_fault fault, int alert)
{
	if (fault != TLS_FAULT_ALERT)
		return (enum handshake_failure)fault;
	for (size_t i = 0; i < COUNT_OF(alerts); i++)
		if (alerts[i].number == alert)
			return alerts[i].failure;
	return HANDSHAKE_FAILURE_ALERT;
}
