/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/certificates.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tls/fixture.h"
#include "tls/handles.h"

TestSuite(certificates, .init = fixture_init, .fini = fixture_fini);

/* Builds a context and compares all that was told with the expected lines. */
__attribute__((format(printf, 3, 4))) static void expect(
    const struct tls_context_options *options, bool is_built,
    const char *format, ...)
{
	char expected[4096];
	struct tls_context *context;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(expected, sizeof(expected), format, arguments);
	va_end(arguments);
	fixture_findings[0] = '\0';
	context = tls_context_create(options, &fixture_report);
	cr_expect_str_eq(fixture_findings, expected);
	cr_expect_eq(context != NULL, is_built);
	tls_context_destroy(&context);
	cr_assert_null(context);
}

/* The algorithms of the certificates in a context. */
static void types_of(const struct tls_context *context, char *out, size_t size)
{
	SSL_CTX *ctx = tls_context_handle(context);

	out[0] = '\0';
	for (long more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST);
	     more == 1;
	     more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT)) {
		const EVP_PKEY *key = SSL_CTX_get0_privatekey(ctx);
		STACK_OF(X509) *issuers = NULL;
		size_t len = strlen(out);

		SSL_CTX_get0_chain_certs(ctx, &issuers);
		snprintf(out + len, size - len, "%s+%d ",
		    EVP_PKEY_get0_type_name(key),
		    issuers != NULL ? sk_X509_num(issuers) : 0);
	}
}

static void expect_types(
    const struct tls_context_options *options, const char *expected)
{
	char types[128];
	struct tls_context *context =
	    tls_context_create(options, &fixture_report);

	cr_assert_not_null(context, "%s", fixture_findings);
	cr_assert_str_eq(fixture_findings, "");
	types_of(context, types, sizeof(types));
	cr_assert_str_eq(types, expected);
	tls_context_destroy(&context);
}

Test(certificates, several_chains_of_several_algorithms)
{
	EVP_PKEY *key = fixture_key("p256");
	char files[2048];
	struct tls_context_options options = fixture_options(files);

	/* Key and certificate apart, an issuer in a third file. */
	snprintf(files, sizeof(files), "%s, %s %s\t%s,%s", fixture_chain("rsa"),
	    fixture_file("ec.key", PART_KEY, key, -1, 30),
	    fixture_file("ec.pem", PART_CERTIFICATE, key, -1, 30),
	    fixture_file("issuer.pem", PART_CERTIFICATE, key, -1, 30),
	    fixture_chain("ed25519"));
	expect_types(&options, "RSA+0 EC+1 ED25519+0 ");
	EVP_PKEY_free(key);
}

Test(certificates, pairs_of_files)
{
	EVP_PKEY *rsa = fixture_key("rsa");
	EVP_PKEY *ec = fixture_key("p384");
	struct tls_context_options options = fixture_options("");

	/* In one file the order does not matter. */
	options.smtpd_tls_cert_file = fixture_file(
	    "rsa.pem", PART_CERTIFICATE_FIRST | PART_KEY, rsa, -1, 30);
	expect_types(&options, "RSA+0 ");
	options.smtpd_tls_eccert_file =
	    fixture_file("ec.pem", PART_CERTIFICATE, ec, -1, 30);
	options.smtpd_tls_eckey_file =
	    fixture_file("ec.key", PART_KEY, ec, -1, 30);
	expect_types(&options, "RSA+0 EC+0 ");
	options.smtpd_tls_dcert_file = fixture_chain("ed25519");
	expect_types(&options, "RSA+0 EC+0 ED25519+0 ");
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
}

Test(certificates, files_that_cannot_be_read)
{
	const char *absent = fixture_path("absent.pem");
	const char *text = fixture_text("motd", "Welcome to the machine.\n");
	const char *broken =
	    fixture_text("broken.pem", "-----BEGIN PRIVATE KEY-----\n"
				       "AAAA\n"
				       "-----END PRIVATE KEY-----\n");
	const char *torn =
	    fixture_text("torn.pem", "-----BEGIN CERTIFICATE-----\n"
				     "MIIB\n");
	struct tls_context_options options = fixture_options(absent);

	expect(&options, false,
	    "error smtpd_tls_chain_files: \"%s\": No such file or directory; "
	    "must be a PEM file that can be read\n",
	    absent);
	options.smtpd_tls_chain_files = text;
	expect(&options, false,
	    "error smtpd_tls_chain_files: \"%s\": holds no private key and no "
	    "certificate; must be a PEM file with them\n",
	    text);
	options.smtpd_tls_chain_files = broken;
	fixture_findings[0] = '\0';
	cr_assert_null(tls_context_create(&options, &fixture_report));
	cr_assert_not_null(
	    strstr(fixture_findings, "broken.pem\": cannot be read as PEM ("));
	options.smtpd_tls_chain_files = torn;
	fixture_findings[0] = '\0';
	cr_assert_null(tls_context_create(&options, &fixture_report));
	cr_assert_not_null(
	    strstr(fixture_findings, "torn.pem\": cannot be read as PEM ("));
}

Test(certificates, order_of_chain_files)
{
	EVP_PKEY *key = fixture_key("p256");
	const char *wrong = fixture_file(
	    "wrong.pem", PART_CERTIFICATE_FIRST | PART_KEY, key, -1, 30);
	const char *lonely = fixture_file("lonely.pem", PART_KEY, key, -1, 30);
	struct tls_context_options options = fixture_options(wrong);
	char files[1200];

	expect(&options, false,
	    "error smtpd_tls_chain_files: \"%s\": a certificate stands before "
	    "its private key; must be in this order: private key, certificate, "
	    "its issuers\n",
	    wrong);
	options.smtpd_tls_chain_files = lonely;
	expect(&options, false,
	    "error smtpd_tls_chain_files: \"%s\": no certificate follows the "
	    "private key; must be in this order: private key, certificate, its "
	    "issuers\n",
	    lonely);
	snprintf(files, sizeof(files), "%s %s", lonely, fixture_chain("rsa"));
	options.smtpd_tls_chain_files = files;
	expect(&options, false,
	    "error smtpd_tls_chain_files: \"%s\": no certificate follows the "
	    "private key; must be in this order: private key, certificate, its "
	    "issuers\n",
	    lonely);
	EVP_PKEY_free(key);
}

Test(certificates, key_of_another_certificate)
{
	EVP_PKEY *mine = fixture_key("p256");
	EVP_PKEY *other = fixture_key("p256");
	EVP_PKEY *rsa = fixture_key("rsa");
	const char *key = fixture_file("key.pem", PART_KEY, other, -1, 30);
	const char *rsa_key = fixture_file("rsa.key", PART_KEY, rsa, -1, 30);
	const char *leaf =
	    fixture_file("leaf.pem", PART_CERTIFICATE, mine, -1, 30);
	struct tls_context_options options = fixture_options("");
	char files[1200];

	options.smtpd_tls_cert_file = leaf;
	options.smtpd_tls_key_file = key;
	expect(&options, false,
	    "error smtpd_tls_cert_file: \"%s\": the certificate does not match "
	    "the private key in \"%s\"; must be the certificate that was "
	    "issued for it\n",
	    leaf, key);
	snprintf(files, sizeof(files), "%s %s", rsa_key, leaf);
	options = fixture_options(files);
	expect(&options, false,
	    "error smtpd_tls_chain_files: \"%s\": the certificate does not "
	    "match the private key in \"%s\"; must be the certificate that was "
	    "issued for it\n",
	    leaf, rsa_key);
	EVP_PKEY_free(mine);
	EVP_PKEY_free(other);
	EVP_PKEY_free(rsa);
}

Test(certificates, parts_that_are_missing)
{
	EVP_PKEY *key = fixture_key("p256");
	const char *leaf =
	    fixture_file("leaf.pem", PART_CERTIFICATE, key, -1, 30);
	const char *only_key = fixture_file("key.pem", PART_KEY, key, -1, 30);
	struct tls_context_options options = fixture_options("");

	options.smtpd_tls_eccert_file = leaf;
	expect(&options, false,
	    "error smtpd_tls_eckey_file: \"%s\": holds no private key; must be "
	    "a PEM file with the key of the certificate in \"%s\"\n",
	    leaf, leaf);
	options.smtpd_tls_eccert_file = only_key;
	expect(&options, false,
	    "error smtpd_tls_eccert_file: \"%s\": holds no certificate; must "
	    "be a PEM file with the certificate and its issuers\n",
	    only_key);
	options.smtpd_tls_eccert_file = "";
	expect(&options, false,
	    "error smtpd_tls_chain_files: no certificate is configured; must "
	    "name a PEM file with, in this order, private key, certificate, "
	    "its issuers\n");
	EVP_PKEY_free(key);
}

Test(certificates, encrypted_keys)
{
	EVP_PKEY *key = fixture_key("p256");
	const char *modern = fixture_file(
	    "modern.pem", PART_ENCRYPTED_KEY | PART_CERTIFICATE, key, -1, 30);
	const char *old = fixture_text("old.pem",
	    "-----BEGIN RSA PRIVATE KEY-----\n"
	    "Proc-Type: 4,ENCRYPTED\n"
	    "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n"
	    "\n"
	    "AAAA\n"
	    "-----END RSA PRIVATE KEY-----\n");
	struct tls_context_options options = fixture_options(modern);

	expect(&options, false,
	    "error smtpd_tls_chain_files: \"%s\": the private key is "
	    "encrypted; must be unencrypted, in a file that only its owner can "
	    "read\n",
	    modern);
	options.smtpd_tls_chain_files = old;
	expect(&options, false,
	    "error smtpd_tls_chain_files: \"%s\": the private key is "
	    "encrypted; must be unencrypted, in a file that only its owner can "
	    "read\n",
	    old);
	EVP_PKEY_free(key);
}

Test(certificates, one_chain_for_each_algorithm)
{
	EVP_PKEY *p256 = fixture_key("p256");
	EVP_PKEY *p384 = fixture_key("p384");
	const char *second = fixture_file(
	    "second.pem", PART_KEY | PART_CERTIFICATE, p384, -1, 30);
	struct tls_context_options options;
	char files[1200];

	snprintf(files, sizeof(files), "%s %s",
	    fixture_file(
		"first.pem", PART_KEY | PART_CERTIFICATE, p256, -1, 30),
	    second);
	options = fixture_options(files);
	expect(&options, false,
	    "error smtpd_tls_chain_files: \"%s\": a second chain with a key of "
	    "type EC; must be at most one for each type\n",
	    second);
	EVP_PKEY_free(p256);
	EVP_PKEY_free(p384);
}

Test(certificates, dates_are_warnings)
{
	EVP_PKEY *key = fixture_key("p256");
	const char *expired = fixture_file(
	    "expired.pem", PART_KEY | PART_CERTIFICATE, key, -30, -2);
	const char *early =
	    fixture_file("early.pem", PART_KEY | PART_CERTIFICATE, key, 2, 30);
	struct tls_context_options options = fixture_options(expired);
	time_t before = time(NULL) - 2 * 86400;
	time_t after = time(NULL) + 2 * 86400;
	char date[16];

	strftime(date, sizeof(date), "%Y-%m-%d", gmtime(&before));
	expect(&options, true,
	    "warning smtpd_tls_chain_files: \"%s\": the certificate expired on "
	    "%s; clients that verify it will refuse it: must be renewed\n",
	    expired, date);
	strftime(date, sizeof(date), "%Y-%m-%d", gmtime(&after));
	options.smtpd_tls_chain_files = early;
	expect(&options, true,
	    "warning smtpd_tls_chain_files: \"%s\": the certificate is not "
	    "valid before %s; clients that verify it will refuse it until "
	    "then\n",
	    early, date);
	EVP_PKEY_free(key);
}

Test(certificates, weak_keys_are_warnings)
{
	const char *weak = fixture_chain("rsa1024");
	struct tls_context_options options = fixture_options(weak);

	expect(&options, true,
	    "warning smtpd_tls_chain_files: \"%s\": an RSA key of 1024 bits is "
	    "weak, and many clients refuse it; should have 2048 bits\n",
	    weak);
}

Test(certificates, other_objects_are_skipped)
{
	EVP_PKEY *key = fixture_key("p256");
	const char *parameters =
	    fixture_text("parameters.pem", "-----BEGIN EC PARAMETERS-----\n"
					   "BggqhkjOPQMBBw==\n"
					   "-----END EC PARAMETERS-----\n");
	char files[1200];
	struct tls_context_options options = fixture_options(files);

	snprintf(
	    files, sizeof(files), "%s %s", fixture_chain("p256"), parameters);
	expect(&options, false,
	    "warning smtpd_tls_chain_files: \"%s\": skipped \"EC PARAMETERS\", "
	    "which is neither a private key nor a certificate\n"
	    "error smtpd_tls_chain_files: \"%s\": holds no private key and no "
	    "certificate; must be a PEM file with them\n",
	    parameters, parameters);
	EVP_PKEY_free(key);
}

Test(certificates, chain_files_rule)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("p256"));

	options.smtpd_tls_cert_file = "/nonexistent";
	options.smtpd_tls_key_file = "/nonexistent";
	expect(&options, true,
	    "warning smtpd_tls_cert_file: is ignored, since "
	    "smtpd_tls_chain_files is set too; must be one or the other\n");
}

Test(certificates, every_fault_is_told_at_once)
{
	struct tls_context_options options = fixture_options("");

	options.smtpd_tls_cert_file = "/nonexistent/rsa";
	options.smtpd_tls_eccert_file = "/nonexistent/ec";
	expect(&options, false,
	    "error smtpd_tls_cert_file: \"/nonexistent/rsa\": No such file or "
	    "directory; must be a PEM file that can be read\n"
	    "error smtpd_tls_eccert_file: \"/nonexistent/ec\": No such file or "
	    "directory; must be a PEM file that can be read\n");
}

Test(certificates, none_needs_anonymous_suites)
{
	struct tls_context_options options = fixture_options("");

	options.smtpd_tls_cert_file = "NONE";
	options.smtpd_tls_key_file = "NONE";
	expect(&options, false,
	    "error smtpd_tls_cert_file: none: only anonymous suites do without "
	    "a certificate, and the cipher list has none; must be a PEM file, "
	    "or aNULL must not be excluded\n");
	options.ciphers.tls_medium_cipherlist = "aNULL:HIGH";
	expect(&options, true, "%s", "");
	options.protocols = ">=TLSv1.3";
	expect(&options, false,
	    "error smtpd_tls_cert_file: none: TLSv1.3 needs a certificate; "
	    "must be a PEM file, or the protocols must allow TLSv1.2\n");
}
