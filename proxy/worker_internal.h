/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of worker share: worker.c (the loop), worker_accept.c (the
 * listeners), worker_session.c (wants into submissions, completions into facts)
 * and worker_probe.c (health checks, in control). */
#ifndef POSTERN_PROXY_WORKER_INTERNAL_H
#define POSTERN_PROXY_WORKER_INTERNAL_H

#include "proxy/connection.h"
#include "proxy/dane_watch.h"
#include "proxy/deadline.h"
#include "proxy/exposition.h"
#include "proxy/flow.h"
#include "proxy/http.h"
#include "proxy/resolver.h"
#include "proxy/ring.h"
#include "proxy/worker.h"

struct acceptor {
	int fd;
	uint8_t service;
	bool wanted;  /* connections are to be accepted */
	bool leaving; /* until leave_at_ms, then it is closed */
	bool armed, cancelled;
	uint16_t looks; /* at the queue, after it was given up */
};

/* A backend under health check. */
struct probe {
	const struct service *service;
	uint8_t backend_index;
	bool running;
	int64_t next_ms;
	uint32_t dane_sequence; /* of what was known at the last one */
};

/* What was told of the process's own consumption. */
struct worker_usage {
	int memory_fd; /* /proc/self/statm, which a sandbox hides; -1: none */
	int64_t next_ms;
	uint64_t cpu_us;
	uint64_t submissions;
};

struct worker_http {
	struct http *server; /* NULL: none */
	struct exposition_source source;
	uint32_t armed; /* bit i: descriptor i of the server is watched */
};

struct worker {
	const struct worker_options *options;
	const struct settings *settings; /* of main.cf */
	struct ring ring;
	struct flow_environment env;
	struct connections connections;
	struct deadlines deadlines;
	/* What sessions that are being relayed have to send, and was not
	 * submitted yet; and whether a backend's answer may follow at once. */
	bool relays_speak, answer_is_due;
	/* So many free buffers did not help those who wait for some. */
	uint32_t buffers_of_no_use;
	int64_t places_next_ms; /* when other workers' places are looked at */
	struct acceptor acceptors[STATE_LISTENERS_MAX];
	uint32_t session_limit;
	struct worker_command command; /* the kernel writes to it */
	bool retiring, stopping;
	int64_t leave_at_ms, stop_at_ms; /* DEADLINE_NONE: not set */
	/* Accepting pauses for want of descriptors; the next close ends it. */
	bool accept_paused;
	int64_t accept_again_ms;
	int64_t exhaustion_told_ms;
	struct probe probes[STATE_BACKENDS_MAX];
	size_t probe_count;
	struct worker_usage usage;
	struct worker_http http;    /* in control */
	struct worker_names *names; /* owned; NULL: nobody has one */
	struct worker_hosts *hosts; /* owned; NULL: not in control */
	struct dane_watch *dane;    /* in control; NULL: for no backend */
	bool dane_is_armed;
};

/* CLOCK_MONOTONIC. */
int64_t worker_now_us(void);

/* The value of the label PROCESS. */
static inline size_t worker_role(const struct worker *worker)
{
	return worker->options->is_control ? METRIC_PROCESS_CONTROL
					   : METRIC_PROCESS_WORKER;
}

/* Control: HTTP (proxy/http.h). */
void worker_http_init(struct worker *worker);
/* Does what there is to do, and watches for more. */
void worker_http_run(struct worker *worker);
void worker_http_completed(struct worker *worker, struct op op);
int64_t worker_http_next_ms(const struct worker *worker);
void worker_http_finish(struct worker *worker);

/* Names of clients: worker_names.c. */
void worker_names_init(struct worker *worker);
/* Not before the kernel has let go of everything. */
void worker_names_finish(struct worker *worker);
/* What the flow wants: at once, which is true then, or later. */
bool worker_names_find(struct worker *worker, struct connection *connection);
void worker_names_run(struct worker *worker);
void worker_names_completed(
    struct worker *worker, struct op op, int32_t result);
int64_t worker_names_next_ms(const struct worker *worker);

/* In control; NULL: DNS cannot be asked. */
struct resolver *worker_names_resolver(const struct worker *worker);

/* Names of backends, in control: worker_hosts.c. Freed with the worker, after
 * its resolver. */
void worker_hosts_init(struct worker *worker);
void worker_hosts_run(struct worker *worker);
int64_t worker_hosts_next_ms(const struct worker *worker);

/* What DNS says of backends' certificates, in control: worker_dane.c. */
void worker_dane_init(struct worker *worker);
void worker_dane_finish(struct worker *worker);
void worker_dane_run(struct worker *worker);
void worker_dane_completed(struct worker *worker);
int64_t worker_dane_next_ms(const struct worker *worker);
/* Whether a health check of that backend must wait for it. */
bool worker_dane_is_waiting(const struct worker *worker, int state_index);

/* What the process itself uses, once in a while: worker_usage.c. */
void worker_usage_init(struct worker *worker);
void worker_usage_count(struct worker *worker);
void worker_usage_finish(struct worker *worker);

void worker_accept_init(struct worker *worker);
/* Arms what is wanted and not armed. */
void worker_accept_arm(struct worker *worker);
void worker_accept_completed(struct worker *worker, struct op op,
    const struct ring_completion *completion);
/* No more of these; bit i: listener i goes on until leave_at_ms. */
void worker_accept_stop(struct worker *worker, uint64_t leaving);
/* Ends the listeners whose time to leave has come. */
void worker_accept_leave(struct worker *worker);
bool worker_accept_is_over(const struct worker *worker);

/* Tells the flow our end of this connection; a Unix socket's does not fit, and
 * is not wanted. */
void worker_read_local(int fd, struct flow *flow);

/* After every fact: submits what the flow wants and the kernel does not have,
 * or lets go of the connection when it is over. */
void worker_advance(struct worker *worker, struct connection *connection);
void worker_session_completed(struct worker *worker, struct op op,
    const struct ring_completion *completion);

/* Control: which backends are checked, and when. */
void worker_probe_init(struct worker *worker);
void worker_probe_start_due(struct worker *worker);
void worker_probe_done(struct worker *worker, const struct flow *flow);
/* That backend is elsewhere: it is checked at once. */
void worker_probe_wake(struct worker *worker, int state_index);
int64_t worker_probe_next_ms(const struct worker *worker);

#endif
