/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/top_view.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "proxy/flow_metrics.h"

static const char *const sorts[] = {
    [TOP_BY_SESSIONS] = "sessions",
    [TOP_BY_OCTETS] = "bytes",
    [TOP_BY_MESSAGES] = "messages",
    [TOP_BY_AGE] = "age",
};

const char *top_sort_word(enum top_sort sort)
{
	return sorts[sort];
}

enum top_sort top_sort_find(const char *word)
{
	int sort = 0;

	while (sort < TOP_SORT_COUNT && strcmp(sorts[sort], word) != 0)
		sort++;
	return (enum top_sort)sort;
}

/* A master that was started anew counts from 0. */
static uint64_t increase(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

static double share(uint64_t part, uint64_t whole)
{
	return whole == 0 ? -1 : (double)part / (double)whole;
}

/* In seconds; linear within a bucket, as histogram_quantile() of Prometheus. */
static double quantile(const struct top_histogram *now,
    const struct top_histogram *before, enum metric_buckets buckets, double q)
{
	size_t bound_count;
	const uint64_t *bounds = metric_bounds(buckets, &bound_count);
	uint64_t counts[METRIC_BOUNDS_MAX + 1];
	double wanted, seen = 0;
	uint64_t all = 0;
	size_t i = 0;

	for (size_t j = 0; j <= bound_count; j++) {
		counts[j] = increase(now->counts[j], before->counts[j]);
		all += counts[j];
	}
	if (all == 0)
		return -1;
	wanted = q * (double)all;
	while (i < bound_count && seen + (double)counts[i] < wanted)
		seen += (double)counts[i++];
	if (i == bound_count) /* beyond the last bound: it is at least that */
		return (double)bounds[bound_count - 1] / 1e6;
	return ((i == 0 ? 0 : (double)bounds[i - 1]) +
		   (double)(bounds[i] - (i == 0 ? 0 : bounds[i - 1])) *
		       (wanted - seen) / (double)counts[i]) /
	       1e6;
}

/* Of what came in between; of all that there was, when nothing did. */
static double recent_share(const struct top_totals *now,
    const struct top_totals *before, enum top_counter part)
{
	uint64_t whole = increase(
	    now->counters[TOP_HANDSHAKES], before->counters[TOP_HANDSHAKES]);

	if (whole == 0)
		return share(
		    now->counters[part], now->counters[TOP_HANDSHAKES]);
	return share(
	    increase(now->counters[part], before->counters[part]), whole);
}

static void make_rates(struct top_view *view, const struct top_totals *before)
{
	const struct top_totals *now = &view->now->totals;

	for (int i = 0; i < TOP_COUNTER_COUNT && view->elapsed_s > 0; i++)
		view->rates[i] =
		    (double)increase(now->counters[i], before->counters[i]) /
		    view->elapsed_s;
	view->forward_secrecy = recent_share(now, before, TOP_FORWARD_SECRET);
	view->post_quantum = recent_share(now, before, TOP_POST_QUANTUM);
	view->resumed = recent_share(now, before, TOP_RESUMED);
	view->handshake_p50_s = quantile(&now->handshakes, &before->handshakes,
	    METRIC_BUCKETS_HANDSHAKE, 0.5);
	view->handshake_p95_s = quantile(&now->handshakes, &before->handshakes,
	    METRIC_BUCKETS_HANDSHAKE, 0.95);
}

static int by_rate(const void *left, const void *right)
{
	const struct top_group_rate *a = left, *b = right;

	if (a->rate != b->rate)
		return a->rate > b->rate ? -1 : 1;
	if (a->total != b->total)
		return a->total > b->total ? -1 : 1;
	return strcmp(a->name, b->name);
}

static uint64_t handshakes_before(
    const struct top_totals *before, const char *name)
{
	for (size_t i = 0; i < before->group_count; i++)
		if (strcmp(before->groups[i].name, name) == 0)
			return before->groups[i].handshakes;
	return 0;
}

static void make_groups(struct top_view *view, const struct top_totals *before)
{
	const struct top_totals *now = &view->now->totals;

	view->group_count = now->group_count;
	for (size_t i = 0; i < now->group_count; i++) {
		struct top_group_rate *group = &view->groups[i];

		memcpy(group->name, now->groups[i].name, sizeof(group->name));
		group->total = now->groups[i].handshakes;
		if (view->elapsed_s > 0)
			group->rate =
			    (double)increase(group->total,
				handshakes_before(before, group->name)) /
			    view->elapsed_s;
	}
	qsort(
	    view->groups, view->group_count, sizeof(view->groups[0]), by_rate);
}

static void make_backends(
    struct top_view *view, const struct top_totals *before)
{
	static const struct top_backend none;
	const struct top_totals *now = &view->now->totals;

	for (size_t i = 0; i < now->backend_count; i++) {
		const struct top_backend *backend = &now->backends[i];
		const struct top_backend *old = &none;

		for (size_t j = 0; j < before->backend_count; j++)
			if (strcmp(before->backends[j].name, backend->name) ==
			    0)
				old = &before->backends[j];
		view->reply_p50_s[i] = quantile(&backend->replies,
		    &old->replies, METRIC_BUCKETS_BACKEND, 0.5);
		view->reply_p95_s[i] = quantile(&backend->replies,
		    &old->replies, METRIC_BUCKETS_BACKEND, 0.95);
		if (view->elapsed_s > 0)
			view->connect_rates[i] =
			    (double)increase(backend->connects, old->connects) /
			    view->elapsed_s;
	}
}

static void write_address(
    const struct top_session *session, char out[INET6_ADDRSTRLEN])
{
	if (session->is_unix)
		snprintf(out, INET6_ADDRSTRLEN, "local");
	else if (IN6_IS_ADDR_V4MAPPED(&session->address))
		inet_ntop(AF_INET, &session->address.s6_addr[12], out,
		    INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &session->address, out, INET6_ADDRSTRLEN);
}

static const char *state_of(const struct top_session *session)
{
	return session->flow_state <= FLOW_CLOSED
		   ? flow_state_word((enum flow_state)session->flow_state)
		   : "?";
}

static bool is_wanted(
    const struct top_session *session, const char *address, const char *filter)
{
	return filter[0] == '\0' || strstr(address, filter) != NULL ||
	       strstr(session->listener, filter) != NULL ||
	       strstr(session->backend, filter) != NULL ||
	       strstr(session->group, filter) != NULL ||
	       strstr(state_of(session), filter) != NULL;
}

static int by_address(const void *left, const void *right)
{
	const struct top_client *a = left, *b = right;
	int order = strcmp(a->address, b->address);

	if (order != 0)
		return order;
	if (a->oldest_s != b->oldest_s)
		return a->oldest_s < b->oldest_s ? -1 : 1;
	return 0;
}

static int compare(uint64_t a, uint64_t b)
{
	return a == b ? 0 : a > b ? -1 : 1;
}

static int by_sessions(const void *left, const void *right)
{
	const struct top_client *a = left, *b = right;
	int order = compare(a->sessions, b->sessions);

	return order != 0 ? order : by_address(left, right);
}

static int by_octets(const void *left, const void *right)
{
	const struct top_client *a = left, *b = right;
	int order = compare(a->octets, b->octets);

	return order != 0 ? order : by_address(left, right);
}

static int by_messages(const void *left, const void *right)
{
	const struct top_client *a = left, *b = right;
	int order = compare(a->messages, b->messages);

	return order != 0 ? order : by_address(left, right);
}

static int by_age(const void *left, const void *right)
{
	const struct top_client *a = left, *b = right;

	if (a->oldest_s != b->oldest_s)
		return a->oldest_s < b->oldest_s ? -1 : 1;
	return by_address(left, right);
}

/* Of neighbours with one address, the oldest first, one. */
static void merge_clients(struct top_view *view)
{
	size_t kept = 0;

	for (size_t i = 0; i < view->client_count; i++) {
		const struct top_client *next = &view->clients[i];
		struct top_client *last =
		    kept == 0 ? NULL : &view->clients[kept - 1];

		if (last == NULL || strcmp(last->address, next->address) != 0) {
			view->clients[kept++] = *next;
			continue;
		}
		last->sessions += next->sessions;
		last->in_clear += next->in_clear;
		last->not_secret += next->not_secret;
		last->octets += next->octets;
		last->messages += next->messages;
		last->commands += next->commands;
	}
	view->client_count = kept;
}

static bool make_clients(struct top_view *view)
{
	static int (*const orders[])(const void *, const void *) = {
	    [TOP_BY_SESSIONS] = by_sessions,
	    [TOP_BY_OCTETS] = by_octets,
	    [TOP_BY_MESSAGES] = by_messages,
	    [TOP_BY_AGE] = by_age,
	};
	const struct top_sample *now = view->now;

	view->clients =
	    calloc(now->session_count + 1, sizeof(view->clients[0]));
	if (view->clients == NULL)
		return false;
	for (size_t i = 0; i < now->session_count; i++) {
		const struct top_session *session = &now->sessions[i];
		struct top_client *client = &view->clients[view->client_count];

		write_address(session, client->address);
		if (!is_wanted(session, client->address, view->filter))
			continue;
		view->client_count++;
		client->sessions = 1;
		client->in_clear = !session->in_tls;
		client->not_secret =
		    session->in_tls && !session->forward_secret;
		client->octets = session->octets;
		client->messages = session->messages;
		client->commands = session->commands;
		client->oldest_s = session->begun_s;
		client->listener = session->listener;
		client->state = state_of(session);
	}
	view->matched = view->client_count;
	qsort(view->clients, view->client_count, sizeof(view->clients[0]),
	    by_address);
	merge_clients(view);
	qsort(view->clients, view->client_count, sizeof(view->clients[0]),
	    orders[view->sort]);
	return true;
}

bool top_view_make(struct top_view *view, const struct top_sample *now,
    const struct top_totals *before, enum top_sort sort, const char *filter)
{
	static const struct top_totals nothing;

	*view = (struct top_view){.now = now, .sort = sort};
	snprintf(view->filter, sizeof(view->filter), "%s", filter);
	if (before == NULL)
		before = &nothing;
	else
		view->elapsed_s =
		    (double)(now->totals.at_us - before->at_us) / 1e6;
	make_rates(view, before);
	make_groups(view, before);
	make_backends(view, before);
	return make_clients(view);
}

void top_view_finish(struct top_view *view)
{
	free(view->clients);
	view->clients = NULL;
}

static json_t *json_share(double value)
{
	return value < 0 ? json_null() : json_real(value);
}

static json_t *json_groups(const struct top_view *view)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < view->group_count; i++)
		json_array_append_new(groups,
		    json_pack("{s:s,s:f,s:I}", "name", view->groups[i].name,
			"handshakes_per_second", view->groups[i].rate,
			"handshakes", (json_int_t)view->groups[i].total));
	return groups;
}

static json_t *json_backends(const struct top_view *view)
{
	const struct top_totals *now = &view->now->totals;
	json_t *backends = json_array();

	for (size_t i = 0; i < now->backend_count; i++)
		json_array_append_new(backends,
		    json_pack("{s:s,s:b,s:I,s:f,s:I,s:I,s:o,s:o}", "name",
			now->backends[i].name, "up", now->backends[i].is_up,
			"sessions", (json_int_t)now->backends[i].sessions,
			"connects_per_second", view->connect_rates[i],
			"connects", (json_int_t)now->backends[i].connects,
			"failures", (json_int_t)now->backends[i].failures,
			"reply_p50_seconds", json_share(view->reply_p50_s[i]),
			"reply_p95_seconds", json_share(view->reply_p95_s[i])));
	return backends;
}

static json_t *json_clients(const struct top_view *view)
{
	json_t *clients = json_array();

	for (size_t i = 0; i < view->client_count; i++) {
		const struct top_client *client = &view->clients[i];

		json_array_append_new(clients,
		    json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s,s:s}",
			"address", client->address, "sessions",
			(json_int_t)client->sessions, "in_clear",
			(json_int_t)client->in_clear, "without_forward_secrecy",
			(json_int_t)client->not_secret, "bytes",
			(json_int_t)client->octets, "messages",
			(json_int_t)client->messages, "commands",
			(json_int_t)client->commands, "oldest_seconds",
			(json_int_t)(view->now->now_s - client->oldest_s),
			"listener", client->listener, "state", client->state));
	}
	return clients;
}

static json_t *json_summary(const struct top_view *view)
{
	static const char *const names[] = {
	    [TOP_ACCEPTED] = "sessions_accepted",
	    [TOP_REFUSED] = "sessions_refused",
	    [TOP_MESSAGES] = "messages",
	    [TOP_OCTETS_IN] = "bytes_in",
	    [TOP_OCTETS_OUT] = "bytes_out",
	    [TOP_HANDSHAKES] = "handshakes",
	    [TOP_HANDSHAKES_FAILED] = "handshakes_failed",
	    [TOP_RESUMED] = "handshakes_resumed",
	    [TOP_FORWARD_SECRET] = "handshakes_forward_secret",
	    [TOP_POST_QUANTUM] = "handshakes_post_quantum",
	    [TOP_EDH_CPU_US] = "edh_cpu_microseconds",
	    [TOP_CPU_US] = "cpu_microseconds",
	};
	json_t *summary = json_object();

	for (int i = 0; i < TOP_COUNTER_COUNT; i++)
		json_object_set_new(summary, names[i],
		    json_pack("{s:I,s:f}", "total",
			(json_int_t)view->now->totals.counters[i], "per_second",
			view->rates[i]));
	return summary;
}

bool top_view_json(FILE *out, const struct top_view *view)
{
	const struct top_sample *now = view->now;
	json_t *object = json_pack(
	    "{s:i,s:i,s:i,s:I,s:I,s:f,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,"
	    "s:o}",
	    "master", (int)now->master, "generation", (int)now->generation,
	    "workers", (int)now->workers, "worker_restarts",
	    (json_int_t)now->worker_restarts, "uptime_seconds",
	    (json_int_t)(now->now_s - now->started_s), "interval_seconds",
	    view->elapsed_s, "sessions_open", (json_int_t)now->sessions_open,
	    "sessions_matched", (json_int_t)view->matched, "counters",
	    json_summary(view), "forward_secrecy",
	    json_share(view->forward_secrecy), "post_quantum",
	    json_share(view->post_quantum), "resumed",
	    json_share(view->resumed), "handshake_p50_seconds",
	    json_share(view->handshake_p50_s), "handshake_p95_seconds",
	    json_share(view->handshake_p95_s), "groups", json_groups(view),
	    "backends", json_backends(view), "clients", json_clients(view));
	bool done =
	    object != NULL &&
	    json_dumpf(object, out, JSON_INDENT(1) | JSON_ENSURE_ASCII) == 0;

	fputc('\n', out);
	json_decref(object);
	return done;
}
