/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the master share: master.c has its start and its end,
 * master_loop.c what it does in between, reload.c the change from one
 * generation to the next. */
#ifndef POSTERN_PROXY_MASTER_INTERNAL_H
#define POSTERN_PROXY_MASTER_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/generation.h"
#include "proxy/master.h"
#include "proxy/metrics_listen.h"
#include "proxy/trial.h"

/* How far the generation has come that is to serve next. */
enum coming {
	COMING_NONE,
	COMING_AFTER_CONTROL, /* until the old control process is gone */
	COMING_PROBES,	      /* until its control has seen the backends */
	COMING_STARTS,	      /* until its workers accept */
};

struct master {
	const struct master_options *options;
	struct state *state;
	struct shared shared;
	int64_t rotate_at_s; /* of tls_ticket_keys_now() */
	struct sockets *sockets;
	struct metrics_listen metrics;
	struct generation *newest;  /* all of them, linked by `older` */
	struct generation *current; /* the one that serves; NULL at the start */
	enum coming coming;	    /* that of `newest`, if not NONE */
	int64_t coming_until_ms;    /* when to go on, or to give up */
	uint32_t last_number;	    /* given to a generation */
	struct trial trial;
	bool reload_again; /* asked for while one was under way */
	bool is_stopping;
	bool has_failed;    /* could not start */
	bool is_serving;    /* a generation has come once */
	FILE *terminal;	    /* NULL when nobody looks at it any more */
	size_t told;	    /* findings of the start that were printed */
	int64_t kill_at_ms; /* when stopping */
	char runtime_directory[4096];
};

/* Makes a generation of these services the coming one, and binds what it needs.
 * Takes services and log over in any case. False when report has an error;
 * nothing has changed then. */
bool reload_begin(struct master *master, struct services *services,
    struct log *log, struct report *report, int64_t now_ms);

/* SIGHUP: has the configuration checked, and then takes it into use. */
void reload_ask(struct master *master);

/* When trial.fd is readable. */
void reload_hear_trial(struct master *master, int64_t now_ms);

/* A process of the coming generation has died. */
void reload_lost_process(struct master *master, int64_t now_ms);

/* Goes on with what is under way, as far as it can now. */
void reload_advance(struct master *master, int64_t now_ms);

/* The log that the settings ask for; NULL when report has an error. */
struct log *master_open_log(const struct master_options *options,
    const struct settings *settings, struct report *report);

/* Until everything has ended, once a generation is coming. */
void master_loop(struct master *master, int signal_fd);

int64_t master_now_ms(void);

/* Where lines go: the log of the generation in charge. */
struct log *master_log(const struct master *master);

/* Gives up: everything is told to stop, and the program fails. */
void master_fail(struct master *master, int64_t now_ms);

/* The current generation has changed. */
void master_serves(struct master *master);

/* Entries of state->backends and state->listeners that no generation knows any
 * more. */
void master_release_names(struct master *master);

#endif
