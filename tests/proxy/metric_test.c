/* SPDX-License-Identifier: Apache-2.0 */
/* The table of metrics, and the cells that it lays out. */
#include <criterion/criterion.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "proxy/state.h"

static struct state *state;
static struct state_block *block;

/* In memory: nothing is written but what is touched. */
static void make_state(void)
{
	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	cr_assert_neq(state, MAP_FAILED);
	state->writable_fd = -1;
	block = state_block_claim(state, STATE_WORKER, 1, 0);
	cr_assert_not_null(block);
}

static void remove_state(void)
{
	munmap(state, sizeof(*state));
}

TestSuite(metric, .init = make_state, .fini = remove_state, .timeout = 60);

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* The conventions of Prometheus. */
Test(metric, names_tell_type_and_unit)
{
	for (int i = 0; i < METRIC_COUNT; i++) {
		const struct metric_family *family = &metric_families[i];
		const char *symbol = family->symbol;

		cr_expect_eq(strncmp(family->name, "postern_", 8), 0);
		cr_expect_eq(ends_with(family->name, "_total"),
		    family->type == METRIC_COUNTER, "%s", symbol);
		for (const char *at = symbol; *at != '\0'; at++)
			cr_expect(islower(*at) || *at == '_', "%s", symbol);
		if (family->unit == METRIC_SECONDS)
			cr_expect(ends_with(symbol, "_seconds"), "%s", symbol);
		if (family->unit == METRIC_BYTES)
			cr_expect(ends_with(symbol, "_bytes"), "%s", symbol);
		cr_expect_gt(strlen(family->help), 10, "%s", symbol);
		cr_expect(isupper(family->help[0]), "%s", symbol);
		cr_expect_not(ends_with(family->help, "."), "%s", symbol);
		cr_expect(ends_with(family->advice, "."), "%s", symbol);
		for (int j = 0; j < i; j++)
			cr_expect_str_neq(symbol, metric_families[j].symbol);
	}
	cr_assert_str_eq(metric_families[METRIC_timeouts].symbol, "timeouts");
	cr_assert_str_eq(
	    metric_families[METRIC_timeouts].name, "postern_timeouts_total");
	cr_assert_str_eq(metric_title(METRIC_sessions_accepted), "Sessions");
	cr_assert_null(metric_title(METRIC_sessions_open));
}

Test(metric, cells_of_families_follow_one_another)
{
	size_t next = 0;

	for (int i = 0; i < METRIC_COUNT; i++) {
		const struct metric_family *family = &metric_families[i];

		if (family->storage != METRIC_CELLS)
			continue;
		cr_assert_eq(family->first_cell, next, "%s", family->symbol);
		next += (size_t)family->values[0] * family->values[1] *
			family->cells;
	}
	cr_assert_eq(next, METRIC_CELL_COUNT);
}

Test(metric, every_value_of_a_label_has_a_word_of_its_own)
{
	for (int i = 0; i < METRIC_LABEL_COUNT; i++) {
		enum metric_label label = (enum metric_label)i;

		if (label == METRIC_LABEL_NONE ||
		    label == METRIC_LABEL_LISTENER ||
		    label == METRIC_LABEL_BACKEND)
			continue;
		cr_expect_gt(strlen(metric_label_name(label)), 0);
		for (size_t j = 0; j < metric_label_values(label); j++) {
			const char *word = metric_label_word(label, j);

			cr_assert_not_null(word);
			cr_expect_eq(strcspn(word, "\"\\\n "), strlen(word));
			for (size_t k = 0; k < j; k++)
				cr_expect_str_neq(
				    word, metric_label_word(label, k));
		}
	}
}

Test(metric, failures_of_handshakes_have_the_words_of_tls)
{
	static const struct {
		enum tls_fault fault;
		int alert;
		const char *word;
	} cases[] = {
	    {TLS_FAULT_EOF, -1, "eof"},
	    {TLS_FAULT_NO_SHARED_CIPHER, -1, "no_shared_cipher"},
	    {TLS_FAULT_UNSUPPORTED_VERSION, -1, "unsupported_version"},
	    {TLS_FAULT_NOT_TLS, -1, "not_tls"},
	    {TLS_FAULT_INTERNAL, 48, "internal"},
	    {TLS_FAULT_ALERT, 48, "alert_unknown_ca"},
	    {TLS_FAULT_ALERT, 42, "alert_bad_certificate"},
	    {TLS_FAULT_ALERT, 0, "alert_close_notify"},
	    {TLS_FAULT_ALERT, 121, "alert_ech_required"},
	    {TLS_FAULT_ALERT, 122, "alert"},
	    {TLS_FAULT_ALERT, 255, "alert"},
	    {TLS_FAULT_ALERT, -1, "alert"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(metric_label_word(METRIC_LABEL_FAILURE,
				     metric_handshake_failure(
					 cases[i].fault, cases[i].alert)),
		    cases[i].word);
}

Test(metric, tls_to_a_backend_has_the_words_of_tls)
{
	for (int i = TLS_ANONYMOUS; i <= TLS_VERIFIED; i++)
		cr_expect_str_eq(metric_label_word(METRIC_LABEL_TRUST,
				     METRIC_TRUST_FIRST + (size_t)i),
		    tls_trust_word((enum tls_trust)i));
}

Test(metric, bounds_ascend)
{
	for (int i = 0; i < METRIC_BUCKETS_COUNT; i++) {
		size_t count;
		const uint64_t *bounds =
		    metric_bounds((enum metric_buckets)i, &count);

		cr_expect_gt(count, 5);
		cr_expect_leq(count, METRIC_BOUNDS_MAX);
		for (size_t j = 1; j < count; j++)
			cr_expect_lt(bounds[j - 1], bounds[j]);
	}
}

static uint64_t bucket(size_t listener, size_t which)
{
	return atomic_load(&metric_cell(
	    block, METRIC_session_received_bytes, listener, 0)[which]);
}

Test(metric, what_is_observed_falls_into_one_bucket)
{
	static const uint64_t values[] = {0, 1024, 1025, UINT32_MAX};
	uint64_t sum = 0;

	for (size_t i = 0; i < 4; i++) {
		metric_observe(
		    block, METRIC_session_received_bytes, 3, values[i]);
		sum += values[i];
	}
	cr_assert_eq(bucket(3, 0), 2);
	cr_assert_eq(bucket(3, 1), 1);
	cr_assert_eq(bucket(3, 10), 1, "beyond the last bound");
	cr_assert_eq(bucket(3, METRIC_HISTOGRAM_SUM), sum);
	cr_assert_eq(
	    state_metric_total(state, METRIC_session_received_bytes), 4);
	for (size_t i = 0; i < METRIC_HISTOGRAM_CELLS; i++) {
		cr_assert_eq(bucket(2, i), 0);
		cr_assert_eq(bucket(4, i), 0);
	}
}

Test(metric, labels_have_cells_of_their_own)
{
	metric_add_for_both(block, METRIC_sessions_ended, 1, 2, 10);
	metric_add_for_both(block, METRIC_sessions_ended, 2, 1, 5);
	metric_add_for_both(block, METRIC_sessions_ended, METRIC_LISTENERS_MAX,
	    CLOSE_REASON_COUNT - 1, 1);
	cr_assert_eq(
	    atomic_load(metric_cell(block, METRIC_sessions_ended, 1, 2)), 10);
	cr_assert_eq(
	    atomic_load(metric_cell(block, METRIC_sessions_ended, 2, 1)), 5);
	cr_assert_eq(state_metric_total(state, METRIC_sessions_ended), 16);
	cr_assert_eq(
	    state_cell_total(state, METRIC_LAST_CELL_sessions_ended), 1);
}

static struct state_row_key key_of(int number)
{
	struct state_row_key key;

	memset(&key, 0, sizeof(key));
	snprintf(key.cipher, sizeof(key.cipher), "CIPHER-%d", number);
	return key;
}

Test(metric, a_kind_of_handshake_has_one_row)
{
	struct state_row_key first = key_of(1), second = key_of(2);

	second.resumed = true;
	cr_assert_eq(metric_count_row(block, &first), 1);
	cr_assert_eq(metric_count_row(block, &second), 2);
	cr_assert_eq(metric_count_row(block, &first), 1);
	cr_assert_eq(atomic_load(&block->row_count), 3);
	cr_assert_eq(atomic_load(&block->rows[1].count), 2);
	cr_assert_eq(atomic_load(&block->rows[2].count), 1);
	cr_assert_str_eq(block->rows[2].key.cipher, "CIPHER-2");
	cr_assert_eq(state_metric_total(state, METRIC_handshakes_done), 3);
	state_block_release(block);
	cr_assert_eq(state_block_claim(state, STATE_WORKER, 2, 0), block);
	cr_assert_eq(metric_count_row(block, &second), 2, "rows outlive");
}

Test(metric, kinds_of_handshakes_that_find_no_row_are_one)
{
	for (int i = 1; i < STATE_ROWS_MAX; i++) {
		struct state_row_key key = key_of(i);

		cr_assert_eq(metric_count_row(block, &key), i);
	}
	for (int i = 0; i < 3; i++) {
		struct state_row_key key = key_of(STATE_ROWS_MAX + i);

		cr_assert_eq(metric_count_row(block, &key), 0);
	}
	cr_assert_eq(state_metric_total(state, METRIC_handshakes_done),
	    STATE_ROWS_MAX - 1 + 3);
}

/* Totals never go back, and the next of that place begins with nothing. */
Test(metric, a_name_that_goes_leaves_its_counts_to_those_that_are_gone)
{
	int listener = state_listener_claim(state, "127.0.0.1:25");
	int backend = state_backend_claim(state, "inet:first");
	struct state_row_key key = key_of(1);

	key.listener = (int16_t)listener;
	metric_count_row(block, &key);
	metric_add_for(block, METRIC_sessions_accepted, (size_t)listener, 7);
	metric_add_for_both(block, METRIC_backend_failures, (size_t)backend,
	    BACKEND_PHASE_REPLY, 3);
	metric_observe(
	    block, METRIC_session_received_bytes, (size_t)listener, 5000);
	state_listener_release(state, listener);
	state_backend_release(state, backend);
	cr_assert_eq(state_listener_claim(state, "submission"), listener);
	cr_assert_eq(atomic_load(metric_cell(
			 block, METRIC_sessions_accepted, (size_t)listener, 0)),
	    0);
	cr_assert_eq(atomic_load(metric_cell(block, METRIC_sessions_accepted,
			 METRIC_LISTENERS_MAX, 0)),
	    7);
	cr_assert_eq(state_metric_total(state, METRIC_sessions_accepted), 7);
	cr_assert_eq(atomic_load(metric_cell(block, METRIC_backend_failures,
			 METRIC_BACKENDS_MAX + 1, BACKEND_PHASE_REPLY)),
	    3);
	cr_assert_eq(bucket(METRIC_LISTENERS_MAX, 2), 1);
	cr_assert_eq(bucket(METRIC_LISTENERS_MAX, METRIC_HISTOGRAM_SUM), 5000);
	cr_assert_eq(block->rows[1].key.listener, METRIC_LISTENERS_MAX);
	cr_assert_eq(metric_count_row(block, &key), 2, "a row of its own");
}

Test(metric, listeners_come_to_an_end)
{
	char name[STATE_NAME_SIZE];

	for (int i = 0; i < METRIC_LISTENERS_MAX; i++) {
		snprintf(name, sizeof(name), "listener-%d", i);
		cr_assert_eq(state_listener_claim(state, name), i);
	}
	cr_assert_eq(state_listener_claim(state, "one too many"), -1);
	cr_assert_eq(state_listener_claim(state, "listener-5"), 5);
	state_listener_release(state, 5);
	cr_assert_eq(state_listener_claim(state, "one too many"), 5);
}

Test(metric, a_session_is_seen_until_it_is_over)
{
	struct state_session session = {
	    .serial = 9,
	    .octets_in = 1000,
	    .flow_state = 5,
	    .row = -1,
	};
	struct state_session seen;

	cr_assert_not(state_session_read(&block->sessions[2], &seen));
	state_session_publish(block, 2, &session);
	cr_assert_eq(atomic_load(&block->session_count), 3);
	cr_assert(state_session_read(&block->sessions[2], &seen));
	cr_assert_eq(seen.serial, 9);
	cr_assert_eq(seen.octets_in, 1000);
	cr_assert_eq(seen.flow_state, 5);
	cr_assert_eq(seen.row, -1);
	cr_assert_not(state_session_read(&block->sessions[1], &seen));
	session.serial = 0;
	state_session_publish(block, 2, &session);
	cr_assert_not(state_session_read(&block->sessions[2], &seen));
	session.serial = 10;
	state_session_publish(block, STATE_SESSIONS_MAX, &session);
	cr_assert_eq(atomic_load(&block->session_count), 3);
}

Test(metric, a_session_that_is_being_written_is_not_read)
{
	struct state_session session = {.serial = 9};
	struct state_session seen;

	state_session_publish(block, 0, &session);
	atomic_fetch_add(&block->sessions[0].sequence, 1);
	cr_assert_not(state_session_read(&block->sessions[0], &seen));
}
