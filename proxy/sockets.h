/* SPDX-License-Identifier: Apache-2.0 */
/* The listening sockets that the master keeps open for all generations: for
 * each TCP address one per worker, in the order in which they joined the
 * kernel's SO_REUSEPORT group; for a unix socket one that all workers share. */
#ifndef POSTERN_PROXY_SOCKETS_H
#define POSTERN_PROXY_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/service.h"

struct sockets; /* opaque */

/* NULL without memory. */
struct sockets *sockets_create(void);

/* Closes all. Accepts NULL inside; sets it to NULL. */
void sockets_destroy(struct sockets **sockets);

/* Binds what `services` needs for so many workers and is not bound yet; nothing
 * listens on the new ones. False when report has an error: which line of
 * master.cf, which address, why and what to do; nothing has changed then. */
bool sockets_bind(struct sockets *sockets, const struct services *services,
    size_t worker_count, struct report *report);

/* Lets what was bound listen. False with errno. */
bool sockets_listen(struct sockets *sockets);

/* From now on just the sockets of these services and workers are wanted: the
 * others get no new connections, as far as the kernel lets us. NULL: none. */
void sockets_want(struct sockets *sockets, const struct services *services,
    size_t worker_count);

/* The socket of that address for a worker; -1 when there is none. */
int sockets_find(
    const struct sockets *sockets, const char *address_text, size_t worker);

bool sockets_is_wanted(const struct sockets *sockets, int fd);

/* Closes unwanted sockets that nobody accepts on any more, as is_accepted says.
 * True when no unwanted one is left. */
bool sockets_close_unwanted(struct sockets *sockets,
    bool (*is_accepted)(const void *argument, int fd), const void *argument);

#endif
