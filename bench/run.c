/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/run.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench/progress.h"

#define LOOK_EVERY_NS	 20000000L
#define DESCRIPTORS_MORE 64 /* besides the sessions' */

struct run {
	const struct options *options;
	struct run_result *result;
	struct load load;
	struct load_thread *threads;
	pthread_t *handles;
	long thread_count; /* that run */
	char *message;
	char *fault;
	struct progress progress;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

static bool resolve(struct run *run)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	int status =
	    getaddrinfo(run->options->host, run->options->port, &hints, &found);

	if (status != 0) {
		snprintf(run->fault, LOAD_FAULT_SIZE, "%.100s:%.16s: %s",
		    run->options->host, run->options->port,
		    gai_strerror(status));
		return false;
	}
	memcpy(&run->load.address, found->ai_addr, found->ai_addrlen);
	run->load.address_len = found->ai_addrlen;
	freeaddrinfo(found);
	if (run->options->sources == 0 ||
	    run->load.address.ss_family == AF_INET)
		return true;
	snprintf(run->fault, LOAD_FAULT_SIZE,
	    "--sources is for servers at an IPv4 address of this machine");
	return false;
}

static long sessions_of(const struct options *options)
{
	const struct options_list *sessions = &options->sessions;
	long sum = 0;

	for (size_t i = 0; i < options->job_count; i++)
		sum += options->jobs[i].work == DIALOGUE_IDLE
			   ? sessions->values[sessions->count - 1]
			   : options->jobs[i].connections;
	return sum;
}

static bool raise_descriptors(struct run *run)
{
	rlim_t wanted = (rlim_t)sessions_of(run->options) + DESCRIPTORS_MORE;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return true;
	if (limit.rlim_cur >= wanted)
		return true;
	limit.rlim_cur = wanted;
	if (limit.rlim_max < wanted)
		limit.rlim_max = wanted; /* root may */
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return true;
	snprintf(run->fault, LOAD_FAULT_SIZE,
	    "%llu open files are needed and not allowed: ulimit -n %llu",
	    (unsigned long long)wanted, (unsigned long long)wanted);
	return false;
}

static bool read_usage(struct run *run, struct process_usage *usage_out)
{
	const struct options_list *pids = &run->options->server_pids;
	bool with_memory = run->options->jobs[0].work == DIALOGUE_IDLE;
	long bad;

	*usage_out = (struct process_usage){0};
	if (pids->count == 0)
		return true;
	if (process_tree_read(
		pids->values, pids->count, with_memory, usage_out, &bad))
		return true;
	snprintf(run->fault, LOAD_FAULT_SIZE,
	    "--server-pid %ld: there is no such process%s", bad,
	    with_memory ? ", or its memory may not be read (be its user, "
			  "or root)"
			: "");
	return false;
}

static bool make_plans(struct run *run)
{
	const struct options *options = run->options;

	run->message = dialogue_make_message((size_t)options->size);
	if (run->message == NULL) {
		snprintf(run->fault, LOAD_FAULT_SIZE,
		    "no memory for a message of %ld octets", options->size);
		return false;
	}
	for (size_t i = 0; i < options->job_count; i++)
		run->load.plans[i] = (struct dialogue_plan){
		    .work = options->jobs[i].work,
		    .tls = (enum dialogue_tls)options->tls,
		    .hold = (enum dialogue_hold)options->hold,
		    .bdat = options->bdat,
		    .pipelined = options->pipeline,
		    .quit = options->quit,
		    .helo = options->helo,
		    .from = options->from,
		    .to = options->to,
		    .message = run->message,
		    .message_len = (size_t)options->size,
		};
	return true;
}

static bool make_tls(struct run *run)
{
	const struct options *options = run->options;
	const struct tls_client_options tls = {
	    .groups = options->groups,
	    .ciphers = options->ciphers,
	    .suites = options->suites,
	    .signatures = options->signatures,
	    .name = options->name,
	    .protocol = options->protocol,
	    .no_tickets = options->no_tickets,
	};
	char fault[TLS_CLIENT_FAULT_SIZE];

	run->load.tls = tls_client_create(&tls, fault);
	if (run->load.tls == NULL)
		snprintf(run->fault, LOAD_FAULT_SIZE, "%s", fault);
	return run->load.tls != NULL;
}

static bool start_threads(struct run *run)
{
	const struct options *options = run->options;

	for (long i = 0; i < options->threads; i++) {
		struct load_thread *thread = &run->threads[i];

		thread->load = &run->load;
		thread->number = i;
		for (size_t j = 0; j < options->job_count; j++)
			if (options->jobs[j].resume)
				thread->unprimed += load_share(
				    thread, options->jobs[j].connections);
	}
	for (; run->thread_count < options->threads; run->thread_count++)
		if (pthread_create(&run->handles[run->thread_count], NULL,
			load_thread_run,
			&run->threads[run->thread_count]) != 0) {
			snprintf(run->fault, LOAD_FAULT_SIZE,
			    "cannot start %ld threads", options->threads);
			return false;
		}
	return true;
}

static void look(struct run *run, const char *what, double share)
{
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_NS};

	run->progress.what = what;
	run->progress.share = share < 1 ? share : 1;
	run->progress.units = 0;
	for (long i = 0; i < run->thread_count; i++)
		run->progress.units += atomic_load(&run->threads[i].unit_count);
	run->progress.errors = atomic_load(&run->load.error_count);
	progress_show(&run->progress);
	nanosleep(&pause, NULL);
	if (interrupted)
		atomic_store(&run->load.given_up, true);
}

static bool all_done(const struct run *run)
{
	for (long i = 0; i < run->thread_count; i++)
		if (!atomic_load(&run->threads[i].done))
			return false;
	return true;
}

/* There is no point in waiting longer. */
static bool is_over(const struct run *run)
{
	return atomic_load(&run->load.given_up) || all_done(run);
}

static long sum_held(const struct run *run)
{
	long sum = 0;

	for (long i = 0; i < run->thread_count; i++)
		sum += atomic_load(&run->threads[i].held);
	return sum;
}

static long sum_unprimed(const struct run *run)
{
	long sum = 0;

	for (long i = 0; i < run->thread_count; i++)
		sum += atomic_load(&run->threads[i].unprimed);
	return sum;
}

static void wait_seconds(struct run *run, const char *what, double seconds)
{
	uint64_t begin_ns = load_now_ns();
	double passed_s = 0;

	while (passed_s < seconds && !is_over(run)) {
		look(run, what, passed_s / seconds);
		passed_s = (double)(load_now_ns() - begin_ns) / 1e9;
	}
}

static void prime(struct run *run)
{
	long all = sum_unprimed(run);

	while (sum_unprimed(run) > 0 && !is_over(run))
		look(run, "prime", 1 - (double)sum_unprimed(run) / (double)all);
}

static bool measure(struct run *run)
{
	const struct options *options = run->options;
	struct run_result *result = run->result;
	uint64_t begin_ns;
	bool read;

	run->load.begun_ns = load_now_ns();
	if (options->count == 0) {
		atomic_store(&run->load.phase, LOAD_WARM);
		wait_seconds(run, "warm-up", options->warmup_s);
	}
	if (!read_usage(run, &result->begin))
		return false;
	begin_ns = load_now_ns();
	atomic_store(&run->load.phase, LOAD_MEASURE);
	if (options->count == 0)
		wait_seconds(run, "measure", options->duration_s);
	else
		while (!is_over(run))
			look(run, "measure",
			    (double)run->progress.units /
				((double)options->count *
				    (double)options->job_count));
	result->wall_s = (double)(load_now_ns() - begin_ns) / 1e9;
	read = read_usage(run, &result->end);
	atomic_store(&run->load.phase, LOAD_DRAIN);
	return read;
}

static bool measure_memory(struct run *run)
{
	const struct options_list *sessions = &run->options->sessions;
	struct run_result *result = run->result;
	uint64_t begin_ns = load_now_ns();

	if (!read_usage(run, &result->begin))
		return false;
	result->memory[0].usage = result->begin;
	result->end = result->begin;
	result->memory_count = 1;
	atomic_store(&run->load.phase, LOAD_MEASURE);
	for (size_t i = 0; i < sessions->count; i++) {
		long target = sessions->values[i];
		struct run_memory *row = &result->memory[i + 1];

		atomic_store(&run->load.hold_target, target);
		while (sum_held(run) < target && !is_over(run))
			look(run, "open",
			    (double)sum_held(run) / (double)target);
		wait_seconds(run, "settle", run->options->settle_s);
		if (is_over(run))
			break;
		row->held = target;
		if (!read_usage(run, &row->usage))
			return false;
		result->end = row->usage;
		result->memory_count++;
	}
	result->wall_s = (double)(load_now_ns() - begin_ns) / 1e9;
	return true;
}

static void add_tally(struct load_tally *sum, const struct load_tally *tally)
{
	sum->units += tally->units;
	sum->octets += tally->octets;
	histogram_add(&sum->latency, &tally->latency);
	histogram_add(&sum->setup, &tally->setup);
	sum->all_units += tally->all_units;
	sum->all_sessions += tally->all_sessions;
	sum->all_full += tally->all_full;
	sum->all_resumed += tally->all_resumed;
	for (size_t i = 0; i < LOAD_ERROR_COUNT; i++)
		sum->errors[i] += tally->errors[i];
	if (sum->facts.protocol[0] == '\0')
		sum->facts = tally->facts;
	if (sum->fault[0] == '\0')
		memcpy(sum->fault, tally->fault, sizeof(sum->fault));
}

/* Waits for the threads, and takes what they counted. */
static bool gather(struct run *run)
{
	bool worked = true;

	atomic_store(&run->load.phase, LOAD_DRAIN);
	while (!all_done(run))
		look(run, "drain", 1);
	for (long i = 0; i < run->thread_count; i++) {
		const struct load_thread *thread = &run->threads[i];

		pthread_join(run->handles[i], NULL);
		for (size_t j = 0; j < run->options->job_count; j++)
			add_tally(&run->result->jobs[j], &thread->tallies[j]);
		if (thread->fault[0] == '\0')
			continue;
		memcpy(run->fault, thread->fault, LOAD_FAULT_SIZE);
		worked = false;
	}
	run->result->error_count = atomic_load(&run->load.error_count);
	run->result->interrupted = interrupted;
	return worked;
}

static bool prepare(struct run *run)
{
	struct process_usage usage;

	run->threads =
	    calloc((size_t)run->options->threads, sizeof(*run->threads));
	run->handles =
	    calloc((size_t)run->options->threads, sizeof(*run->handles));
	if (run->threads == NULL || run->handles == NULL) {
		snprintf(run->fault, LOAD_FAULT_SIZE, "no memory for threads");
		return false;
	}
	return read_usage(run, &usage) && resolve(run) &&
	       raise_descriptors(run) && make_tls(run) && make_plans(run);
}

bool run_load(const struct options *options, struct run_result *result,
    char fault[LOAD_FAULT_SIZE])
{
	struct run run = {
	    .options = options,
	    .result = result,
	    .fault = fault,
	    .progress.wanted = isatty(STDERR_FILENO) && !options->quiet,
	};
	const struct sigaction action = {
	    .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	bool worked;

	run.load.options = options;
	memset(result, 0, sizeof(*result));
	worked = prepare(&run);
	if (worked) {
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
		worked = start_threads(&run);
		if (worked) {
			prime(&run);
			worked = options->jobs[0].work == DIALOGUE_IDLE
				     ? measure_memory(&run)
				     : measure(&run);
		}
		if (!gather(&run))
			worked = false;
		progress_clear(&run.progress);
	}
	tls_client_destroy(&run.load.tls);
	free(run.message);
	free(run.threads);
	free(run.handles);
	return worked;
}
