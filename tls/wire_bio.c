/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/wire_bio.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#include <openssl/crypto.h>

static CRYPTO_ONCE method_once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *method; /* one for the process, never freed */

static int smaller(size_t left, int wanted)
{
	return left < (size_t)wanted ? (int)left : wanted;
}

static int wire_read(BIO *bio, char *out, int out_size)
{
	struct tls_wire_bio *state = BIO_get_data(bio);
	struct tls_wire *wire = state->wire;
	int len;

	assert(wire != NULL);
	assert(wire->in_used <= wire->in_len);
	BIO_clear_retry_flags(bio);
	len = smaller(wire->in_len - wire->in_used, out_size);
	if (len > 0 && !state->stopped) {
		memcpy(out, wire->in + wire->in_used, (size_t)len);
		wire->in_used += (size_t)len;
		return len;
	}
	if (wire->in_eof && !state->stopped) {
		state->eof_seen = true;
		return 0;
	}
	BIO_set_retry_read(bio);
	return -1;
}

static int wire_write(BIO *bio, const char *bytes, int bytes_len)
{
	struct tls_wire_bio *state = BIO_get_data(bio);
	struct tls_wire *wire = state->wire;
	int len;

	assert(wire != NULL);
	assert(wire->out_len <= wire->out_size);
	BIO_clear_retry_flags(bio);
	/* OpenSSL answers an unexpected end with an alert about it. Whoever
	 * left does not read it, and the system would answer it with a reset.
	 */
	if (state->eof_seen)
		return bytes_len;
	len = smaller(wire->out_size - wire->out_len, bytes_len);
	if (len == 0) {
		BIO_set_retry_write(bio);
		return -1;
	}
	memcpy(wire->out + wire->out_len, bytes, (size_t)len);
	wire->out_len += (size_t)len;
	return len;
}

/* 0 to all that is unknown: OpenSSL asks here for kernel TLS, too. */
static long wire_control(BIO *bio, int command, long number, void *pointer)
{
	const struct tls_wire_bio *state = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return state->eof_seen;
	default:
		return 0;
	}
}

static void make_method(void)
{
	int type = BIO_get_new_index();

	method = BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "postern wire");
	if (method == NULL)
		return;
	BIO_meth_set_read(method, wire_read);
	BIO_meth_set_write(method, wire_write);
	BIO_meth_set_ctrl(method, wire_control);
}

BIO *tls_wire_bio_create(struct tls_wire_bio *state)
{
	BIO *bio;

	if (!CRYPTO_THREAD_run_once(&method_once, make_method) ||
	    method == NULL)
		return NULL;
	bio = BIO_new(method);
	if (bio == NULL)
		return NULL;
	BIO_set_data(bio, state);
	BIO_set_init(bio, 1);
	return bio;
}
