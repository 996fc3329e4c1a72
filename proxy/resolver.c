/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/resolver.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <unbound.h>

#include "conf/net.h"
#include "proxy/dns_name.h"
#include "proxy/trust_anchors.h"

#define LOOKUPS_MAX 1024
/* Nobody is asked again at once about what could not be found out. */
#define FAILED_TTL_S 10
/* Who sets his name right need not wait for long. RFC 2308, 5. */
#define NOTHING_TTL_S_MAX 3600

/* Of ::1. */
#define LOOPBACK_ZONE                  \
	"1.0.0.0.0.0.0.0.0.0.0.0.0.0." \
	"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa."

#define CLASS_IN  1
#define TYPE_A	  RESOLVER_TYPE_A
#define TYPE_PTR  12
#define TYPE_AAAA RESOLVER_TYPE_AAAA
#define NO_ERROR  0
#define SERV_FAIL 2
#define NX_DOMAIN 3

struct lookup {
	TAILQ_ENTRY(lookup) link;
	struct resolver *resolver;
	struct resolver_question question;
	/* Instead of it; NULL: it is a question. */
	void (*query_done)(
	    void *argument, const struct resolver_answer *answer);
	void *query_argument;
	struct client_name name; /* as far as it is known */
	int64_t until_ms;
	int async_id;
	bool is_forward; /* the second question */
};

TAILQ_HEAD(lookup_list, lookup);

struct resolver {
	struct ub_ctx *unbound;
	struct lookup lookups[LOOKUPS_MAX];
	/* The oldest first: all have the same time. */
	struct lookup_list open, unused;
};

/* Zones that libunbound would answer by itself. Who names servers wants them to
 * be asked about every address, those of this host included. */
static const char *const own_zones[] = {"127.in-addr.arpa.", "test.",
    "invalid.", "localhost.", "home.arpa.", LOOPBACK_ZONE};

static void put_away(struct lookup *lookup)
{
	struct resolver *resolver = lookup->resolver;

	TAILQ_REMOVE(&resolver->open, lookup, link);
	TAILQ_INSERT_HEAD(&resolver->unused, lookup, link);
}

static void finish(struct lookup *lookup, enum client_name_status status)
{
	struct resolver_question question = lookup->question;
	struct client_name name = lookup->name;

	name.status = status;
	if (status != CLIENT_NAME_CONFIRMED && name.ttl_s > NOTHING_TTL_S_MAX)
		name.ttl_s = NOTHING_TTL_S_MAX;
	if (status == CLIENT_NAME_FAILED ||
	    status == CLIENT_NAME_UNCONFIRMED_YET)
		name.ttl_s = FAILED_TTL_S;
	put_away(lookup);
	question.done(question.argument, &name);
}

static void finish_query(
    struct lookup *lookup, const struct resolver_answer *answer)
{
	put_away(lookup);
	lookup->query_done(lookup->query_argument, answer);
}

static void fail(struct lookup *lookup, const char *why)
{
	const struct resolver_answer failed = {
	    .ttl_s = FAILED_TTL_S,
	    .why = why,
	};

	if (lookup->query_done != NULL) {
		finish_query(lookup, &failed);
		return;
	}
	finish(lookup, lookup->is_forward ? CLIENT_NAME_UNCONFIRMED_YET
					  : CLIENT_NAME_FAILED);
}

static bool read_port(const char *text, size_t len, unsigned *port_out)
{
	*port_out = 0;
	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*port_out = *port_out * 10 + (unsigned)(text[i] - '0');
	}
	return *port_out >= 1 && *port_out <= 65535;
}

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]"; and ":53" behind the first and
 * the last. Written as libunbound reads it. */
static bool read_server(
    const char *text, size_t len, char *out, size_t out_size)
{
	struct net_address address;
	const char *colon = memrchr(text, ':', len);
	char digits[INET6_ADDRSTRLEN];
	unsigned port = 53;

	if (!net_address_parse(text, len, &address)) {
		if (colon == NULL ||
		    !net_address_parse(
			text, (size_t)(colon - text), &address) ||
		    (address.family == AF_INET6 && text[0] != '[') ||
		    !read_port(
			colon + 1, len - (size_t)(colon + 1 - text), &port))
			return false;
	}
	inet_ntop(address.family, address.bytes, digits, sizeof(digits));
	snprintf(out, out_size, "%s@%u", digits, port);
	return true;
}

bool resolver_check(const struct settings *settings, struct report *report)
{
	const char *cursor = settings->proxy_dns_servers;
	char server[64];
	const char *text;
	size_t len;

	while (settings_list_next(&cursor, &text, &len)) {
		if (len != SIZE_MAX &&
		    read_server(text, len, server, sizeof(server)))
			continue;
		report_add(report, REPORT_ERROR,
		    settings_place(settings, "proxy_dns_servers"),
		    "proxy_dns_servers = %s: must be addresses, each with a "
		    "port behind it or without: 192.0.2.1, 192.0.2.1:53, "
		    "2001:db8::1, [2001:db8::1]:53",
		    settings->proxy_dns_servers);
		return false;
	}
	return true;
}

static const char *set_options(struct ub_ctx *unbound)
{
	static const char *const options[][2] = {
	    /* Private networks have names too. */
	    {"unblock-lan-zones:", "yes"},
	    {"insecure-lan-zones:", "yes"},
	    /* A server that was silent is asked again. */
	    {"infra-keep-probing:", "yes"},
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		int error =
		    ub_ctx_set_option(unbound, options[i][0], options[i][1]);

		if (error != 0)
			return ub_strerror(error);
	}
	return NULL;
}

static const char *set_servers(
    struct ub_ctx *unbound, const struct settings *settings)
{
	const char *cursor = settings->proxy_dns_servers;
	const char *text;
	char server[64];
	size_t len, count = 0;
	int error = 0;

	while (error == 0 && settings_list_next(&cursor, &text, &len)) {
		if (len == SIZE_MAX ||
		    !read_server(text, len, server, sizeof(server)))
			return "proxy_dns_servers cannot be read";
		error = ub_ctx_set_fwd(unbound, server);
		count++;
	}
	if (error == 0 && count == 0)
		error = ub_ctx_resolvconf(unbound, NULL);
	for (size_t i = 0; count > 0 && error == 0 &&
			   i < sizeof(own_zones) / sizeof(own_zones[0]);
	     i++)
		error = ub_ctx_zone_remove(unbound, own_zones[i]);
	return error == 0 ? NULL : ub_strerror(error);
}

/* anchors: a file; NULL: nothing is validated. */
static struct resolver *create(
    const struct settings *settings, const char *anchors, const char **why_out)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));

	*why_out = "out of memory";
	if (resolver == NULL)
		return NULL;
	TAILQ_INIT(&resolver->open);
	TAILQ_INIT(&resolver->unused);
	for (size_t i = 0; i < LOOKUPS_MAX; i++) {
		resolver->lookups[i].resolver = resolver;
		TAILQ_INSERT_TAIL(
		    &resolver->unused, &resolver->lookups[i], link);
	}
	resolver->unbound = ub_ctx_create();
	if (resolver->unbound == NULL) {
		resolver_destroy(&resolver);
		return NULL;
	}
	ub_ctx_async(resolver->unbound, 1);
	*why_out = set_options(resolver->unbound);
	if (*why_out == NULL && anchors != NULL)
		*why_out = trust_anchors_add(resolver->unbound, anchors);
	if (*why_out == NULL)
		*why_out = set_servers(resolver->unbound, settings);
	if (*why_out != NULL)
		resolver_destroy(&resolver);
	return resolver;
}

struct resolver *resolver_create(
    const struct settings *settings, const char **why_out)
{
	return create(settings, NULL, why_out);
}

struct resolver *resolver_create_validating(
    const struct settings *settings, const char **why_out)
{
	return create(settings, settings->proxy_dns_trust_anchor_file, why_out);
}

void resolver_destroy(struct resolver **resolver)
{
	if (*resolver == NULL)
		return;
	while (!TAILQ_EMPTY(&(*resolver)->open))
		fail(TAILQ_FIRST(&(*resolver)->open), "the program ends");
	if ((*resolver)->unbound != NULL)
		ub_ctx_delete((*resolver)->unbound);
	free(*resolver);
	*resolver = NULL;
}

static void send_question(struct lookup *lookup, const char *name, int type,
    ub_callback_type answered)
{
	int error = ub_resolve_async(lookup->resolver->unbound, name, type,
	    CLASS_IN, lookup, answered, &lookup->async_id);

	if (error != 0)
		fail(lookup, ub_strerror(error));
}

static void note_ttl(struct lookup *lookup, const struct ub_result *result)
{
	uint32_t ttl_s = result->ttl < 1 ? 1 : (uint32_t)result->ttl;

	if (ttl_s < lookup->name.ttl_s)
		lookup->name.ttl_s = ttl_s;
}

/* The first that is a host name: what the others are nobody wants to know. */
static bool take_name(struct lookup *lookup, const struct ub_result *result)
{
	for (size_t i = 0; result->data[i] != NULL; i++)
		if (dns_name_read((const uint8_t *)result->data[i],
			(size_t)result->len[i], lookup->name.text))
			return true;
	lookup->name.text[0] = '\0';
	return false;
}

static bool leads_back(
    const struct lookup *lookup, const struct ub_result *result)
{
	for (size_t i = 0; result->data[i] != NULL; i++)
		if (client_address_equals(&lookup->question.address,
			(const uint8_t *)result->data[i],
			(size_t)result->len[i]))
			return true;
	return false;
}

/* NULL when it says that there is something, or that there is nothing. */
static const char *fault_of(int error, const struct ub_result *result)
{
	if (error != 0)
		return ub_strerror(error);
	if (result->bogus)
		return "the answer is bogus, says DNSSEC";
	if (result->rcode == NO_ERROR || result->rcode == NX_DOMAIN)
		return NULL;
	return result->rcode == SERV_FAIL
		   ? "no name server has an answer (SERVFAIL)"
		   : "the name server refuses";
}

static void forward_answered(
    void *argument, int error, struct ub_result *result)
{
	struct lookup *lookup = argument;
	const char *fault = fault_of(error, result);

	if (fault != NULL) {
		fail(lookup, fault);
	} else {
		note_ttl(lookup, result);
		finish(lookup, result->havedata && leads_back(lookup, result)
				   ? CLIENT_NAME_CONFIRMED
				   : CLIENT_NAME_UNCONFIRMED);
	}
	ub_resolve_free(result);
}

static void reverse_answered(
    void *argument, int error, struct ub_result *result)
{
	struct lookup *lookup = argument;
	const char *fault = fault_of(error, result);

	if (fault != NULL) {
		fail(lookup, fault);
	} else if (!result->havedata || !take_name(lookup, result)) {
		note_ttl(lookup, result);
		finish(lookup, CLIENT_NAME_UNKNOWN);
	} else {
		note_ttl(lookup, result);
		lookup->is_forward = true;
		send_question(lookup, lookup->name.text,
		    lookup->question.address.len == 4 ? TYPE_A : TYPE_AAAA,
		    forward_answered);
	}
	ub_resolve_free(result);
}

static void query_answered(void *argument, int error, struct ub_result *result)
{
	struct lookup *lookup = argument;
	const char *fault = fault_of(error, result);
	struct resolver_answer answer = {.why = fault};

	if (fault != NULL) {
		fail(lookup, fault);
	} else {
		note_ttl(lookup, result);
		answer.ttl_s = lookup->name.ttl_s;
		answer.is_secure = result->secure;
		answer.canonical = result->canonname;
		answer.no_such_name = result->rcode == NX_DOMAIN;
		answer.data = (const uint8_t *const *)result->data;
		answer.len = result->len;
		while (result->havedata && result->data[answer.count] != NULL)
			answer.count++;
		finish_query(lookup, &answer);
	}
	ub_resolve_free(result);
}

/* NULL when too many are open. */
static struct lookup *begin(struct resolver *resolver, int64_t now_ms)
{
	struct lookup *lookup = TAILQ_FIRST(&resolver->unused);

	if (lookup == NULL)
		return NULL;
	TAILQ_REMOVE(&resolver->unused, lookup, link);
	TAILQ_INSERT_TAIL(&resolver->open, lookup, link);
	*lookup = (struct lookup){
	    .link = lookup->link,
	    .resolver = resolver,
	    .name.ttl_s = UINT32_MAX,
	    .until_ms = now_ms + RESOLVER_LIMIT_MS,
	};
	return lookup;
}

bool resolver_ask(struct resolver *resolver,
    const struct resolver_question *question, int64_t now_ms)
{
	struct lookup *lookup = begin(resolver, now_ms);
	char name[DNS_NAME_SIZE];

	if (lookup == NULL)
		return false;
	lookup->question = *question;
	dns_name_reverse(question->address.bytes, question->address.len, name);
	send_question(lookup, name, TYPE_PTR, reverse_answered);
	return true;
}

bool resolver_query(struct resolver *resolver,
    const struct resolver_query *query, int64_t now_ms)
{
	struct lookup *lookup = begin(resolver, now_ms);

	if (lookup == NULL)
		return false;
	lookup->query_done = query->done;
	lookup->query_argument = query->argument;
	send_question(lookup, query->name, query->type, query_answered);
	return true;
}

int resolver_fd(const struct resolver *resolver)
{
	return ub_fd(resolver->unbound);
}

void resolver_run(struct resolver *resolver, int64_t now_ms)
{
	struct lookup *oldest;

	ub_process(resolver->unbound);
	while ((oldest = TAILQ_FIRST(&resolver->open)) != NULL &&
	       now_ms >= oldest->until_ms) {
		ub_cancel(resolver->unbound, oldest->async_id);
		fail(oldest, "no name server answered in time");
	}
}

int64_t resolver_next_ms(const struct resolver *resolver)
{
	const struct lookup *oldest = TAILQ_FIRST(&resolver->open);

	return oldest == NULL ? INT64_MAX : oldest->until_ms;
}
