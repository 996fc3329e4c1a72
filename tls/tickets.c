/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tickets.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "tls/debug_tell.h"
#include "tls/handles.h"
#include "tls/session.h"
#include "tls/slot.h"
#include "tls/ticket_keys.h"

#define CIPHER_PARAMETER "tls_session_ticket_cipher"
#define CIPHER_DEFAULT	 "aes-256-cbc"
#define IV_LEN		 16 /* in OpenSSL's layout: name, IV, ciphertext, MAC */
#define CIPHER_KEY_MIN	 16
#define CIPHER_KEY_MAX	 32

_Static_assert(sizeof(((struct tls_ticket_key *)0)->cipher) == CIPHER_KEY_MAX,
    "a key must do for each cipher");

/* What the ticket callback returns. */
enum { TICKET_FAILED = -1, TICKET_UNKNOWN = 0, TICKET_KNOWN = 1 };

struct policy {
	const struct tls_ticket_keys *keys;
	const EVP_CIPHER *cipher;
	int64_t (*now)(void);
};

static struct tls_slot policies;

static bool set_mac(EVP_MAC_CTX *mac, struct tls_ticket_key *key)
{
	char digest[] = "SHA256";
	OSSL_PARAM parameters[] = {
	    OSSL_PARAM_octet_string(
		OSSL_MAC_PARAM_KEY, key->hmac, sizeof(key->hmac)),
	    OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_END,
	};

	return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

/* What a ticket is made with, or opened. */
struct ticket {
	const SSL *ssl;
	uint8_t *name; /* 16 bytes */
	uint8_t *iv;
	EVP_CIPHER_CTX *cipher;
	EVP_MAC_CTX *mac;
};

/* In seconds since 1970, as Postfix tells it: when the key stops issuing. */
static void tell(const SSL *ssl, const struct policy *policy,
    const struct tls_ticket_key *key, const char *what)
{
	int64_t left_s;

	if (key->issues_until == TLS_TICKET_KEY_FOR_EVER) {
		tls_debug_tell(ssl, TLS_DEBUG_CACHE,
		    "%s session ticket, key expiration: never", what);
		return;
	}
	left_s = key->issues_until - policy->now();
	tls_debug_tell(ssl, TLS_DEBUG_CACHE,
	    "%s session ticket, key expiration: %" PRId64, what,
	    (int64_t)time(NULL) + left_s);
}

/* Without a key in force, a ticket that nobody can open: that is always good
 * for a whole handshake, while OpenSSL can leave a ticket out in TLS 1.2 alone.
 */
static bool make_throwaway(struct tls_ticket_key *key_out)
{
	return RAND_bytes(key_out->name, sizeof(key_out->name)) == 1 &&
	       RAND_priv_bytes(key_out->hmac, sizeof(key_out->hmac)) == 1 &&
	       RAND_priv_bytes(key_out->cipher, sizeof(key_out->cipher)) == 1;
}

static int issue(const struct policy *policy,
    const struct tls_ticket_key_set *set, const struct ticket *ticket)
{
	struct tls_ticket_key key;
	bool fine = true;

	if (set->key_count > 0 && set->keys[0].honoured_until > policy->now()) {
		key = set->keys[0];
		tell(ticket->ssl, policy, &key, "Issuing");
	} else {
		fine = make_throwaway(&key);
	}
	fine = fine && RAND_bytes(ticket->iv, IV_LEN) == 1 &&
	       EVP_EncryptInit_ex(ticket->cipher, policy->cipher, NULL,
		   key.cipher, ticket->iv) == 1 &&
	       set_mac(ticket->mac, &key);
	memcpy(ticket->name, key.name, sizeof(key.name));
	OPENSSL_cleanse(&key, sizeof(key));
	return fine ? TICKET_KNOWN : TICKET_FAILED;
}

/* An old key's ticket is not renewed: a client whose ticket was renewed again
 * and again would carry one secret for ever. */
static int open_ticket(const struct policy *policy,
    struct tls_ticket_key_set *set, const struct ticket *ticket)
{
	for (size_t i = 0; i < set->key_count; i++) {
		struct tls_ticket_key *key = &set->keys[i];

		if (memcmp(key->name, ticket->name, sizeof(key->name)) != 0)
			continue;
		if (key->honoured_until <= policy->now())
			return TICKET_UNKNOWN;
		tell(ticket->ssl, policy, key, "Decrypting");
		return EVP_DecryptInit_ex(ticket->cipher, policy->cipher, NULL,
			   key->cipher, ticket->iv) == 1 &&
			       set_mac(ticket->mac, key)
			   ? TICKET_KNOWN
			   : TICKET_FAILED;
	}
	return TICKET_UNKNOWN;
}

/* One that nobody can open is as none. */
static void note(
    const SSL *ssl, const struct tls_ticket_key_set *set, bool is_new)
{
	struct tls_ticket_events *events =
	    tls_session_ticket_events(tls_session_of(ssl));

	if (!is_new)
		events->came = true;
	else if (set->key_count > 0)
		events->issued++;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_new)
{
	const struct policy *policy =
	    tls_slot_get(&policies, SSL_get_SSL_CTX(ssl));
	const struct ticket ticket = {ssl, name, iv, cipher, mac};
	struct tls_ticket_key_set set;
	int result;

	if (!tls_ticket_keys_copy(policy->keys, &set))
		set.key_count = 0;
	assert(set.key_count <= TLS_TICKET_KEYS_MAX);
	result = is_new ? issue(policy, &set, &ticket)
			: open_ticket(policy, &set, &ticket);
	note(ssl, &set, is_new);
	OPENSSL_cleanse(&set, sizeof(set));
	return result;
}

/* NULL, told, when it is no cipher for tickets. */
static const EVP_CIPHER *find_cipher(
    const char *name, struct tls_findings *findings)
{
	const EVP_CIPHER *cipher = EVP_get_cipherbyname(name);

	if (cipher != NULL &&
	    EVP_CIPHER_get_mode(cipher) == EVP_CIPH_CBC_MODE &&
	    EVP_CIPHER_get_iv_length(cipher) == IV_LEN &&
	    EVP_CIPHER_get_key_length(cipher) >= CIPHER_KEY_MIN &&
	    EVP_CIPHER_get_key_length(cipher) <= CIPHER_KEY_MAX)
		return cipher;
	tls_findings_error(findings, CIPHER_PARAMETER,
	    "\"%s\" is no cipher for tickets; must be one in CBC mode with an "
	    "IV of 16 bytes and a key of 16 to 32, such as " CIPHER_DEFAULT
	    ", or empty",
	    name);
	return NULL;
}

static void set_keys(SSL_CTX *ctx, const struct tls_ticket_options *options,
    const EVP_CIPHER *cipher, struct tls_findings *findings)
{
	struct policy *policy = OPENSSL_zalloc(sizeof(*policy));

	if (policy == NULL || !tls_slot_put(&policies, ctx, policy)) {
		OPENSSL_free(policy);
		tls_findings_error(findings, CIPHER_PARAMETER,
		    "OpenSSL cannot keep the policy: %s",
		    tls_findings_library_reason());
		return;
	}
	policy->keys = options->keys;
	policy->cipher = cipher;
	policy->now = options->now != NULL ? options->now : tls_ticket_keys_now;
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
}

/* The option alone would turn tickets of TLS 1.3 into ones for a cache, which
 * are sent all the same and grow without bound (CVE-2024-2511). */
static void set_none(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(ctx, 0);
}

void tls_tickets_apply(SSL_CTX *ctx, const struct tls_context_options *options,
    struct tls_findings *findings)
{
	const struct tls_ticket_options *tickets = &options->tickets;
	const char *name = tickets->tls_session_ticket_cipher != NULL
			       ? tickets->tls_session_ticket_cipher
			       : CIPHER_DEFAULT;
	int timeout_s = options->session_timeout_s;
	const EVP_CIPHER *cipher = NULL;

	/* A cache would belong to one worker of many, and grow. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (name[0] != '\0')
		cipher = find_cipher(name, findings);
	if (timeout_s <= 0 || cipher == NULL ||
	    (SSL_CTX_get_options(ctx) & SSL_OP_NO_TICKET) != 0) {
		set_none(ctx);
		return;
	}
	SSL_CTX_set_timeout(ctx, timeout_s < TLS_TICKET_LIFETIME_MIN_S
				     ? TLS_TICKET_LIFETIME_MIN_S
				     : timeout_s);
	/* One is enough for a client that comes again; each costs a record, and
	 * a key derivation, in every handshake. */
	SSL_CTX_set_num_tickets(ctx, 1);
	if (tickets->keys != NULL)
		set_keys(ctx, tickets, cipher, findings);
}
