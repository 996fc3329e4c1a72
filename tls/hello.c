/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/hello.h"

#include <string.h>

#include <openssl/ssl.h>

#include "tls/ciphers.h"
#include "tls/exchange.h"
#include "tls/handles.h"
#include "tls/sni.h"

/* Nobody offers as many; who does must not make us look at all of them. */
#define SUITES_MAX 512
#define GROUPS_MAX 512

struct list {
	const unsigned char *bytes;
	size_t len;
};

static unsigned number_at(const unsigned char *bytes)
{
	return (unsigned)bytes[0] << 8 | bytes[1];
}

/* An extension that is one list behind a length. Empty when it is absent; one
 * that is malformed ends the handshake later on, in OpenSSL. */
static struct list extension(SSL *ssl, unsigned type, size_t length_size)
{
	const unsigned char *bytes;
	size_t len;

	if (SSL_client_hello_get0_ext(ssl, type, &bytes, &len) != 1 ||
	    len < length_size)
		return (struct list){NULL, 0};
	return (struct list){bytes + length_size, len - length_size};
}

/* The hybrids' numbers of RFC-to-be draft-ietf-tls-ecdhe-mlkem, and the two of
 * the drafts with Kyber that came before. */
static bool is_hybrid(unsigned group)
{
	return (group >= 0x11eb && group <= 0x11ed) || group == 0x6399 ||
	       group == 0x639a;
}

static const char *version_name(unsigned version)
{
	switch (version) {
	case TLS1_3_VERSION:
		return "TLSv1.3";
	case TLS1_2_VERSION:
		return "TLSv1.2";
	case TLS1_1_VERSION:
		return "TLSv1.1";
	case TLS1_VERSION:
		return "TLSv1";
	case SSL3_VERSION:
		return "SSLv3";
	default:
		return "unknown";
	}
}

/* Before TLS 1.3 one number said it; a larger one meant the largest of its
 * time (RFC 8446, 4.2.1 and D.2). */
static void read_version(SSL *ssl, struct tls_client_offer *offer)
{
	struct list versions =
	    extension(ssl, TLSEXT_TYPE_supported_versions, 1);
	unsigned highest = 0;

	for (size_t i = 0; i + 2 <= versions.len; i += 2) {
		unsigned version = number_at(versions.bytes + i);

		if (version > highest && version >= SSL3_VERSION &&
		    version <= TLS1_3_VERSION)
			highest = version;
	}
	if (versions.len == 0) {
		highest = SSL_client_hello_get0_legacy_version(ssl);
		if (highest > TLS1_2_VERSION)
			highest = TLS1_2_VERSION;
	}
	offer->version = version_name(highest);
	offer->tls_13 = highest == TLS1_3_VERSION;
}

struct shared_groups {
	bool curve, ffdhe;
};

static bool is_ours(const struct tls_exchange_policy *policy, unsigned group)
{
	for (size_t i = 0; i < policy->groups.count; i++)
		if (policy->groups.groups[i].id == group)
			return true;
	return false;
}

static struct shared_groups read_groups(
    SSL *ssl, struct tls_client_offer *offer)
{
	const struct tls_exchange_policy *policy =
	    tls_exchange_policy_of(SSL_get_SSL_CTX(ssl));
	struct list groups = extension(ssl, TLSEXT_TYPE_supported_groups, 2);
	struct shared_groups shared = {false, false};

	for (size_t i = 0; i + 2 <= groups.len && i < GROUPS_MAX * 2; i += 2) {
		unsigned group = number_at(groups.bytes + i);

		if (is_hybrid(group))
			offer->hybrid = true;
		if (!is_ours(policy, group))
			continue;
		if (tls_group_is_ffdhe((uint16_t)group))
			shared.ffdhe = true;
		else
			shared.curve = true;
	}
	return shared;
}

static void add_suite(const SSL_CIPHER *suite,
    const struct shared_groups *shared, struct tls_client_offer *offer)
{
	if (tls_cipher_is_of_13(suite)) {
		offer->eecdh |= offer->tls_13 && shared->curve;
		offer->edh |= offer->tls_13 && shared->ffdhe;
		return;
	}
	switch (tls_cipher_class(suite)) {
	case TLS_CLASS_EECDH:
		offer->eecdh |= shared->curve;
		break;
	case TLS_CLASS_EDH:
		offer->edh = true;
		break;
	case TLS_CLASS_NO_SECRECY:
		offer->rsa |= SSL_CIPHER_get_kx_nid(suite) == NID_kx_rsa;
		break;
	}
}

void tls_client_offer_read(struct tls_session *session)
{
	SSL *ssl = tls_session_handle(session);
	struct tls_client_offer *offer = tls_session_offer(session);
	/* In the hello of SSLv2 each suite has three bytes, and there are no
	 * groups. */
	size_t size = SSL_client_hello_isv2(ssl) ? 3 : 2;
	struct shared_groups shared;
	const unsigned char *bytes;
	size_t len;

	if (offer->is_known)
		return;
	offer->is_known = true;
	read_version(ssl, offer);
	shared = read_groups(ssl, offer);
	len = SSL_client_hello_get0_ciphers(ssl, &bytes);
	if (len > SUITES_MAX * size)
		len = SUITES_MAX * size;
	for (size_t i = 0; i + size <= len; i += size) {
		const SSL_CIPHER *suite =
		    SSL_CIPHER_find(ssl, bytes + i + size - 2);

		if (suite != NULL)
			add_suite(suite, &shared, offer);
	}
}

const struct tls_client_offer *tls_session_client_offer(
    const struct tls_session *session)
{
	return tls_session_offer(tls_session_of(tls_session_handle(session)));
}

const char *tls_session_asked_name(const struct tls_session *session)
{
	const char *name = SSL_get_servername(
	    tls_session_handle(session), TLSEXT_NAMETYPE_host_name);

	if (name == NULL)
		return "";
	return tls_sni_is_host_name(name, strlen(name)) ? name : NULL;
}
