/* SPDX-License-Identifier: Apache-2.0 */
/* The names of a backend: those by which smtp_tls_policy_maps may know it, and
 * the one that it has in log lines about TLS. */
#ifndef POSTERN_PROXY_TLS_POLICY_FIND_H
#define POSTERN_PROXY_TLS_POLICY_FIND_H

#include "conf/table.h"
#include "proxy/service.h"

/* The value for a backend, as table_find(); the buffer has the size
 * TLS_POLICY_TEXT_SIZE. */
enum table_answer tls_policy_find(const struct table *table,
    const struct backend *backend, const char **value_out, char *buffer);

/* Fills backend->tls.peer. */
void backend_print_peer(
    const struct settings *settings, struct backend *backend);

#endif
