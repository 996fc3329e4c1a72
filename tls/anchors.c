/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/anchors.h"

#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define SEPARATORS ", \t\r\n"

/* RFC 6698, 2.1 */
#define USAGE_TRUST_ANCHOR     2
#define SELECTOR_CERTIFICATE   0
#define SELECTOR_PUBLIC_KEY    1
#define MATCHING_WHOLE_CONTENT 0

/* Takes bytes over. */
static bool add(struct tls_anchors *anchors, uint8_t selector,
    unsigned char *bytes, int len)
{
	struct tls_anchor *longer;

	if (len <= 0)
		return false;
	longer = OPENSSL_realloc(
	    anchors->anchors, (anchors->count + 1) * sizeof(*longer));
	if (longer == NULL) {
		OPENSSL_free(bytes);
		return false;
	}
	anchors->anchors = longer;
	longer[anchors->count++] = (struct tls_anchor){
	    .selector = selector, .bytes = bytes, .len = (size_t)len};
	return true;
}

static bool add_certificate(
    struct tls_anchors *anchors, const unsigned char *content, long len)
{
	X509 *certificate = d2i_X509(NULL, &content, len);
	unsigned char *bytes = NULL;
	int bytes_len = certificate == NULL ? 0 : i2d_X509(certificate, &bytes);

	X509_free(certificate);
	return add(anchors, SELECTOR_CERTIFICATE, bytes, bytes_len);
}

static bool add_key(
    struct tls_anchors *anchors, const unsigned char *content, long len)
{
	EVP_PKEY *key = d2i_PUBKEY(NULL, &content, len);
	unsigned char *bytes = NULL;
	int bytes_len = key == NULL ? 0 : i2d_PUBKEY(key, &bytes);

	EVP_PKEY_free(key);
	return add(anchors, SELECTOR_PUBLIC_KEY, bytes, bytes_len);
}

/* NULL, or what is wrong with the file. */
static const char *read_bio(struct tls_anchors *anchors, BIO *bio)
{
	size_t count_before = anchors->count;
	const char *problem = NULL;
	unsigned char *content;
	char *label, *header;
	long len;

	while (problem == NULL &&
	       PEM_read_bio(bio, &label, &header, &content, &len) == 1) {
		bool fine = false;

		if (strcmp(label, PEM_STRING_X509) == 0 ||
		    strcmp(label, PEM_STRING_X509_OLD) == 0)
			fine = add_certificate(anchors, content, len);
		else if (strcmp(label, PEM_STRING_PUBLIC) == 0)
			fine = add_key(anchors, content, len);
		if (!fine)
			problem = "it holds what is neither a certificate nor "
				  "a public key";
		OPENSSL_free(label);
		OPENSSL_free(header);
		OPENSSL_free(content);
	}
	if (problem == NULL &&
	    ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		problem = tls_findings_library_reason();
	else if (problem == NULL && anchors->count == count_before)
		problem = "it holds no certificate and no public key";
	ERR_clear_error();
	return problem;
}

static void read_file(struct tls_anchors *anchors, const char *path,
    const char *parameter, struct tls_findings *findings)
{
	const char *problem;
	BIO *bio;

	errno = 0;
	bio = BIO_new_file(path, "r");
	problem = bio == NULL ? strerror(errno) : read_bio(anchors, bio);
	BIO_free(bio);
	ERR_clear_error();
	if (problem != NULL)
		tls_findings_error(findings, parameter,
		    "\"%s\": %s; must be a PEM file with certificates or "
		    "public keys of authorities",
		    path, problem);
}

void tls_anchors_load(struct tls_anchors *anchors, const char *files,
    const char *parameter, struct tls_findings *findings)
{
	char *names = OPENSSL_strdup(files);
	char *rest = NULL;

	for (char *name = names == NULL ? NULL
					: strtok_r(names, SEPARATORS, &rest);
	     name != NULL; name = strtok_r(NULL, SEPARATORS, &rest))
		read_file(anchors, name, parameter, findings);
	OPENSSL_free(names);
}

void tls_anchors_finish(struct tls_anchors *anchors)
{
	for (size_t i = 0; i < anchors->count; i++)
		OPENSSL_free(anchors->anchors[i].bytes);
	OPENSSL_free(anchors->anchors);
	*anchors = (struct tls_anchors){0};
}

bool tls_anchors_apply(const struct tls_anchors *anchors, SSL *ssl)
{
	if (anchors->count == 0)
		return true;
	/* Names are looked at by ourselves, behind the handshake. */
	if (SSL_dane_enable(ssl, NULL) != 1)
		return false;
	for (size_t i = 0; i < anchors->count; i++) {
		const struct tls_anchor *anchor = &anchors->anchors[i];

		if (SSL_dane_tlsa_add(ssl, USAGE_TRUST_ANCHOR, anchor->selector,
			MATCHING_WHOLE_CONTENT, anchor->bytes,
			anchor->len) != 1)
			return false;
	}
	return true;
}
