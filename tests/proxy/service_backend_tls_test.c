/* SPDX-License-Identifier: Apache-2.0 */
/* From main.cf to the TLS of each backend. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proxy/service.h"

static char folder[] = "/tmp/postern-backend-tls-XXXXXX";
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
	report_init(&report);
}

static void remove_folder(void)
{
	static const char *const names[] = {"main.cf", "master.cf"};
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
	report_finish(&report);
}

TestSuite(service_backend_tls, .init = make_folder, .fini = remove_folder);

#define NAMED "proxy_backend = inet:localhost:2526\ninet_protocols = ipv4\n"

static struct services *load(const char *main_cf)
{
	char text[4096];

	snprintf(
	    text, sizeof(text), "myhostname = mx.example.test\n%s", main_cf);
	write_file("main.cf", text);
	write_file("master.cf", "127.0.0.1:2525 inet n - n - - smtpd\n");
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

/* The TLS of the one backend. */
struct row {
	const char *main_cf;
	enum backend_tls_level level;
	bool must_match;
};

static void expect(const struct row *row)
{
	struct services *services;
	const struct backend_tls *tls;
	char text[2048];

	snprintf(text, sizeof(text), NAMED "%s", row->main_cf);
	services = load(text);
	cr_assert_not_null(services, "%s: %s", row->main_cf, all_messages());
	cr_expect_eq(report.message_count, 0, "%s", all_messages());
	tls = &services->services[0].backends[0].tls;
	cr_expect_eq(tls->level, row->level, "%s", row->main_cf);
	cr_expect_eq(tls->must_match, row->must_match, "%s", row->main_cf);
	cr_expect_eq(tls->client != NULL, row->level != BACKEND_TLS_NONE);
	cr_expect_str_eq(tls->peer, "localhost[127.0.0.1]:2526");
	services_destroy(&services);
}

#define FINGERPRINT                        \
	"000102030405060708090a0b0c0d0e0f" \
	"101112131415161718191a1b1c1d1e1f"

Test(service_backend_tls, levels)
{
	static const struct row rows[] = {
	    {"", BACKEND_TLS_NONE, false},
	    {"smtp_tls_security_level = none\nsmtp_use_tls = yes\n",
		BACKEND_TLS_NONE, false},
	    {"smtp_tls_security_level = may\n", BACKEND_TLS_MAY, false},
	    {"smtp_tls_security_level = Encrypt\n", BACKEND_TLS_ENCRYPT, false},
	    {"smtp_tls_security_level = verify\n", BACKEND_TLS_ENCRYPT, true},
	    {"smtp_tls_security_level = secure\n", BACKEND_TLS_ENCRYPT, true},
	    {"smtp_tls_security_level = fingerprint\n"
	     "smtp_tls_fingerprint_cert_match = " FINGERPRINT "\n",
		BACKEND_TLS_ENCRYPT, true},
	    {"smtp_use_tls = yes\n", BACKEND_TLS_MAY, false},
	    {"smtp_enforce_tls = yes\n", BACKEND_TLS_ENCRYPT, true},
	    {"smtp_enforce_tls = yes\nsmtp_tls_enforce_peername = no\n",
		BACKEND_TLS_ENCRYPT, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(&rows[i]);
}

#define MAPS(key, value)                                                   \
	"smtp_tls_security_level = none\nsmtp_tls_policy_maps = inline:{ " \
	"{" key " = " value "} }\n"

Test(service_backend_tls, policy_maps)
{
	static const struct row rows[] = {
	    {MAPS("inet:localhost:2526", "may"), BACKEND_TLS_MAY, false},
	    {MAPS("localhost:2526", "may"), BACKEND_TLS_MAY, false},
	    {MAPS("[localhost]:2526", "may"), BACKEND_TLS_MAY, false},
	    {MAPS("[localhost]", "may"), BACKEND_TLS_MAY, false},
	    {MAPS("localhost", "may"), BACKEND_TLS_MAY, false},
	    {MAPS("localhost:2527", "may"), BACKEND_TLS_NONE, false},
	    {MAPS("localhost", "encrypt protocols=TLSv1.3 ciphers=high"),
		BACKEND_TLS_ENCRYPT, false},
	    {MAPS("localhost", "secure match=.example.test"),
		BACKEND_TLS_ENCRYPT, true},
	    {MAPS("localhost", "fingerprint match=" FINGERPRINT),
		BACKEND_TLS_ENCRYPT, true},
	    {"smtp_tls_security_level = encrypt\n"
	     "smtp_tls_policy_maps = static:none\n",
		BACKEND_TLS_NONE, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(&rows[i]);
}

Test(service_backend_tls, peers_of_the_log)
{
	struct services *services =
	    load("proxy_backend = inet:127.0.0.1:25 inet:[::1]:26 "
		 "unix:/run/x builtin:sink\nsmtp_tls_security_level = may\n");
	const struct backend *backends;

	cr_assert_not_null(services, "%s", all_messages());
	backends = services->services[0].backends;
	cr_expect_str_eq(backends[0].tls.peer, "127.0.0.1[127.0.0.1]:25");
	cr_expect_str_eq(backends[1].tls.peer, "::1[::1]:26");
	cr_expect_str_eq(backends[2].tls.peer, "mx.example.test[/run/x]");
	cr_expect_not_null(backends[2].tls.client);
	/* It has no wire to protect. */
	cr_expect_eq(backends[3].tls.level, BACKEND_TLS_NONE);
	cr_expect_null(backends[3].tls.client);
	services_destroy(&services);
}

Test(service_backend_tls, what_is_wrong_is_told)
{
	static const struct {
		const char *main_cf, *expected;
	} rows[] = {
	    {NAMED "smtp_tls_security_level = junk\n",
		"main.cf:4: smtp_tls_security_level = junk: must be empty, "
		"none, "},
	    {NAMED "smtp_tls_security_level = dane\n"
		   "proxy_dns_trust_anchor_file = /nowhere\n",
		"main.cf:5: proxy_dns_trust_anchor_file = /nowhere: No such "
		"file or directory; DANE needs it"},
	    {NAMED "smtp_tls_wrappermode = yes\n"
		   "smtp_tls_security_level = dane\n",
		"main.cf:5: smtp_tls_security_level = dane: backend "
		"\"inet:localhost[127.0.0.1]:2526\": without records it would "
		"be may, which smtp_tls_wrappermode = yes leaves no room for; "
		"must be dane-only"},
	    {"proxy_backend = inet:127.0.0.1:25\n" MAPS(
		 "127.0.0.1", "dane-only"),
		"smtp_tls_policy_maps = dane-only: backend "
		"\"inet:127.0.0.1:25\": DNS has records for the names of "
		"hosts alone; must be fingerprint, verify or secure here, or "
		"the backend inet:NAME:PORT"},
	    {NAMED MAPS("localhost", "may match=x"),
		"main.cf:5: smtp_tls_policy_maps = may match=x: backend "
		"\"inet:localhost[127.0.0.1]:2526\": \"match\" has no "
		"meaning at this level"},
	    {NAMED "smtp_tls_wrappermode = yes\n",
		"must be encrypt or above, since smtp_tls_wrappermode = yes "
		"leaves no other way"},
	    {NAMED "smtp_tls_wrappermode = yes\n"
		   "smtp_tls_security_level = may\n",
		"main.cf:5: smtp_tls_security_level = may: backend "},
	    {NAMED "smtp_tls_security_level = fingerprint\n",
		"smtp_tls_fingerprint_cert_match: names no fingerprint, so "
		"that no server could match"},
	    {"proxy_backend = inet:127.0.0.1:25\n"
	     "smtp_tls_security_level = secure\n",
		"smtp_tls_secure_cert_match: names no host, so that no server "
		"could match; must be a name that the server's certificate "
		"has"},
	    {NAMED "smtp_tls_security_level = encrypt\n"
		   "smtp_tls_CAfile = /nowhere/ca.pem\n",
		"main.cf:5: smtp_tls_CAfile: \"/nowhere/ca.pem\": No such file "
		"or directory; must be a PEM file with certificates"},
	    {NAMED "smtp_tls_security_level = encrypt\n"
		   "smtp_tls_cert_file = /nowhere/cert.pem\n",
		"main.cf:5: smtp_tls_cert_file: "},
	    {NAMED "smtp_tls_security_level = may\n"
		   "smtp_tls_protocols = >=TLSv9\n",
		"main.cf:5: smtp_tls_protocols: \">=TLSv9\" is no protocol"},
	    {NAMED "smtp_tls_security_level = encrypt\n"
		   "smtp_tls_mandatory_exclude_ciphers = !aNULL\n",
		"main.cf:5: smtp_tls_mandatory_exclude_ciphers: \"!aNULL\" "},
	    {NAMED "smtp_tls_security_level = may\n"
		   "smtp_tls_servername = no name\n",
		"main.cf:5: smtp_tls_servername: \"no name\" is no host "
		"name; "},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_null(load(rows[i].main_cf), "row %zu", i);
		cr_expect_not_null(strstr(all_messages(), rows[i].expected),
		    "row %zu: %s", i, all_messages());
		report_finish(&report);
		report_init(&report);
	}
}

Test(service_backend_tls, attributes_without_effect_are_a_warning)
{
	struct services *services =
	    load(NAMED MAPS("localhost", "may connection_reuse=yes"));

	cr_assert_not_null(services, "%s", all_messages());
	cr_expect_eq(report.message_count, 1);
	cr_expect_not_null(strstr(all_messages(),
			       "backend \"inet:localhost[127.0.0.1]:2526\": "
			       "\"connection_reuse\" has no effect"),
	    "%s", all_messages());
	services_destroy(&services);
}
