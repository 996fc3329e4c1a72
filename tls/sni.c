/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/sni.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include "tls/chains.h"
#include "tls/debug_tell.h"
#include "tls/handles.h"

#define NAME_LEN_MAX   255 /* RFC 1035, 2.3.4 */
#define LABEL_LEN_MAX  63
#define TYPE_HOST_NAME 0 /* RFC 6066, 3 */
#define ENTRY_HEAD_LEN 3 /* type, length */
#define LIST_HEAD_LEN  2

struct span {
	const unsigned char *bytes;
	size_t len;
};

void tls_sni_choice_finish(struct tls_sni_choice *choice)
{
	OPENSSL_free(choice->name);
	OPENSSL_free(choice->changed_name);
	*choice = (struct tls_sni_choice){0};
}

static size_t number16(const unsigned char *bytes)
{
	return (size_t)bytes[0] << 8 | bytes[1];
}

/* The name in the ClientHello (RFC 6066, 3). False: there is none, or the
 * extension is malformed, for which OpenSSL ends the handshake later. */
static bool read_name(SSL *ssl, struct span *name_out)
{
	const unsigned char *bytes;
	size_t len;

	if (SSL_client_hello_get0_ext(
		ssl, TLSEXT_TYPE_server_name, &bytes, &len) != 1)
		return false;
	if (len < LIST_HEAD_LEN + ENTRY_HEAD_LEN ||
	    number16(bytes) != len - LIST_HEAD_LEN)
		return false;
	bytes += LIST_HEAD_LEN;
	len -= LIST_HEAD_LEN;
	if (bytes[0] != TYPE_HOST_NAME ||
	    number16(bytes + 1) != len - ENTRY_HEAD_LEN)
		return false;
	*name_out = (struct span){bytes + ENTRY_HEAD_LEN, len - ENTRY_HEAD_LEN};
	return true;
}

/* For the log: cut off, and without what would upset it. */
static char *printable(const struct span *name)
{
	size_t len = name->len < NAME_LEN_MAX ? name->len : NAME_LEN_MAX;
	char *text = OPENSSL_malloc(len + 1);

	if (text == NULL)
		return NULL;
	/* It may have NULs in it. */
	for (size_t i = 0; i < len; i++)
		if (name->bytes[i] > ' ' && name->bytes[i] <= '~')
			text[i] = (char)name->bytes[i];
		else
			text[i] = '?';
	text[len] = '\0';
	return text;
}

static bool is_alphanumeric(char byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
	       (byte >= 'A' && byte <= 'Z');
}

static bool is_label(const char *label, size_t len)
{
	if (len == 0 || len > LABEL_LEN_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alphanumeric(label[i]) && label[i] != '-' &&
		    label[i] != '_')
			return false;
	return label[0] != '-' && label[len - 1] != '-';
}

bool tls_sni_is_host_name(const char *name, size_t name_len)
{
	bool is_numeric = true;
	size_t begin = 0;

	if (name_len == 0 || name_len > NAME_LEN_MAX)
		return false;
	for (size_t i = 0; i <= name_len; i++) {
		if (i < name_len && name[i] != '.') {
			if (name[i] < '0' || name[i] > '9')
				is_numeric = false;
			continue;
		}
		if (!is_label(name + begin, i - begin))
			return false;
		begin = i + 1;
	}
	return !is_numeric;
}

static void fold(const struct span *name, char out[NAME_LEN_MAX + 1])
{
	assert(name->len <= NAME_LEN_MAX);
	for (size_t i = 0; i < name->len; i++) {
		char byte = (char)name->bytes[i];

		out[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a')
						    : byte;
	}
	out[name->len] = '\0';
}

/* The name, then its parents. */
static enum tls_chains_answer find(const struct tls_chains *chains,
    const char *name, const struct tls_chain_set **set_out)
{
	const char *key = name;
	enum tls_chains_answer answer;

	do {
		answer = tls_chains_find(chains, key, set_out);
		key = strchr(key + 1, '.');
	} while (answer == TLS_CHAINS_ABSENT && key != NULL);
	return answer;
}

static enum tls_sni_outcome choose(
    SSL *ssl, const struct tls_chains *chains, const struct span *name)
{
	char key[NAME_LEN_MAX + 1];
	const struct tls_chain_set *set = NULL;

	if (!tls_sni_is_host_name((const char *)name->bytes, name->len))
		return TLS_SNI_INVALID;
	fold(name, key);
	switch (find(chains, key, &set)) {
	case TLS_CHAINS_FOUND:
		return tls_chains_install(ssl, chains, set, key)
			   ? TLS_SNI_MATCHED
			   : TLS_SNI_FAILED;
	case TLS_CHAINS_ABSENT:
		return TLS_SNI_NOT_MATCHED;
	case TLS_CHAINS_FAILED:
		return TLS_SNI_FAILED;
	}
	return TLS_SNI_FAILED;
}

/* After a HelloRetryRequest the name must be the same (RFC 8446, 4.1.2). The
 * first choice holds: its binding has been in use since. */
static void compare(struct tls_sni_choice *choice, const struct span *name)
{
	char *again = name->bytes != NULL ? printable(name) : NULL;

	if (choice->name != NULL && again != NULL &&
	    strcmp(choice->name, again) == 0) {
		OPENSSL_free(again);
		return;
	}
	if (choice->name == NULL && again == NULL)
		return;
	OPENSSL_free(choice->changed_name);
	choice->changed_name = again;
	choice->is_changed = true;
}

bool tls_sni_choose(struct tls_session *session)
{
	SSL *ssl = tls_session_handle(session);
	const struct tls_chains *chains = tls_chains_of(ssl);
	struct tls_sni_choice *choice = tls_session_sni_choice(session);
	struct span name = {NULL, 0};
	bool has_name;

	if (chains == NULL)
		return true;
	has_name = read_name(ssl, &name);
	if (choice->is_made) {
		compare(choice, &name);
		return true;
	}
	choice->is_made = true;
	if (!has_name)
		return true;
	choice->name = printable(&name);
	choice->outcome =
	    choice->name != NULL ? choose(ssl, chains, &name) : TLS_SNI_FAILED;
	return choice->outcome != TLS_SNI_FAILED;
}

static struct tls_sni_choice *choice_of(const struct tls_session *session)
{
	return tls_session_sni_choice(
	    tls_session_of(tls_session_handle(session)));
}

const char *tls_sni_matched_name(const struct tls_session *session)
{
	const struct tls_sni_choice *choice = choice_of(session);

	return choice->outcome == TLS_SNI_MATCHED ? choice->name : "";
}

void tls_sni_tell(struct tls_session *session)
{
	if (tls_debug_tell_sni(tls_session_handle(session)))
		tls_session_sni_choice(session)->is_told = true;
}

/* A session of TLS 1.2 is resumed with its name, and what there was to say of
 * that was said when it began. */
static bool was_told(const struct tls_session *session)
{
	SSL *ssl = tls_session_handle(session);

	return choice_of(session)->is_told ||
	       (SSL_session_reused(ssl) == 1 &&
		   SSL_version(ssl) < TLS1_3_VERSION);
}

enum tls_sni_outcome tls_sni_outcome(const struct tls_session *session)
{
	return choice_of(session)->outcome;
}

static const char *name_or_none(const char *name)
{
	return name != NULL ? name : "(none)";
}

enum tls_sni_note tls_sni_note(const struct tls_session *session,
    const char *peer, char *out, size_t out_size)
{
	const struct tls_sni_choice *choice = choice_of(session);

	snprintf(out, out_size, "%s", "");
	if (choice->is_changed) {
		snprintf(out, out_size,
		    "TLS SNI changed from %s initially %s, %s after hello "
		    "retry",
		    peer, name_or_none(choice->name),
		    name_or_none(choice->changed_name));
		return TLS_SNI_NOTE_WARNING;
	}
	switch (choice->outcome) {
	case TLS_SNI_NONE:
	case TLS_SNI_MATCHED:
		return TLS_SNI_NOTE_NONE;
	case TLS_SNI_NOT_MATCHED:
		if (was_told(session))
			return TLS_SNI_NOTE_NONE;
		snprintf(out, out_size,
		    "TLS SNI %s from %s not matched, using default chain",
		    choice->name, peer);
		return TLS_SNI_NOTE_INFO;
	case TLS_SNI_INVALID:
		snprintf(out, out_size, "TLS SNI from %s is invalid: %s", peer,
		    choice->name);
		return TLS_SNI_NOTE_WARNING;
	case TLS_SNI_FAILED:
		snprintf(out, out_size,
		    "TLS SNI lookup for %s from %s failed: the handshake is "
		    "ended",
		    name_or_none(choice->name), peer);
		return TLS_SNI_NOTE_WARNING;
	}
	return TLS_SNI_NOTE_NONE;
}
