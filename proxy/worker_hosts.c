/* SPDX-License-Identifier: Apache-2.0 */
/* Where backends are: control asks DNS for their names, again and again as the
 * TTL says, and tells the workers through the state. What was good stays when
 * an answer does not come. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/address.h"
#include "proxy/host_addresses.h"
#include "proxy/worker_internal.h"

/* Whatever the TTL says. */
#define AGAIN_S_MIN	   1
#define AGAIN_S_MAX	   3600
#define AGAIN_FAILED_S_MAX 5

#define NO_ADDRESS \
	"it has no address of the families that inet_protocols allows"

enum { QUESTION_IPV4, QUESTION_IPV6, QUESTION_COUNT };

struct host;

struct question {
	struct host *host;
	bool is_open;
	bool is_failed;	 /* what came was no answer */
	const char *why; /* it has no address; static */
};

struct host {
	struct worker *worker;
	const struct backend *first; /* of `slots` in line */
	size_t slots;
	unsigned families; /* ADDRESS_… */
	struct question questions[QUESTION_COUNT];
	struct host_addresses found;
	uint32_t ttl_s;
	int64_t next_ms; /* DEADLINE_NONE: it is being asked */
	bool is_failing; /* that was told */
	size_t told_unused;
};

struct worker_hosts {
	struct host hosts[STATE_BACKENDS_MAX];
	size_t count;
};

static struct state_backend *state_of(const struct host *host, size_t slot)
{
	return &host->worker->env.state
		    ->backends[host->first[slot].state_index];
}

static void read_slots(const struct host *host, struct client_address *out)
{
	struct state_backend seen;

	for (size_t i = 0; i < host->slots; i++) {
		state_backend_read(state_of(host, i), &seen);
		client_address_read(&seen.address, &out[i]);
	}
}

static void make_address(const struct client_address *address, uint16_t port,
    struct sockaddr_in6 *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (address->len == 4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, address->bytes, 4);
	} else if (address->len == 16) {
		out->sin6_family = AF_INET6;
		out->sin6_port = htons(port);
		memcpy(&out->sin6_addr, address->bytes, 16);
	}
}

static const char *print(
    const struct client_address *address, char out[INET6_ADDRSTRLEN])
{
	if (address->len == 0)
		return "none";
	return inet_ntop(address->len == 4 ? AF_INET : AF_INET6, address->bytes,
	    out, INET6_ADDRSTRLEN);
}

static void move(const struct host *host, size_t slot,
    const struct client_address *from, const struct client_address *to)
{
	const struct backend *backend = &host->first[slot];
	struct worker *worker = host->worker;
	char before[INET6_ADDRSTRLEN], now[INET6_ADDRSTRLEN];
	struct sockaddr_in6 address;

	make_address(to, service_backend_port(backend), &address);
	state_backend_move(state_of(host, slot), &address, worker->env.now_ms);
	worker_probe_wake(worker, backend->state_index);
	if (from->len == 0)
		log_line(worker->options->log, LOG_LEVEL_INFO, NULL,
		    "backend %s: its address is %s", backend->name,
		    print(to, now));
	else
		log_line(worker->options->log, LOG_LEVEL_INFO, NULL,
		    "backend %s: its address is %s now, and was %s",
		    backend->name, print(to, now), print(from, before));
}

static void fail(struct host *host, const char *why)
{
	struct client_address of_slots[SERVICE_ADDRESSES_MAX];
	struct worker *worker = host->worker;
	static const struct sockaddr_in6 none;
	struct state_backend seen;

	read_slots(host, of_slots);
	state_backend_read(state_of(host, 0), &seen);
	if (of_slots[0].len == 0 && seen.probes == 0)
		state_backend_move(
		    state_of(host, 0), &none, worker->env.now_ms);
	if (!host->is_failing)
		log_line(worker->options->log, LOG_LEVEL_WARNING, NULL,
		    "backend %s: %s cannot be looked up: %s; %s",
		    host->first->name, host->first->host, why,
		    of_slots[0].len == 0 ? "it is down until it has an address"
					 : "it stays at its last good address");
	host->is_failing = true;
}

static void tell_unused(struct host *host)
{
	if (host->found.count > host->slots &&
	    host->found.count != host->told_unused)
		log_line(host->worker->options->log, LOG_LEVEL_WARNING, NULL,
		    "backend %s: %s has %zu addresses, of which %zu are used; "
		    "proxy_backend can say addresses=%zu (at most %d)",
		    host->first->name, host->first->host, host->found.count,
		    host->slots, host->found.count, SERVICE_ADDRESSES_MAX);
	host->told_unused = host->found.count;
}

static void use(struct host *host)
{
	struct client_address before[SERVICE_ADDRESSES_MAX];
	struct client_address now[SERVICE_ADDRESSES_MAX];

	read_slots(host, before);
	/* Of a family that could not be asked for, what there was is good. */
	for (size_t i = 0; i < host->slots; i++)
		if ((before[i].len == 4 &&
			host->questions[QUESTION_IPV4].is_failed) ||
		    (before[i].len == 16 &&
			host->questions[QUESTION_IPV6].is_failed))
			host_addresses_add(&host->found, &before[i]);
	memcpy(now, before, sizeof(now));
	host_addresses_assign(&host->found, now, host->slots);
	for (size_t i = 0; i < host->slots; i++)
		if (memcmp(&before[i], &now[i], sizeof(now[i])) != 0)
			move(host, i, &before[i], &now[i]);
	tell_unused(host);
	if (host->is_failing)
		log_line(host->worker->options->log, LOG_LEVEL_INFO, NULL,
		    "backend %s: %s can be looked up again", host->first->name,
		    host->first->host);
	host->is_failing = false;
}

static const char *fault_of(const struct host *host)
{
	for (size_t i = 0; i < QUESTION_COUNT; i++)
		if (host->questions[i].why != NULL)
			return host->questions[i].why;
	return NO_ADDRESS;
}

static void settle(struct host *host)
{
	int64_t again_s = host->ttl_s;
	int64_t again_s_max = AGAIN_S_MAX;

	if (host->found.count == 0) {
		fail(host, fault_of(host));
		again_s_max = AGAIN_FAILED_S_MAX;
	} else {
		use(host);
	}
	if (again_s < AGAIN_S_MIN)
		again_s = AGAIN_S_MIN;
	if (again_s > again_s_max)
		again_s = again_s_max;
	host->next_ms = host->worker->env.now_ms + again_s * 1000;
}

static void take(
    struct host *host, const struct resolver_answer *answer, size_t address_len)
{
	struct client_address address = {.len = (uint8_t)address_len};

	for (size_t i = 0; i < answer->count; i++) {
		if (answer->len[i] != (int)address_len)
			continue;
		memcpy(address.bytes, answer->data[i], address_len);
		host_addresses_add(&host->found, &address);
	}
}

static void answered(void *argument, const struct resolver_answer *answer)
{
	struct question *question = argument;
	struct host *host = question->host;
	bool is_ipv4 = question == &host->questions[QUESTION_IPV4];

	question->is_open = false;
	question->is_failed = answer->why != NULL;
	question->why = answer->why;
	/* Nobody is served any more. */
	if (host->worker->stopping || host->worker->retiring)
		return;
	if (answer->ttl_s < host->ttl_s)
		host->ttl_s = answer->ttl_s;
	if (answer->no_such_name)
		question->why = "there is no such name in DNS";
	take(host, answer, is_ipv4 ? 4 : 16);
	if (!host->questions[QUESTION_IPV4].is_open &&
	    !host->questions[QUESTION_IPV6].is_open)
		settle(host);
}

static void ask(struct host *host)
{
	static const struct resolver_answer busy = {
	    .why = "too many questions are open",
	    .ttl_s = AGAIN_S_MIN,
	};
	static const struct {
		unsigned family;
		int type;
	} kinds[QUESTION_COUNT] = {
	    [QUESTION_IPV4] = {ADDRESS_IPV4, RESOLVER_TYPE_A},
	    [QUESTION_IPV6] = {ADDRESS_IPV6, RESOLVER_TYPE_AAAA},
	};
	struct resolver *resolver = worker_names_resolver(host->worker);
	struct resolver_query query = {
	    .name = host->first->host,
	    .done = answered,
	};

	host->found.count = 0;
	host->ttl_s = UINT32_MAX;
	host->next_ms = DEADLINE_NONE;
	/* All at first: an answer may come before resolver_query returns. */
	for (size_t i = 0; i < QUESTION_COUNT; i++) {
		host->questions[i].is_open =
		    (host->families & kinds[i].family) != 0;
		host->questions[i].is_failed = false;
		host->questions[i].why = NULL;
	}
	for (size_t i = 0; i < QUESTION_COUNT; i++) {
		if ((host->families & kinds[i].family) == 0)
			continue;
		query.type = kinds[i].type;
		query.argument = &host->questions[i];
		if (!resolver_query(resolver, &query, host->worker->env.now_ms))
			answered(query.argument, &busy);
	}
}

static void add(struct worker *worker, const struct service *service, size_t at)
{
	const struct backend *backend = &service->backends[at];
	struct worker_hosts *hosts = worker->hosts;
	struct host *host = &hosts->hosts[hosts->count];

	for (size_t i = 0; i < hosts->count; i++)
		if (hosts->hosts[i].first->state_index == backend->state_index)
			return;
	host->worker = worker;
	host->first = backend;
	host->families = address_families(service->settings->inet_protocols);
	while (at + host->slots < service->backend_count &&
	       backend[host->slots].is_looked_up &&
	       backend[host->slots].slot == host->slots)
		host->slots++;
	for (size_t i = 0; i < QUESTION_COUNT; i++)
		host->questions[i].host = host;
	host->next_ms = worker->env.now_ms;
	hosts->count++;
}

void worker_hosts_init(struct worker *worker)
{
	const struct services *services = worker->options->services;

	if (!worker->options->is_control)
		return;
	worker->hosts = calloc(1, sizeof(*worker->hosts));
	if (worker->hosts == NULL)
		return;
	for (size_t i = 0; i < services->count; i++) {
		const struct service *service = &services->services[i];

		for (size_t j = 0; j < service->backend_count; j++)
			if (service->backends[j].is_looked_up &&
			    service->backends[j].slot == 0)
				add(worker, service, j);
	}
}

void worker_hosts_run(struct worker *worker)
{
	struct worker_hosts *hosts = worker->hosts;

	if (hosts == NULL || worker->stopping || worker->retiring)
		return;
	for (size_t i = 0; i < hosts->count; i++) {
		if (worker->env.now_ms < hosts->hosts[i].next_ms)
			continue;
		if (worker_names_resolver(worker) != NULL) {
			ask(&hosts->hosts[i]);
		} else {
			fail(&hosts->hosts[i], "DNS cannot be asked");
			hosts->hosts[i].next_ms = DEADLINE_NONE;
		}
	}
}

int64_t worker_hosts_next_ms(const struct worker *worker)
{
	int64_t next_ms = DEADLINE_NONE;

	if (worker->hosts == NULL || worker->stopping || worker->retiring)
		return next_ms;
	for (size_t i = 0; i < worker->hosts->count; i++)
		if (worker->hosts->hosts[i].next_ms < next_ms)
			next_ms = worker->hosts->hosts[i].next_ms;
	return next_ms;
}
