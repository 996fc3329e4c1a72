/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/service.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/loglevel.h"
#include "proxy/backend_list.h"
#include "proxy/discard.h"
#include "proxy/listener_addresses.h"
#include "proxy/resolver.h"
#include "proxy/service_backend_tls.h"
#include "proxy/service_tls.h"
#include "proxy/state.h"
#include "proxy/ticket_rotation.h"
#include "proxy/trust_anchors.h"
#include "proxy/metrics_listen.h"
#include "smtp/ehlo.h"

/* Reference 1.2, with the level's word already checked by conf/. */
static void read_tls_level(struct service *service)
{
	const struct settings *settings = service->settings;
	bool use = settings->smtpd_use_tls;
	bool enforce = settings->smtpd_enforce_tls;
	int level = settings->smtpd_tls_security_level;

	service->wrappermode = settings->smtpd_tls_wrappermode;
	if (!service->wrappermode && level != SETTINGS_TLS_UNSET) {
		use = level != SETTINGS_TLS_NONE;
		enforce = level == SETTINGS_TLS_ENCRYPT;
	}
	enforce = enforce || service->wrappermode;
	use = use || enforce;
	service->policy.tls_level = enforce ? SMTP_TLS_ENCRYPT
				    : use   ? SMTP_TLS_MAY
					    : SMTP_TLS_NONE;
	service->policy.auth_only = settings->smtpd_tls_auth_only || enforce;
}

/* With maps the client's address decides, and the policy says nothing. */
static void read_discarded(struct service *service, struct report *report)
{
	const struct settings *settings = service->settings;
	const char *maps = settings->smtpd_discard_ehlo_keyword_address_maps;
	char place[512];

	service->discarded = discard_read(settings->smtpd_discard_ehlo_keywords,
	    settings_place(settings, "smtpd_discard_ehlo_keywords"), report);
	if (maps[0] == '\0') {
		service->policy.discarded_keywords = service->discarded;
		return;
	}
	snprintf(place, sizeof(place), "%s: %s",
	    settings_place(settings, "smtpd_discard_ehlo_keyword_address_maps"),
	    "smtpd_discard_ehlo_keyword_address_maps");
	service->discard_maps = table_open(maps, place, report);
}

static void read_policy(struct service *service, struct report *report)
{
	const struct settings *settings = service->settings;
	struct smtp_policy *policy = &service->policy;

	policy->hostname = settings->myhostname;
	policy->banner = settings->smtpd_banner;
	policy->forbid_pipelining = settings->smtpd_forbid_unauth_pipelining;
	policy->forbidden_commands = settings->smtpd_forbidden_commands;
	read_discarded(service, report);
	policy->insert_received = settings->smtpd_tls_received_header;
	policy->line_size_max = (size_t)settings->line_length_limit;
	policy->auth_line_size_max =
	    (size_t)settings->smtpd_sasl_response_limit;
	policy->hard_error_limit = (unsigned)settings->smtpd_hard_error_limit;
	policy->junk_command_limit =
	    (unsigned)settings->smtpd_junk_command_limit;
	read_tls_level(service);
}

static void read_debug_peers(struct service *service, struct report *report)
{
	const struct settings *settings = service->settings;

	if (settings->debug_peer_list[0] != '\0')
		service->debug_peers =
		    match_list_open(settings->debug_peer_list,
			settings_place(settings, "debug_peer_list"), report);
}

static void read_service(struct service *service,
    const struct listener *listener, const struct shared *shared,
    struct report *report)
{
	service->listener = listener;
	service->settings = listener->settings;
	snprintf(service->log_name, sizeof(service->log_name), "%s/smtpd",
	    listener->settings->syslog_name);
	/* conf/ has checked it. */
	loglevel_parse(
	    listener->settings->smtpd_tls_loglevel, &service->tls_log);
	read_policy(service, report);
	service_tls_read(service, shared, report);
	read_debug_peers(service, report);
	listener_addresses_read(service, report);
	backend_list_read(service, report);
	upstream_read(&service->upstream, service->settings, report);
	service_backend_tls_read(service, report);
}

/* Two lines with one address: one of them would never see a client. */
static void check_unique(const struct services *services, size_t index,
    const struct service_address *address, struct report *report)
{
	const struct listener *listener = services->services[index].listener;

	for (size_t i = 0; i < index; i++) {
		const struct service *other = &services->services[i];

		for (size_t j = 0; j < other->address_count; j++)
			if (strcmp(other->addresses[j].text, address->text) ==
			    0)
				report_add(report, REPORT_ERROR,
				    listener->place,
				    "service \"%s\" listens on %s, which is "
				    "taken by %s; remove one of the two lines",
				    listener->service, address->text,
				    other->listener->place);
	}
}

static void check_addresses(
    const struct services *services, struct report *report)
{
	size_t count = 0;

	for (size_t i = 0; i < services->count; i++) {
		const struct service *service = &services->services[i];

		count += service->address_count;
		for (size_t j = 0; j < service->address_count; j++)
			check_unique(
			    services, i, &service->addresses[j], report);
	}
	if (count > STATE_LISTENERS_MAX)
		report_add(report, REPORT_ERROR, NULL,
		    "the lines of master.cf have %zu addresses to listen on; "
		    "there must not be more than %d",
		    count, STATE_LISTENERS_MAX);
}

static bool gets_header(const struct backend *backend)
{
	return backend->kind == BACKEND_SOCKET &&
	       (backend->handover.way == HANDOVER_PROXY1 ||
		   backend->handover.way == HANDOVER_PROXY2);
}

/* A server takes a PROXY header always or never, and has one health check. */
static void check_headers_of(const struct service *one,
    const struct service *other, struct report *report)
{
	for (size_t i = 0; i < one->backend_count; i++)
		for (size_t j = 0; j < other->backend_count; j++) {
			const struct backend *first = &one->backends[i];
			const struct backend *second = &other->backends[j];

			if (strcmp(first->name, second->name) != 0 ||
			    first->slot != 0 ||
			    gets_header(first) == gets_header(second))
				continue;
			report_add(report, REPORT_WARNING,
			    other->listener->place,
			    "backend %s gets %s PROXY header from service "
			    "\"%s\", and %s from service \"%s\": set "
			    "proxy_backend_handover, or handover= of the "
			    "backend, alike",
			    first->name, gets_header(second) ? "a" : "no",
			    other->listener->service,
			    gets_header(first) ? "one" : "none",
			    one->listener->service);
		}
}

static void check_headers(
    const struct services *services, struct report *report)
{
	for (size_t i = 0; i < services->count; i++)
		for (size_t j = 0; j < i; j++)
			check_headers_of(&services->services[j],
			    &services->services[i], report);
}

static bool uses_dane(const struct services *services)
{
	for (size_t i = 0; i < services->count; i++) {
		const struct service *service = &services->services[i];

		for (size_t j = 0; j < service->backend_count; j++)
			if (service->backends[j].tls.dane.is_used)
				return true;
	}
	return false;
}

static void read_services(struct services *services, struct report *report)
{
	const struct configuration *configuration = services->configuration;

	for (size_t i = 0; i < services->count; i++)
		read_service(&services->services[i],
		    &configuration->listeners[i], services->shared, report);
	check_addresses(services, report);
	check_headers(services, report);
	metrics_listen_read(services, report);
	resolver_check(configuration->settings, report);
	if (uses_dane(services))
		trust_anchors_check(configuration->settings, report);
	ticket_rotation_configure(NULL, services, report);
	/* struct worker_listener counts services in eight bits. */
	if (services->count > UINT8_MAX)
		report_add(report, REPORT_ERROR, configuration->directory,
		    "master.cf must not have more than %d lines with the "
		    "command smtpd",
		    UINT8_MAX);
}

uint16_t service_backend_port(const struct backend *backend)
{
	const struct sockaddr_storage *address = &backend->address;

	if (address->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)address)->sin_port);
	if (address->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
	return 0;
}

struct services *services_load(
    const char *directory, const struct shared *shared, struct report *report)
{
	struct configuration *configuration =
	    configuration_load(directory, report);
	struct services *services;

	if (configuration == NULL)
		return NULL;
	services = calloc(1, sizeof(*services));
	if (services == NULL)
		goto no_memory;
	services->configuration = configuration;
	services->shared = shared;
	services->count = configuration->listener_count;
	services->services =
	    calloc(services->count + 1, sizeof(*services->services));
	if (services->services == NULL)
		goto no_memory;
	read_services(services, report);
	if (report->error_count != 0)
		services_destroy(&services);
	return services;
no_memory:
	report_add(report, REPORT_ERROR, NULL, "out of memory");
	free(services);
	configuration_destroy(&configuration);
	return NULL;
}

void services_destroy(struct services **services)
{
	struct services *gone = *services;

	if (gone == NULL)
		return;
	for (size_t i = 0; i < gone->count; i++) {
		service_tls_finish(&gone->services[i]);
		match_list_close(&gone->services[i].debug_peers);
		upstream_finish(&gone->services[i].upstream);
		table_close(&gone->services[i].discard_maps);
		service_backend_tls_finish(&gone->services[i]);
	}
	free(gone->services);
	configuration_destroy(&gone->configuration);
	free(gone);
	*services = NULL;
}
