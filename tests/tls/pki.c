/* SPDX-License-Identifier: Apache-2.0 */
#include "pki.h"

#include <string.h>

#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "fixture.h"

static long serial;

static void set_name(X509 *certificate, const struct pki_name *name)
{
	X509_NAME *subject = X509_get_subject_name(certificate);
	int len = name->common_name_len != 0 ? name->common_name_len : -1;

	if (name->organization != NULL)
		X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
		    (const unsigned char *)name->organization, -1, -1, 0);
	/* Unchecked, as whoever makes such a certificate would. */
	if (name->common_name != NULL)
		cr_assert_eq(
		    X509_NAME_add_entry_by_NID(subject, NID_commonName,
			V_ASN1_UTF8STRING,
			(const unsigned char *)name->common_name, len, -1, 0),
		    1);
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	cr_assert_not_null(extension, "%s", value);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

X509 *pki_issue(const struct pki_request *request)
{
	X509 *certificate = X509_new();
	X509 *issuer = request->issuer != NULL ? request->issuer : certificate;
	EVP_PKEY *key =
	    request->issuer != NULL ? request->issuer_key : request->key;
	bool is_default = request->begin_days == 0 && request->end_days == 0;

	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
	X509_time_adj_ex(X509_getm_notBefore(certificate),
	    is_default ? -1 : request->begin_days, 0, NULL);
	X509_time_adj_ex(X509_getm_notAfter(certificate),
	    is_default ? 30 : request->end_days, 0, NULL);
	set_name(certificate, &request->name);
	X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
	X509_set_pubkey(certificate, request->key);
	if (request->is_authority)
		add_extension(
		    certificate, NID_basic_constraints, "critical,CA:TRUE");
	if (request->usage != NULL)
		add_extension(certificate, NID_ext_key_usage, request->usage);
	if (request->names != NULL)
		add_extension(
		    certificate, NID_subject_alt_name, request->names);
	cr_assert_gt(X509_sign(certificate, key, EVP_sha256()), 0);
	return certificate;
}

const char *pki_write(const char *name, X509 *const *certificates, size_t count)
{
	const char *path = fixture_path(name);
	BIO *file = BIO_new_file(path, "w");

	cr_assert_not_null(file);
	for (size_t i = 0; i < count; i++)
		PEM_write_bio_X509(file, certificates[i]);
	BIO_free(file);
	return path;
}

const char *pki_write_chain(
    const char *name, EVP_PKEY *key, X509 *const *certificates, size_t count)
{
	const char *path = fixture_path(name);
	BIO *file = BIO_new_file(path, "w");

	cr_assert_not_null(file);
	PEM_write_bio_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	for (size_t i = 0; i < count; i++)
		PEM_write_bio_X509(file, certificates[i]);
	BIO_free(file);
	return path;
}
