/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/slot.h"

#include <openssl/crypto.h>

static void destroy_thing(void *parent, void *thing, CRYPTO_EX_DATA *data,
    int index, long number, void *argument)
{
	const struct tls_slot *slot = argument;

	(void)parent;
	(void)data;
	(void)index;
	(void)number;
	if (thing == NULL)
		return;
	if (slot->destroy != NULL)
		slot->destroy(thing);
	else
		OPENSSL_free(thing);
}

bool tls_slot_put(struct tls_slot *slot, SSL_CTX *ctx, void *thing)
{
	if (slot->index == 0) {
		int index = SSL_CTX_get_ex_new_index(
		    0, slot, NULL, NULL, destroy_thing);

		if (index <= 0)
			return false;
		slot->index = index;
	}
	return SSL_CTX_set_ex_data(ctx, slot->index, thing) == 1;
}

void *tls_slot_get(const struct tls_slot *slot, const SSL_CTX *ctx)
{
	return slot->index > 0 ? SSL_CTX_get_ex_data(ctx, slot->index) : NULL;
}
