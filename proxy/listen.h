/* SPDX-License-Identifier: Apache-2.0 */
/* One listening socket: how it is opened, and how it is taken out of service
 * without resetting a connection that waits in its queue. */
#ifndef POSTERN_PROXY_LISTEN_H
#define POSTERN_PROXY_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/service.h"

/* Whether nobody listens there: false with errno. SO_REUSEPORT would let two
 * programs of one user share an address, and each get half of the calls. */
bool listen_is_free(const struct service_address *address);

/* Binds. TCP sockets join the SO_REUSEPORT group of their address when
 * listen_start is called, in the order of these calls. A unix socket's file is
 * taken over if nobody answers there. -1 with errno. */
int listen_bind(const struct service_address *address);

/* From now on connections queue. False with errno. */
bool listen_start(int fd);

/* Of the group that fd belongs to, only the first `count` sockets are given new
 * connections; the others can then be emptied and closed, from the last one
 * downwards (closing moves the group's last member into the hole). */
bool listen_narrow(int fd, uint32_t count);

/* All sockets of the group are given connections again. */
bool listen_widen(int fd);

/* For the last sockets of an address: a client that calls from now on is not
 * answered, those whose call was taken can still be accepted. The kernel has no
 * such switch, so a filter drops their SYN. */
bool listen_deafen(int fd);

/* They are answered again. */
bool listen_hear(int fd);

/* Ends a socket whose queue is empty, also if some process still holds a copy
 * of its descriptor. */
void listen_close(int fd);

#endif
