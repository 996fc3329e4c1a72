/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/describe.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tls/fixture.h"

TestSuite(describe, .init = fixture_init, .fini = fixture_fini);

static struct tls_context *create(struct tls_context_options *options)
{
	struct tls_context *context =
	    tls_context_create(options, &fixture_report);

	cr_assert_not_null(context, "%s", fixture_findings);
	return context;
}

Test(describe, ciphers)
{
	static const struct tls_cipher_description expected[] = {
	    {"TLS_AES_128_GCM_SHA256", "TLSv1.3", "any", "any", "AESGCM(128)",
		"AEAD", 128, true, true},
	    {"ECDHE-RSA-AES128-GCM-SHA256", "TLSv1.2", "ECDH", "RSA",
		"AESGCM(128)", "AEAD", 128, true, true},
	    {"ECDHE-ECDSA-AES256-SHA", "TLSv1.0", "ECDH", "ECDSA", "AES(256)",
		"SHA1", 256, true, false},
	    {"ADH-AES128-SHA", "SSLv3", "DH", "None", "AES(128)", "SHA1", 128,
		true, true},
	    {"DHE-RSA-AES256-SHA256", "TLSv1.2", "DH", "RSA", "AES(256)",
		"SHA256", 256, true, true},
	    {"AES128-SHA", "SSLv3", "RSA", "RSA", "AES(128)", "SHA1", 128,
		false, true},
	    {"PSK-AES128-CBC-SHA", "SSLv3", "PSK", "PSK", "AES(128)", "SHA1",
		128, false, false},
	};
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));
	struct tls_context *context;

	options.ciphers.tls_medium_cipherlist =
	    "AES128-SHA:PSK-AES128-CBC-SHA:ECDHE-RSA-AES128-GCM-SHA256:"
	    "ECDHE-ECDSA-AES256-SHA:DHE-RSA-AES256-SHA256:ADH-AES128-SHA";
	options.ciphers.proxy_tls_ciphersuites = "TLS_AES_128_GCM_SHA256";
	context = create(&options);
	cr_assert_eq(tls_describe_cipher_count(context),
	    sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		struct tls_cipher_description cipher;

		tls_describe_cipher(context, i, &cipher);
		cr_expect_str_eq(cipher.name, expected[i].name);
		cr_expect_str_eq(cipher.protocol, expected[i].protocol);
		cr_expect_str_eq(cipher.exchange, expected[i].exchange);
		cr_expect_str_eq(
		    cipher.authentication, expected[i].authentication);
		cr_expect_str_eq(cipher.encryption, expected[i].encryption);
		cr_expect_str_eq(cipher.mac, expected[i].mac);
		cr_expect_eq(cipher.bits, expected[i].bits);
		cr_expect_eq(cipher.forward_secret, expected[i].forward_secret);
		cr_expect_eq(
		    cipher.is_usable, expected[i].is_usable, "%s", cipher.name);
	}
	tls_context_destroy(&context);
}

/* Which of three suites can be used. */
static unsigned usable(struct tls_context_options *options)
{
	struct tls_context *context = create(options);
	struct tls_cipher_description cipher;
	unsigned bits = 0;

	for (size_t i = 0; i < tls_describe_cipher_count(context); i++) {
		tls_describe_cipher(context, i, &cipher);
		if (cipher.is_usable)
			bits = bits << 1 | 1;
		else
			bits = bits << 1;
	}
	tls_context_destroy(&context);
	return bits;
}

Test(describe, what_is_of_use)
{
	struct tls_context_options base = fixture_options(fixture_chain("rsa"));
	struct tls_context_options options;

	base.ciphers.proxy_tls_ciphersuites = "TLS_AES_128_GCM_SHA256";
	base.ciphers.tls_medium_cipherlist =
	    "ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-SHA";
	options = base;
	cr_expect_eq(usable(&options), 7);
	options.protocols = "<=TLSv1.2";
	cr_expect_eq(usable(&options), 3);
	options.protocols = "<=TLSv1.1";
	cr_expect_eq(usable(&options), 1);
	options.protocols = ">=TLSv1.3";
	cr_expect_eq(usable(&options), 4);
	options = base;
	options.smtpd_tls_chain_files = fixture_chain("p256");
	cr_expect_eq(usable(&options), 4);
}

Test(describe, groups)
{
	struct tls_context_options options =
	    fixture_options(fixture_chain("rsa"));
	struct tls_context *context;

	options.groups.tls_eecdh_auto_curves = "P-384 X25519";
	options.groups.tls_ffdhe_auto_groups = "ffdhe3072";
	context = create(&options);
	cr_assert_eq(tls_describe_group_count(context), 3);
	cr_expect_str_eq(tls_describe_group(context, 0), "secp384r1");
	cr_expect_str_eq(tls_describe_group(context, 1), "x25519");
	cr_expect_str_eq(tls_describe_group(context, 2), "ffdhe3072");
	tls_context_destroy(&context);
}

static const char *file_with_names(const char *name)
{
	const char *path = fixture_path(name);
	EVP_PKEY *key = fixture_key("p256");
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);
	X509_EXTENSION *names =
	    X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
		"DNS:mx1.example.test,DNS:*.example.test,email:a@example.test,"
		"IP:192.0.2.7,IP:2001:db8::25");
	BIO *file = BIO_new_file(path, "w");

	X509_set_version(certificate, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
	    (const unsigned char *)"Caf\303\251, Post", -1, -1, 0);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
	    (const unsigned char *)"mx1.example.test", -1, -1, 0);
	X509_set_pubkey(certificate, key);
	cr_assert_eq(X509_add_ext(certificate, names, -1), 1);
	cr_assert_gt(X509_sign(certificate, key, EVP_sha256()), 0);
	PEM_write_bio_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	PEM_write_bio_X509(file, certificate);
	BIO_free(file);
	X509_EXTENSION_free(names);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return path;
}

Test(describe, certificates)
{
	struct tls_certificate_description certificate;
	struct tls_context_options options = fixture_options("");
	struct tls_context *context;
	int64_t now_s = (int64_t)time(NULL);

	options.smtpd_tls_cert_file = fixture_chain("rsa");
	options.smtpd_tls_eccert_file = file_with_names("names.pem");
	context = create(&options);
	cr_assert_eq(tls_describe_certificate_count(context), 2);
	tls_describe_certificate(context, 0, &certificate);
	cr_expect_str_eq(certificate.subject, "CN=mx.example.test");
	cr_expect_str_eq(certificate.names, "");
	cr_expect_str_eq(certificate.key_type, "RSA");
	cr_expect_eq(certificate.key_bits, 2048);
	cr_expect_lt(certificate.not_after_s, now_s + 31 * 86400);
	cr_expect_gt(certificate.not_after_s, now_s + 29 * 86400);
	tls_describe_certificate(context, 1, &certificate);
	cr_expect_str_eq(
	    certificate.subject, "CN=mx1.example.test,O=Caf\303\251\\, Post");
	cr_expect_str_eq(certificate.names,
	    "mx1.example.test, *.example.test, 192.0.2.7, "
	    "2001:0db8:0000:0000:0000:0000:0000:0025");
	cr_expect_str_eq(certificate.key_type, "EC");
	cr_expect_eq(certificate.key_bits, 256);
	tls_context_destroy(&context);
}
