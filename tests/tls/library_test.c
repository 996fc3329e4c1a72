/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/library.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>

#include "tls/describe.h"
#include "tls/facts.h"
#include "tls/fixture.h"
#include "tls/handles.h"

TestSuite(library, .init = fixture_init, .fini = fixture_fini);

static const struct tls_library *find(
    bool quick, const char *config_file, const char *config_name)
{
	const struct tls_context_options options = {
	    .proxy_tls_quick_key_check = quick,
	    .tls_config_file = config_file,
	    .tls_config_name = config_name,
	};
	struct tls_findings findings = {.report = &fixture_report};

	fixture_findings[0] = '\0';
	return tls_library_find(&options, &findings);
}

Test(library, one_for_all_contexts_with_the_same_settings)
{
	const struct tls_library *quick = find(true, NULL, NULL);
	const struct tls_library *plain = find(false, NULL, NULL);

	cr_assert_not_null(quick);
	cr_assert_not_null(plain);
	cr_expect(quick->checks_quickly);
	cr_expect_not(plain->checks_quickly);
	cr_expect_str_eq(quick->query, "?provider=postern");
	cr_expect_str_eq(plain->query, "?provider=postern");
	cr_expect_eq(find(true, "", ""), quick);
	cr_expect_eq(find(false, "", NULL), plain);
	cr_expect_neq(quick->handle, plain->handle);
	cr_expect_neq(find(true, "none", ""), quick);
}

Test(library, the_provider_stands_beside_the_default_one)
{
	const struct tls_library *quick = find(true, "none", NULL);
	const struct tls_library *plain = find(false, "none", NULL);

	cr_expect_eq(OSSL_PROVIDER_available(quick->handle, "postern"), 1);
	cr_expect_eq(OSSL_PROVIDER_available(quick->handle, "default"), 1);
	cr_expect_eq(OSSL_PROVIDER_available(quick->handle, "postern-kdf"), 0);
	cr_expect_eq(OSSL_PROVIDER_available(plain->handle, "postern"), 0);
	cr_expect_eq(OSSL_PROVIDER_available(plain->handle, "postern-kdf"), 1);
	cr_expect_eq(OSSL_PROVIDER_available(plain->handle, "default"), 1);
	/* What other code of the process uses. */
	cr_expect_eq(OSSL_PROVIDER_available(NULL, "postern"), 0);
}

Test(library, configuration_files)
{
	const char *broken = fixture_text("broken.cnf", "[a\n");
	char expected[1024];

	cr_expect_not_null(find(true, "default", NULL));
	cr_expect_not_null(find(true, "DEFAULT", "postern"));
	cr_expect_null(find(true, "openssl.cnf", NULL));
	cr_expect_str_eq(fixture_findings,
	    "error tls_config_file: \"openssl.cnf\" is no absolute path; must "
	    "be one, or \"default\" or \"none\"\n");
	cr_expect_null(find(true, broken, NULL));
	snprintf(expected, sizeof(expected),
	    "error tls_config_file: OpenSSL cannot load \"%s\": ", broken);
	cr_expect_eq(strncmp(fixture_findings, expected, strlen(expected)), 0,
	    "%s", fixture_findings);
	cr_expect_null(find(true, fixture_path("absent.cnf"), NULL));
}

Test(library, a_configuration_that_was_edited)
{
	const char *path = fixture_text("edited.cnf", "a = b\n");
	const struct tls_library *before = find(true, path, NULL);

	cr_assert_not_null(before);
	cr_expect_eq(find(true, path, NULL), before);
	fixture_text("edited.cnf", "a = b\nc = d\n");
	cr_expect_neq(find(true, path, NULL), before);
}

/* Configurations that take the default provider away, or bring one that is
 * called fips: any module will do for that, as it is the name that counts. */
static const char *configuration(const char *name, const char *section)
{
	char text[1024];

	snprintf(text, sizeof(text),
	    "openssl_conf = standard\npostern = special\n"
	    "[standard]\n"
	    "[special]\nproviders = providers\n"
	    "[providers]\n%s\n[used]\nactivate = 1\n"
	    "[stand_in]\nactivate = 1\nmodule = %s/legacy.so\n",
	    section, OPENSSL_info(OPENSSL_INFO_MODULES_DIR));
	return fixture_text(name, text);
}

static bool has_legacy_module(void)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s/legacy.so",
	    OPENSSL_info(OPENSSL_INFO_MODULES_DIR));
	return access(path, R_OK) == 0;
}

Test(library, where_there_is_a_fips_provider)
{
	const char *file =
	    configuration("fips.cnf", "default = used\nfips = stand_in");
	const struct tls_library *library;

	if (!has_legacy_module())
		cr_skip_test("OpenSSL's legacy module is not installed");
	library = find(true, file, "postern");
	cr_assert_not_null(library, "%s", fixture_findings);
	cr_expect_eq(OSSL_PROVIDER_available(library->handle, "fips"), 1);
	cr_expect_not(library->checks_quickly);
	cr_expect_null(library->query);
	cr_expect_eq(OSSL_PROVIDER_available(library->handle, "postern"), 0);
	/* The same file without the section that asks for it. */
	library = find(true, file, NULL);
	cr_expect_eq(OSSL_PROVIDER_available(library->handle, "fips"), 0);
	cr_expect(library->checks_quickly);
}

Test(library, where_there_is_no_default_provider)
{
	const char *file = configuration("legacy.cnf", "legacy = used");
	const struct tls_library *library;

	if (!has_legacy_module())
		cr_skip_test("OpenSSL's legacy module is not installed");
	library = find(true, file, "postern");
	cr_assert_not_null(library, "%s", fixture_findings);
	cr_expect_not(library->checks_quickly);
	cr_expect_null(library->query);
}

/* Contexts with and without serve side by side. */
Test(library, two_in_one_process)
{
	struct tls_context *contexts[2];

	for (int quick = 0; quick < 2; quick++) {
		struct tls_context_options options =
		    fixture_options(fixture_chain("rsa"));

		options.proxy_tls_quick_key_check = quick;
		contexts[quick] = tls_context_create(&options, &fixture_report);
		cr_assert_not_null(contexts[quick]);
	}
	for (int turn = 0; turn < 4; turn++) {
		SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
		struct tls_dh_description dh;
		struct link link;

		tls_describe_dh(contexts[turn % 2], &dh);
		cr_expect_eq(dh.checks_quickly, turn % 2);
		link_open(&link, contexts[turn % 2], client_ctx);
		cr_expect(link_handshake(&link));
		link_close(&link);
		SSL_CTX_free(client_ctx);
	}
	tls_context_destroy(&contexts[0]);
	tls_context_destroy(&contexts[1]);
}

/* Whatever the configuration of OpenSSL says, main.cf rules. */
Test(library, what_a_configuration_cannot_change)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));
	struct tls_context *context;
	SSL_CTX *ctx;

	options.tls_config_file = fixture_text("ssl.cnf",
	    "openssl_conf = standard\n[standard]\nssl_conf = ssl\n"
	    "[ssl]\nsystem_default = policy\n"
	    "[policy]\nMinProtocol = TLSv1.3\nMaxProtocol = TLSv1.3\n"
	    "Options = AllowNoDHEKEX,UnsafeLegacyRenegotiation\n"
	    "CipherString = DEFAULT@SECLEVEL=2\n");
	context = tls_context_create(&options, &fixture_report);
	cr_assert_not_null(context, "%s", fixture_findings);
	ctx = tls_context_handle(context);
	cr_expect_eq(SSL_CTX_get_min_proto_version(ctx), TLS1_2_VERSION);
	cr_expect_eq(SSL_CTX_get_max_proto_version(ctx), 0);
	cr_expect_eq(SSL_CTX_get_security_level(ctx), 0);
	cr_expect_not(SSL_CTX_get_options(ctx) & SSL_OP_ALLOW_NO_DHE_KEX);
	cr_expect(SSL_CTX_get_options(ctx) & SSL_OP_NO_RENEGOTIATION);
	tls_context_destroy(&context);
}
