/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/master_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "proxy/findings.h"
#include "proxy/log_settings.h"
#include "proxy/ticket_rotation.h"

/* Control has no sessions, so it ends at once; or it hangs. */
#define CONTROL_END_MS 1000
/* From the fork of the workers until all of them accept. */
#define WORKERS_START_MS 30000

static const struct settings *settings_of(const struct generation *generation)
{
	return generation->services->configuration->settings;
}

/* The sockets for HTTP that are in use, and no others. */
static void keep_metrics(struct master *master)
{
	metrics_listen_keep(&master->metrics,
	    master->current == NULL ? NULL : master->current->services);
}

static void count_failure(struct master *master)
{
	atomic_fetch_add(&master->state->reloads_failed, 1);
	log_line(master_log(master), LOG_LEVEL_ERROR, NULL,
	    "reload failed: the configuration stays as it was");
	if (!master->reload_again)
		return;
	master->reload_again = false;
	reload_ask(master);
}

/* The coming generation does not come about. What it has accepted meanwhile it
 * serves to the end. */
static void abandon(struct master *master, const char *why, int64_t now_ms)
{
	struct generation *gone = master->newest;

	log_line(master_log(master), LOG_LEVEL_ERROR, NULL,
	    "generation %u does not start: %s", gone->number, why);
	if (master->current == NULL) {
		master_fail(master, now_ms);
		return;
	}
	master->coming = COMING_NONE;
	sockets_want(master->sockets, master->current->services,
	    master->current->worker_count);
	keep_metrics(master);
	generation_order(gone, WORKER_RETIRE, master->sockets);
	count_failure(master);
}

static void limit_generations(struct master *master)
{
	int64_t limit = settings_of(master->current)->proxy_generations_max;
	int64_t count = 0;

	for (struct generation *generation = master->newest; generation != NULL;
	     generation = generation->older)
		if (++count > limit)
			generation_order(
			    generation, WORKER_STOP, master->sockets);
}

static void take_over(struct master *master)
{
	struct generation *old = master->current;

	master->current = master->newest;
	master->coming = COMING_NONE;
	/* First no more calls at what is to go, then the order to empty it. */
	sockets_want(master->sockets, master->current->services,
	    master->current->worker_count);
	keep_metrics(master);
	if (old != NULL) {
		log_flush(old->log);
		generation_order(old, WORKER_RETIRE, master->sockets);
		limit_generations(master);
		atomic_fetch_add(&master->state->reloads, 1);
	}
	master_serves(master);
	atomic_store(&master->state->generation, master->current->number);
	if (!master->reload_again)
		return;
	master->reload_again = false;
	reload_ask(master);
}

/* The one before writes to the backends' cells until it is gone. */
static void start_control(struct master *master, int64_t now_ms)
{
	struct generation *coming = master->newest;

	if (master->current != NULL && master->current->control.pid != 0) {
		if (now_ms >= master->coming_until_ms)
			process_kill(&master->current->control);
		return;
	}
	if (!generation_start_control(coming, now_ms)) {
		abandon(
		    master, "its control process cannot be started", now_ms);
		return;
	}
	master->coming = COMING_PROBES;
	master->coming_until_ms =
	    now_ms + CONTROL_END_MS +
	    settings_of(coming)->proxy_backend_probe_timeout_s * 1000;
}

static void start_workers(struct master *master, int64_t now_ms)
{
	struct generation *coming = master->newest;

	if (!generation_is_probed(coming) && now_ms < master->coming_until_ms)
		return;
	if (!sockets_listen(master->sockets)) {
		abandon(master, strerror(errno), now_ms);
		return;
	}
	if (!generation_start_workers(coming, master->sockets, now_ms)) {
		abandon(master, "its workers cannot be started", now_ms);
		return;
	}
	master->coming = COMING_STARTS;
	master->coming_until_ms = now_ms + WORKERS_START_MS;
}

static void await_workers(struct master *master, int64_t now_ms)
{
	if (generation_is_accepting(master->newest))
		take_over(master);
	else if (now_ms >= master->coming_until_ms)
		abandon(master, "its workers do not accept", now_ms);
}

/* What was checked by a trial, now for the master itself. */
static bool load(struct master *master, struct report *report, int64_t now_ms)
{
	struct services *services =
	    services_load(master->options->directory, &master->shared, report);
	const struct settings *settings;
	struct log *log;

	if (services == NULL)
		return false;
	settings = services->configuration->settings;
	if (strcmp(settings->proxy_runtime_directory,
		master->runtime_directory) != 0)
		report_add(report, REPORT_WARNING,
		    settings_place(settings, "proxy_runtime_directory"),
		    "proxy_runtime_directory = %s: takes effect after a stop "
		    "and a start, not at a reload",
		    settings->proxy_runtime_directory);
	log = master_open_log(master->options, settings, report);
	if (log != NULL)
		return reload_begin(master, services, log, report, now_ms);
	services_destroy(&services);
	return false;
}

bool reload_begin(struct master *master, struct services *services,
    struct log *log, struct report *report, int64_t now_ms)
{
	struct generation *generation = generation_create(
	    master->last_number + 1, services, log, master->state, report);

	assert(master->coming == COMING_NONE);
	if (generation == NULL) {
		services_destroy(&services);
		log_destroy(&log);
		master_release_names(master);
		return false;
	}
	/* A bind that fails behind it leaves the keys changed, at worst: those
	 * that were there are honoured all the same. */
	if (!ticket_rotation_configure(
		master->shared.ticket_keys, services, report) ||
	    !metrics_listen_bind(
		&master->metrics, services, generation->http_fds, report) ||
	    !sockets_bind(
		master->sockets, services, generation->worker_count, report)) {
		keep_metrics(master);
		generation_destroy(&generation);
		master_release_names(master);
		return false;
	}
	master->rotate_at_s = 0;
	master->last_number++;
	generation->older = master->newest;
	master->newest = generation;
	master->coming = COMING_AFTER_CONTROL;
	master->coming_until_ms = now_ms + CONTROL_END_MS;
	if (master->current != NULL)
		process_order(&master->current->control, WORKER_STOP, 0);
	return true;
}

void reload_ask(struct master *master)
{
	if (master->is_stopping)
		return;
	if (master->coming != COMING_NONE || master->trial.pid != 0) {
		master->reload_again = true;
		return;
	}
	if (trial_start(&master->trial, master->options->directory))
		return;
	log_line(master_log(master), LOG_LEVEL_ERROR, NULL,
	    "cannot start a process to check the configuration: %s",
	    strerror(errno));
	count_failure(master);
}

void reload_hear_trial(struct master *master, int64_t now_ms)
{
	struct report report;
	size_t told;
	bool done;

	report_init(&report);
	if (trial_listen(&master->trial, &report)) {
		findings_log(&report, 0, master_log(master), LOG_LEVEL_ERROR);
		told = report.message_count;
		done = report.error_count == 0;
		if (done) {
			report_finish(&report);
			report_init(&report);
			told = 0;
			done = load(master, &report, now_ms);
		}
		if (!done) {
			findings_log(
			    &report, told, master_log(master), LOG_LEVEL_ERROR);
			count_failure(master);
		}
	}
	report_finish(&report);
}

void reload_lost_process(struct master *master, int64_t now_ms)
{
	abandon(master, "one of its processes ended; the lines before say why",
	    now_ms);
}

void reload_advance(struct master *master, int64_t now_ms)
{
	switch (master->coming) {
	case COMING_NONE:
		return;
	case COMING_AFTER_CONTROL:
		start_control(master, now_ms);
		return;
	case COMING_PROBES:
		start_workers(master, now_ms);
		return;
	case COMING_STARTS:
		await_workers(master, now_ms);
		return;
	}
}
