/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/status.h"

#include <arpa/inet.h>
#include <inttypes.h>

static uint64_t gauge_of(const struct state_block *block, enum metric metric)
{
	const struct metric_family *family = &metric_families[metric];
	uint64_t sum = 0;

	for (size_t i = 0; i < family->values[0]; i++)
		sum +=
		    atomic_load_explicit(&block->cells[family->first_cell + i],
			memory_order_relaxed);
	return sum;
}

static void print_block(FILE *out, const struct state_block *block)
{
	unsigned index = atomic_load(&block->index);
	unsigned generation = atomic_load(&block->generation);
	int pid = atomic_load(&block->pid);

	/* Claimed for a process that has not begun. A script would kill 0. */
	if (pid == 0)
		return;
	switch ((enum state_role)atomic_load(&block->role)) {
	case STATE_FREE:
		return;
	case STATE_WORKER:
		fprintf(out,
		    "worker %u pid %d generation %u sessions %" PRIu64
		    " buffers %" PRIu64 "\n",
		    index, pid, generation,
		    gauge_of(block, METRIC_sessions_open),
		    gauge_of(block, METRIC_buffers_in_use));
		return;
	case STATE_CONTROL:
		fprintf(out, "control pid %d generation %u\n", pid, generation);
		return;
	}
}

/* Of one that is looked up in DNS. */
static void print_address(FILE *out, const struct state_backend *backend)
{
	const struct sockaddr_in6 *v6 = &backend->address;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)v6;
	char text[INET6_ADDRSTRLEN];

	if (v6->sin6_family == AF_INET)
		fprintf(out, " address %s",
		    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text)));
	else if (v6->sin6_family == AF_INET6)
		fprintf(out, " address %s",
		    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text)));
}

static void print_backend(FILE *out, const struct state *state, size_t index)
{
	const struct state_backend *backend = &state->backends[index];
	struct state_backend seen;

	state_backend_read(backend, &seen);
	if (seen.name[0] == '\0' || state_backend_is_spare(&seen))
		return;
	fprintf(out, "backend %s %s", seen.name,
	    seen.probes == 0 ? "unknown"
	    : seen.up	     ? "up"
			     : "down");
	fprintf(out, " sessions %" PRIu64 " breakers_open %" PRIu64,
	    state_cell_total(state, METRIC_CELL_backend_places_taken + index),
	    state_cell_total(state, METRIC_CELL_backend_breakers_open + index));
	print_address(out, &seen);
	for (int i = 0; i < SMTP_KEYWORD_COUNT && seen.ever_reached; i++)
		if (smtp_ehlo_has(&seen.ehlo, (enum smtp_keyword)i))
			fprintf(out, " %s",
			    smtp_keyword_name((enum smtp_keyword)i));
	fputc('\n', out);
}

static void print_total(
    FILE *out, const struct state *state, enum metric metric)
{
	const struct metric_family *family = &metric_families[metric];
	uint64_t total = state_metric_total(state, metric);

	if (family->storage == METRIC_COMPUTED ||
	    family->type == METRIC_HISTOGRAM)
		return;
	if (family->unit == METRIC_SECONDS)
		fprintf(out, "%s %" PRIu64 ".%06u\n", family->symbol,
		    total / 1000000, (unsigned)(total % 1000000));
	else
		fprintf(out, "%s %" PRIu64 "\n", family->symbol, total);
}

static void print_counters(FILE *out, const struct state *state)
{
	for (int i = 0; i < METRIC_COUNT; i++)
		print_total(out, state, (enum metric)i);
	fprintf(out, "generation %u\n", atomic_load(&state->generation));
	fprintf(out, "worker_restarts %" PRIu64 "\n",
	    atomic_load(&state->worker_restarts));
	fprintf(out, "reloads %" PRIu64 "\n", atomic_load(&state->reloads));
	fprintf(out, "reloads_failed %" PRIu64 "\n",
	    atomic_load(&state->reloads_failed));
}

void status_print(FILE *out, pid_t master, const struct state *state)
{
	uint32_t count = atomic_load(&state->block_count);

	fprintf(out, "postern/master: running: PID: %d\n", (int)master);
	for (uint32_t i = 0; i < count && i < STATE_BLOCKS_MAX; i++)
		print_block(out, &state->blocks[i]);
	for (size_t i = 0; i < STATE_BACKENDS_MAX; i++)
		print_backend(out, state, i);
	print_counters(out, state);
}
