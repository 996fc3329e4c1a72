/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/trust.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "tls/pem.h"

#define PATH_SIZE     4096
#define HASH_LEN      8 /* of a subject, in hexadecimal: c_rehash(1) */
#define CA_FILE	      "smtpd_tls_CAfile"
#define CA_PATH	      "smtpd_tls_CApath"
#define CA_DEFAULT    "tls_append_default_CA"
#define MUST_BE_A_PEM "must be a PEM file with certificates"

struct anchors {
	SSL_CTX *ctx;
	EVP_MD_CTX *identity;
	struct tls_findings *findings;
	const char *parameter;
	bool are_named; /* to the client, in the CertificateRequest */
	unsigned count;
};

static bool is_named_already(const SSL_CTX *ctx, const X509_NAME *name)
{
	const STACK_OF(X509_NAME) *names = SSL_CTX_get_client_CA_list(ctx);

	for (int i = 0; i < sk_X509_NAME_num(names); i++)
		if (X509_NAME_cmp(sk_X509_NAME_value(names, i), name) == 0)
			return true;
	return false;
}

static bool add(struct anchors *anchors, X509 *certificate)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_len;

	if (X509_STORE_add_cert(
		SSL_CTX_get_cert_store(anchors->ctx), certificate) != 1 ||
	    X509_digest(certificate, EVP_sha256(), digest, &digest_len) != 1)
		return false;
	EVP_DigestUpdate(anchors->identity, digest, digest_len);
	anchors->count++;
	if (!anchors->are_named ||
	    is_named_already(anchors->ctx, X509_get_subject_name(certificate)))
		return true;
	return SSL_CTX_add_client_CA(anchors->ctx, certificate) == 1;
}

/* NULL, or what is wrong with the file. */
static const char *read_bio(struct anchors *anchors, BIO *bio)
{
	struct tls_pem_object object;
	unsigned count_before = anchors->count;
	const char *problem = NULL;

	do {
		tls_pem_read(bio, &object);
		if (object.kind == TLS_PEM_BROKEN ||
		    (object.kind == TLS_PEM_CERTIFICATE &&
			!add(anchors, object.certificate)))
			problem = tls_findings_library_reason();
		tls_pem_object_finish(&object);
	} while (problem == NULL && object.kind != TLS_PEM_END);
	if (problem == NULL && anchors->count == count_before)
		problem = "it holds no certificate";
	return problem;
}

static const char *read_file(struct anchors *anchors, const char *path)
{
	const char *problem;
	BIO *bio;

	errno = 0;
	bio = BIO_new_file(path, "r");
	if (bio == NULL) {
		ERR_clear_error();
		return strerror(errno);
	}
	problem = read_bio(anchors, bio);
	BIO_free(bio);
	return problem;
}

static int is_hashed_name(const struct dirent *entry)
{
	const char *name = entry->d_name;
	size_t number_len;

	if (strspn(name, "0123456789abcdef") != HASH_LEN ||
	    name[HASH_LEN] != '.')
		return 0;
	number_len = strspn(name + HASH_LEN + 1, "0123456789");
	return number_len > 0 && name[HASH_LEN + 1 + number_len] == '\0';
}

/* In the order of their names, so that the same files make the same identity.
 */
static void read_directory(struct anchors *anchors, const char *directory)
{
	struct dirent **entries;
	int count = scandir(directory, &entries, is_hashed_name, alphasort);

	if (count < 0) {
		tls_findings_error(anchors->findings, anchors->parameter,
		    "\"%s\": %s; must be a directory that can be read",
		    directory, strerror(errno));
		return;
	}
	for (int i = 0; i < count; i++) {
		char path[PATH_SIZE];
		const char *problem;

		snprintf(
		    path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
		problem = read_file(anchors, path);
		if (problem != NULL)
			tls_findings_warning(anchors->findings,
			    anchors->parameter,
			    "\"%s\": %s; is skipped: " MUST_BE_A_PEM, path,
			    problem);
		free(entries[i]);
	}
	free(entries);
	if (count == 0)
		tls_findings_warning(anchors->findings, anchors->parameter,
		    "\"%s\": no file has a name such as \"5ed36f99.0\"; must "
		    "be prepared by \"openssl rehash\"",
		    directory);
}

static void read_required_file(struct anchors *anchors, const char *path)
{
	const char *problem = read_file(anchors, path);

	if (problem != NULL)
		tls_findings_error(anchors->findings, anchors->parameter,
		    "\"%s\": %s; " MUST_BE_A_PEM, path, problem);
}

/* The system may have either of the two, or none. */
static void read_default(struct anchors *anchors)
{
	DIR *directory = opendir(X509_get_default_cert_dir());
	FILE *file = fopen(X509_get_default_cert_file(), "r");

	if (file != NULL)
		read_required_file(anchors, X509_get_default_cert_file());
	if (directory != NULL)
		read_directory(anchors, X509_get_default_cert_dir());
	if (file == NULL && directory == NULL)
		tls_findings_warning(anchors->findings, anchors->parameter,
		    "there is neither \"%s\" nor \"%s\"; must be no, or "
		    "ca-certificates must be installed",
		    X509_get_default_cert_file(), X509_get_default_cert_dir());
	if (file != NULL)
		fclose(file);
	if (directory != NULL)
		closedir(directory);
}

static bool is_set(const char *value)
{
	return value != NULL && value[0] != '\0';
}

void tls_trust_load(SSL_CTX *ctx, const struct tls_peer_options *options,
    bool are_named, EVP_MD_CTX *identity, struct tls_findings *findings)
{
	struct anchors anchors = {
	    .ctx = ctx, .identity = identity, .findings = findings};

	if (is_set(options->smtpd_tls_CAfile)) {
		anchors.parameter = CA_FILE;
		anchors.are_named = are_named;
		read_required_file(&anchors, options->smtpd_tls_CAfile);
		anchors.are_named = false;
	}
	if (is_set(options->smtpd_tls_CApath)) {
		anchors.parameter = CA_PATH;
		read_directory(&anchors, options->smtpd_tls_CApath);
	}
	if (!options->tls_append_default_CA)
		return;
	anchors.parameter = CA_DEFAULT;
	/* Alone it would make a client of any public CA trusted by an
	 * oversight; so in Postfix. */
	if (is_set(options->smtpd_tls_CAfile) ||
	    is_set(options->smtpd_tls_CApath))
		read_default(&anchors);
	else
		tls_findings_warning(findings, anchors.parameter,
		    "has no effect unless " CA_FILE " or " CA_PATH " is set");
}
