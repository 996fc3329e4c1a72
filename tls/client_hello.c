/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/client_hello.h"

#include "tls/exchange.h"
#include "tls/handles.h"
#include "tls/hello.h"
#include "tls/sni.h"

/* Comes a second time after a HelloRetryRequest. */
static int on_client_hello(SSL *ssl, int *alert, void *argument)
{
	(void)argument;
	tls_client_offer_read(tls_session_of(ssl));
	if (!tls_sni_choose(tls_session_of(ssl))) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
	return tls_exchange_choose(tls_session_of(ssl), alert);
}

void tls_client_hello_watch(SSL_CTX *ctx)
{
	SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
}
