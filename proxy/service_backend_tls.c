/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/service_backend_tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/loglevel.h"
#include "conf/table.h"
#include "proxy/address.h"
#include "proxy/service_tls.h"
#include "proxy/tls_policy.h"
#include "proxy/tls_policy_find.h"
#include "tls/client.h"

#define MAPS	  "smtp_tls_policy_maps"
#define LEVEL	  "smtp_tls_security_level"
#define MATCH_MAX 64
#define NAME_SIZE 256

/* One backend while its TLS is read. */
struct reader {
	const struct settings *settings;
	struct backend *backend;
	struct report *report;
	struct tls_policy policy;
	/* From smtp_tls_policy_maps, not from main.cf's parameters. */
	bool has_policy;
	const char *matches[MATCH_MAX];
	char names[MATCH_MAX][NAME_SIZE];
	size_t match_count;
};

static void complain(const struct reader *reader, const char *parameter,
    const char *value, const char *what)
{
	report_add(reader->report, REPORT_ERROR,
	    settings_place(reader->settings, parameter),
	    "%s = %s: backend \"%s\": %s", parameter, value,
	    reader->backend->name, what);
}

/* Reference 2.1: the old parameters count when the new one is empty. */
static enum settings_client_level default_level(const struct settings *settings)
{
	if (settings->smtp_tls_security_level != SETTINGS_CLIENT_UNSET)
		return (enum settings_client_level)
		    settings->smtp_tls_security_level;
	if (settings->smtp_enforce_tls)
		return settings->smtp_tls_enforce_peername
			   ? SETTINGS_CLIENT_VERIFY
			   : SETTINGS_CLIENT_ENCRYPT;
	return settings->smtp_use_tls ? SETTINGS_CLIENT_MAY
				      : SETTINGS_CLIENT_NONE;
}

static const char *word_of(enum settings_client_level level)
{
	static const char *const words[] = {
	    [SETTINGS_CLIENT_UNSET] = "",
	    [SETTINGS_CLIENT_NONE] = "none",
	    [SETTINGS_CLIENT_MAY] = "may",
	    [SETTINGS_CLIENT_ENCRYPT] = "encrypt",
	    [SETTINGS_CLIENT_FINGERPRINT] = "fingerprint",
	    [SETTINGS_CLIENT_VERIFY] = "verify",
	    [SETTINGS_CLIENT_SECURE] = "secure",
	    [SETTINGS_CLIENT_DANE] = "dane",
	    [SETTINGS_CLIENT_DANE_ONLY] = "dane-only",
	};

	return words[level];
}

/* --- smtp_tls_policy_maps --- */

static bool take_policy(struct reader *reader, const char *value)
{
	char why[512];

	reader->has_policy = true;
	if (!tls_policy_parse(value, &reader->policy, why, sizeof(why))) {
		complain(reader, MAPS, value, why);
		return false;
	}
	if (reader->policy.ignored[0] != '\0')
		report_add(reader->report, REPORT_WARNING,
		    settings_place(reader->settings, MAPS),
		    MAPS " = %s: backend \"%s\": \"%s\" has no effect", value,
		    reader->backend->name, reader->policy.ignored);
	return true;
}

static bool look_up_policy(struct reader *reader, const struct table *table)
{
	char buffer[TLS_POLICY_TEXT_SIZE];
	const char *value;

	reader->policy =
	    (struct tls_policy){.level = default_level(reader->settings)};
	if (table == NULL)
		return true;
	switch (tls_policy_find(table, reader->backend, &value, buffer)) {
	case TABLE_FOUND:
		return take_policy(reader, value);
	case TABLE_ABSENT:
		return true;
	case TABLE_FAILED:
		complain(reader, MAPS, reader->settings->smtp_tls_policy_maps,
		    "the lookup failed; must have a result of less than 1024 "
		    "characters");
		return false;
	}
	return false;
}

/* --- the client --- */

static void add_match(struct reader *reader, const char *dot, const char *name)
{
	char *place = reader->names[reader->match_count];

	if (reader->match_count == MATCH_MAX)
		return;
	snprintf(place, NAME_SIZE, "%s%s", dot, name);
	reader->matches[reader->match_count++] = place;
}

/* An address is no name that a certificate is asked for. */
static void add_host(struct reader *reader, const char *dot)
{
	const char *host = reader->backend->host;

	if (host[0] != '\0' && !address_is_numeric(host))
		add_match(reader, dot, host);
}

static void read_matches(struct reader *reader, const char *list)
{
	const char *element;
	size_t len;

	reader->match_count = 0;
	while (settings_list_next(&list, &element, &len)) {
		char word[NAME_SIZE];

		snprintf(word, sizeof(word), "%.*s", (int)len, element);
		if (strcasecmp(word, "hostname") == 0 ||
		    strcasecmp(word, "nexthop") == 0)
			add_host(reader, "");
		else if (strcasecmp(word, "dot-nexthop") == 0)
			add_host(reader, ".");
		else
			add_match(reader, "", word);
	}
}

static void set_match(struct reader *reader, struct tls_client_options *options)
{
	const struct settings *settings = reader->settings;
	const char *list = "";

	options->match_parameter = LEVEL;
	switch (options->level) {
	case TLS_CLIENT_MAY:
	case TLS_CLIENT_ENCRYPT:
	case TLS_CLIENT_DANE:
		return;
	case TLS_CLIENT_FINGERPRINT:
		options->match_parameter = "smtp_tls_fingerprint_cert_match";
		list = settings->smtp_tls_fingerprint_cert_match;
		break;
	case TLS_CLIENT_VERIFY:
		options->match_parameter = "smtp_tls_verify_cert_match";
		list = settings->smtp_tls_verify_cert_match;
		break;
	case TLS_CLIENT_SECURE:
		options->match_parameter = "smtp_tls_secure_cert_match";
		list = settings->smtp_tls_secure_cert_match;
		break;
	}
	if (reader->policy.match.is_present) {
		options->match_parameter = MAPS;
		list = reader->policy.match.text;
	}
	read_matches(reader, list);
	options->matches = reader->matches;
	options->match_count = reader->match_count;
}

static const char *servername(const struct reader *reader)
{
	const char *name = reader->settings->smtp_tls_servername;
	const char *host = reader->backend->host;

	if (reader->policy.servername.is_present)
		return reader->policy.servername.text;
	if (strcasecmp(name, "hostname") != 0 &&
	    strcasecmp(name, "nexthop") != 0)
		return name;
	/* RFC 6066, 3: no addresses. */
	return address_is_numeric(host) ? "" : host;
}

static void set_ciphers(const struct reader *reader, bool mandatory,
    struct tls_cipher_options *ciphers)
{
	const struct settings *settings = reader->settings;
	const struct tls_policy *policy = &reader->policy;

	ciphers->grade =
	    service_tls_grade(mandatory ? settings->smtp_tls_mandatory_ciphers
					: settings->smtp_tls_ciphers);
	ciphers->grade_parameter =
	    mandatory ? "smtp_tls_mandatory_ciphers" : "smtp_tls_ciphers";
	ciphers->smtpd_tls_exclude_ciphers = settings->smtp_tls_exclude_ciphers;
	ciphers->smtpd_tls_mandatory_exclude_ciphers =
	    mandatory ? settings->smtp_tls_mandatory_exclude_ciphers : "";
	if (policy->ciphers.is_present) {
		ciphers->grade = policy->ciphers.text;
		ciphers->grade_parameter = MAPS;
	}
	if (policy->exclude.is_present) {
		ciphers->smtpd_tls_exclude_ciphers = policy->exclude.text;
		ciphers->smtpd_tls_mandatory_exclude_ciphers = "";
	}
}

static void set_shared(const struct reader *reader, bool mandatory,
    struct tls_context_options *shared)
{
	const struct settings *settings = reader->settings;

	*shared = service_tls_common(settings);
	shared->smtpd_tls_chain_files = settings->smtp_tls_chain_files;
	shared->smtpd_tls_cert_file = settings->smtp_tls_cert_file;
	shared->smtpd_tls_key_file = settings->smtp_tls_key_file;
	shared->smtpd_tls_dcert_file = settings->smtp_tls_dcert_file;
	shared->smtpd_tls_dkey_file = settings->smtp_tls_dkey_file;
	shared->smtpd_tls_eccert_file = settings->smtp_tls_eccert_file;
	shared->smtpd_tls_eckey_file = settings->smtp_tls_eckey_file;
	shared->protocols = mandatory ? settings->smtp_tls_mandatory_protocols
				      : settings->smtp_tls_protocols;
	shared->protocols_parameter =
	    mandatory ? "smtp_tls_mandatory_protocols" : "smtp_tls_protocols";
	if (reader->policy.protocols.is_present) {
		shared->protocols = reader->policy.protocols.text;
		shared->protocols_parameter = MAPS;
	}
	set_ciphers(reader, mandatory, &shared->ciphers);
	shared->session_timeout_s =
	    (int)settings->smtp_tls_session_cache_timeout_s;
	shared->peer = (struct tls_peer_options){
	    .smtpd_tls_CAfile = settings->smtp_tls_CAfile,
	    .smtpd_tls_CApath = settings->smtp_tls_CApath,
	    .tls_append_default_CA = settings->tls_append_default_CA,
	    .smtpd_tls_ccert_verifydepth =
		(int)settings->smtp_tls_scert_verifydepth,
	    .smtpd_tls_fingerprint_digest =
		settings->smtp_tls_fingerprint_digest,
	};
}

static struct tls_client *make_client(
    struct reader *reader, enum tls_client_level level)
{
	struct service_tls_finder finder = {reader->settings, reader->report};
	struct tls_report report = service_tls_report(&finder);
	const struct tls_policy_attribute *anchors = &reader->policy.tafile;
	struct tls_client_options options = {
	    .level = level,
	    .tls_wildcard_matches_multiple_labels =
		reader->settings->tls_wildcard_matches_multiple_labels,
	    .smtp_tls_trust_anchor_file =
		anchors->is_present
		    ? anchors->text
		    : reader->settings->smtp_tls_trust_anchor_file,
	    .trust_anchor_parameter =
		anchors->is_present ? MAPS : "smtp_tls_trust_anchor_file",
	    .servername = servername(reader),
	    .tls_dane_digests = reader->settings->tls_dane_digests,
	};

	set_shared(reader, level != TLS_CLIENT_MAY, &options.shared);
	set_match(reader, &options);
	return tls_client_create(&options, &report);
}

static void set_level(struct reader *reader, enum tls_client_level level)
{
	struct backend_tls *tls = &reader->backend->tls;

	tls->level =
	    level == TLS_CLIENT_MAY ? BACKEND_TLS_MAY : BACKEND_TLS_ENCRYPT;
	tls->must_match = tls_client_level_must_match(level);
	tls->wrappermode = reader->settings->smtp_tls_wrappermode;
	tls->client = make_client(reader, level);
}

static void check_wrappermode(const struct reader *reader)
{
	if (reader->settings->smtp_tls_wrappermode)
		complain(reader, reader->has_policy ? MAPS : LEVEL,
		    word_of(reader->policy.level),
		    "must be encrypt or above, since smtp_tls_wrappermode = "
		    "yes leaves no other way");
}

/* NULL, or why this backend cannot have this level. */
static const char *dane_fault(const struct reader *reader)
{
	const char *host = reader->backend->host;
	bool is_only = reader->policy.level == SETTINGS_CLIENT_DANE_ONLY;

	if (host[0] == '\0' || address_is_numeric(host))
		return "DNS has records for the names of hosts alone; must be "
		       "fingerprint, verify or secure here, or the backend "
		       "inet:NAME:PORT";
	if (reader->settings->smtp_tls_wrappermode && !is_only)
		return "without records it would be may, which "
		       "smtp_tls_wrappermode = yes leaves no room for; must be "
		       "dane-only";
	return NULL;
}

static void apply_dane(struct reader *reader)
{
	struct backend_dane *dane = &reader->backend->tls.dane;
	const char *fault = dane_fault(reader);

	if (fault != NULL) {
		complain(reader, reader->has_policy ? MAPS : LEVEL,
		    word_of(reader->policy.level), fault);
		return;
	}
	dane->is_used = true;
	dane->is_only = reader->policy.level == SETTINGS_CLIENT_DANE_ONLY;
	dane->client = make_client(reader, TLS_CLIENT_DANE);
	reader->backend->tls.wrappermode =
	    reader->settings->smtp_tls_wrappermode;
	if (dane->is_only) {
		reader->backend->tls.level = BACKEND_TLS_ENCRYPT;
		reader->backend->tls.must_match = true;
		return;
	}
	dane->encrypt = make_client(reader, TLS_CLIENT_ENCRYPT);
	set_level(reader, TLS_CLIENT_MAY);
}

static void apply_level(struct reader *reader)
{
	switch (reader->policy.level) {
	case SETTINGS_CLIENT_UNSET:
	case SETTINGS_CLIENT_NONE:
		check_wrappermode(reader);
		break;
	case SETTINGS_CLIENT_MAY:
		check_wrappermode(reader);
		set_level(reader, TLS_CLIENT_MAY);
		break;
	case SETTINGS_CLIENT_ENCRYPT:
		set_level(reader, TLS_CLIENT_ENCRYPT);
		break;
	case SETTINGS_CLIENT_FINGERPRINT:
		set_level(reader, TLS_CLIENT_FINGERPRINT);
		break;
	case SETTINGS_CLIENT_VERIFY:
		set_level(reader, TLS_CLIENT_VERIFY);
		break;
	case SETTINGS_CLIENT_SECURE:
		set_level(reader, TLS_CLIENT_SECURE);
		break;
	case SETTINGS_CLIENT_DANE:
	case SETTINGS_CLIENT_DANE_ONLY:
		apply_dane(reader);
		break;
	}
}

static void read_backend(struct service *service, const struct table *table,
    struct backend *backend, struct report *report)
{
	struct reader *reader;

	backend_print_peer(service->settings, backend);
	if (backend->kind == BACKEND_SINK)
		return;
	reader = calloc(1, sizeof(*reader));
	if (reader == NULL) {
		report_add(report, REPORT_ERROR, NULL, "out of memory");
		return;
	}
	reader->settings = service->settings;
	reader->backend = backend;
	reader->report = report;
	if (look_up_policy(reader, table))
		apply_level(reader);
	free(reader);
}

void service_backend_tls_read(struct service *service, struct report *report)
{
	const struct settings *settings = service->settings;
	const char *maps = settings->smtp_tls_policy_maps;
	struct table *table = NULL;
	char place[1024];

	loglevel_parse(settings->smtp_tls_loglevel, &service->backend_tls_log);
	if (maps[0] != '\0') {
		snprintf(place, sizeof(place), "%s: " MAPS,
		    settings_place(settings, MAPS));
		table = table_open(maps, place, report);
		if (table == NULL)
			return;
	}
	for (size_t i = 0; i < service->backend_count; i++)
		read_backend(service, table, &service->backends[i], report);
	table_close(&table);
}

void service_backend_tls_finish(struct service *service)
{
	for (size_t i = 0; i < service->backend_count; i++) {
		struct backend_tls *tls = &service->backends[i].tls;

		tls_client_destroy(&tls->client);
		tls_client_destroy(&tls->dane.client);
		tls_client_destroy(&tls->dane.encrypt);
	}
}
