/* SPDX-License-Identifier: Apache-2.0 */
/* Three questions at the most (RFC 7672, 2.2): the address of the backend's
 * name, since without a signed one there is no point in the others; the records
 * of the name that it is an alias of; and those of the name itself. */
#include "proxy/dane_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proxy/resolver.h"

#define TYPE_TLSA 52
#define HEAD_LEN  3 /* usage, selector, matching type (RFC 6698, 2.1) */

/* However long it may be kept: who changes his keys should not wait for days.
 */
#define TTL_MAX_S 3600
/* Records change at that second; libunbound counts whole ones. */
#define LATER_MS 1000
#define AGAIN_MS 1000

struct target {
	struct dane_watch *watch;
	const struct backend *backend;
	uint16_t port;
	bool is_open; /* a question is under way */
	int64_t next_ms;
	uint32_t ttl_s; /* of all answers together */
	struct state_dane_answer found;
};

struct dane_watch {
	struct dane_watch_options options;
	struct resolver *resolver;
	int64_t now_ms;
	bool ends; /* what was not answered is not to be published */
	size_t count;
	struct target targets[STATE_BACKENDS_MAX];
};

static struct state_dane *place_of(const struct target *target)
{
	return &target->watch->options.state
		    ->danes[target->backend->state_index];
}

static void tell(const struct target *target, const char *why)
{
	const struct state_dane_answer *found = &target->found;
	struct log *log = target->watch->options.log;
	const char *name = target->backend->name;

	switch ((enum state_dane_status)found->status) {
	case STATE_DANE_UNKNOWN:
		break;
	case STATE_DANE_FAILED:
		log_line(log, LOG_LEVEL_WARNING, NULL,
		    "backend %s: DANE TLSA lookup problem: %s", name, why);
		break;
	case STATE_DANE_ABSENT:
		log_line(log, LOG_LEVEL_INFO, NULL,
		    "backend %s: no TLSA records found: %s", name, why);
		break;
	case STATE_DANE_PRESENT:
		log_line(log, LOG_LEVEL_INFO, NULL,
		    "backend %s: %u TLSA records at _%u._tcp.%s", name,
		    (unsigned)found->count, (unsigned)target->port,
		    found->base_domain);
		break;
	}
}

/* Only changes are published, and told. */
static void settle(
    struct target *target, enum state_dane_status status, const char *why)
{
	struct dane_watch *watch = target->watch;
	uint32_t ttl_s = target->ttl_s < TTL_MAX_S ? target->ttl_s : TTL_MAX_S;
	struct state_dane_answer before;

	target->found.status = status;
	target->is_open = false;
	target->next_ms = watch->now_ms + (int64_t)ttl_s * 1000 + LATER_MS;
	state_dane_read(place_of(target), &before);
	if (memcmp(&before, &target->found, sizeof(before)) == 0)
		return;
	state_dane_publish(place_of(target), &target->found);
	/* A name that is looked up has several backends, which all have the
	 * same records. */
	if (target->backend->slot == 0)
		tell(target, why);
}

static void ask(struct target *target, const char *name, int type,
    void (*done)(void *argument, const struct resolver_answer *answer))
{
	const struct resolver_query query = {
	    .name = name, .type = type, .argument = target, .done = done};

	if (!resolver_query(
		target->watch->resolver, &query, target->watch->now_ms)) {
		target->is_open = false;
		target->next_ms = target->watch->now_ms + AGAIN_MS;
	}
}

/* False when there is no answer to go on with. */
static bool take(struct target *target, const struct resolver_answer *answer)
{
	if (target->watch->ends)
		return false;
	if (answer->ttl_s < target->ttl_s)
		target->ttl_s = answer->ttl_s;
	if (answer->why == NULL)
		return true;
	memset(&target->found, 0, sizeof(target->found));
	settle(target, STATE_DANE_FAILED, answer->why);
	return false;
}

static bool add_record(
    struct state_dane_answer *found, const uint8_t *data, size_t len, size_t at)
{
	if (len < HEAD_LEN || found->count == STATE_DANE_RECORDS_MAX ||
	    at + len - HEAD_LEN > STATE_DANE_BYTES_MAX)
		return false;
	found->records[found->count++] =
	    (struct state_dane_record){.usage = data[0],
		.selector = data[1],
		.matching = data[2],
		.at = (uint16_t)at,
		.len = (uint16_t)(len - HEAD_LEN)};
	memcpy(found->bytes + at, data + HEAD_LEN, len - HEAD_LEN);
	return true;
}

/* DNS gives them in any order. */
static int compare(
    const uint8_t *one, size_t one_len, const uint8_t *other, size_t other_len)
{
	int order =
	    memcmp(one, other, one_len < other_len ? one_len : other_len);

	return order != 0 ? order
			  : (one_len > other_len) - (one_len < other_len);
}

/* The one behind `last`, in the order of their bytes; -1: that was all. */
static int next_record(const struct resolver_answer *answer, int last)
{
	int next = -1;

	for (int i = 0; i < (int)answer->count; i++) {
		if (last >= 0 &&
		    compare(answer->data[i], (size_t)answer->len[i],
			answer->data[last], (size_t)answer->len[last]) <= 0)
			continue;
		if (next < 0 ||
		    compare(answer->data[i], (size_t)answer->len[i],
			answer->data[next], (size_t)answer->len[next]) < 0)
			next = i;
	}
	return next;
}

static void take_records(
    struct target *target, const struct resolver_answer *answer)
{
	struct state_dane_answer *found = &target->found;
	size_t at = 0, left_out = 0;

	for (int i = next_record(answer, -1); i >= 0;
	     i = next_record(answer, i)) {
		if (add_record(
			found, answer->data[i], (size_t)answer->len[i], at))
			at += found->records[found->count - 1].len;
		else
			left_out++;
	}
	settle(target, STATE_DANE_PRESENT, NULL);
	if (left_out > 0 && target->backend->slot == 0)
		log_line(target->watch->options.log, LOG_LEVEL_WARNING, NULL,
		    "backend %s: %zu TLSA records are left out: there must not "
		    "be more than %d, with %d bytes",
		    target->backend->name, left_out, STATE_DANE_RECORDS_MAX,
		    STATE_DANE_BYTES_MAX);
}

static void records_answered(
    void *argument, const struct resolver_answer *answer);

static void ask_records(struct target *target, const char *domain)
{
	char name[STATE_DANE_NAME_SIZE + sizeof("_65535._tcp.")];

	memset(&target->found, 0, sizeof(target->found));
	snprintf(target->found.base_domain, sizeof(target->found.base_domain),
	    "%s", domain);
	snprintf(name, sizeof(name), "_%u._tcp.%s", (unsigned)target->port,
	    target->found.base_domain);
	ask(target, name, TYPE_TLSA, records_answered);
}

static void records_answered(
    void *argument, const struct resolver_answer *answer)
{
	struct target *target = argument;
	const char *host = target->backend->host;
	bool is_host = strcasecmp(target->found.base_domain, host) == 0;

	if (!take(target, answer))
		return;
	if (answer->count > 0 && answer->is_secure) {
		take_records(target, answer);
	} else if (!is_host) {
		ask_records(target, host);
	} else {
		memset(&target->found, 0, sizeof(target->found));
		settle(target, STATE_DANE_ABSENT,
		    answer->count > 0 ? "they are not signed"
				      : "there are none");
	}
}

static void address_answered(
    void *argument, const struct resolver_answer *answer)
{
	struct target *target = argument;

	if (!take(target, answer))
		return;
	if (!answer->is_secure) {
		memset(&target->found, 0, sizeof(target->found));
		settle(target, STATE_DANE_ABSENT,
		    "the address of its name is not signed");
		return;
	}
	ask_records(target, answer->canonical != NULL ? answer->canonical
						      : target->backend->host);
}

static void add(struct dane_watch *watch, const struct backend *backend)
{
	if (!backend->tls.dane.is_used)
		return;
	for (size_t i = 0; i < watch->count; i++)
		if (watch->targets[i].backend->state_index ==
		    backend->state_index)
			return;
	if (watch->count == STATE_BACKENDS_MAX)
		return;
	watch->targets[watch->count++] = (struct target){
	    .watch = watch,
	    .backend = backend,
	    .port = service_backend_port(backend),
	};
}

struct dane_watch *dane_watch_create(
    const struct dane_watch_options *options, const char **why_out)
{
	const struct services *services = options->services;
	struct dane_watch *watch = calloc(1, sizeof(*watch));

	*why_out = "out of memory";
	if (watch == NULL)
		return NULL;
	watch->options = *options;
	for (size_t i = 0; i < services->count; i++)
		for (size_t j = 0; j < services->services[i].backend_count; j++)
			add(watch, &services->services[i].backends[j]);
	*why_out = NULL;
	if (watch->count > 0)
		watch->resolver = resolver_create_validating(
		    services->configuration->settings, why_out);
	if (watch->resolver == NULL) {
		free(watch);
		return NULL;
	}
	return watch;
}

void dane_watch_destroy(struct dane_watch **watch)
{
	if (*watch == NULL)
		return;
	(*watch)->ends = true;
	resolver_destroy(&(*watch)->resolver);
	free(*watch);
	*watch = NULL;
}

int dane_watch_fd(const struct dane_watch *watch)
{
	return resolver_fd(watch->resolver);
}

void dane_watch_run(struct dane_watch *watch, int64_t now_ms)
{
	watch->now_ms = now_ms;
	resolver_run(watch->resolver, now_ms);
	for (size_t i = 0; i < watch->count; i++) {
		struct target *target = &watch->targets[i];

		if (target->is_open || now_ms < target->next_ms)
			continue;
		target->is_open = true;
		target->ttl_s = UINT32_MAX;
		ask(target, target->backend->host,
		    target->backend->address.ss_family == AF_INET6
			? RESOLVER_TYPE_AAAA
			: RESOLVER_TYPE_A,
		    address_answered);
	}
}

int64_t dane_watch_next_ms(const struct dane_watch *watch)
{
	int64_t next_ms = resolver_next_ms(watch->resolver);

	for (size_t i = 0; i < watch->count; i++)
		if (!watch->targets[i].is_open &&
		    watch->targets[i].next_ms < next_ms)
			next_ms = watch->targets[i].next_ms;
	return next_ms;
}

bool dane_watch_is_waiting(const struct dane_watch *watch, int state_index)
{
	struct state_dane_answer answer;

	for (size_t i = 0; i < watch->count; i++) {
		if (watch->targets[i].backend->state_index != state_index)
			continue;
		state_dane_read(place_of(&watch->targets[i]), &answer);
		return answer.status == STATE_DANE_UNKNOWN;
	}
	return false;
}
