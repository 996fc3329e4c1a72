/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/dh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tls/describe.h"
#include "tls/dh_files.h"
#include "tls/dh_generate.h"
#include "tls/facts.h"
#include "tls/fixture.h"

#define PREFIX "warning smtpd_tls_dh1024_param_file: \"%s\": "
#define GOES_ON                                                       \
	"; EDH goes on as with \"auto\". Must be a PEM file such as " \
	"\"postern dhparam\" makes\n"

TestSuite(dh, .init = fixture_init, .fini = fixture_fini);

struct row {
	const char *content; /* of the file; NULL: there is none */
	const char *finding; /* behind the file's name; "": none */
	/* Expected: */
	const char *name;
	int bits, exponent_bits;
	bool is_from_file;
};

static struct tls_context *create(const struct tls_context_options *options)
{
	struct tls_context *context;

	fixture_findings[0] = '\0';
	context = tls_context_create(options, &fixture_report);
	cr_assert_not_null(context, "%s", fixture_findings);
	return context;
}

/* The size of the prime that a client of EDH gets; 0: it is refused. */
static int negotiate(struct tls_context *context)
{
	SSL_CTX *client_ctx =
	    fixture_client_ctx(TLS1_2_VERSION, TLS1_2_VERSION);
	struct tls_facts facts = {.protocol = ""};
	struct link link;

	SSL_CTX_set_cipher_list(client_ctx, "DHE-RSA-AES128-GCM-SHA256");
	link_open(&link, context, client_ctx);
	if (link_handshake(&link)) {
		EVP_PKEY *key = NULL;

		tls_facts_read(link.server, &facts);
		cr_assert_eq(SSL_get_peer_tmp_key(link.client, &key), 1);
		cr_expect_eq(EVP_PKEY_get_bits(key), facts.key_exchange.bits);
		EVP_PKEY_free(key);
	} else {
		cr_expect_eq(
		    tls_session_fault(link.server), TLS_FAULT_NO_SHARED_CIPHER);
	}
	link_close(&link);
	SSL_CTX_free(client_ctx);
	return facts.key_exchange.bits;
}

static void expect_dh(const struct row *row, const char *file)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));
	struct tls_context *context;
	struct tls_dh_description dh;
	char expected[1024] = "";

	options.smtpd_tls_dh1024_param_file = file;
	context = create(&options);
	if (row->finding[0] != '\0')
		snprintf(expected, sizeof(expected), PREFIX "%s", file,
		    row->finding);
	cr_expect_str_eq(fixture_findings, expected);
	tls_describe_dh(context, &dh);
	cr_expect_str_eq(dh.name, row->name);
	cr_expect_eq(dh.bits, row->bits, "%s: %d", row->finding, dh.bits);
	cr_expect_eq(dh.exponent_bits, row->exponent_bits, "%s: %d",
	    row->finding, dh.exponent_bits);
	cr_expect_eq(dh.is_from_file, row->is_from_file);
	cr_expect(dh.checks_quickly);
	cr_expect_eq(negotiate(context), row->bits);
	tls_context_destroy(&context);
}

Test(dh, files)
{
	static const struct row rows[] = {
	    {DH_OWN_2048, "", "", 2048, 225, true},
	    {DH_X942_SAFE, "", "", 2048, 225, true},
	    {"some words\n" DH_OWN_2048 DH_OWN_1024, "", "", 2048, 225, true},
	    {DH_OWN_1024,
		"a prime of 1024 bits is weak; it is used. Should have 2048 "
		"bits, unless clients can do no more\n",
		"", 1024, 200, true},
	    {DH_APACHE_1024,
		"this is the 1024-bit prime built into Apache; it is used, but "
		"so many servers share it that it pays to break it for all of "
		"them at once (Logjam). Should be one of your own that "
		"\"postern dhparam\" makes\n",
		"", 1024, 200, true},
	    {DH_UNSAFE_2048,
		"the prime p is not a safe one, since (p-1)/2 is no prime; it "
		"is used, at the full price: keys are as long as the prime. "
		"Should be one that \"postern dhparam\" makes\n",
		"", 2048, 2047, true},
	    {DH_OWN_768,
		"the prime has 768 bits, which OpenSSL refuses; there is no "
		"EDH. Must have 2048 bits, or 1024 for clients that can do no "
		"more\n",
		"", 0, 0, false},
	    {NULL, "No such file or directory" GOES_ON, "ffdhe2048", 2048, 225,
		false},
	    {"", "it holds no DH parameters in PEM" GOES_ON, "ffdhe2048", 2048,
		225, false},
	    {"-----BEGIN DH PARAMETERS-----\nMGYC\n-----END DH "
	     "PARAMETERS-----\n",
		"its DH parameters cannot be decoded" GOES_ON, "ffdhe2048",
		2048, 225, false},
	    {DH_COMPOSITE_2048, "its p is not a prime" GOES_ON, "ffdhe2048",
		2048, 225, false},
	    {DH_GENERATOR_1, "its generator is not between 1 and p-1" GOES_ON,
		"ffdhe2048", 2048, 225, false},
	    {DH_GENERATOR_LAST,
		"its generator is not between 1 and p-1" GOES_ON, "ffdhe2048",
		2048, 225, false},
	    {DH_X942_DSA,
		"its X9.42 parameters have a prime that is not a safe one, as "
		"\"openssl dhparam -dsaparam\" makes them" GOES_ON,
		"ffdhe2048", 2048, 225, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char name[32];

		snprintf(name, sizeof(name), "dh%zu.pem", i);
		expect_dh(&rows[i], rows[i].content != NULL
					? fixture_text(name, rows[i].content)
					: fixture_path(name));
	}
}

/* Of a certificate: there is a PEM file, but it has no parameters. */
Test(dh, a_file_without_parameters)
{
	static const struct row row = {"",
	    "it holds no DH parameters in PEM" GOES_ON, "ffdhe2048", 2048, 225,
	    false};

	expect_dh(&row, fixture_chain("p256"));
}

Test(dh, named_groups_in_files)
{
	static const struct {
		const char *group;
		struct row row;
	} rows[] = {
	    {"ffdhe2048", {"", "", "ffdhe2048", 2048, 225, true}},
	    {"ffdhe3072", {"", "", "ffdhe3072", 3072, 275, true}},
	    {"ffdhe4096", {"", "", "ffdhe4096", 4096, 325, true}},
	    {"modp_2048", {"", "", "modp_2048", 2048, 225, true}},
	    {"modp_1536",
		{"",
		    "this is the 1536-bit group of RFC 3526; it is used, but "
		    "so many servers share it that it pays to break it for all "
		    "of them at once (Logjam). Should be one of your own that "
		    "\"postern dhparam\" makes\n",
		    "modp_1536", 1536, 200, true}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_dh(&rows[i].row,
		    fixture_group(rows[i].group, "DH", rows[i].group));
}

Test(dh, a_group_with_a_small_subgroup)
{
	static const struct row row = {"",
	    "its X9.42 parameters have a prime that is not a safe one, as "
	    "\"openssl dhparam -dsaparam\" makes them" GOES_ON,
	    "ffdhe2048", 2048, 225, false};

	expect_dh(&row, fixture_group("dhx.pem", "DHX", "dh_2048_256"));
}

/* "auto" and "" are as strong as the RSA key. */
Test(dh, automatic)
{
	static const struct {
		const char *key, *value;
		const char *name;
		int bits;
	} rows[] = {
	    {"rsa", "auto", "ffdhe2048", 2048},
	    {"rsa", "AUTO", "ffdhe2048", 2048},
	    {"rsa", "", "ffdhe2048", 2048},
	    {"rsa", NULL, "ffdhe2048", 2048},
	    {"rsa3072", "auto", "ffdhe3072", 3072},
	    {"p256", "auto", "ffdhe2048", 2048},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context_options options =
		    fixture_options(fixture_chain(rows[i].key));
		struct tls_context *context;
		struct tls_dh_description dh;

		options.smtpd_tls_dh1024_param_file = rows[i].value;
		context = create(&options);
		tls_describe_dh(context, &dh);
		cr_expect_str_eq(dh.name, rows[i].name);
		cr_expect_eq(dh.bits, rows[i].bits);
		cr_expect_not(dh.is_from_file);
		tls_context_destroy(&context);
	}
}

Test(dh, the_export_prime)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));
	struct tls_context *context;

	options.smtpd_tls_dh512_param_file = "/nonexistent";
	context = create(&options);
	cr_expect_str_eq(fixture_findings,
	    "warning smtpd_tls_dh512_param_file: is obsolete and not read: it "
	    "was for export suites, which are gone from OpenSSL; must be "
	    "empty\n");
	tls_context_destroy(&context);
}

struct watched {
	unsigned counts[3];
	unsigned left; /* to the end of the search */
};

static bool watch(void *argument, enum tls_dh_progress progress)
{
	struct watched *watched = argument;

	watched->counts[progress]++;
	return watched->left-- > 0;
}

Test(dh, a_prime_of_our_own)
{
	struct watched watched = {.left = 1000000};
	const struct tls_dh_watch watcher = {&watched, watch};
	size_t len = 0;
	char *pem = tls_dh_generate(TLS_DH_BITS_MIN, &watcher, &len);
	struct row row = {NULL,
	    "a prime of 1024 bits is weak; it is used. Should have 2048 bits, "
	    "unless clients can do no more\n",
	    "", 1024, 200, true};

	cr_assert_not_null(pem);
	cr_expect_eq(strlen(pem), len);
	cr_expect_eq(strncmp(pem, "-----BEGIN DH PARAMETERS-----\n", 30), 0);
	cr_expect_gt(watched.counts[TLS_DH_CANDIDATE], 0);
	expect_dh(&row, fixture_text("own.pem", pem));
	free(pem);
}

Test(dh, a_search_that_is_ended)
{
	struct watched watched = {.left = 3};
	const struct tls_dh_watch watcher = {&watched, watch};
	size_t len = 0;

	cr_expect_null(tls_dh_generate(4096, &watcher, &len));
	cr_expect_eq(
	    watched.counts[0] + watched.counts[1] + watched.counts[2], 4);
	cr_expect_null(tls_dh_generate(TLS_DH_BITS_MIN - 1, &watcher, &len));
	cr_expect_null(tls_dh_generate(TLS_DH_BITS_MAX + 1, &watcher, &len));
}
