/* SPDX-License-Identifier: Apache-2.0 */
/* What EDH has cost for each client address lately, over all workers: a table
 * of fixed size in memory that they share, without locks. Times are handed in,
 * in milliseconds of the monotonic clock. An IPv6 client is its /64: that is
 * what one machine gets. */
#ifndef POSTERN_PROXY_EDH_CLIENTS_H
#define POSTERN_PROXY_EDH_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <netinet/in.h>

/* A refusal is remembered for so long: by then a queue has tried again. */
#define EDH_REFUSAL_MS 600000
/* What a client may use up at once it may use up in this time. */
#define EDH_CLIENT_WINDOW_MS 60000

struct edh_clients; /* opaque */

/* Before the first fork; NULL with errno. */
struct edh_clients *edh_clients_create(void);

/* Accepts NULL inside; sets it to NULL. */
void edh_clients_destroy(struct edh_clients **clients);

/* A client in the functions below; 0 for one without an address, which is never
 * limited. Others cannot work out whom it will be taken for. */
uint64_t edh_clients_key(
    const struct edh_clients *clients, const struct sockaddr_in6 *peer);

/* What it has spent, in µs; it goes back at budget_us in a window. */
uint32_t edh_clients_spent_us(const struct edh_clients *clients, uint64_t key,
    uint32_t budget_us, int64_t now_ms);

void edh_clients_charge(struct edh_clients *clients, uint64_t key,
    uint32_t spent_us, uint32_t budget_us, int64_t now_ms);

/* A handshake was refused for EDH. */
void edh_clients_refuse(
    struct edh_clients *clients, uint64_t key, int64_t now_ms);
bool edh_clients_was_refused(
    const struct edh_clients *clients, uint64_t key, int64_t now_ms);

#endif
