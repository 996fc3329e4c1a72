/* SPDX-License-Identifier: Apache-2.0 */
/* A load on a server: threads with one ring each, and on each ring many
 * connections that follow dialogues. Whoever made it moves it from phase to
 * phase and reads its counts; a thread's tallies may be read when it has ended.
 */
#ifndef POSTERN_BENCH_LOAD_H
#define POSTERN_BENCH_LOAD_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bench/dialogue.h"
#include "bench/histogram.h"
#include "bench/options.h"
#include "bench/tls_client.h"

#define LOAD_FAULT_SIZE 320

enum load_phase {
	LOAD_PRIME, /* sessions are made that are to be resumed */
	LOAD_WARM,  /* load that does not count */
	LOAD_MEASURE,
	LOAD_DRAIN, /* nothing new begins */
};

enum load_error {
	LOAD_NOT_CONNECTED,
	LOAD_CLOSED,
	LOAD_TIMED_OUT,
	LOAD_TLS,
	LOAD_ANSWER,
	LOAD_NOT_RESUMED,
	LOAD_ERROR_COUNT,
};

/* What the connections of one job did in one thread. */
struct load_tally {
	uint64_t units, octets;		/* while it was measured */
	struct histogram latency;	/* of them, in ns */
	struct histogram setup;		/* connect until TLS stands, in ns */
	uint64_t all_units;		/* and these in all phases */
	uint64_t all_sessions;		/* that were connected */
	uint64_t all_full, all_resumed; /* handshakes */
	uint64_t errors[LOAD_ERROR_COUNT];
	struct tls_client_facts facts; /* of the first handshake that counts */
	char fault[LOAD_FAULT_SIZE];   /* the first */
};

struct load {
	const struct options *options;
	struct sockaddr_storage address;
	socklen_t address_len;
	struct tls_client *tls;
	struct dialogue_plan plans[OPTIONS_JOBS_MAX];
	uint64_t begun_ns; /* open loops count their units from here */
	_Atomic int phase;
	_Atomic long hold_target; /* sessions to hold, of all threads */
	_Atomic uint64_t error_count;
	_Atomic bool given_up; /* too many errors */
};

struct load_thread {
	struct load *load;
	long number;
	struct load_tally tallies[OPTIONS_JOBS_MAX];
	_Atomic uint64_t unit_count; /* for the progress bar */
	_Atomic long unprimed;	     /* sessions still to be made */
	_Atomic long held;
	_Atomic bool done;	     /* all of --count, or ended */
	char fault[LOAD_FAULT_SIZE]; /* when it could not work at all */
};

const char *load_error_name(enum load_error error);

uint64_t load_now_ns(void);

/* Of `total`, the part of this thread: all parts add up to it. */
long load_share(const struct load_thread *thread, long total);

/* A thread's whole life; the argument is its struct load_thread. */
void *load_thread_run(void *argument);

#endif
