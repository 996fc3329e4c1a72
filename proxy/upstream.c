/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/upstream.h"

#include <stdio.h>

#include "proxy/peer.h"

/* An empty list is one that holds nobody, and costs nothing. */
static struct match_list *read_list(const struct settings *settings,
    const char *name, const char *text, struct report *report)
{
	char place[512];

	if (text[0] == '\0')
		return NULL;
	snprintf(place, sizeof(place), "%s: %s", settings_place(settings, name),
	    name);
	return match_list_open(text, place, report);
}

void upstream_read(struct upstream *upstream, const struct settings *settings,
    struct report *report)
{
	upstream->wants_header = settings->smtpd_upstream_proxy_protocol ==
				 SETTINGS_UPSTREAM_HAPROXY;
	upstream->is_optional = settings->proxy_upstream_optional;
	upstream->networks = read_list(settings, "proxy_upstream_networks",
	    settings->proxy_upstream_networks, report);
	upstream->xclient_hosts =
	    read_list(settings, "smtpd_authorized_xclient_hosts",
		settings->smtpd_authorized_xclient_hosts, report);
	if (upstream->wants_header &&
	    settings->proxy_upstream_networks[0] == '\0')
		report_add(report, REPORT_ERROR,
		    settings_place(settings, "smtpd_upstream_proxy_protocol"),
		    "smtpd_upstream_proxy_protocol = haproxy: nobody may send "
		    "the header, since proxy_upstream_networks is empty; set "
		    "it to the addresses of the proxies in front of Postern");
}

void upstream_finish(struct upstream *upstream)
{
	match_list_close(&upstream->networks);
	match_list_close(&upstream->xclient_hosts);
}

static bool holds(
    const struct match_list *list, const struct sockaddr_in6 *address)
{
	char text[PEER_ADDRESS_SIZE];

	if (list == NULL || !peer_is_inet(address))
		return false;
	peer_address(address, text, sizeof(text));
	return match_list_holds(list, text);
}

enum upstream_verdict upstream_judge(
    const struct upstream *upstream, const struct sockaddr_in6 *peer)
{
	if (!upstream->wants_header)
		return UPSTREAM_CLIENT;
	if (holds(upstream->networks, peer))
		return UPSTREAM_HEADER;
	return upstream->is_optional ? UPSTREAM_CLIENT : UPSTREAM_FOREIGN;
}

bool upstream_may_xclient(
    const struct upstream *upstream, const struct sockaddr_in6 *client)
{
	return holds(upstream->xclient_hosts, client);
}
