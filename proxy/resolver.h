/* SPDX-License-Identifier: Apache-2.0 */
/* Asks DNS, with libunbound: for the names of clients (PTR, and then whether
 * the name leads back to the address), and for records of any type. In the
 * control process alone. Answers are kept by libunbound as long as their TTL
 * says. libunbound works in a thread of its own, which begins at the first
 * question: behind the sandbox, so that it is as confined as we are. */
#ifndef POSTERN_PROXY_RESOLVER_H
#define POSTERN_PROXY_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/report.h"
#include "conf/settings.h"
#include "proxy/client_name.h"

/* How long a name is waited for, here and by those who ask. */
#define RESOLVER_LIMIT_MS 5000

struct resolver; /* opaque */

struct resolver_question {
	struct client_address address;
	void *argument;
	/* Called once, at the latest when the resolver is destroyed. */
	void (*done)(void *argument, const struct client_name *name);
};

#define RESOLVER_TYPE_A	   1
#define RESOLVER_TYPE_AAAA 28

/* What came of a query. Good for the call alone. */
struct resolver_answer {
	const char *why; /* there is none, and why: a static text; else NULL */
	uint32_t ttl_s;	 /* not to be asked again before; at least 1 */
	bool is_secure;	 /* validated by DNSSEC */
	bool no_such_name;
	/* Where the records are, with no dot at its end; NULL: there, where
	 * they were looked for. */
	const char *canonical;
	size_t count; /* of records of that type; 0: there is none */
	const uint8_t *const *data;
	const int *len;
};

struct resolver_query {
	const char *name; /* a whole name: no list is searched */
	int type;
	void *argument;
	/* Called once, at the latest when the resolver is destroyed; perhaps
	 * before resolver_query returns. */
	void (*done)(void *argument, const struct resolver_answer *answer);
};

/* Whether proxy_dns_servers can be read; what is wrong is told in report. */
bool resolver_check(const struct settings *settings, struct report *report);

/* Reads /etc/resolv.conf unless there are proxy_dns_servers; so it is for the
 * time before the sandbox. NULL with a static text. */
struct resolver *resolver_create(
    const struct settings *settings, const char **why_out);

/* One that validates: with the keys or their digests that are in
 * proxy_dns_trust_anchor_file. *why_out as above. */
struct resolver *resolver_create_validating(
    const struct settings *settings, const char **why_out);
void resolver_destroy(struct resolver **resolver);

/* False when too many questions are open. */
bool resolver_ask(struct resolver *resolver,
    const struct resolver_question *question, int64_t now_ms);

bool resolver_query(struct resolver *resolver,
    const struct resolver_query *query, int64_t now_ms);

/* To be watched; when it is readable, resolver_run. */
int resolver_fd(const struct resolver *resolver);
/* Also ends what took too long. */
void resolver_run(struct resolver *resolver, int64_t now_ms);
/* When to call it at the latest; INT64_MAX: there is nothing to wait for. */
int64_t resolver_next_ms(const struct resolver *resolver);

#endif
