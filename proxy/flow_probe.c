/* SPDX-License-Identifier: Apache-2.0 */
/* What comes of a health check: the state that all processes read, and a line
 * for each change in it. */
#include <stdio.h>
#include <string.h>

#include "proxy/flow_internal.h"
#include "proxy/flow_metrics.h"

/* Each keyword and its argument, with a sign in front. */
#define CHANGES_SIZE (2 * (SMTP_EHLO_ARGUMENTS_SIZE + SMTP_KEYWORD_COUNT * 24))

struct changes {
	char text[CHANGES_SIZE];
	size_t len;
};

/* " +SIZE 1000" */
static void add_change(struct changes *changes, char sign,
    const struct smtp_ehlo *ehlo, enum smtp_keyword keyword)
{
	size_t room = sizeof(changes->text) - changes->len;
	int argument_len = ehlo->argument_len[keyword];
	int len = snprintf(changes->text + changes->len, room, " %c%s%s%.*s",
	    sign, smtp_keyword_name(keyword), argument_len > 0 ? "=" : "",
	    argument_len, ehlo->arguments + ehlo->argument_at[keyword]);

	changes->len += (size_t)len < room ? (size_t)len : room - 1;
}

static bool has_same(const struct smtp_ehlo *one, const struct smtp_ehlo *other,
    enum smtp_keyword keyword)
{
	return one->argument_len[keyword] == other->argument_len[keyword] &&
	       memcmp(one->arguments + one->argument_at[keyword],
		   other->arguments + other->argument_at[keyword],
		   one->argument_len[keyword]) == 0;
}

/* "backend X: EHLO now offers +CHUNKING -SIZE=1000" */
static void log_offer(const struct flow *flow,
    const struct flow_environment *env, const struct smtp_ehlo *before,
    const struct smtp_ehlo *now)
{
	struct changes changes = {.len = 0};

	for (int i = 0; i < SMTP_KEYWORD_COUNT; i++) {
		enum smtp_keyword keyword = (enum smtp_keyword)i;
		bool had = smtp_ehlo_has(before, keyword);
		bool has = smtp_ehlo_has(now, keyword);

		if (had && has && has_same(before, now, keyword))
			continue;
		if (has)
			add_change(&changes, '+', now, keyword);
		if (had)
			add_change(&changes, '-', before, keyword);
	}
	if (changes.len > 0)
		log_line(env->log, LOG_LEVEL_INFO, NULL,
		    "backend %s: EHLO now offers%s", flow_backend(flow)->name,
		    changes.text);
}

static void log_state(
    const struct flow *flow, const struct flow_environment *env, bool is_up)
{
	const struct settings *settings = flow->service->settings;

	if (is_up)
		log_line(env->log, LOG_LEVEL_INFO, NULL,
		    "backend %s: is up: %u health checks in a row ended well",
		    flow_backend(flow)->name,
		    (unsigned)settings->proxy_backend_probe_rise);
	else
		log_line(env->log, LOG_LEVEL_WARNING, NULL,
		    "backend %s: is down: %u health checks in a row failed",
		    flow_backend(flow)->name,
		    (unsigned)settings->proxy_backend_probe_fall);
}

void flow_publish_probe(struct flow *flow, struct flow_environment *env,
    const struct smtp_ehlo *ehlo)
{
	const struct settings *settings = flow->service->settings;
	struct state_backend *backend =
	    &env->state->backends[flow_backend(flow)->state_index];
	struct state_probe probe = {
	    .ehlo = ehlo,
	    .rise = (uint32_t)settings->proxy_backend_probe_rise,
	    .fall = (uint32_t)settings->proxy_backend_probe_fall,
	    .now_ms = env->now_ms,
	};
	struct state_backend before, now;

	state_backend_read(backend, &before);
	/* It moved meanwhile: this says nothing of the new address. */
	if (flow_backend(flow)->is_looked_up &&
	    memcmp(&before.address, &flow->backend_address,
		sizeof(before.address)) != 0)
		return;
	state_backend_publish(backend, &probe);
	state_backend_read(backend, &now);
	if (before.probes > 0 && before.up != now.up)
		log_state(flow, env, now.up);
	if (before.ever_reached && ehlo != NULL)
		log_offer(flow, env, &before.ehlo, ehlo);
}

void flow_finish_probe(struct flow *flow, struct flow_environment *env)
{
	bool done = flow->reason == CLOSE_PROBE_DONE;

	if (!done && flow->reason != CLOSE_STOPPED)
		flow_publish_probe(flow, env, NULL);
	flow_count_backend(
	    flow, env, done ? METRIC_probes_done : METRIC_probes_failed, 1);
}
