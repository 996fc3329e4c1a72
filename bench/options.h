/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of postern-bench. Pure: it opens, resolves and prints
 * nothing; the texts of --help come from the same table. */
#ifndef POSTERN_BENCH_OPTIONS_H
#define POSTERN_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "bench/dialogue.h"

#define OPTIONS_LIST_MAX    16
#define OPTIONS_JOBS_MAX    8
#define OPTIONS_HOST_SIZE   256
#define OPTIONS_PORT_SIZE   16
#define OPTIONS_FAULT_SIZE  256
#define OPTIONS_THREADS_MAX 64

struct options_list {
	long values[OPTIONS_LIST_MAX];
	size_t count;
};

/* Connections that all do the same. */
struct options_job {
	const char *name; /* full, resumed, relay, noop or idle; constant */
	enum dialogue_work work;
	bool resume;
	long connections;
	double rate_per_s; /* 0: closed loop */
};

/* Texts are borrowed from argv. */
struct options {
	char host[OPTIONS_HOST_SIZE];
	char port[OPTIONS_PORT_SIZE];
	const char *work_name;
	struct options_job jobs[OPTIONS_JOBS_MAX];
	size_t job_count;
	int tls;      /* enum dialogue_tls */
	int hold;     /* enum dialogue_hold */
	int protocol; /* 0: any; 2: TLS 1.2; 3: TLS 1.3 */
	const char *groups, *ciphers, *suites, *signatures, *name;
	const char *helo, *from, *to, *mix, *json;
	bool resume, no_tickets, pipeline, bdat, quit, quiet;
	long connections, threads, count, size, messages, errors_max, sources;
	double duration_s, warmup_s, rate_per_s, settle_s, timeout_s;
	struct options_list sessions, cpus, server_pids;
};

enum options_status { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_BAD };

/* On OPTIONS_BAD `fault` says what is wrong and what would be right. */
enum options_status options_parse(struct options *options, int argc,
    char **argv, char fault[OPTIONS_FAULT_SIZE]);

/* Every option in a line of its own. */
void options_print_help(FILE *file);

/* The name of each option and what it has, for the report. `tell` is called
 * once for each that is not at its default's empty value. */
void options_each(const struct options *options, void *argument,
    void (*tell)(void *argument, const char *name, const char *value));

#endif
