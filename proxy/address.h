/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts, ports and paths of the configuration -> addresses to bind or to
 * connect to. May ask the resolver, so it is for the start and for a reload
 * only. */
#ifndef POSTERN_PROXY_ADDRESS_H
#define POSTERN_PROXY_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/service.h"

#define ADDRESS_IPV4 1u
#define ADDRESS_IPV6 2u

/* inet_protocols: "all", "ipv4", "ipv6", "ipv4, ipv6" -> a set of ADDRESS_…;
 * 0 when it has another word, or none. */
unsigned address_families(const char *inet_protocols);

/* A number from 1 to 65535, or a name of services(5); the names of mail's own
 * ports are known also where that file is missing. 0 when it is neither. */
uint16_t address_port(const char *text);

/* The TCP addresses of a numeric host or a name, of the families given, each
 * once. Returns how many were written; 0 with *why_out, a static text. */
size_t address_resolve(const char *host, uint16_t port, unsigned families,
    struct service_address *out, size_t out_count, const char **why_out);

/* Whether a name is in /etc/hosts, or is localhost. */
bool address_is_in_hosts(const char *host);

/* Whether host is an address and not a name. */
bool address_is_numeric(const char *host);

/* 0.0.0.0 or [::]. */
void address_any(
    unsigned family, uint16_t port, struct service_address *address_out);

/* A unix socket. A path that does not begin with / is below `directory`. False
 * when it is too long for the kernel. */
bool address_unix(const char *directory, const char *path,
    struct service_address *address_out);

#endif
