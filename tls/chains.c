/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/chains.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "tls/certificates.h"
#include "tls/client_hello.h"
#include "tls/handles.h"
#include "tls/slot.h"
#include "tls/sni.h"

#define SNI_MAPS "tls_server_sni_maps"

struct chain {
	X509 *leaf;
	EVP_PKEY *key;
	STACK_OF(X509) * issuers; /* NULL: none */
};

/* What one value of the table names: one chain per key algorithm. */
struct tls_chain_set {
	char *value;
	struct chain chains[TLS_CERTIFICATES_MAX];
	size_t chain_count;
	unsigned char identity[SHA256_DIGEST_LENGTH]; /* of the certificates */
};

struct tls_chains {
	const char *(*find)(void *argument, const char *name);
	void *argument;
	unsigned char session_context[SHA256_DIGEST_LENGTH];
	struct tls_chain_set *sets; /* sorted by value */
	size_t set_count;
};

static void finish_set(struct tls_chain_set *set)
{
	for (size_t i = 0; i < set->chain_count; i++) {
		X509_free(set->chains[i].leaf);
		EVP_PKEY_free(set->chains[i].key);
		sk_X509_pop_free(set->chains[i].issuers, X509_free);
	}
	OPENSSL_free(set->value);
}

static void destroy_chains(void *thing)
{
	struct tls_chains *chains = thing;

	for (size_t i = 0; i < chains->set_count; i++)
		finish_set(&chains->sets[i]);
	OPENSSL_free(chains->sets);
	OPENSSL_free(chains);
}

static struct tls_slot all_chains = {.destroy = destroy_chains};

/* The chain that ctx is positioned on. */
static bool take_chain(SSL_CTX *ctx, struct tls_chain_set *set)
{
	struct chain *chain = &set->chains[set->chain_count];
	STACK_OF(X509) *issuers = NULL;

	if (set->chain_count == TLS_CERTIFICATES_MAX)
		return false;
	SSL_CTX_get0_chain_certs(ctx, &issuers);
	chain->leaf = SSL_CTX_get0_certificate(ctx);
	chain->key = SSL_CTX_get0_privatekey(ctx);
	X509_up_ref(chain->leaf);
	EVP_PKEY_up_ref(chain->key);
	set->chain_count++;
	if (issuers == NULL)
		return true;
	chain->issuers = X509_chain_up_ref(issuers);
	return chain->issuers != NULL;
}

static bool take_chains(SSL_CTX *ctx, struct tls_chain_set *set)
{
	bool fine = true;

	for (long more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST);
	     fine && more == 1;
	     more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT))
		fine = take_chain(ctx, set);
	return fine;
}

/* Through a context of their own, so that they are checked as all others. */
static bool load_into(SSL_CTX *ctx, struct tls_chain_set *set,
    EVP_MD_CTX *identity, struct tls_findings *findings)
{
	unsigned digest_len;

	if (EVP_DigestInit_ex(identity, EVP_sha256(), NULL) != 1)
		return false;
	SSL_CTX_set_security_level(ctx, 0);
	if (tls_certificates_load_files(
		ctx, set->value, SNI_MAPS, identity, findings) == 0)
		return findings->failed;
	return take_chains(ctx, set) &&
	       EVP_DigestFinal_ex(identity, set->identity, &digest_len) == 1;
}

static void load_set(
    const char *value, struct tls_chain_set *set, struct tls_findings *findings)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_MD_CTX *identity = EVP_MD_CTX_new();

	set->value = OPENSSL_strdup(value);
	if (ctx == NULL || identity == NULL || set->value == NULL ||
	    !load_into(ctx, set, identity, findings))
		tls_findings_error(findings, SNI_MAPS,
		    "\"%s\": OpenSSL cannot keep the chain: %s", value,
		    tls_findings_library_reason());
	EVP_MD_CTX_free(identity);
	SSL_CTX_free(ctx);
}

static int compare_values(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Many names may share a value; it is loaded once. */
static void load_sets(struct tls_chains *chains,
    const struct tls_sni_options *options, struct tls_findings *findings)
{
	size_t count = options->value_count;
	const char **values = OPENSSL_zalloc((count + 1) * sizeof(*values));

	chains->sets = OPENSSL_zalloc((count + 1) * sizeof(*chains->sets));
	if (values == NULL || chains->sets == NULL) {
		tls_findings_error(
		    findings, SNI_MAPS, "no memory for %zu chains", count);
		OPENSSL_free(values);
		return;
	}
	if (count > 0)
		memcpy(values, options->values, count * sizeof(*values));
	qsort(values, count, sizeof(*values), compare_values);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || strcmp(values[i - 1], values[i]) != 0)
			load_set(values[i], &chains->sets[chains->set_count++],
			    findings);
	OPENSSL_free(values);
}

/* Called in any case. Acknowledges the extension when its name was matched
 * (RFC 6066, 3), as Postfix does. */
static int on_server_name(SSL *ssl, int *alert, void *argument)
{
	(void)alert;
	(void)argument;
	tls_sni_tell(tls_session_of(ssl));
	return tls_sni_matched_name(tls_session_of(ssl))[0] != '\0'
		   ? SSL_TLSEXT_ERR_OK
		   : SSL_TLSEXT_ERR_NOACK;
}

void tls_chains_apply(SSL_CTX *ctx, const struct tls_sni_options *options,
    const unsigned char session_context[SHA256_DIGEST_LENGTH],
    struct tls_findings *findings)
{
	struct tls_chains *chains;

	if (options->find == NULL)
		return;
	chains = OPENSSL_zalloc(sizeof(*chains));
	if (chains == NULL || !tls_slot_put(&all_chains, ctx, chains)) {
		tls_findings_error(findings, SNI_MAPS, "no memory");
		OPENSSL_free(chains);
		return;
	}
	chains->find = options->find;
	chains->argument = options->argument;
	memcpy(chains->session_context, session_context, SHA256_DIGEST_LENGTH);
	load_sets(chains, options, findings);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
}

X509 *tls_chains_leaf(const SSL_CTX *ctx, size_t index)
{
	const struct tls_chains *chains = tls_slot_get(&all_chains, ctx);

	if (chains == NULL)
		return NULL;
	for (size_t i = 0; i < chains->set_count; i++) {
		const struct tls_chain_set *set = &chains->sets[i];

		if (index < set->chain_count)
			return set->chains[index].leaf;
		index -= set->chain_count;
	}
	return NULL;
}

const struct tls_chains *tls_chains_of(const SSL *ssl)
{
	return tls_slot_get(&all_chains, SSL_get_SSL_CTX(ssl));
}

static int compare_set(const void *value, const void *set)
{
	return strcmp(value, ((const struct tls_chain_set *)set)->value);
}

enum tls_chains_answer tls_chains_find(const struct tls_chains *chains,
    const char *name, const struct tls_chain_set **set_out)
{
	const char *value = chains->find(chains->argument, name);

	if (value == NULL)
		return TLS_CHAINS_ABSENT;
	*set_out = bsearch(value, chains->sets, chains->set_count,
	    sizeof(*chains->sets), compare_set);
	return *set_out != NULL ? TLS_CHAINS_FOUND : TLS_CHAINS_FAILED;
}

/* A client resumes under the name for which it has the ticket: another may lead
 * to another certificate (RFC 6066, 3; CVE-2025-23419). */
static bool bind(SSL *ssl, const struct tls_chains *chains,
    const struct tls_chain_set *set, const char *name)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	unsigned char context[SHA256_DIGEST_LENGTH];
	unsigned len;
	bool fine;

	fine = digest != NULL &&
	       EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
	       EVP_DigestUpdate(digest, chains->session_context,
		   sizeof(chains->session_context)) == 1 &&
	       EVP_DigestUpdate(digest, set->identity, sizeof(set->identity)) ==
		   1 &&
	       EVP_DigestUpdate(digest, name, strlen(name)) == 1 &&
	       EVP_DigestFinal_ex(digest, context, &len) == 1 &&
	       SSL_set_session_id_context(ssl, context, len) == 1;
	EVP_MD_CTX_free(digest);
	return fine;
}

bool tls_chains_install(SSL *ssl, const struct tls_chains *chains,
    const struct tls_chain_set *set, const char *name)
{
	SSL_certs_clear(ssl);
	for (size_t i = 0; i < set->chain_count; i++) {
		const struct chain *chain = &set->chains[i];

		if (SSL_use_cert_and_key(
			ssl, chain->leaf, chain->key, chain->issuers, 1) != 1)
			return false;
	}
	return bind(ssl, chains, set, name);
}
