/* SPDX-License-Identifier: Apache-2.0 */
/* The page of metrics, byte for byte, for a small state. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "proxy/exposition.h"

static struct state *state;
static struct state_block *first, *second;
static struct services services;
static struct exposition_source source;
static char *page;

static void make_state(void)
{
	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	cr_assert_neq(state, MAP_FAILED);
	state->writable_fd = -1;
	first = state_block_claim(state, STATE_WORKER, 1, 0);
	second = state_block_claim(state, STATE_WORKER, 1, 1);
	cr_assert_eq(state_listener_claim(state, "smtp"), 0);
	source = (struct exposition_source){
	    .state = state,
	    .services = &services,
	    .openssl = "OpenSSL 3.0",
	    .liburing = "2.3",
	};
	page = NULL;
}

static void remove_state(void)
{
	free(page);
	munmap(state, sizeof(*state));
}

TestSuite(exposition, .init = make_state, .fini = remove_state, .timeout = 60);

static void make_page(enum exposition_format format)
{
	size_t len;

	free(page);
	page = exposition_write(&source, format, &len);
	cr_assert_not_null(page);
	cr_assert_eq(strlen(page), len);
}

/* The lines of one family. */
static const char *part(const char *name)
{
	static char lines[65536];
	char head[128];
	const char *begin, *end;

	snprintf(head, sizeof(head), "# HELP %s ", name);
	begin = strstr(page, head);
	cr_assert_not_null(begin, "%s", name);
	end = strstr(begin + 1, "# HELP ");
	if (end == NULL)
		end = begin + strlen(begin);
	snprintf(lines, sizeof(lines), "%.*s", (int)(end - begin), begin);
	return lines;
}

Test(exposition, a_counter_is_the_sum_of_all_processes)
{
	metric_add_for(first, METRIC_sessions_accepted, 0, 3);
	metric_add_for(second, METRIC_sessions_accepted, 0, 4);
	make_page(EXPOSITION_TEXT);
	cr_assert_str_eq(part("postern_sessions_accepted_total"),
	    "# HELP postern_sessions_accepted_total Sessions accepted\n"
	    "# TYPE postern_sessions_accepted_total counter\n"
	    "postern_sessions_accepted_total{listener=\"smtp\"} 7\n");
	make_page(EXPOSITION_OPENMETRICS);
	cr_assert_str_eq(part("postern_sessions_accepted"),
	    "# HELP postern_sessions_accepted Sessions accepted\n"
	    "# TYPE postern_sessions_accepted counter\n"
	    "postern_sessions_accepted_total{listener=\"smtp\"} 7\n");
}

Test(exposition, a_family_without_labels_has_no_braces)
{
	metric_add(first, METRIC_log_lines_lost, 2);
	make_page(EXPOSITION_TEXT);
	cr_assert_str_eq(part("postern_log_lines_lost_total"),
	    "# HELP postern_log_lines_lost_total Log lines that could not be "
	    "written\n"
	    "# TYPE postern_log_lines_lost_total counter\n"
	    "postern_log_lines_lost_total 2\n");
}

Test(exposition, seconds_are_kept_in_microseconds)
{
	metric_add_for(first, METRIC_edh_cpu_seconds, 0, 1500001);
	make_page(EXPOSITION_OPENMETRICS);
	cr_assert_str_eq(part("postern_edh_cpu_seconds"),
	    "# HELP postern_edh_cpu_seconds Processor time spent on "
	    "handshakes with EDH\n"
	    "# TYPE postern_edh_cpu_seconds counter\n"
	    "# UNIT postern_edh_cpu_seconds seconds\n"
	    "postern_edh_cpu_seconds_total{listener=\"smtp\"} 1.500001\n");
}

Test(exposition, a_histogram_counts_up_to_each_bound)
{
	metric_observe(
	    first, METRIC_handshake_cpu_seconds, METRIC_EXCHANGE_DHE, 50);
	metric_observe(
	    second, METRIC_handshake_cpu_seconds, METRIC_EXCHANGE_DHE, 5001);
	metric_observe(
	    first, METRIC_handshake_cpu_seconds, METRIC_EXCHANGE_DHE, 2000000);
	make_page(EXPOSITION_TEXT);
	cr_assert_not_null(strstr(part("postern_handshake_cpu_seconds"),
	    "_bucket{exchange=\"dhe\",le=\"5e-05\"} 1\n"
	    "postern_handshake_cpu_seconds_bucket{exchange=\"dhe\",le="
	    "\"0.0001\"} 1\n"
	    "postern_handshake_cpu_seconds_bucket{exchange=\"dhe\",le="
	    "\"0.00025\"} 1\n"
	    "postern_handshake_cpu_seconds_bucket{exchange=\"dhe\",le="
	    "\"0.0005\"} 1\n"
	    "postern_handshake_cpu_seconds_bucket{exchange=\"dhe\",le="
	    "\"0.001\"} 1\n"
	    "postern_handshake_cpu_seconds_bucket{exchange=\"dhe\",le="
	    "\"0.0025\"} 1\n"
	    "postern_handshake_cpu_seconds_bucket{exchange=\"dhe\",le="
	    "\"0.005\"} 1\n"
	    "postern_handshake_cpu_seconds_bucket{exchange=\"dhe\",le="
	    "\"0.01\"} 2\n"
	    "postern_handshake_cpu_seconds_bucket{exchange=\"dhe\",le="
	    "\"0.025\"} 2\n"
	    "postern_handshake_cpu_seconds_bucket{exchange=\"dhe\",le="
	    "\"0.05\"} 2\n"
	    "postern_handshake_cpu_seconds_bucket{exchange=\"dhe\",le="
	    "\"0.1\"} 2\n"
	    "postern_handshake_cpu_seconds_bucket{exchange=\"dhe\",le="
	    "\"+Inf\"} 3\n"
	    "postern_handshake_cpu_seconds_sum{exchange=\"dhe\"} 2.005051\n"
	    "postern_handshake_cpu_seconds_count{exchange=\"dhe\"} 3\n"));
}

Test(exposition, bounds_of_openmetrics_are_no_integers)
{
	make_page(EXPOSITION_TEXT);
	cr_assert_not_null(strstr(page,
	    "session_sent_bytes_bucket{listener=\"smtp\",le=\"1048576\"} 0\n"));
	make_page(EXPOSITION_OPENMETRICS);
	cr_assert_not_null(strstr(page,
	    "session_sent_bytes_bucket{listener=\"smtp\",le=\"1048576.0\"} "
	    "0\n"));
	cr_assert_str_eq(page + strlen(page) - 7, "\n# EOF\n");
}

Test(exposition, names_are_escaped)
{
	state_listener_claim(state, "a\"b\\c\nd");
	make_page(EXPOSITION_TEXT);
	cr_assert_not_null(strstr(
	    page, "postern_sessions_open{listener=\"a\\\"b\\\\c\\nd\"} 0\n"));
}

Test(exposition, reasons_that_are_none_are_not_shown)
{
	metric_add_for_both(
	    first, METRIC_handshakes_failed, 0, HANDSHAKE_FAILURE_EOF, 2);
	make_page(EXPOSITION_TEXT);
	cr_assert_not_null(strstr(page,
	    "postern_handshakes_failed_total{listener=\"smtp\",reason="
	    "\"eof\"} 2\n"));
	cr_assert_null(strstr(page, "reason=\"none\""));
	cr_assert_null(strstr(page, "reason=\"NONE\""));
	cr_assert_null(strstr(page, "PROBE_"));
	cr_assert_null(strstr(page, "limit=\"none\""));
	cr_assert_null(strstr(page, "former"));
}

Test(exposition, what_is_gone_is_shown_if_it_counted)
{
	metric_add_for(first, METRIC_sessions_accepted, 0, 7);
	state_listener_release(state, 0);
	state_listener_claim(state, "submission");
	make_page(EXPOSITION_TEXT);
	cr_assert_str_eq(part("postern_sessions_accepted_total"),
	    "# HELP postern_sessions_accepted_total Sessions accepted\n"
	    "# TYPE postern_sessions_accepted_total counter\n"
	    "postern_sessions_accepted_total{listener=\"submission\"} 0\n"
	    "postern_sessions_accepted_total{listener=\"former\"} 7\n");
}

static void negotiate(
    struct state_block *block, const char *cipher, bool resumed, unsigned times)
{
	struct state_row_key key;

	memset(&key, 0, sizeof(key));
	key.resumed = resumed;
	key.forward_secret = true;
	strcpy(key.protocol, "TLSv1.3");
	strcpy(key.cipher, cipher);
	strcpy(key.group, "X25519");
	strcpy(key.signature, resumed ? "none" : "RSA-PSS-SHA256");
	strcpy(key.forward_secrecy_reason, "ecdhe");
	while (times-- > 0)
		metric_count_row(block, &key);
}

#define ROW "postern_handshakes_done_total{listener=\"smtp\","

Test(exposition, rows_of_all_processes_are_merged)
{
	negotiate(first, "TLS_B", false, 2);
	negotiate(first, "TLS_A", true, 1);
	negotiate(second, "TLS_A", true, 5);
	negotiate(second, "TLS_B", false, 3);
	metric_raise(&second->rows[0].count, 9);
	make_page(EXPOSITION_TEXT);
	cr_assert_str_eq(part("postern_handshakes_done_total"),
	    "# HELP postern_handshakes_done_total TLS handshakes completed, "
	    "by what was negotiated\n"
	    "# TYPE postern_handshakes_done_total counter\n" ROW
	    "protocol=\"TLSv1.3\",cipher=\"TLS_B\",group=\"X25519\","
	    "signature=\"RSA-PSS-SHA256\",resumed=\"no\","
	    "forward_secrecy=\"yes\",forward_secrecy_reason=\"ecdhe\","
	    "post_quantum=\"no\"} 5\n" ROW
	    "protocol=\"TLSv1.3\",cipher=\"TLS_A\",group=\"X25519\","
	    "signature=\"none\",resumed=\"yes\",forward_secrecy=\"yes\","
	    "forward_secrecy_reason=\"ecdhe\",post_quantum=\"no\"} 6\n"
	    "postern_handshakes_done_total{listener=\"other\","
	    "protocol=\"other\",cipher=\"other\",group=\"other\","
	    "signature=\"other\",resumed=\"other\",forward_secrecy=\"other\","
	    "forward_secrecy_reason=\"other\",post_quantum=\"other\"} 9\n");
}

Test(exposition, what_is_computed_is_there)
{
	int index = state_backend_claim(state, "inet:127.0.0.1:25");
	struct smtp_ehlo ehlo = {0};

	atomic_store(&state->worker_restarts, 2);
	state_backend_publish(&state->backends[index],
	    &(struct state_probe){.ehlo = &ehlo, .rise = 1, .fall = 1});
	atomic_store(&first->pid, 100);
	make_page(EXPOSITION_TEXT);
	cr_assert_not_null(strstr(page, "\npostern_worker_restarts_total 2\n"));
	cr_assert_not_null(strstr(page, "\npostern_workers 1\n"));
	cr_assert_not_null(strstr(
	    page, "\npostern_backend_up{backend=\"inet:127.0.0.1:25\"} 1\n"));
	cr_assert_not_null(
	    strstr(page, "\npostern_build_info{version=\"" POSTERN_VERSION
			 "\",openssl=\"OpenSSL 3.0\",liburing=\"2.3\"} 1\n"));
	state_backend_publish(&state->backends[index],
	    &(struct state_probe){.rise = 1, .fall = 1});
	make_page(EXPOSITION_TEXT);
	cr_assert_not_null(strstr(
	    page, "\npostern_backend_up{backend=\"inet:127.0.0.1:25\"} 0\n"));
}

Test(exposition, every_family_is_on_the_page_once)
{
	make_page(EXPOSITION_TEXT);
	for (int i = 0; i < METRIC_COUNT; i++) {
		char head[128];
		const char *found;

		snprintf(
		    head, sizeof(head), "# TYPE %s ", metric_families[i].name);
		found = strstr(page, head);
		cr_expect_not_null(found, "%s", head);
		if (found != NULL)
			cr_expect_null(strstr(found + 1, head), "%s", head);
	}
}

/* What Prometheus 2.42 sends. */
#define PROMETHEUS                                           \
	"application/openmetrics-text;version=1.0.0;q=0.75," \
	"application/openmetrics-text;version=0.0.1;q=0.5,"  \
	"text/plain;version=0.0.4;q=0.25,*/*;q=0.1"

Test(exposition, the_format_is_the_one_that_is_asked_for)
{
	static const struct {
		const char *accept;
		enum exposition_format format;
	} cases[] = {
	    {NULL, EXPOSITION_TEXT},
	    {"", EXPOSITION_TEXT},
	    {"*/*", EXPOSITION_TEXT},
	    {"text/html, */*;q=0.8", EXPOSITION_TEXT},
	    {PROMETHEUS, EXPOSITION_OPENMETRICS},
	    {"application/openmetrics-text", EXPOSITION_OPENMETRICS},
	    {"APPLICATION/OpenMetrics-Text", EXPOSITION_OPENMETRICS},
	    {"application/openmetrics-text ; version=1.0.0 ; q=1",
		EXPOSITION_OPENMETRICS},
	    {"application/openmetrics-text; version=\"1.0.0\"",
		EXPOSITION_OPENMETRICS},
	    {"application/openmetrics-text; version=0.0.1", EXPOSITION_TEXT},
	    {"application/openmetrics-text; version=2.0.0", EXPOSITION_TEXT},
	    {"application/openmetrics-text;q=0", EXPOSITION_TEXT},
	    {"application/openmetrics-text;q=0.000", EXPOSITION_TEXT},
	    {"application/openmetrics-text;q=x", EXPOSITION_TEXT},
	    {"application/openmetrics-text;q", EXPOSITION_TEXT},
	    {"application/openmetrics-text;q=0.4,text/plain;q=0.5",
		EXPOSITION_TEXT},
	    {"application/openmetrics-text;q=0.5,text/plain;q=0.45",
		EXPOSITION_OPENMETRICS},
	    {"text/plain,application/openmetrics-text", EXPOSITION_OPENMETRICS},
	    {"application/openmetrics-text-not", EXPOSITION_TEXT},
	    {",,;;=,", EXPOSITION_TEXT},
	    {"a;b;c;d=e;;,application/openmetrics-text",
		EXPOSITION_OPENMETRICS},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(exposition_negotiate(cases[i].accept),
		    cases[i].format, "%s", cases[i].accept);
}
