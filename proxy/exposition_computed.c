/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics that are made when they are asked for. */
#include "proxy/exposition.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "tls/describe.h"
#include "tls/ticket_keys.h"

#define LABELS_MAX 4

/* With the labels that the table gives the family. */
static void begin(
    const struct exposition *exposition, const char *const *values)
{
	char names[LABELS_MAX][32];
	const char *pointers[LABELS_MAX];
	const char *at = exposition->family->computed_labels;
	size_t count = 0;

	while (*at != '\0') {
		size_t len = strcspn(at, ",");

		assert(count < LABELS_MAX);
		snprintf(
		    names[count], sizeof(names[count]), "%.*s", (int)len, at);
		pointers[count] = names[count];
		count++;
		at += len + (at[len] == ',');
	}
	exposition_begin_sample(exposition, pointers, values, count);
}

static void print(const struct exposition *exposition,
    const char *const *values, uint64_t number)
{
	begin(exposition, values);
	fprintf(exposition->out, "%" PRIu64 "\n", number);
}

/* Below 0: nobody knows how long. */
static void print_age(const struct exposition *exposition,
    const char *const *values, int64_t age_s)
{
	begin(exposition, values);
	if (age_s < 0)
		fputs("+Inf\n", exposition->out);
	else
		fprintf(exposition->out, "%" PRId64 "\n", age_s);
}

static void certificates(const struct exposition *exposition)
{
	const struct services *services = exposition->source->services;

	for (size_t i = 0; i < services->count; i++) {
		const struct service *service = &services->services[i];
		size_t count =
		    service->tls == NULL
			? 0
			: tls_describe_certificate_count(service->tls);

		for (size_t j = 0; j < count; j++) {
			struct tls_certificate_description found;
			char number[8];
			const char *const values[] = {
			    service->listener->service, number, found.subject,
			    found.key_type};

			snprintf(number, sizeof(number), "%zu", j);
			tls_describe_certificate(service->tls, j, &found);
			print(exposition, values, (uint64_t)found.not_after_s);
		}
	}
}

static void edh_shares(const struct exposition *exposition)
{
	const struct services *services = exposition->source->services;
	uint32_t blocks = atomic_load(&exposition->source->state->block_count);
	uint32_t generation =
	    atomic_load(&exposition->source->state->generation);
	uint64_t workers = 0;

	for (uint32_t i = 0; i < blocks; i++) {
		const struct state_block *block =
		    &exposition->source->state->blocks[i];

		workers += atomic_load(&block->role) == STATE_WORKER &&
			   atomic_load(&block->generation) == generation;
	}
	for (size_t i = 0; i < services->count; i++) {
		const struct service *service = &services->services[i];
		const char *const values[] = {service->listener->service};

		begin(exposition, values);
		fprintf(exposition->out, "%.15g\n",
		    (double)workers *
			(double)service->settings->proxy_edh_cpu_share / 100);
	}
}

static void ticket_ages(const struct exposition *exposition)
{
	static const char *const issuing[] = {"issuing"};
	static const char *const oldest[] = {"oldest"};
	const struct exposition_source *source = exposition->source;
	const struct shared *shared = source->services->shared;
	int64_t age_s;

	if (shared == NULL)
		return;
	age_s = tls_ticket_keys_age(shared->ticket_keys, source->ticket_now_s);
	if (age_s == TLS_TICKET_KEY_NONE)
		return;
	print_age(exposition, issuing, age_s);
	print_age(exposition, oldest,
	    tls_ticket_keys_window(shared->ticket_keys, source->ticket_now_s));
}

static void ticket_window(const struct exposition *exposition)
{
	const struct exposition_source *source = exposition->source;
	const struct shared *shared = source->services->shared;

	if (shared != NULL)
		print_age(exposition, NULL,
		    tls_ticket_keys_window(
			shared->ticket_keys, source->ticket_now_s));
}

static void backends_up(const struct exposition *exposition)
{
	for (size_t i = 0; i < STATE_BACKENDS_MAX; i++) {
		struct state_backend seen;
		const char *const values[] = {seen.name};

		if (exposition->source->state->backends[i].name[0] == '\0')
			continue;
		state_backend_read(
		    &exposition->source->state->backends[i], &seen);
		if (seen.name[0] != '\0' && !state_backend_is_spare(&seen))
			print(exposition, values, seen.up);
	}
}

static void workers(const struct exposition *exposition)
{
	const struct state *state = exposition->source->state;
	uint32_t blocks = atomic_load(&state->block_count);
	uint64_t count = 0;

	for (uint32_t i = 0; i < blocks; i++)
		count += atomic_load(&state->blocks[i].role) == STATE_WORKER &&
			 atomic_load(&state->blocks[i].pid) != 0;
	print(exposition, NULL, count);
}

static void versions(const struct exposition *exposition)
{
	const char *const values[] = {POSTERN_VERSION,
	    exposition->source->openssl, exposition->source->liburing};

	print(exposition, values, 1);
}

void exposition_computed(const struct exposition *exposition)
{
	const struct state *state = exposition->source->state;
	enum metric metric =
	    (enum metric)(exposition->family - metric_families);

	/* Here and not in the table: each is as different as its cause. */
	if (metric == METRIC_certificate_not_after_timestamp_seconds)
		certificates(exposition);
	else if (metric == METRIC_edh_cpu_allowed_ratio)
		edh_shares(exposition);
	else if (metric == METRIC_ticket_key_age_seconds)
		ticket_ages(exposition);
	else if (metric == METRIC_ticket_window_seconds)
		ticket_window(exposition);
	else if (metric == METRIC_backend_up)
		backends_up(exposition);
	else if (metric == METRIC_workers)
		workers(exposition);
	else if (metric == METRIC_worker_restarts)
		print(exposition, NULL, atomic_load(&state->worker_restarts));
	else if (metric == METRIC_reloads)
		print(exposition, NULL, atomic_load(&state->reloads));
	else if (metric == METRIC_reloads_failed)
		print(exposition, NULL, atomic_load(&state->reloads_failed));
	else if (metric == METRIC_generation)
		print(exposition, NULL, atomic_load(&state->generation));
	else if (metric == METRIC_start_timestamp_seconds)
		print(exposition, NULL, (uint64_t)state->started_s);
	else if (metric == METRIC_build_info)
		versions(exposition);
	else
		assert(false); /* a row of the table without a maker */
}
