/* SPDX-License-Identifier: Apache-2.0 */
/* Who may still have EDH, which costs a server far more than a client (the
 * D(HE)at attack): accounted in processor time, not in handshakes.
 *
 * Two accounts are kept. That of the client, over all workers, comes first: who
 * asks for much of it pays for it alone. That of the listener in this worker
 * holds a share of the worker's time, the last quarter of which is for clients
 * that know nothing but EDH and have used little of it lately. Whoever can do
 * EECDH gets that when an account is used up. Who cannot waits, and is refused
 * in the end; the refusal is remembered, so that mail which then comes in clear
 * is put off, and nobody is driven out of TLS (proxy/edh_clients.h).
 *
 * Pure: times are handed in. */
#ifndef POSTERN_PROXY_EDH_BUDGET_H
#define POSTERN_PROXY_EDH_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/edh_clients.h"

/* The listener's account may be filled by what is spent in this time, and is
 * emptied in as much. */
#define EDH_LISTENER_WINDOW_MS 10000
/* How long a client waits for its turn before it is refused. */
#define EDH_WAIT_MAX_MS 10000

/* Of one listener in one worker; all zeros to begin with. */
struct edh_account {
	uint64_t spent_us;
	int64_t at_ms;
};

struct edh_limits {
	unsigned share_percent; /* proxy_edh_cpu_share */
	uint32_t client_us;	/* proxy_edh_client_cpu_time, in a minute */
};

enum edh_verdict {
	EDH_ALLOWED,
	EDH_AVOIDED, /* not to be offered: the client can do without */
	EDH_DELAYED, /* ask again in a while */
	EDH_REFUSED, /* the handshake fails */
};

struct edh_question {
	const struct edh_clients *clients;
	uint64_t client; /* edh_clients_key() */
	const struct edh_account *account;
	struct edh_limits limits;
	bool has_choice;   /* the client can do EECDH as well */
	int64_t waited_ms; /* since it was first delayed */
	int64_t now_ms;
};

enum edh_verdict edh_budget_ask(const struct edh_question *question);

/* What a turn of a handshake with EDH has cost the listener. */
void edh_account_charge(struct edh_account *account,
    const struct edh_limits *limits, uint32_t spent_us, int64_t now_ms);

#endif
