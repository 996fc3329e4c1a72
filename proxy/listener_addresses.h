/* SPDX-License-Identifier: Apache-2.0 */
/* The service field of a master.cf line -> the addresses to bind. */
#ifndef POSTERN_PROXY_LISTENER_ADDRESSES_H
#define POSTERN_PROXY_LISTENER_ADDRESSES_H

#include "proxy/service.h"

/* Fills service->addresses from its listener, inet_interfaces and
 * inet_protocols. What is wrong goes into report as an error; that this machine
 * has no IPv6, as a notice. */
void listener_addresses_read(struct service *service, struct report *report);

#endif
