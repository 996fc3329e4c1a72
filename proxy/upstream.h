/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever stands in front of a listener and speaks for its clients: what a
 * connection from there may tell. */
#ifndef POSTERN_PROXY_UPSTREAM_H
#define POSTERN_PROXY_UPSTREAM_H

#include <stdbool.h>
#include <netinet/in.h>

#include "conf/match_list.h"
#include "conf/report.h"
#include "conf/settings.h"

struct upstream {
	bool wants_header;	     /* smtpd_upstream_proxy_protocol */
	bool is_optional;	     /* proxy_upstream_optional */
	struct match_list *networks; /* proxy_upstream_networks */
	/* smtpd_authorized_xclient_hosts; NULL: nobody */
	struct match_list *xclient_hosts;
};

/* Reads the parameters of a listener; what is wrong is told in report. */
void upstream_read(struct upstream *upstream, const struct settings *settings,
    struct report *report);
void upstream_finish(struct upstream *upstream);

/* What is asked of a connection from there. */
enum upstream_verdict {
	UPSTREAM_CLIENT,  /* an ordinary client */
	UPSTREAM_HEADER,  /* a PROXY header comes first */
	UPSTREAM_FOREIGN, /* it may not tell, and nothing else is served */
};
enum upstream_verdict upstream_judge(
    const struct upstream *upstream, const struct sockaddr_in6 *peer);

/* Whether a client with this address may say XCLIENT. */
bool upstream_may_xclient(
    const struct upstream *upstream, const struct sockaddr_in6 *client);

#endif
