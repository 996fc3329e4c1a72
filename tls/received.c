/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/received.h"

#include <string.h>

#include "tls/phrase.h"

/* Older versions have these in the cipher's name. Each of the two lines stands
 * only where something is known to put there: of a session that was resumed,
 * nothing may be. */
static void add_algorithms(
    struct tls_phrase *phrase, const struct tls_facts *facts)
{
	if (strcmp(facts->protocol, "TLSv1.3") != 0)
		return;
	if (facts->key_exchange.name[0] != '\0' ||
	    facts->server_signature.name[0] != '\0')
		tls_phrase_add(phrase, "\n");
	tls_phrase_add_algorithm(
	    phrase, "key-exchange", NULL, &facts->key_exchange);
	tls_phrase_add_algorithm(phrase, "server-signature", "server-digest",
	    &facts->server_signature);
	if (facts->client_signature.name[0] != '\0')
		tls_phrase_add(phrase, "\n");
	tls_phrase_add_algorithm(phrase, "client-signature", "client-digest",
	    &facts->client_signature);
}

static void add_certificate(struct tls_phrase *phrase,
    const struct tls_facts *facts, const struct tls_peer *peer)
{
	bool trusted =
	    facts->trust == TLS_TRUSTED || facts->trust == TLS_VERIFIED;
	char subject[TLS_PEER_NAME_SIZE * 2];
	char issuer[TLS_PEER_NAME_SIZE * 2];

	tls_peer_comment(peer->subject_cn, subject, sizeof(subject));
	tls_peer_comment(peer->issuer_name, issuer, sizeof(issuer));
	tls_phrase_add(phrase, "(Client CN \"%s\", Issuer \"%s\" (%s))\n",
	    subject, issuer, trusted ? "verified OK" : "not verified");
}

size_t tls_received_comments(const struct tls_facts *facts,
    const struct tls_peer *peer, bool asked, char *out, size_t out_size)
{
	struct tls_phrase phrase = tls_phrase_begin(out, out_size);

	tls_phrase_add(&phrase, "(using %s with cipher %s (%d/%d bits)",
	    facts->protocol, facts->cipher, facts->cipher_bits,
	    facts->cipher_bits_of_algorithm);
	add_algorithms(&phrase, facts);
	tls_phrase_add(&phrase, ")\n");
	if (peer->is_present)
		add_certificate(&phrase, facts, peer);
	else
		tls_phrase_add(&phrase, "(%s)\n",
		    asked ? "Client did not present a certificate"
			  : "No client certificate requested");
	return phrase.len;
}
