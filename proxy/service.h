/* SPDX-License-Identifier: Apache-2.0 */
/* What a generation of processes runs on: the configuration, and for each
 * listener what the leaves need of it, in their own words. Made as root (it
 * reads keys), before the workers are forked; immutable. */
#ifndef POSTERN_PROXY_SERVICE_H
#define POSTERN_PROXY_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "conf/configuration.h"
#include "conf/match_list.h"
#include "conf/table.h"
#include "proxy/handover.h"
#include "proxy/shared.h"
#include "proxy/upstream.h"
#include "smtp/policy.h"
#include "tls/context.h"

#define SERVICE_BACKENDS_MAX  32
#define SERVICE_ADDRESSES_MAX 8

/* Backends of a name that is looked up, unless addresses= says how many. */
#define SERVICE_SLOTS	   4
#define BACKEND_WEIGHT_MAX 100
#define BACKEND_LIMIT_MAX  1000000

enum backend_kind { BACKEND_SOCKET, BACKEND_SINK };

enum backend_tls_level {
	BACKEND_TLS_NONE,
	BACKEND_TLS_MAY,     /* STARTTLS where it is offered */
	BACKEND_TLS_ENCRYPT, /* or no session */
};

/* At the levels dane and dane-only: who is spoken to by what DNS says. */
struct backend_dane {
	bool is_used;
	bool is_only;		   /* no TLSA records: no session */
	struct tls_client *client; /* owned: the records must match */
	/* Owned: there are records, and all are of no use (RFC 7672, 2.1). NULL
	 * if is_only. */
	struct tls_client *encrypt;
};

/* proxy/service_backend_tls.h makes it. */
struct backend_tls {
	enum backend_tls_level level;
	bool must_match;  /* the certificate, or no session */
	bool wrappermode; /* without STARTTLS */
	/* Owned. NULL: no TLS, or there is something wrong with it, and then
	 * the configuration is not used at all. */
	struct tls_client *client;
	/* If it is used, the rest is for a backend without records. */
	struct backend_dane dane;
	char peer[256]; /* Postfix's NAME[ADDR]:PORT, for the log */
};

struct backend {
	enum backend_kind kind;
	char name[128]; /* as configured: "inet:127.0.0.1:25", "builtin:sink" */
	char host[128]; /* a name or an address, as configured; or "" */
	/* The control process asks DNS where it is, and only the port of
	 * `address` counts. A name has several backends in line, one for each
	 * address that it may have; slot counts them from 0. */
	bool is_looked_up;
	uint8_t slot;
	struct backend_tls tls;
	/* What host[addr]:port of log lines is made of; one address for now per
	 * entry of the list that a name resolved to. */
	struct sockaddr_storage address;
	socklen_t address_len;
	int state_index; /* in state->backends; set by the master */
	uint16_t weight; /* 1 to BACKEND_WEIGHT_MAX */
	uint32_t limit;	 /* sessions at once, over all workers; 0: none */
	bool reserve;	 /* for when all others are down */
	struct handover handover;
};

/* An address that a listener binds. A line of master.cf can have several
 * (inet_interfaces, a name with two addresses, IPv4 and IPv6 wildcards). */
struct service_address {
	struct sockaddr_storage address;
	socklen_t address_len;
	char text[128]; /* "127.0.0.1:2525", "[::]:25", "unix:/run/…": the key
			 * by which a reload finds the same socket again */
};

struct service {
	const struct listener *listener;
	const struct settings *settings; /* listener's */
	int state_index;	  /* in state->listeners; set by the master */
	char log_name[128];	  /* syslog_name + "/smtpd" */
	unsigned tls_log;	  /* smtpd_tls_loglevel (conf/loglevel.h) */
	unsigned backend_tls_log; /* smtp_tls_loglevel, likewise */
	struct smtp_policy policy;
	bool wrappermode;
	struct tls_context *tls;	/* NULL: no TLS on this listener */
	struct table *sni;		/* tls_server_sni_maps; NULL: none */
	struct match_list *debug_peers; /* debug_peer_list; NULL: nobody */
	struct service_address addresses[SERVICE_ADDRESSES_MAX];
	size_t address_count;
	struct backend backends[SERVICE_BACKENDS_MAX];
	size_t backend_count;
	struct upstream upstream;
	uint32_t discarded; /* smtpd_discard_ehlo_keywords */
	/* smtpd_discard_ehlo_keyword_address_maps; NULL: none, and the policy
	 * has what is discarded */
	struct table *discard_maps;
};

struct services {
	struct configuration *configuration; /* owned */
	const struct shared *shared;	     /* NULL: nobody is to be served */
	struct service *services;
	size_t count;
	/* proxy_metrics_listen */
	struct service_address metrics[SERVICE_ADDRESSES_MAX];
	size_t metrics_count;
};

/* Of a TCP address; else 0. */
uint16_t service_backend_port(const struct backend *backend);

/* Loads directory's configuration and builds everything from it: policies, TLS
 * contexts, backends, addresses.
 * shared is borrowed; without it one can only look at the result. NULL when
 * report has an error. */
struct services *services_load(
    const char *directory, const struct shared *shared, struct report *report);
void services_destroy(struct services **services);

#endif
