/* SPDX-License-Identifier: Apache-2.0 */
/* proxy_backend -> the backends of a service. */
#ifndef POSTERN_PROXY_BACKEND_LIST_H
#define POSTERN_PROXY_BACKEND_LIST_H

#include "proxy/service.h"

/* Fills service->backends from its settings. Everything wrong with an element
 * goes into report as an error. A name with several addresses makes one backend
 * of each, called inet:NAME[ADDRESS]:PORT. */
void backend_list_read(struct service *service, struct report *report);

#endif
