/* SPDX-License-Identifier: Apache-2.0 */
/* The master's part in session tickets: which keys there are. One set serves
 * all listeners and workers, so that any worker can resume what another began;
 * it lives as long as the listener with the shortest time wants. A reload
 * changes nothing about keys that are in memory. */
#ifndef POSTERN_PROXY_TICKET_ROTATION_H
#define POSTERN_PROXY_TICKET_ROTATION_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/report.h"
#include "proxy/service.h"

/* The shortest smtpd_tls_session_cache_timeout of the listeners that issue
 * tickets; 0: none does. */
int64_t ticket_rotation_lifetime_s(const struct services *services);

/* What these services want. False when report has an error: a file of
 * proxy_tls_ticket_key_files is of no use. keys NULL: only looks whether it
 * would do. */
bool ticket_rotation_configure(struct tls_ticket_keys *keys,
    const struct services *services, struct report *report);

#endif
