/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and descriptors that all processes of all generations share and that
 * are in no file: made before the first fork, gone with the last process. */
#ifndef POSTERN_PROXY_SHARED_H
#define POSTERN_PROXY_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/report.h"
#include "proxy/edh_clients.h"
#include "proxy/name_channel.h"
#include "tls/ticket_keys.h"

struct shared {
	/* Written by the master alone. */
	struct tls_ticket_keys *ticket_keys;
	/* Written by all workers. */
	struct edh_clients *edh_clients;
	/* From all workers to control. */
	struct name_channel names;
};

/* False when report has an error. */
bool shared_create(struct shared *shared, struct report *report);

/* Wipes the keys. All zeros will do, too. */
void shared_destroy(struct shared *shared);

/* In a child after fork: what it has not to write becomes read-only. False with
 * errno. */
bool shared_confine(const struct shared *shared)
    __attribute__((warn_unused_result));

#endif
