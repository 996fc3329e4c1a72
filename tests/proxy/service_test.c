/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "proxy/service.h"
#include "smtp/proxy_tlvs.h"
#include "smtp/ehlo.h"

/* Made for this test; good for a hundred years, and for nothing. */
static const char pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQglbteDtv0DsVBePkI\n"
    "NfVnDQfyB158A1qyoFaDOEHgmVOhRANCAAQjx+HHpa/NYjoEeTwj26E6BTZh+8IT\n"
    "sSnr3fKgRAcms6aCZz2igIOjfVbXniZrzk2UWGQTOK597XHddBDElbq5\n"
    "-----END PRIVATE KEY-----\n"
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBjDCCATGgAwIBAgIUau+19kjxW+x6iNfIjTNfBAXdxQYwCgYIKoZIzj0EAwIw\n"
    "GjEYMBYGA1UEAwwPbXguZXhhbXBsZS50ZXN0MCAXDTI2MTEyMzE2MTY1NVoYDzIx\n"
    "MjYxMDMwMTYxNjU1WjAaMRgwFgYDVQQDDA9teC5leGFtcGxlLnRlc3QwWTATBgcq\n"
    "hkjOPQIBBggqhkjOPQMBBwNCAAQjx+HHpa/NYjoEeTwj26E6BTZh+8ITsSnr3fKg\n"
    "RAcms6aCZz2igIOjfVbXniZrzk2UWGQTOK597XHddBDElbq5o1MwUTAdBgNVHQ4E\n"
    "FgQUXUC+R1/PtpOx7OKO8TrIm8BmjbkwHwYDVR0jBBgwFoAUXUC+R1/PtpOx7OKO\n"
    "8TrIm8BmjbkwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAzujy\n"
    "bRpbioMJq/G6FRfPkgrqaVw6tS/NNJPiWe9ndOICIQCON17xXQEvAQbANCbAHYEd\n"
    "pqIekqJJAAAi9eZXjRLXfg==\n"
    "-----END CERTIFICATE-----\n";

static char folder[] = "/tmp/postern-service-XXXXXX";
static struct report report;

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
}

static void make_folder(void)
{
	cr_assert_not_null(mkdtemp(folder));
	write_file("chain.pem", pem);
	report_init(&report);
}

static void remove_folder(void)
{
	static const char *const names[] = {
	    "chain.pem", "main.cf", "master.cf"};
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
	report_finish(&report);
}

TestSuite(service, .init = make_folder, .fini = remove_folder, .timeout = 60);

/* main.cf of these lines, behind what every one needs; CHAIN is set where
 * "@" stands. */
static struct services *load(const char *main_cf, const char *master_cf)
{
	char text[4096];
	const char *at = strchr(main_cf, '@');

	if (at == NULL)
		snprintf(text, sizeof(text), "myhostname = mx.example.test\n%s",
		    main_cf);
	else
		snprintf(text, sizeof(text),
		    "myhostname = mx.example.test\n%.*s%s/chain.pem%s",
		    (int)(at - main_cf), main_cf, folder, at + 1);
	write_file("main.cf", text);
	write_file("master.cf", master_cf);
	return services_load(folder, NULL, &report);
}

static const char *all_messages(void)
{
	static char text[8192];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < report.message_count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n",
		    report.messages[i].text);
	return text;
}

#define SINK	     "proxy_backend = builtin:sink\n"
#define ONE_LISTENER "127.0.0.1:2525 inet n - n - - smtpd\n"

Test(service, tls_level)
{
	static const struct {
		const char *settings;
		enum smtp_tls_level level;
		bool auth_only, wrappermode;
	} rows[] = {
	    {"", SMTP_TLS_NONE, false, false},
	    {"smtpd_tls_security_level = none\n", SMTP_TLS_NONE, false, false},
	    {"smtpd_tls_security_level = may\n", SMTP_TLS_MAY, false, false},
	    {"smtpd_tls_security_level = Encrypt\n", SMTP_TLS_ENCRYPT, true,
		false},
	    {"smtpd_tls_security_level = verify\n", SMTP_TLS_ENCRYPT, true,
		false},
	    {"smtpd_use_tls = yes\n", SMTP_TLS_MAY, false, false},
	    {"smtpd_enforce_tls = yes\n", SMTP_TLS_ENCRYPT, true, false},
	    /* The level is stronger than the old words. */
	    {"smtpd_tls_security_level = none\nsmtpd_enforce_tls = yes\n",
		SMTP_TLS_NONE, false, false},
	    {"smtpd_tls_security_level = may\nsmtpd_enforce_tls = yes\n",
		SMTP_TLS_MAY, false, false},
	    /* Wrapper mode is stronger than the level. */
	    {"smtpd_tls_wrappermode = yes\n", SMTP_TLS_ENCRYPT, true, true},
	    {"smtpd_tls_wrappermode = yes\nsmtpd_tls_security_level = none\n",
		SMTP_TLS_ENCRYPT, true, true},
	    {"smtpd_tls_auth_only = yes\n", SMTP_TLS_NONE, true, false},
	    {"smtpd_tls_security_level = may\nsmtpd_tls_auth_only = yes\n",
		SMTP_TLS_MAY, true, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char settings[512];
		struct services *services;

		snprintf(settings, sizeof(settings),
		    SINK "smtpd_tls_chain_files = @\n%s", rows[i].settings);
		services = load(settings, ONE_LISTENER);
		cr_assert_not_null(services, "row %zu: %s", i, all_messages());
		cr_assert_eq(services->count, 1);
		cr_assert_eq(services->services[0].policy.tls_level,
		    rows[i].level, "row %zu", i);
		cr_assert_eq(services->services[0].policy.auth_only,
		    rows[i].auth_only, "row %zu", i);
		cr_assert_eq(services->services[0].wrappermode,
		    rows[i].wrappermode, "row %zu", i);
		cr_assert_eq(services->services[0].tls != NULL,
		    rows[i].level != SMTP_TLS_NONE, "row %zu", i);
		services_destroy(&services);
		cr_assert_null(services);
	}
}

Test(service, each_listener_has_its_own)
{
	struct services *services =
	    load(SINK "smtpd_tls_chain_files = @\n"
		      "smtpd_tls_security_level = may\n",
		"127.0.0.1:2525 inet n - n - - smtpd\n"
		"127.0.0.1:2587 inet n - n - 7 smtpd\n"
		"  -o syslog_name=postern/submission\n"
		"  -o smtpd_tls_security_level=encrypt\n"
		"  -o smtpd_banner=hello -o line_length_limit=4096\n"
		"  -o smtpd_discard_ehlo_keywords=chunking,DSN\n"
		"  -o proxy_backend=inet:127.0.0.1:10025\n");
	const struct service *mx;
	const struct service *submission;

	cr_assert_not_null(services, "%s", all_messages());
	cr_assert_eq(services->count, 2);
	mx = &services->services[0];
	submission = &services->services[1];
	cr_assert_str_eq(mx->log_name, "postern/smtpd");
	cr_assert_str_eq(submission->log_name, "postern/submission/smtpd");
	cr_assert_eq(mx->policy.tls_level, SMTP_TLS_MAY);
	cr_assert_eq(submission->policy.tls_level, SMTP_TLS_ENCRYPT);
	cr_assert_str_eq(mx->policy.hostname, "mx.example.test");
	cr_assert_str_eq(mx->policy.banner, "mx.example.test ESMTP Postern");
	cr_assert_str_eq(submission->policy.banner, "hello");
	cr_assert_eq(mx->policy.line_size_max, 2048);
	cr_assert_eq(submission->policy.line_size_max, 4096);
	cr_assert_str_eq(mx->policy.forbidden_commands, "CONNECT GET POST");
	cr_assert_eq(mx->policy.hard_error_limit, 20);
	cr_assert_eq(mx->policy.junk_command_limit, 100);
	cr_assert_eq(mx->policy.discarded_keywords, 0);
	cr_assert_eq(submission->policy.discarded_keywords,
	    1u << SMTP_KEYWORD_CHUNKING | 1u << SMTP_KEYWORD_DSN);
	cr_assert_str_eq(mx->addresses[0].text, "127.0.0.1:2525");
	cr_assert_str_eq(submission->addresses[0].text, "127.0.0.1:2587");
	cr_assert_eq(submission->listener->maxproc, 7);
	cr_assert_eq(mx->backends[0].kind, BACKEND_SINK);
	cr_assert_eq(submission->backends[0].kind, BACKEND_SOCKET);
	cr_assert_neq(mx->tls, submission->tls);
	services_destroy(&services);
}

Test(service, addresses)
{
	static const struct {
		const char *settings, *service;
		const char *expected; /* joined by blanks */
	} rows[] = {
	    {"", "127.0.0.1:2525", "127.0.0.1:2525"},
	    {"", "[::1]:2525", "[::1]:2525"},
	    {"", "2525", "0.0.0.0:2525 [::]:2525"},
	    {"", "submission", "0.0.0.0:587 [::]:587"},
	    {"inet_protocols = ipv4\n", "2525", "0.0.0.0:2525"},
	    {"inet_protocols = ipv6\n", "2525", "[::]:2525"},
	    {"inet_interfaces = loopback-only\n", "2525",
		"127.0.0.1:2525 [::1]:2525"},
	    {"inet_interfaces = 127.0.0.2, 127.0.0.3\n", "2525",
		"127.0.0.2:2525 127.0.0.3:2525"},
	    {"inet_interfaces = 127.0.0.2, 127.0.0.2\n", "2525",
		"127.0.0.2:2525"},
	    {"inet_interfaces = 127.0.0.2\n", "127.0.0.9:2525",
		"127.0.0.9:2525"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char settings[512];
		char line[128];
		char found[512] = "";
		struct services *services;

		snprintf(
		    settings, sizeof(settings), SINK "%s", rows[i].settings);
		snprintf(line, sizeof(line), "%s inet n - n - - smtpd\n",
		    rows[i].service);
		services = load(settings, line);
		cr_assert_not_null(services, "row %zu: %s", i, all_messages());
		for (size_t j = 0; j < services->services[0].address_count; j++)
			snprintf(found + strlen(found),
			    sizeof(found) - strlen(found), "%s%s",
			    j == 0 ? "" : " ",
			    services->services[0].addresses[j].text);
		cr_assert_str_eq(found, rows[i].expected);
		services_destroy(&services);
	}
}

Test(service, unix_listener)
{
	struct services *services =
	    load(SINK "queue_directory = /var/spool/x\n",
		"gate unix n - n - - smtpd\n");
	const struct service_address *address;

	cr_assert_not_null(services, "%s", all_messages());
	address = &services->services[0].addresses[0];
	cr_assert_eq(address->address.ss_family, AF_UNIX);
	cr_assert_str_eq(
	    ((const struct sockaddr_un *)&address->address)->sun_path,
	    "/var/spool/x/gate");
	cr_assert_str_eq(address->text, "unix:/var/spool/x/gate");
	services_destroy(&services);
}

Test(service, backends)
{
	static const struct {
		const char *list;
		const char *names; /* joined by blanks */
	} rows[] = {
	    {"inet:127.0.0.1:10025", "inet:127.0.0.1:10025"},
	    {"inet:[::1]:25", "inet:[::1]:25"},
	    {"inet:127.0.0.1:smtp", "inet:127.0.0.1:smtp"},
	    {"unix:/run/lmtp", "unix:/run/lmtp"},
	    {"unix:private/x", "unix:private/x"},
	    {"builtin:sink", "builtin:sink"},
	    {"inet:127.0.0.1:1, inet:127.0.0.1:2 unix:/x",
		"inet:127.0.0.1:1 inet:127.0.0.1:2 unix:/x"},
	    /* once is enough */
	    {"inet:127.0.0.1:1 inet:127.0.0.1:1", "inet:127.0.0.1:1"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char settings[512];
		char found[512] = "";
		struct services *services;
		const struct service *service;

		snprintf(settings, sizeof(settings),
		    "proxy_backend = %s\nqueue_directory = /spool\n",
		    rows[i].list);
		services = load(settings, ONE_LISTENER);
		cr_assert_not_null(services, "row %zu: %s", i, all_messages());
		service = &services->services[0];
		for (size_t j = 0; j < service->backend_count; j++)
			snprintf(found + strlen(found),
			    sizeof(found) - strlen(found), "%s%s",
			    j == 0 ? "" : " ", service->backends[j].name);
		cr_assert_str_eq(found, rows[i].names);
		cr_assert_eq(service->backends[0].state_index, -1);
		services_destroy(&services);
	}
}

Test(service, backend_addresses)
{
	struct services *services =
	    load("proxy_backend = inet:[::1]:26 unix:private/x\n"
		 "queue_directory = /spool\n",
		ONE_LISTENER);
	const struct backend *backends;
	const struct sockaddr_in6 *v6;

	cr_assert_not_null(services, "%s", all_messages());
	backends = services->services[0].backends;
	v6 = (const struct sockaddr_in6 *)&backends[0].address;
	cr_assert_eq(v6->sin6_family, AF_INET6);
	cr_assert_eq(ntohs(v6->sin6_port), 26);
	cr_assert_eq(backends[0].address_len, sizeof(*v6));
	cr_assert_str_eq(
	    ((const struct sockaddr_un *)&backends[1].address)->sun_path,
	    "/spool/private/x");
	services_destroy(&services);
}

/* Which name each address of a host has; needs localhost to be known. */
Test(service, a_name_makes_one_backend_of_each_address)
{
	struct services *services = load("proxy_backend = inet:localhost:2626\n"
					 "inet_protocols = ipv4\n",
	    ONE_LISTENER);

	cr_assert_not_null(services, "%s", all_messages());
	cr_assert_eq(services->services[0].backend_count, 1);
	cr_assert_str_eq(services->services[0].backends[0].name,
	    "inet:localhost[127.0.0.1]:2626");
	services_destroy(&services);
}

/* Nobody asks DNS here. */
Test(service, a_name_of_dns_has_room_for_its_addresses)
{
	struct services *services =
	    load("proxy_backend = { inet:mx.invalid:2626, addresses=2, "
		 "weight=7 }, inet:other.invalid:25\n",
		ONE_LISTENER);
	const struct backend *backends;

	cr_assert_not_null(services, "%s", all_messages());
	backends = services->services[0].backends;
	cr_assert_eq(services->services[0].backend_count, 2 + 4);
	cr_assert_str_eq(backends[0].name, "inet:mx.invalid:2626");
	cr_assert_str_eq(backends[1].name, "inet:mx.invalid:2626#2");
	cr_assert_str_eq(backends[5].name, "inet:other.invalid:25#4");
	for (size_t i = 0; i < 6; i++) {
		cr_expect(backends[i].is_looked_up);
		cr_expect_eq(backends[i].slot, i < 2 ? i : i - 2);
	}
	cr_assert_str_eq(backends[1].host, "mx.invalid");
	cr_assert_eq(backends[1].weight, 7);
	cr_assert_eq(service_backend_port(&backends[1]), 2626);
	services_destroy(&services);
}

/* What an element says goes before what its listener says. */
Test(service, each_backend_is_told_in_its_own_way)
{
	struct services *services = load(
	    "proxy_backend = { inet:127.0.0.1:1, handover=proxy2, "
	    "proxy_tlvs={ ssl, alpn }, proxy_header_limit=232 }\n"
	    " { inet:127.0.0.1:2, handover={ none, xforward } }\n"
	    " { inet:mx.invalid:3, addresses=2, handover=proxy1, proxy_tlvs= "
	    "}\n"
	    " inet:127.0.0.1:4 { builtin:sink, handover=none }\n"
	    "proxy_backend_handover = xclient, xforward\n"
	    "proxy_backend_proxy_tlvs = unique-id\n",
	    ONE_LISTENER);
	static const struct handover expected[] = {
	    {HANDOVER_PROXY2, false,
		1u << SMTP_PROXY_TLV_SSL | 1u << SMTP_PROXY_TLV_ALPN, 232},
	    {HANDOVER_NONE, true, 1u << SMTP_PROXY_TLV_UNIQUE_ID, 536},
	    {HANDOVER_PROXY1, false, 0, 536},
	    {HANDOVER_PROXY1, false, 0, 536},
	    {HANDOVER_XCLIENT, true, 1u << SMTP_PROXY_TLV_UNIQUE_ID, 536},
	    {HANDOVER_NONE, false, 1u << SMTP_PROXY_TLV_UNIQUE_ID, 536},
	};

	cr_assert_not_null(services, "%s", all_messages());
	cr_assert_eq(report.message_count, 0, "%s", all_messages());
	cr_assert_eq(services->services[0].backend_count, 6);
	for (size_t i = 0; i < 6; i++) {
		const struct handover *handover =
		    &services->services[0].backends[i].handover;

		cr_expect_eq(handover->way, expected[i].way, "%zu", i);
		cr_expect_eq(
		    handover->xforward, expected[i].xforward, "%zu", i);
		cr_expect_eq(handover->tlvs, expected[i].tlvs, "%zu", i);
		cr_expect_eq(
		    handover->header_limit, expected[i].header_limit, "%zu", i);
	}
	services_destroy(&services);
}

/* It is told of whoever is concerned, and of nobody else. */
Test(service, a_handover_that_tells_nobody_is_a_warning)
{
	struct services *services =
	    load("proxy_backend = { inet:127.0.0.1:1, handover=none }\n"
		 "proxy_backend_handover = xforward\n",
		ONE_LISTENER);

	cr_assert_not_null(services, "%s", all_messages());
	cr_assert_eq(report.message_count, 0, "%s", all_messages());
	services_destroy(&services);
	services = load("proxy_backend = { inet:127.0.0.1:1, "
			"handover=xforward } inet:127.0.0.1:2\n"
			"proxy_backend_handover = xforward\n",
	    ONE_LISTENER);
	cr_assert_not_null(services, "%s", all_messages());
	cr_assert_eq(report.message_count, 2, "%s", all_messages());
	cr_assert_not_null(strstr(all_messages(),
	    "main.cf:2: proxy_backend: inet:127.0.0.1:1: handover = xforward: "
	    "tells the backends nothing"));
	cr_assert_not_null(strstr(all_messages(),
	    "main.cf:3: proxy_backend_handover = xforward: tells"));
	services_destroy(&services);
}

/* One health check could not be right for both. */
Test(service, a_header_for_one_listener_alone_is_a_warning)
{
	static const char two[] = "127.0.0.1:2525 inet n - n - - smtpd\n"
				  "127.0.0.1:2526 inet n - n - - smtpd\n"
				  "  -o proxy_backend_handover=proxy2\n";
	struct services *services =
	    load("proxy_backend = inet:127.0.0.1:1 { inet:127.0.0.1:2, "
		 "handover=proxy1 } { inet:mx.invalid:3, handover=none }\n",
		two);

	cr_assert_not_null(services, "%s", all_messages());
	cr_assert_eq(report.message_count, 1, "%s", all_messages());
	cr_assert_not_null(
	    strstr(all_messages(),
		"master.cf:2: backend inet:127.0.0.1:1 gets a PROXY header "
		"from service \"127.0.0.1:2526\", and none from service "
		"\"127.0.0.1:2525\": set proxy_backend_handover"),
	    "%s", all_messages());
	services_destroy(&services);
}

Test(service, what_is_wrong_is_told)
{
	static const struct {
		const char *main_cf, *master_cf;
		const char *expected; /* part of a message */
	} rows[] = {
	    {"", ONE_LISTENER, "proxy_backend = : must name"},
	    {"proxy_backend = smtp:[127.0.0.1]\n", ONE_LISTENER,
		"must be a list of inet:host:port, inet:[v6 address]:port, "
		"unix:/path or builtin:sink"},
	    {"proxy_backend = inet:127.0.0.1:no-such-port\n", ONE_LISTENER,
		"main.cf:2: proxy_backend = inet:127.0.0.1:no-such-port: the "
		"port is neither a number from 1 to 65535 nor a name of "
		"services(5): must be inet:host:port, inet:[v6 "
		"address]:port, unix:path or builtin:sink"},
	    {"proxy_backend = inet:-host.invalid:25\n", ONE_LISTENER,
		"main.cf:2: proxy_backend = inet:-host.invalid:25: the host is "
		"no name of DNS: must be "},
	    {"proxy_backend = { inet:host.invalid:25, addresses=9 }\n",
		ONE_LISTENER, "\"addresses=9\" must be weight="},
	    {"proxy_backend = { inet:127.0.0.1:25, handover=proxy3 }\n",
		ONE_LISTENER,
		"main.cf:2: proxy_backend: inet:127.0.0.1:25: handover = "
		"proxy3: must be auto, xclient, proxy1, proxy2 or none, and "
		"may have xforward beside it"},
	    {"proxy_backend = { inet:127.0.0.1:25, handover={proxy2 none} }\n",
		ONE_LISTENER,
		"main.cf:2: proxy_backend: inet:127.0.0.1:25: handover: "
		"\"none\" cannot stand beside another way"},
	    {"proxy_backend = { inet:127.0.0.1:25, proxy_tlvs={ssl, tls} }\n",
		ONE_LISTENER,
		"main.cf:2: proxy_backend: inet:127.0.0.1:25: proxy_tlvs = "
		"tls: must be of ssl, "},
	    {"proxy_backend = { inet:127.0.0.1:25, proxy_header_limit=51 }\n",
		ONE_LISTENER,
		"main.cf:2: proxy_backend: inet:127.0.0.1:25: "
		"proxy_header_limit = 51: must be 52 to 2048"},
	    {"proxy_backend = { inet:127.0.0.1:25, "
	     "proxy_header_limit=4000000000000000000000 }\n",
		ONE_LISTENER, "must be 52 to 2048"},
	    {"proxy_backend = { inet:127.0.0.1:25, handovers=none }\n",
		ONE_LISTENER, "\"handovers=none\" must be weight="},
	    {SINK "proxy_backend_handover = proxy3\n", ONE_LISTENER,
		"main.cf:3: proxy_backend_handover = proxy3: must be auto, "},
	    {SINK "proxy_backend_proxy_tlvs = tls\n", ONE_LISTENER,
		"main.cf:3: proxy_backend_proxy_tlvs = tls: must be of ssl, "},
	    {"inet_protocols = ipv4\nproxy_backend = inet:[::1]:25\n",
		ONE_LISTENER, "it has no address of the families that"},
	    {SINK "smtpd_tls_security_level = may\n", ONE_LISTENER,
		"master.cf:1: service \"127.0.0.1:2525\" has TLS turned on, "
		"but no certificate: set smtpd_tls_chain_files"},
	    {SINK "smtpd_tls_security_level = may\n"
		  "smtpd_tls_chain_files = /nonexistent/chain.pem\n",
		ONE_LISTENER, "main.cf:4: smtpd_tls_chain_files: "},
	    {SINK "smtpd_tls_chain_files = @\nsmtpd_tls_security_level = may\n"
		  "smtpd_tls_protocols = >=TLSv9\n",
		ONE_LISTENER, "main.cf:5: smtpd_tls_protocols: "},
	    {SINK "smtpd_tls_chain_files = @\nsmtpd_enforce_tls = yes\n"
		  "smtpd_tls_mandatory_protocols = >=TLSv9\n",
		ONE_LISTENER, "main.cf:5: smtpd_tls_mandatory_protocols: "},
	    {SINK, "host.invalid:2525 inet n - n - - smtpd\n",
		"master.cf:1: \"host.invalid\" is no address to listen on: "},
	    {SINK "inet_interfaces = host.invalid\n",
		"2525 inet n - n - - smtpd\n",
		"main.cf:3: \"host.invalid\" is no address to listen on: "},
	    {SINK "inet_protocols = ipv4\n",
		"[::1]:2525 inet n - n - - smtpd\n",
		"master.cf:1: \"::1\" is no address to listen on: "},
	    {SINK "inet_protocols = ipv4\ninet_interfaces = 127.0.0.1\n",
		ONE_LISTENER "2525 inet n - n - - smtpd\n",
		"master.cf:2: service \"2525\" listens on 127.0.0.1:2525, "
		"which is taken by "},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct services *services =
		    load(rows[i].main_cf, rows[i].master_cf);

		cr_assert_null(services, "row %zu", i);
		cr_assert_gt(report.error_count, 0);
		cr_assert_not_null(strstr(all_messages(), rows[i].expected),
		    "row %zu: %s", i, all_messages());
		report_finish(&report);
		report_init(&report);
	}
}

Test(service, an_unknown_keyword_is_a_warning)
{
	struct services *services = load(SINK
	    "smtpd_discard_ehlo_keywords = silent-discard, dsn, foo\n",
	    ONE_LISTENER);

	cr_assert_not_null(services, "%s", all_messages());
	cr_assert_eq(report.message_count, 1, "%s", all_messages());
	cr_assert_not_null(strstr(all_messages(),
	    "main.cf:3: smtpd_discard_ehlo_keywords: \"foo\" is no keyword"));
	cr_assert_eq(services->services[0].policy.discarded_keywords,
	    1u << SMTP_KEYWORD_DSN);
	services_destroy(&services);
}

static void expect_too_many(
    const char *main_cf, const char *master_cf, const char *expected)
{
	cr_assert_null(load(main_cf, master_cf));
	cr_assert_not_null(
	    strstr(all_messages(), expected), "%s", all_messages());
	report_finish(&report);
	report_init(&report);
}

Test(service, limits)
{
	char list[4096] = "proxy_backend =";
	char lines[8192] = "";
	struct services *services;

	for (unsigned i = 1; i <= SERVICE_BACKENDS_MAX; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
		    " inet:127.0.0.1:%u", i);
	services = load(list, ONE_LISTENER);
	cr_assert_not_null(services, "%s", all_messages());
	cr_assert_eq(services->services[0].backend_count, SERVICE_BACKENDS_MAX);
	services_destroy(&services);
	strcat(list, " inet:127.0.0.1:99");
	expect_too_many(list, ONE_LISTENER, "must not have more than 32");
	for (unsigned i = 0; i < 64; i++)
		snprintf(lines + strlen(lines), sizeof(lines) - strlen(lines),
		    "127.0.0.1:%u inet n - n - - smtpd\n", 2000 + i);
	services = load(SINK, lines);
	cr_assert_not_null(services, "%s", all_messages());
	services_destroy(&services);
	strcat(lines, ONE_LISTENER);
	expect_too_many(SINK, lines, "have 65 addresses to listen on");
	expect_too_many(SINK
	    "inet_interfaces = 127.0.0.1 127.0.0.2 127.0.0.3 "
	    "127.0.0.4 127.0.0.5 127.0.0.6 127.0.0.7 127.0.0.8 "
	    "127.0.0.9\n",
	    "2525 inet n - n - - smtpd\n",
	    "has more than 8 addresses to listen on");
}
