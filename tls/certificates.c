/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/certificates.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls/pem.h"

#define SEPARATORS	     ", \t\r\n"
#define RSA_BITS_USUAL_MIN   2048
#define CHAIN_FILES	     "smtpd_tls_chain_files"
#define ORDER_OF_CHAIN_FILES "private key, certificate, its issuers"

/* One chain while it is put together. The file names are borrowed. */
struct chain {
	EVP_PKEY *key;
	X509 *leaf;
	STACK_OF(X509) * issuers;
	const char *key_file;
	const char *leaf_file;
};

struct loader {
	SSL_CTX *ctx;
	EVP_MD_CTX *identity;
	struct tls_findings *findings;
	const char *parameter; /* of the file that is being read */
	struct chain chain;
	int algorithms[TLS_CERTIFICATES_MAX]; /* of the keys loaded so far */
	unsigned chain_count;
};

/* What becomes of an object of a file; false ends the reading. */
typedef bool take_object(
    struct loader *loader, const char *file, struct tls_pem_object *object);

static void reset_chain(struct chain *chain)
{
	EVP_PKEY_free(chain->key);
	X509_free(chain->leaf);
	sk_X509_pop_free(chain->issuers, X509_free);
	*chain = (struct chain){0};
}

static void date_of(const ASN1_TIME *time, char *out, size_t out_size)
{
	struct tm date;

	out[0] = '\0';
	if (ASN1_TIME_to_tm(time, &date) == 1)
		strftime(out, out_size, "%Y-%m-%d", &date);
}

static void warn_of_certificate(const struct loader *loader)
{
	const struct chain *chain = &loader->chain;
	const ASN1_TIME *begin = X509_get0_notBefore(chain->leaf);
	const ASN1_TIME *end = X509_get0_notAfter(chain->leaf);
	char date[16];

	if (X509_cmp_current_time(end) < 0) {
		date_of(end, date, sizeof(date));
		tls_findings_warning(loader->findings, loader->parameter,
		    "\"%s\": the certificate expired on %s; clients that "
		    "verify "
		    "it will refuse it: must be renewed",
		    chain->leaf_file, date);
	}
	if (X509_cmp_current_time(begin) > 0) {
		date_of(begin, date, sizeof(date));
		tls_findings_warning(loader->findings, loader->parameter,
		    "\"%s\": the certificate is not valid before %s; clients "
		    "that verify it will refuse it until then",
		    chain->leaf_file, date);
	}
	if (EVP_PKEY_get_base_id(chain->key) == EVP_PKEY_RSA &&
	    EVP_PKEY_get_bits(chain->key) < RSA_BITS_USUAL_MIN)
		tls_findings_warning(loader->findings, loader->parameter,
		    "\"%s\": an RSA key of %d bits is weak, and many clients "
		    "refuse it; should have %d bits",
		    chain->key_file, EVP_PKEY_get_bits(chain->key),
		    RSA_BITS_USUAL_MIN);
}

static bool algorithm_is_new(struct loader *loader, int algorithm)
{
	for (unsigned i = 0; i < loader->chain_count; i++)
		if (loader->algorithms[i] == algorithm)
			return false;
	if (loader->chain_count == TLS_CERTIFICATES_MAX)
		return false;
	loader->algorithms[loader->chain_count++] = algorithm;
	return true;
}

static bool chain_is_sound(struct loader *loader)
{
	const struct chain *chain = &loader->chain;

	if (X509_check_private_key(chain->leaf, chain->key) != 1) {
		ERR_clear_error();
		tls_findings_error(loader->findings, loader->parameter,
		    "\"%s\": the certificate does not match the private key in "
		    "\"%s\"; must be the certificate that was issued for it",
		    chain->leaf_file, chain->key_file);
		return false;
	}
	if (!algorithm_is_new(loader, EVP_PKEY_get_base_id(chain->key))) {
		tls_findings_error(loader->findings, loader->parameter,
		    "\"%s\": a second chain with a key of type %s; must be at "
		    "most one for each type",
		    chain->leaf_file, EVP_PKEY_get0_type_name(chain->key));
		return false;
	}
	return true;
}

/* Key and certificate are there: into the context with them. */
static bool install_chain(struct loader *loader)
{
	struct chain *chain = &loader->chain;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_len;

	if (!chain_is_sound(loader))
		return false;
	if (SSL_CTX_use_cert_and_key(
		loader->ctx, chain->leaf, chain->key, chain->issuers, 0) != 1) {
		tls_findings_error(loader->findings, loader->parameter,
		    "\"%s\": OpenSSL refuses the certificate: %s",
		    chain->leaf_file, tls_findings_library_reason());
		return false;
	}
	warn_of_certificate(loader);
	if (X509_digest(chain->leaf, EVP_sha256(), digest, &digest_len) == 1)
		EVP_DigestUpdate(loader->identity, digest, digest_len);
	reset_chain(chain);
	return true;
}

static bool add_certificate(
    struct chain *chain, const char *file, struct tls_pem_object *object)
{
	if (chain->leaf == NULL) {
		chain->leaf = object->certificate;
		chain->leaf_file = file;
	} else {
		if (chain->issuers == NULL)
			chain->issuers = sk_X509_new_null();
		if (chain->issuers == NULL ||
		    sk_X509_push(chain->issuers, object->certificate) == 0)
			return false;
	}
	object->certificate = NULL;
	return true;
}

static void set_key(
    struct chain *chain, const char *file, struct tls_pem_object *object)
{
	chain->key = object->key;
	chain->key_file = file;
	object->key = NULL;
}

/* The end of a chain of smtpd_tls_chain_files: the next key, or of the list. */
static bool end_chain(struct loader *loader)
{
	if (loader->chain.key == NULL)
		return true;
	if (loader->chain.leaf != NULL)
		return install_chain(loader);
	tls_findings_error(loader->findings, loader->parameter,
	    "\"%s\": no certificate follows the private key; must be in this "
	    "order: " ORDER_OF_CHAIN_FILES,
	    loader->chain.key_file);
	return false;
}

static bool take_in_order(
    struct loader *loader, const char *file, struct tls_pem_object *object)
{
	if (object->kind == TLS_PEM_KEY) {
		if (!end_chain(loader))
			return false;
		set_key(&loader->chain, file, object);
		return true;
	}
	if (loader->chain.key == NULL) {
		tls_findings_error(loader->findings, loader->parameter,
		    "\"%s\": a certificate stands before its private key; must "
		    "be in this order: " ORDER_OF_CHAIN_FILES,
		    file);
		return false;
	}
	return add_certificate(&loader->chain, file, object);
}

static bool take_certificate(
    struct loader *loader, const char *file, struct tls_pem_object *object)
{
	if (object->kind == TLS_PEM_KEY)
		return true;
	return add_certificate(&loader->chain, file, object);
}

static bool take_key(
    struct loader *loader, const char *file, struct tls_pem_object *object)
{
	if (object->kind == TLS_PEM_KEY && loader->chain.key == NULL)
		set_key(&loader->chain, file, object);
	return true;
}

/* Tells of what is neither key nor certificate; false: it is an error. */
static bool check_object(const struct loader *loader, const char *file,
    const struct tls_pem_object *object)
{
	switch (object->kind) {
	case TLS_PEM_ENCRYPTED:
		tls_findings_error(loader->findings, loader->parameter,
		    "\"%s\": the private key is encrypted; must be "
		    "unencrypted, "
		    "in a file that only its owner can read",
		    file);
		return false;
	case TLS_PEM_BROKEN:
		tls_findings_error(loader->findings, loader->parameter,
		    "\"%s\": cannot be read as PEM (%s)", file,
		    tls_findings_library_reason());
		return false;
	case TLS_PEM_OTHER:
		tls_findings_warning(loader->findings, loader->parameter,
		    "\"%s\": skipped \"%s\", which is neither a private key "
		    "nor "
		    "a certificate",
		    file, object->label);
		return true;
	case TLS_PEM_KEY:
	case TLS_PEM_CERTIFICATE:
	case TLS_PEM_END:
		return true;
	}
	return false;
}

static bool read_objects(
    struct loader *loader, const char *file, BIO *bio, take_object *take)
{
	struct tls_pem_object object;
	unsigned object_count = 0;
	bool fine = true;

	do {
		tls_pem_read(bio, &object);
		fine = check_object(loader, file, &object);
		if (object.kind == TLS_PEM_KEY ||
		    object.kind == TLS_PEM_CERTIFICATE) {
			object_count++;
			fine = take(loader, file, &object);
		}
		tls_pem_object_finish(&object);
	} while (fine && object.kind != TLS_PEM_END);
	if (fine && object_count == 0) {
		tls_findings_error(loader->findings, loader->parameter,
		    "\"%s\": holds no private key and no certificate; must be "
		    "a "
		    "PEM file with them",
		    file);
		return false;
	}
	return fine;
}

static bool read_file(
    struct loader *loader, const char *file, take_object *take)
{
	BIO *bio;
	bool fine;

	errno = 0;
	bio = BIO_new_file(file, "r");
	if (bio == NULL) {
		tls_findings_error(loader->findings, loader->parameter,
		    "\"%s\": %s; must be a PEM file that can be read", file,
		    strerror(errno));
		ERR_clear_error();
		return false;
	}
	fine = read_objects(loader, file, bio, take);
	BIO_free(bio);
	return fine;
}

/* The files are read as one stream. */
static void load_chain_files(struct loader *loader, const char *files)
{
	char *names = OPENSSL_strdup(files);
	char *rest = NULL;
	bool fine = names != NULL;

	for (char *name = fine ? strtok_r(names, SEPARATORS, &rest) : NULL;
	     fine && name != NULL; name = strtok_r(NULL, SEPARATORS, &rest))
		fine = read_file(loader, name, take_in_order);
	if (fine)
		end_chain(loader);
	reset_chain(&loader->chain);
	OPENSSL_free(names);
}

/* smtpd_tls_cert_file and key_file, or a pair of their kin. */
struct pair {
	const char *certificate_parameter, *certificate_file;
	const char *key_parameter, *key_file;
};

static void load_pair(struct loader *loader, const struct pair *pair)
{
	const char *key_file =
	    pair->key_file[0] != '\0' ? pair->key_file : pair->certificate_file;
	bool fine;

	loader->parameter = pair->certificate_parameter;
	fine = read_file(loader, pair->certificate_file, take_certificate);
	if (fine && loader->chain.leaf == NULL) {
		tls_findings_error(loader->findings, loader->parameter,
		    "\"%s\": holds no certificate; must be a PEM file with the "
		    "certificate and its issuers",
		    pair->certificate_file);
		fine = false;
	}
	loader->parameter = pair->key_parameter;
	fine = fine && read_file(loader, key_file, take_key);
	if (fine && loader->chain.key == NULL) {
		tls_findings_error(loader->findings, loader->parameter,
		    "\"%s\": holds no private key; must be a PEM file with the "
		    "key of the certificate in \"%s\"",
		    key_file, pair->certificate_file);
		fine = false;
	}
	loader->parameter = pair->certificate_parameter;
	if (fine)
		install_chain(loader);
	reset_chain(&loader->chain);
}

bool tls_certificates_unwanted(const struct tls_context_options *options)
{
	return strcasecmp(options->smtpd_tls_cert_file, "none") == 0;
}

unsigned tls_certificates_load(SSL_CTX *ctx,
    const struct tls_context_options *options, EVP_MD_CTX *identity,
    struct tls_findings *findings)
{
	struct loader loader = {
	    .ctx = ctx, .identity = identity, .findings = findings};
	const struct pair pairs[] = {
	    {"smtpd_tls_cert_file",
		tls_certificates_unwanted(options)
		    ? ""
		    : options->smtpd_tls_cert_file,
		"smtpd_tls_key_file", options->smtpd_tls_key_file},
	    {"smtpd_tls_dcert_file", options->smtpd_tls_dcert_file,
		"smtpd_tls_dkey_file", options->smtpd_tls_dkey_file},
	    {"smtpd_tls_eccert_file", options->smtpd_tls_eccert_file,
		"smtpd_tls_eckey_file", options->smtpd_tls_eckey_file},
	};
	bool has_chain_files = options->smtpd_tls_chain_files[0] != '\0';
	unsigned named_count = 0;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (pairs[i].certificate_file[0] == '\0')
			continue;
		named_count++;
		if (has_chain_files)
			tls_findings_warning(findings,
			    pairs[i].certificate_parameter,
			    "is ignored, since " CHAIN_FILES
			    " is set too; must "
			    "be one or the other");
		else
			load_pair(&loader, &pairs[i]);
	}
	loader.parameter = CHAIN_FILES;
	if (has_chain_files)
		load_chain_files(&loader, options->smtpd_tls_chain_files);
	else if (named_count == 0 && !tls_certificates_unwanted(options))
		tls_findings_error(findings, CHAIN_FILES,
		    "no certificate is configured; must name a PEM file with, "
		    "in this order, " ORDER_OF_CHAIN_FILES);
	return loader.chain_count;
}

unsigned tls_certificates_load_files(SSL_CTX *ctx, const char *files,
    const char *parameter, EVP_MD_CTX *identity, struct tls_findings *findings)
{
	struct loader loader = {.ctx = ctx,
	    .identity = identity,
	    .findings = findings,
	    .parameter = parameter};

	load_chain_files(&loader, files);
	if (loader.chain_count == 0 && !findings->failed)
		tls_findings_error(findings, parameter,
		    "\"%s\" names no file; must name PEM files with, in this "
		    "order, " ORDER_OF_CHAIN_FILES,
		    files);
	return loader.chain_count;
}
