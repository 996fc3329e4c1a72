/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/invariants.h"

#include "tls/options.h"

/* What holds for all contexts, whatever the operator wrote. */
static void set_invariants(SSL_CTX *ctx)
{
	/* Debian's configuration of OpenSSL sets level 2, which would refuse in
	 * silence what protocols, ciphers and groups allow: TLS 1.0 needs level
	 * 0 (its handshake signs SHA-1), and so do primes of 1024 bits. With
	 * STARTTLS a refused handshake often means that the mail comes in clear
	 * (RFC 7435). First of all, since loading checks keys against it. */
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_options(
	    ctx, SSL_OP_ALL | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		     SSL_OP_SINGLE_DH_USE | SSL_OP_SINGLE_ECDH_USE);
	/* An end without close_notify is a fault of its own (truncation), so
	 * OpenSSL must not hide it from us, whatever its configuration says. */
	SSL_CTX_clear_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* Buffers only while they have bytes in them: most sessions idle. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
				  SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	/* Early data can be replayed (RFC 8446, 8): no MAIL twice. */
	SSL_CTX_set_max_early_data(ctx, 0);
	/* A resumed session has keys of its own (psk_dhe_ke), whatever the
	 * configuration of OpenSSL says. */
	SSL_CTX_clear_options(ctx, SSL_OP_ALLOW_NO_DHE_KEX);
}

/* What the operator adds to the options of OpenSSL. */
static void set_options(
    SSL_CTX *ctx, const char *list, struct tls_findings *findings)
{
	struct tls_options options;
	char bad[64];

	if (list == NULL)
		return;
	if (!tls_options_parse(list, &options, bad, sizeof(bad))) {
		tls_findings_error(findings, "tls_ssl_options",
		    "\"%s\" is no option; must be names such as NO_TICKET, or "
		    "a mask such as 0x4000",
		    bad);
		return;
	}
	if (options.refused != 0)
		tls_findings_warning(findings, "tls_ssl_options",
		    "0x%llx is ignored: other parameters rule these bits, or "
		    "sessions would be unsafe with them",
		    (unsigned long long)options.refused);
	SSL_CTX_set_options(ctx, options.bits);
}

/* What he takes from them. */
static void clear_workarounds(
    SSL_CTX *ctx, const char *list, struct tls_findings *findings)
{
	struct tls_options options;
	char bad[64];

	if (list == NULL)
		return;
	if (tls_options_parse_workarounds(list, &options, bad, sizeof(bad)))
		SSL_CTX_clear_options(ctx, options.bits);
	else
		tls_findings_error(findings, "tls_disable_workarounds",
		    "\"%s\" is no workaround; must be names such as "
		    "TLSEXT_PADDING, or a mask such as 0x10",
		    bad);
}

void tls_invariants_apply(SSL_CTX *ctx,
    const struct tls_context_options *options, struct tls_findings *findings)
{
	set_invariants(ctx);
	set_options(ctx, options->tls_ssl_options, findings);
	clear_workarounds(ctx, options->tls_disable_workarounds, findings);
}
