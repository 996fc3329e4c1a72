/* SPDX-License-Identifier: Apache-2.0 */
/* proxy_backend -> the backends of a service. */
#ifndef POSTERN_PROXY_BACKEND_LIST_H
#define POSTERN_PROXY_BACKEND_LIST_H

#include "proxy/service.h"

/* Fills service->backends from its settings. Everything wrong with an element
 * goes into report as an error. A name of /etc/hosts with several addresses
 * makes one backend of each, called inet:NAME[ADDRESS]:PORT. Other names are
 * looked up later: each makes as many backends as it may have addresses, called
 * inet:NAME:PORT, inet:NAME:PORT#2 and so on. */
void backend_list_read(struct service *service, struct report *report);

#endif
