/* SPDX-License-Identifier: Apache-2.0 */
/* Control: the questions of proxy/dane_watch.h, and the ring. */
#include "proxy/worker_internal.h"

void worker_dane_init(struct worker *worker)
{
	const struct dane_watch_options options = {
	    .services = worker->options->services,
	    .state = worker->env.state,
	    .log = worker->options->log,
	};
	const char *why;

	if (!worker->options->is_control)
		return;
	worker->dane = dane_watch_create(&options, &why);
	if (why != NULL)
		log_line(worker->options->log, LOG_LEVEL_WARNING, NULL,
		    "backends at the levels dane and dane-only get no mail, "
		    "since DNS cannot be asked: %s",
		    why);
}

void worker_dane_finish(struct worker *worker)
{
	dane_watch_destroy(&worker->dane);
}

void worker_dane_run(struct worker *worker)
{
	struct op op = {.kind = OP_DANE};

	if (worker->dane == NULL)
		return;
	dane_watch_run(worker->dane, worker->env.now_ms);
	if (!worker->dane_is_armed)
		worker->dane_is_armed =
		    ring_watch(&worker->ring, dane_watch_fd(worker->dane), op);
}

void worker_dane_completed(struct worker *worker)
{
	worker->dane_is_armed = false;
}

int64_t worker_dane_next_ms(const struct worker *worker)
{
	return worker->dane == NULL ? DEADLINE_NONE
				    : dane_watch_next_ms(worker->dane);
}

bool worker_dane_is_waiting(const struct worker *worker, int state_index)
{
	return worker->dane != NULL &&
	       dane_watch_is_waiting(worker->dane, state_index);
}
